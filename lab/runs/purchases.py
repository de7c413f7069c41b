"""The purchase index: a database, one per user, of the clips that this user's runs have bought.

It points to clips in run folders. A run looks here before it buys a take again. Losing the index
loses possible savings, but no data.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
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
    """A take that a run bought.

    file: its clip. sha256: the file's hash. bought_at: when, in ISO 8601.
    """

    take_id: str
    file: Path
    sha256: str
    bought_at: str
    cost_usd: float | None

    def __str__(self) -> str:
        return f"bought on {self.bought_at[:10]} in {self.file.parent.parent}"


class PurchaseIndex:
    """The open index. Use `PurchaseIndex.open()` in a `with` block.

    Several processes may use it at the same time.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Self]:
        """Open this user's index. Creates a missing one."""
        path = make_writable_folder(settings().data_dir) / "bought.sqlite"
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            with _translate_sqlite_errors(path):
                connection.executescript(_SCHEMA)
            yield cls(connection, path)

    def add(self, purchase: Purchase, origin: str) -> None:
        """Add a purchase. origin: the service and account that sold it.

        Raises RunFolderError when the index cannot be written.
        """
        with _translate_sqlite_errors(self._path), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO purchases VALUES (?, ?, ?, ?, ?, ?)",
                (
                    purchase.take_id,
                    origin,
                    str(purchase.file.resolve()),
                    purchase.sha256,
                    purchase.bought_at,
                    purchase.cost_usd,
                ),
            )

    def find(self, take_id: str, origin: str) -> Purchase | None:
        """The latest purchase of this take from this origin whose file exists and is unchanged."""
        with _translate_sqlite_errors(self._path):
            rows = self._connection.execute(
                "SELECT file, sha256, at, cost_usd FROM purchases "
                "WHERE take_id = ? AND origin = ? ORDER BY at DESC",
                (take_id, origin),
            ).fetchall()
        for file, sha256, at, cost_usd in rows:
            path = Path(file)
            if path.is_file() and sha256_file(path) == sha256:
                return Purchase(take_id, path, sha256, at, cost_usd)
        return None


@contextmanager
def _translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Raise RunFolderError in place of an SQLite error."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise RunFolderError(
            f"{path}: not a usable purchase index ({error}); move it away, or run without reuse"
        ) from error
