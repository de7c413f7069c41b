"""The element store: one database per user of the elements registered with each account.

Losing the store loses no element: the service keeps them, and a key derived from an element's
pictures finds it there again.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from filelock import FileLock

from lab.backends import Backend, RegisteredElement
from lab.errors import RunFolderError
from lab.files import content_id, make_writable_folder
from lab.settings import settings

_VERSION = 1
_SCHEMA = f"""
BEGIN;
-- seal: the checksum of the row's other columns.
CREATE TABLE elements (
    origin TEXT NOT NULL,
    account TEXT NOT NULL,
    content TEXT NOT NULL,
    row TEXT NOT NULL,
    seal TEXT NOT NULL,
    PRIMARY KEY (origin, account, content)
);
PRAGMA user_version = {_VERSION};
COMMIT;
"""


class ElementRowState(StrEnum):
    """The last known state of an element.

    submitting: the intent is stored; the request may have been sent. uncertain: the service could
    not say whether the request arrived; the next call asks again.
    """

    UNSENT = "unsent"
    SUBMITTING = "submitting"
    UNCERTAIN = "uncertain"
    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"

    @property
    def undecided(self) -> bool:
        """True when it is unknown whether a registration arrived."""
        return self in (self.SUBMITTING, self.UNCERTAIN)


@dataclass(frozen=True)
class ElementRow:
    """An element of an account.

    id: what takes refer to, "" before it is ready. content: a hash of its pictures, "" for an
    element that is not in this store. files: names of its pictures. at: when it was submitted, in
    ISO 8601. title: its name in the service's console. key: our id of its registration. job: the
    service's id of its registration. charged: what was billed, "" when the service does not say.
    """

    name: str
    state: ElementRowState
    id: str = ""
    content: str = ""
    description: str = ""
    files: tuple[str, ...] = ()
    at: str = ""
    key: str = ""
    job: str = ""
    title: str = ""
    message: str = ""
    charged: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "state": self.state.value, "files": list(self.files)}

    def __str__(self) -> str:
        source = f"{', '.join(self.files)}, {self.at[:10]}" if self.content else "made elsewhere"
        message = f" ({self.message})" if self.message else ""
        return f"{self.name:<20}  {self.id or '-':<20}  {self.state}{message}  {source}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        state, files = ElementRowState(data["state"]), tuple(data["files"])
        return cls(**{**data, "state": state, "files": files})

    def updated(self, registered: RegisteredElement) -> Self:
        """The row with the state that the service reports."""
        return replace(
            self,
            state=ElementRowState(registered.state.value),
            id=registered.id or self.id,
            job=registered.registration_id,
            title=registered.title or self.title,
            message=registered.message,
            charged=registered.charged,
        )


class ElementStore:
    """The open store of one account. Several processes may use it at the same time."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, origin: str, account: str
    ) -> None:
        self._connection = connection
        self._path = path
        self._account = (origin, account)

    @classmethod
    @contextmanager
    def open(cls, backend: Backend) -> Iterator[Self]:
        """Open the store of a backend's account; create it if it is missing."""
        path = make_writable_folder(settings().data_dir) / "elements.sqlite"
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            with _translate_sqlite_errors(path):
                version = int(connection.execute("PRAGMA user_version").fetchone()[0])
                if version > _VERSION:
                    raise RunFolderError(
                        f"{path}: version {version} and this i2v-lab reads {_VERSION}; update "
                        "i2v-lab"
                    )
                if not version:
                    with _lock(path):
                        if not connection.execute("PRAGMA user_version").fetchone()[0]:
                            connection.executescript(_SCHEMA)
            yield cls(connection, path, backend.origin, backend.account)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let only one process register or delete at a time. Waits while another one does."""
        with _lock(self._path):
            yield

    def get(self, content: str) -> ElementRow | None:
        """The element with this content."""
        return next((row for row in self.rows() if row.content == content), None)

    def rows(self) -> tuple[ElementRow, ...]:
        """Every element that this user registered with the account, oldest first."""
        with _translate_sqlite_errors(self._path):
            stored = self._connection.execute(
                "SELECT content, row, seal FROM elements WHERE origin = ? AND account = ?",
                self._account,
            ).fetchall()
        if any(checksum != self._checksum(content, text) for content, text, checksum in stored):
            raise _unusable(self._path, "a row does not match its checksum")
        rows = (ElementRow.from_json(json.loads(text)) for _, text, _ in stored)
        return tuple(sorted(rows, key=lambda row: (row.at, row.name)))

    def put(self, row: ElementRow) -> ElementRow:
        """Write a row to disk and return it."""
        text = json.dumps(row.to_json(), sort_keys=True)
        with _translate_sqlite_errors(self._path), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO elements VALUES (?, ?, ?, ?, ?)",
                (*self._account, row.content, text, self._checksum(row.content, text)),
            )
        return row

    def remove(self, row: ElementRow) -> None:
        """Remove a row."""
        with _translate_sqlite_errors(self._path), self._connection:
            self._connection.execute(
                "DELETE FROM elements WHERE origin = ? AND account = ? AND content = ?",
                (*self._account, row.content),
            )

    def _checksum(self, content: str, text: str) -> str:
        return content_id([*self._account, content, text])


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_suffix(".lock"))


def _unusable(path: Path, reason: str) -> RunFolderError:
    return RunFolderError(
        f"{path}: not a usable store of elements ({reason}); move it away: registered elements are "
        "found again at the service"
    )


@contextmanager
def _translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Raise RunFolderError in place of an SQLite error."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _unusable(path, str(error)) from error
