"""The ledger's tables on disk: creation, migration, read-only access and integrity checks.

Every row has a checksum of its other columns, in the column `seal`. SQLite detects a page with a
broken structure. The checksum detects a row with changed content.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from lab.errors import RunFolderError
from lab.files import content_id
from lab.runs.ledger.errors import damaged_ledger

SCHEMA_VERSION = 3
PAGE_BYTES = 4096
"""SQLite's default. Recovery needs it even when the first page, which contains it, is lost."""

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
# Version 1 had no price estimates. Version 2 had no row checksums.
_COLUMNS_ADDED_IN_2 = ("low_usd REAL", "high_usd REAL")
_COLUMN_ADDED_IN_3 = "seal TEXT NOT NULL DEFAULT ''"
CHECKSUM_VERSION = 3
"""Rows have a checksum from this version on."""

_CANNOT_SHARE_LOG = ("SQLITE_CANTOPEN", "SQLITE_READONLY_DIRECTORY", "SQLITE_READONLY_CANTINIT")

Table = Literal["facts", "takes", "events"]
_KEYS: dict[Table, str] = {"facts": "name", "takes": "take_id", "events": "seq"}
_REAL_COLUMNS = (9, 12, 13)
"""Positions of cost_usd, low_usd and high_usd in a take. SQLite stores a REAL that is a whole
number as an integer; `row_checksum` converts it back to float."""


def row_checksum(table: Table, columns: Sequence[Any]) -> str:
    """The checksum of a row. columns: all columns but the checksum itself.

    An event's number is left out, because SQLite assigns it only on writing. Raises TypeError or
    ValueError for a value that no ledger row holds: bytes, NaN or infinity.
    """
    values = list(columns)
    if table == "takes":
        for index in _REAL_COLUMNS:
            values[index] = None if values[index] is None else float(values[index])
    return content_id([table, *values[table == "events" :]])


def checksum_matches(table: Table, row: Sequence[Any]) -> bool:
    """True when a row's checksum, its last column, fits its other columns."""
    try:
        return bool(row[-1] == row_checksum(table, row[:-1]))
    except (TypeError, ValueError):
        return False


def create_tables(path: Path) -> None:
    """Create the tables of an empty ledger in an empty file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_SCHEMA)


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that never writes to the ledger. It also works in a read-only folder.

    Readers and the writer share the write-ahead log through the -shm file. If that file cannot be
    created, no writer can be active. Without a -wal file, the ledger is then opened as immutable;
    otherwise SQLite merges temporary copies of the ledger and the -wal file.
    """
    uri = path.resolve().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=30)
    try:
        connection.execute("PRAGMA user_version")
        return connection
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorname not in _CANNOT_SHARE_LOG:
            raise
    log = path.with_name(f"{path.name}-wal")
    if not (log.is_file() and log.stat().st_size):
        return sqlite3.connect(f"{uri}?immutable=1", uri=True)
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, log):
            shutil.copyfile(file, Path(folder) / file.name)
        with closing(sqlite3.connect(Path(folder) / path.name)) as copy:
            merged = sqlite3.connect(":memory:")
            copy.backup(merged)
    return merged


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Update a verified ledger of an older version to this one, in one transaction."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if version == 1:
            for column in _COLUMNS_ADDED_IN_2:
                connection.execute(f"ALTER TABLE takes ADD COLUMN {column}")
        for table, key in _KEYS.items():
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - no user input
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {_COLUMN_ADDED_IN_3}")
            connection.executemany(
                f"UPDATE {table} SET seal = ? WHERE {key} = ?",  # noqa: S608 - no user input
                [(row_checksum(table, row), row[0]) for row in rows],
            )
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of an open ledger, 1 to `SCHEMA_VERSION`. Raises RunFolderError otherwise."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise RunFolderError(
            f"{path}: ledger version {version}; this i2v-lab reads 1 to "
            f"{SCHEMA_VERSION}; update i2v-lab"
        )
    if version < 1:
        raise damaged_ledger(
            path, "it is empty" if not path.stat().st_size else "it has no version"
        )
    return version


def check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Run SQLite's integrity check on every page, table and index."""
    (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if result != "ok":
        raise damaged_ledger(path, result.removeprefix("*** in database main ***"))


def check_size(connection: sqlite3.Connection, path: Path) -> None:
    """If the file ends in the middle of a page, check every page.

    SQLite reads zeros beyond the end of a file. Zeros in an index hide rows without any error.
    """
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    if path.stat().st_size % page_bytes:
        check_pages(connection, path)
