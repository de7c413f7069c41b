"""What this user has bought before, wherever it lies: one small index for all run folders."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from lab.errors import RunFolderError
from lab.files import make_writable_folder, sha256_file
from lab.settings import settings

_SCHEMA = """
CREATE TABLE IF NOT EXISTS purchases (
    take_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    at TEXT NOT NULL,
    cost_usd REAL,
    PRIMARY KEY (take_id, origin, file)
);
"""


@dataclass(frozen=True)
class Purchase:
    """A take bought by some run: its file, the file's hash, when, and what it cost."""

    take_id: str
    file: Path
    sha256: str
    at: str
    cost_usd: float | None

    def __str__(self) -> str:
        return f"bought on {self.at[:10]} in {self.file.parent.parent}"


class PurchaseIndex:
    """The index. Use `PurchaseIndex.open()` in a `with` block; several processes may at once.

    It only points at clips: losing it loses a saving, never data. What it names is believed only
    while the file is there and unchanged.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Self]:
        """Open the index of this user, made if need be."""
        path = make_writable_folder(settings().data_dir) / "bought.sqlite"
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            with _translated(path):
                connection.executescript(_SCHEMA)
            yield cls(connection, path)

    def add(self, purchase: Purchase, origin: str) -> None:
        """Note a purchase. Raises RunFolderError where that cannot be written."""
        with _translated(self._path), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO purchases VALUES (?, ?, ?, ?, ?, ?)",
                (
                    purchase.take_id,
                    origin,
                    str(purchase.file.resolve()),
                    purchase.sha256,
                    purchase.at,
                    purchase.cost_usd,
                ),
            )

    def find(self, take_id: str, origin: str) -> Purchase | None:
        """An identical take from the same origin whose file is still there, whole."""
        with _translated(self._path):
            found = self._connection.execute(
                "SELECT file, sha256, at, cost_usd FROM purchases "
                "WHERE take_id = ? AND origin = ? ORDER BY at DESC",
                (take_id, origin),
            ).fetchall()
        for file, sha256, at, cost_usd in found:
            path = Path(file)
            if path.is_file() and sha256_file(path) == sha256:
                return Purchase(take_id, path, sha256, at, cost_usd)
        return None


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Tell what SQLite says of the index, and of nothing else, as an error of ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise RunFolderError(
            f"{path}: not a usable index of bought takes ({error}); move it away, or run "
            "without reuse"
        ) from error


def utc_timestamp() -> str:
    """The moment, as purchases note it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
