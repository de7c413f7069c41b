"""How a ledger lies on disk: its tables, their versions, the seal of each row, what SQLite says.

A row's seal is a hash of its other columns. SQLite finds a page whose structure is broken; the seal
finds a row whose content is.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from lab.errors import BusyError, LabError, RunFolderError
from lab.files import content_id

SCHEMA_VERSION = 3
PAGE_BYTES = 4096
"""SQLite's default since before the first ledger; said again so that a lost first page is none."""

_SCHEMA = f"""
PRAGMA page_size = {PAGE_BYTES};
BEGIN;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL, seal TEXT NOT NULL DEFAULT '');
CREATE TABLE takes (
    take_id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    trial INTEGER NOT NULL,
    repeat INTEGER NOT NULL,
    factors TEXT NOT NULL,
    take TEXT NOT NULL,
    state TEXT NOT NULL,
    job TEXT,
    message TEXT NOT NULL,
    cost_usd REAL,
    fetches INTEGER NOT NULL,
    clip TEXT,
    low_usd REAL,
    high_usd REAL,
    seal TEXT NOT NULL DEFAULT ''
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    take_id TEXT NOT NULL REFERENCES takes,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    seal TEXT NOT NULL DEFAULT ''
);
CREATE INDEX events_by_take ON events (take_id, seq);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
# Version 1 knew no estimates, version 2 no seals.
_TO_VERSION_2 = ("low_usd REAL", "high_usd REAL")
_TO_VERSION_3 = "seal TEXT NOT NULL DEFAULT ''"

_CANNOT_SHARE = ("SQLITE_CANTOPEN", "SQLITE_READONLY_DIRECTORY", "SQLITE_READONLY_CANTINIT")
_MOST_PATH_BYTES = 500
"""SQLite on Unix takes 512 with what it adds for its log."""

Table = Literal["facts", "takes", "events"]
_KEYS: dict[Table, str] = {"facts": "name", "takes": "take_id", "events": "seq"}
_REALS = (9, 12, 13)
"""cost_usd, low_usd and high_usd of a take: SQLite keeps a whole number of them as an integer."""


def seal(table: Table, columns: Sequence[Any]) -> str:
    """The hash that a row carries, of its columns without the seal itself.

    An event's number is left out: it is not known before the event is written. Raises TypeError or
    ValueError for what no row of ours holds: bytes, infinity.
    """
    values = list(columns)
    if table == "takes":
        for place in _REALS:
            values[place] = None if values[place] is None else float(values[place])
    return content_id([table, *values[table == "events" :]])


def begin(path: Path) -> None:
    """Make an empty ledger in an empty file."""
    with closing(sqlite3.connect(path)) as begun:
        begun.executescript(_SCHEMA)


def opened_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing to the ledger.

    SQLite shares a log between readers and the writer through a file beside it. Where nobody may
    make that file there is no writer either: the ledger is then read as it lies, or, where a log
    was left there, from a copy of both, because only SQLite itself can put the two together.
    """
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=30)
    try:
        connection.execute("PRAGMA user_version")
        return connection
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorname not in _CANNOT_SHARE:
            raise
    log = path.with_name(f"{path.name}-wal")
    if not (log.is_file() and log.stat().st_size):
        return sqlite3.connect(f"{address}?immutable=1", uri=True)
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, log):
            shutil.copyfile(file, Path(folder) / file.name)
        with closing(sqlite3.connect(Path(folder) / path.name)) as copy:
            whole = sqlite3.connect(":memory:")
            copy.backup(whole)
    return whole


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a checked ledger of an older version to this one, or leave it as it is."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if version == 1:
            for column in _TO_VERSION_2:
                connection.execute(f"ALTER TABLE takes ADD COLUMN {column}")
        for table, key in _KEYS.items():
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - ours
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {_TO_VERSION_3}")
            connection.executemany(
                f"UPDATE {table} SET seal = ? WHERE {key} = ?",  # noqa: S608 - ours
                [(seal(table, row), row[0]) for row in rows],
            )
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


class DamagedLedgerError(RunFolderError):
    """A ledger whose content is broken, as opposed to one that cannot be reached just now."""


def damaged(path: Path, why: str) -> DamagedLedgerError:
    """The one line for a ledger whose content is broken."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in why).split())
    return DamagedLedgerError(
        f"{path}: the ledger is damaged ({plain[:160]}); `lab recover {path.parent}` rebuilds it "
        "from what can be read"
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Tell what SQLite says of a ledger as an error of ours that says what to change."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a bug of ours, such as a ledger used after it was closed
    except sqlite3.DatabaseError as error:
        raise _as_ours(path, error) from error


def _as_ours(path: Path, error: sqlite3.DatabaseError) -> LabError:
    # Python's own complaints have no code: text that is no UTF-8, quoted in full.
    code = getattr(error, "sqlite_errorname", None) or ""
    kind = code.removeprefix("SQLITE_").partition("_")[0]
    if kind in ("BUSY", "LOCKED", "PROTOCOL"):
        return BusyError(f"{path}: another process keeps the ledger locked; wait and try again")
    if kind == "FULL":
        return RunFolderError(f"{path}: the disk is full; free space and go on")
    if kind == "CANTOPEN" and len(os.fsencode(path.absolute())) > _MOST_PATH_BYTES:
        return RunFolderError(
            f"{path}: SQLite opens no path of over {_MOST_PATH_BYTES} bytes; name a run folder "
            "nearer to the root"
        )
    if kind in ("READONLY", "CANTOPEN", "PERM", "AUTH"):
        return RunFolderError(
            f"{path}: the ledger cannot be opened or written ({error}); you need the right to "
            "write it and its folder"
        )
    lost = code in ("SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS", "SQLITE_IOERR_DATA")
    if kind in ("IOERR", "NOMEM", "NOLFS", "INTERRUPT") and not lost:
        return RunFolderError(
            f"{path}: the ledger cannot be read or written ({error}); check the disk and its free "
            "space"
        )
    # What is left: pages that make no sense, and a schema or a row that is not ours.
    return damaged(path, str(error) if code else "text that is no UTF-8")


def checked_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of an open ledger, 1 to `SCHEMA_VERSION`. Raises RunFolderError otherwise."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise RunFolderError(
            f"{path}: ledger version {version} and this i2v-lab reads 1 to "
            f"{SCHEMA_VERSION}; update i2v-lab"
        )
    if version < 1:
        raise damaged(path, "it is empty" if not path.stat().st_size else "it has no version")
    return version


def check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Read every page, and hold rows and indices against each other."""
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, found.removeprefix("*** in database main ***"))


def check_size(connection: sqlite3.Connection, path: Path) -> None:
    """Look at every page of a file that was cut inside one.

    SQLite reads zeros beyond a file's end, and an index entry of zeros is a row that nobody finds.
    """
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    if path.stat().st_size % page_bytes:
        check_pages(connection, path)
