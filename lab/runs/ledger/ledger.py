"""The ledger: an SQLite file that records every event of a run and the state of every take.

There is one writer and any number of readers. Each change is one transaction, which appends an
event and updates the take's row. Nothing is deleted. `verify` replays all events and compares the
result with the rows. Every row has a checksum, so a changed row is reported as damage.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from lab.errors import RunFolderError
from lab.files import atomic_write
from lab.runs.ledger.codec import (
    DECODE_ERRORS,
    DESIGN_COLUMN_COUNT,
    decode_event,
    decode_take,
    encode_json,
    encode_take,
)
from lab.runs.ledger.errors import damaged_ledger, translate_sqlite_errors
from lab.runs.ledger.money import Money
from lab.runs.ledger.schema import (
    CHECKSUM_VERSION,
    SCHEMA_VERSION,
    Table,
    check_pages,
    check_size,
    checksum_matches,
    connect_read_only,
    create_tables,
    migrate,
    row_checksum,
    schema_version,
)
from lab.runs.ledger.take_row import Event, EventKind, TakeRow, TakeState, apply_event, replay

_T = TypeVar("_T")


class Ledger:
    """An open ledger. Use `Ledger.write` or `Ledger.read`, in a `with` block.

    Every method that reads raises DamagedLedgerError for a row that is not as it was written.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        now: Callable[[], datetime],
        version: int = SCHEMA_VERSION,
    ) -> None:
        self._connection = connection
        self._path = path
        self._now = now
        self._has_checksums = version >= CHECKSUM_VERSION

    @classmethod
    def write(cls, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Self:
        """Open for writing. Creates a missing ledger and migrates an older one.

        Every page is checked first, so that no run spends money with a damaged ledger.
        """
        with translate_sqlite_errors(path):
            if not path.exists():
                # A reader may be waiting for this file, so it appears only when complete.
                with atomic_write(path) as part:
                    create_tables(part)
            connection = sqlite3.connect(path, timeout=30)
            try:
                version = schema_version(connection, path)
                check_pages(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                # An event must be on disk before the paid request that it announces is sent.
                connection.execute("PRAGMA synchronous = FULL")
                if version < SCHEMA_VERSION:
                    # Migration adds a checksum to each row, so each row must be correct.
                    cls(connection, path, now, version).verify()
                    migrate(connection, version)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path, now)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading, also while a writer is active and in a read-only folder."""
        if not os.path.isfile(path):
            raise RunFolderError(f"{path.parent}: holds no run")
        with translate_sqlite_errors(path):
            connection = connect_read_only(path)
            try:
                version = schema_version(connection, path)
                check_size(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path, lambda: datetime.now(UTC), version)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Create a ledger in an empty temporary file.

        The rollback journal stays in memory: a file that is not finished is deleted anyway.
        """
        with translate_sqlite_errors(path):
            create_tables(path)
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA journal_mode = MEMORY")
        return cls(connection, path, lambda: datetime.now(UTC))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def fact(self, name: str) -> Any:
        """A fact about the run as a whole, such as its sweep; None when there is none."""
        for _, value, *_ in self._rows("facts", "WHERE name = ?", name):
            return self._decode("facts", name, json.loads, value)
        return None

    def set_fact(self, name: str, value: Any) -> None:
        """Write a fact about the run as a whole. value: plain data."""
        with self._transaction():
            self._put_fact(name, value)

    def add(
        self, rows: Iterable[TakeRow], snapshots: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Add planned takes in one transaction. Takes that are in the ledger stay unchanged.

        snapshots: by take id, the state of a take whose row was lost. See `take_row.snapshot`.
        """
        with self._transaction():
            for row in rows:
                state = (snapshots or {}).get(row.take_id)
                new = self._put_row(
                    row if state is None else apply_event(row, EventKind.RECOVERED, state)
                )
                if new and state is not None:
                    self._append(row.take_id, EventKind.RECOVERED, state)

    def record(self, take_id: str, kind: str, **data: Any) -> TakeRow:
        """Append an event and return the take's new row. Both are on disk on return."""
        before = self._take_columns(take_id)
        row = apply_event(self._decode("takes", take_id, decode_take, *before), kind, data)
        # Keep the stored design columns: an older version may have encoded them differently.
        columns = (*before[:DESIGN_COLUMN_COUNT], *encode_take(row)[DESIGN_COLUMN_COUNT:])
        with self._transaction():
            self._append(take_id, kind, data)
            self._connection.execute(
                "UPDATE takes SET state = ?, job = ?, message = ?, cost_usd = ?, fetches = ?, "
                "clip = ?, low_usd = ?, high_usd = ?, seal = ? WHERE take_id = ?",
                (*columns[DESIGN_COLUMN_COUNT:], row_checksum("takes", columns), take_id),
            )
        return row

    def restore(
        self,
        *,
        facts: Mapping[str, Any],
        events: Mapping[int, Event],
        last_seq: int,
        rows: Iterable[TakeRow],
        snapshots: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Fill an empty ledger with the rows that were recovered from a damaged one.

        events: by their numbers, which they keep. last_seq: the highest number ever used.
        snapshots: by take id, the state of each take whose recovered events cannot be replayed.
        """
        with self._transaction():
            for name, value in facts.items():
                self._put_fact(name, value)
            for seq, event in sorted(events.items()):
                columns = (seq, event.timestamp, event.take_id, event.kind, encode_json(event.data))
                self._connection.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
                    (*columns, row_checksum("events", columns)),
                )
            # New events must not reuse the number of a lost one.
            self._connection.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
            self._connection.execute(
                "INSERT INTO sqlite_sequence VALUES ('events', ?)", (last_seq,)
            )
        self.add(rows, snapshots)

    def take(self, take_id: str) -> TakeRow:
        """One take's row. Raises KeyError for an unknown id."""
        return self._decode("takes", take_id, decode_take, *self._take_columns(take_id))

    def takes(self) -> list[TakeRow]:
        """Every take, in the order of the design."""
        return [
            self._decode("takes", columns[0], decode_take, *columns)
            for columns in self._rows("takes", "ORDER BY position")
        ]

    def states(self) -> dict[str, TakeState]:
        """Every take's state by id, in the order of the design."""
        return {
            columns[0]: self._decode("takes", columns[0], TakeState, columns[DESIGN_COLUMN_COUNT])
            for columns in self._rows("takes", "ORDER BY position")
        }

    def money(self) -> Money:
        """What the run has cost and may still cost."""
        return Money.total(self.takes())

    def events(self, take_id: str | None = None) -> Iterator[Event]:
        """All events, or those of one take, oldest first."""
        if take_id is None:
            rows = self._rows("events", "ORDER BY seq")
        else:
            rows = self._rows("events", "WHERE take_id = ? ORDER BY seq", take_id)
        for columns in rows:
            yield self._decode("events", columns[0], decode_event, *columns)

    def submission_accounts(self, take_id: str) -> list[str]:
        """The account used for each submission of a take, oldest first.

        `UNKNOWN_ACCOUNT` stands for submissions that a damaged ledger lost.
        """
        return [
            str(event.data.get("account", ""))
            for event in self.events(take_id)
            if event.kind == EventKind.SUBMITTING
            or (event.kind == EventKind.RECOVERED and "account" in event.data)
        ]

    def check(self) -> None:
        """Check every page and every row. Raises DamagedLedgerError when anything is wrong."""
        with translate_sqlite_errors(self._path):
            check_pages(self._connection, self._path)
        self.verify()

    def verify(self) -> None:
        """Replay all events; raise DamagedLedgerError for a take whose row disagrees with them."""
        names = [name for name, *_ in self._rows("facts")]
        facts = {name: self.fact(name) for name in names}
        rows = {row.take_id: row for row in self.takes()}
        lost_takes = (facts.get("lost") or {}).get("takes", {})
        histories: dict[str, list[Event]] = {take_id: [] for take_id in rows}
        for event in self.events():
            if event.take_id in rows:
                histories[event.take_id].append(event)
            elif event.take_id not in lost_takes:
                raise damaged_ledger(self._path, f"take {event.take_id} has events and no row")
        for take_id, row in rows.items():
            if row != self._decode("takes", take_id, replay, row, histories[take_id]):
                raise damaged_ledger(self._path, f"take {take_id} disagrees with its events")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit on success and roll back on any error."""
        with translate_sqlite_errors(self._path), self._connection:
            yield

    def _rows(self, table: Table, clauses: str = "", *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a table without their checksums. clauses: WHERE and ORDER BY, in SQL."""
        with translate_sqlite_errors(self._path):
            statement = f"SELECT * FROM {table} {clauses}"  # noqa: S608 - no user input
            for row in self._connection.execute(statement, values):
                columns = row[:-1] if self._has_checksums else row
                if self._has_checksums and not checksum_matches(table, row):
                    raise damaged_ledger(
                        self._path, f"the row of {columns[0]} in {table} has a wrong checksum"
                    )
                yield columns

    def _take_columns(self, take_id: str) -> tuple[Any, ...]:
        for columns in self._rows("takes", "WHERE take_id = ?", take_id):
            return columns
        raise KeyError(take_id)

    def _decode(self, table: Table, key: object, decode: Callable[..., _T], *values: Any) -> _T:
        """`decode(*values)` for the row of this key. Raises DamagedLedgerError."""
        try:
            return decode(*values)
        except DECODE_ERRORS as error:
            raise damaged_ledger(
                self._path, f"the row of {key} in {table} cannot be decoded: {error}"
            ) from error

    def _put_fact(self, name: str, value: Any) -> None:
        text = encode_json(value)
        self._connection.execute(
            "INSERT INTO facts VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value, seal = excluded.seal",
            (name, text, row_checksum("facts", (name, text))),
        )

    def _put_row(self, row: TakeRow) -> bool:
        """Insert a row. Returns False when the take is in the ledger already."""
        columns = encode_take(row)
        placeholders = ", ".join("?" * (len(columns) + 1))
        cursor = self._connection.execute(
            f"INSERT OR IGNORE INTO takes VALUES ({placeholders})",  # noqa: S608 - question marks
            (*columns, row_checksum("takes", columns)),
        )
        return cursor.rowcount == 1

    def _append(self, take_id: str, kind: str, data: Mapping[str, Any]) -> None:
        columns = (self._now().isoformat(), take_id, kind, encode_json(data))
        self._connection.execute(
            "INSERT INTO events (at, take_id, kind, data, seal) VALUES (?, ?, ?, ?, ?)",
            (*columns, row_checksum("events", (None, *columns))),
        )
