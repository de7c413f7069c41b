"""What happened, for ever: an SQLite file of events, and each take's state as their fold.

One writer, any number of readers. Every change is one transaction that appends an event and
updates the take's row; `verify` folds all events again and compares. Nothing is ever deleted.
Every row carries a seal, so that what is read is what was written, or the ledger is named damaged.
"""

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeVar

from lab.backends import Job
from lab.errors import LabError, RunFolderError
from lab.files import atomic_write
from lab.runs.schema import (
    SCHEMA_VERSION,
    Table,
    begin,
    check_pages,
    check_size,
    checked_version,
    damaged,
    migrate,
    opened_for_reading,
    seal,
    translated,
)
from lab.takes import Take
from lab.units import escape_controls, usd_text

_T = TypeVar("_T")
Event = tuple[str, str, str, dict[str, Any]]
"""Time, take id, kind, data."""
UNKNOWN_ACCOUNT = "unknown"
"""The account of sendings that were lost with a damaged ledger. No backend's account is this."""
_TAKE_ID = re.compile(r"[\w-]+")
NOT_OURS = (ValueError, KeyError, TypeError, AttributeError, LabError)
"""What building a row raises when its columns hold something else than was written."""


class TakeState(StrEnum):
    """Where a take is.

    planned: not asked for. submitting: the intent is written, the request may or may not have left.
    waiting: the backend has it. ready: its clip can be fetched. fetched: the clip is here.
    failed, refused: the backend's last word. uncertain: it may have been bought; a person decides.
    """

    PLANNED = "planned"
    SUBMITTING = "submitting"
    WAITING = "waiting"
    READY = "ready"
    FETCHED = "fetched"
    FAILED = "failed"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"

    @property
    def settled(self) -> bool:
        """True when nothing more will be asked of the backend for this take by itself."""
        return self in (self.FETCHED, self.FAILED, self.REFUSED, self.UNCERTAIN)

    @property
    def bought(self) -> bool:
        """True when this take costs money, or may: its result is here, to come, or unknown."""
        return self not in (self.PLANNED, self.FAILED, self.REFUSED)


_STATE_AFTER = {
    "submitting": TakeState.SUBMITTING,
    "not_submitted": TakeState.PLANNED,
    "submitted": TakeState.WAITING,
    "uncertain": TakeState.UNCERTAIN,
    "refused": TakeState.REFUSED,
    "failed": TakeState.FAILED,
    "ready": TakeState.READY,
    "fetch_failed": TakeState.READY,
    "fetched": TakeState.FETCHED,
    "reused": TakeState.FETCHED,
}


@dataclass(frozen=True)
class TakeRow:
    """A take and what is known of it.

    take's still has a path relative to the run folder. message: the last reason given. clip: the
    hash, size and requests honoured of a fetched clip. fetches: failed attempts to fetch. low_usd,
    high_usd: the estimate when it was last planned; cost_usd: what the backend says it cost.
    """

    take_id: str
    position: int
    trial: int
    repeat: int
    factors: Mapping[str, Any]
    take: Take
    state: TakeState = TakeState.PLANNED
    job: Job | None = None
    message: str = ""
    cost_usd: float | None = None
    fetches: int = 0
    clip: Mapping[str, Any] | None = None
    low_usd: float | None = None
    high_usd: float | None = None

    @property
    def committed_usd(self) -> float:
        """What this take has cost, or the most it may turn out to have cost."""
        if self.cost_usd is not None:
            return self.cost_usd
        return (self.high_usd or 0.0) if self.state.bought else 0.0


def unsent(row: TakeRow) -> TakeRow:
    """The row as it was before anything happened to the take, at its last estimate."""
    return replace(
        row, state=TakeState.PLANNED, job=None, message="", cost_usd=None, fetches=0, clip=None
    )


def standing(row: TakeRow) -> dict[str, Any]:
    """Where a take stands, as a "recovered" event says it: all that events change in a row."""
    said = {
        "state": row.state.value,
        "job": None if row.job is None else row.job.to_json(),
        "message": row.message,
        "cost_usd": row.cost_usd,
        "fetches": row.fetches,
        "clip": row.clip,
    }
    prices = {"low_usd": row.low_usd, "high_usd": row.high_usd}
    return said | (prices if row.high_usd is not None else {})


def _stands(row: TakeRow, said: Mapping[str, Any]) -> TakeRow:
    """The row standing where `said` has it."""
    return replace(
        row,
        state=TakeState(said["state"]),
        job=None if said["job"] is None else Job.from_json(said["job"]),
        message=said["message"],
        cost_usd=said["cost_usd"],
        fetches=said["fetches"],
        clip=said["clip"],
        low_usd=said.get("low_usd", row.low_usd),
        high_usd=said.get("high_usd", row.high_usd),
    )


def fold(row: TakeRow, kind: str, data: Mapping[str, Any]) -> TakeRow:
    """The row after an event. Pure; an unknown kind is a KeyError.

    "recovered" stands for events that were lost: it says the whole of where the take stands.
    """
    if kind == "recovered":
        return _stands(row, data)
    row = replace(row, state=_STATE_AFTER[kind], message=str(data.get("message", "")))
    if kind == "not_submitted":
        row = replace(row, cost_usd=None)
    if kind == "submitted":
        row = replace(row, job=Job.from_json(data["job"]))
    if kind == "fetch_failed":
        row = replace(row, fetches=row.fetches + 1)
    if kind in ("fetched", "reused"):
        row = replace(row, clip=data["clip"])
    if data.get("cost_usd") is not None:
        row = replace(row, cost_usd=float(data["cost_usd"]))
    if "high_usd" in data:
        row = replace(row, low_usd=data["low_usd"], high_usd=data["high_usd"])
    return row


@dataclass(frozen=True)
class Money:
    """The money side of a run in USD.

    spent: as the backend's replies say. expected: low and high estimate of just those takes. open:
    the most that takes may cost whose true cost is not known yet.
    """

    spent_usd: float
    expected_usd: tuple[float, float]
    open_usd: float

    def __str__(self) -> str:
        said = f"spent {usd_text(self.spent_usd)}"
        if self.expected_usd[1]:
            said += f" (estimated {usd_text(*self.expected_usd)})"
        return said + (f", up to {usd_text(self.open_usd)} more under way" if self.open_usd else "")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        low, high = self.expected_usd
        return {
            "spent_usd": self.spent_usd,
            "expected_low_usd": low,
            "expected_high_usd": high,
            "open_usd": self.open_usd,
        }


class Ledger:
    """An open ledger. Use `Ledger.write` or `Ledger.read`, in a `with` block."""

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
        self._sealed = version >= 3

    @classmethod
    def write(cls, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Self:
        """Open for writing; made if it does not exist, brought to this version if it is older.

        Every page is looked at first, so that no money is spent on top of a damaged ledger.
        """
        with translated(path):
            if not path.exists():
                # Under its own name only when complete: somebody may be waiting to read it.
                with atomic_write(path) as part:
                    begin(part)
            connection = sqlite3.connect(path, timeout=30)
            try:
                version = checked_version(connection, path)
                check_pages(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                # Money is at stake: an event is on the disk before the request it announces is
                # sent.
                connection.execute("PRAGMA synchronous = FULL")
                if version < SCHEMA_VERSION:
                    # A seal says that a row is right, so it must be.
                    cls(connection, path, now, version).verify()
                    migrate(connection, version)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path, now)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading only; a writer may be at work meanwhile.

        Works in a folder that cannot be written, too.
        """
        if not os.path.isfile(path):
            raise RunFolderError(f"{path.parent}: holds no run")
        with translated(path):
            connection = opened_for_reading(path)
            try:
                version = checked_version(connection, path)
                check_size(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path, lambda: datetime.now(UTC), version)

    @classmethod
    def begin(cls, path: Path) -> Self:
        """A new ledger in an empty file that is thrown away if it does not become complete.

        So nothing needs to be written beside it to take a change back.
        """
        with translated(path):
            begin(path)
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA journal_mode = MEMORY")
        return cls(connection, path, lambda: datetime.now(UTC))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and on disk afterwards."""
        with translated(self._path), self._connection:
            yield

    def _rows(self, table: Table, rest: str = "", *values: Any) -> Iterator[tuple[Any, ...]]:
        """Rows of a table without their seals. Raises RunFolderError for one that is not ours."""
        with translated(self._path):
            for row in self._connection.execute(f"SELECT * FROM {table} {rest}", values):  # noqa: S608 - ours
                columns = row[:-1] if self._sealed else row
                if self._sealed and not sealed(table, row):
                    raise damaged(
                        self._path, f"the row of {columns[0]} in {table} is not what was written"
                    )
                yield columns

    def _decoded(self, table: Table, build: Callable[..., _T], *columns: Any) -> _T:
        try:
            return build(*columns)
        except NOT_OURS as error:
            raise damaged(
                self._path, f"the row of {columns[0]} in {table} holds something else: {error}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def fact(self, name: str) -> Any:
        """A fact about the run as a whole (sweep, provenance), or None."""
        for _, value, *_ in self._rows("facts", "WHERE name = ?", name):
            return self._decoded("facts", lambda _, text: json.loads(text), name, value)
        return None

    def set_fact(self, name: str, value: Any) -> None:
        """Write a fact about the run as a whole."""
        with self._transaction():
            self._put_fact(name, value)

    def _put_fact(self, name: str, value: Any) -> None:
        text = _json(value)
        self._connection.execute(
            "INSERT INTO facts VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value, seal = excluded.seal",
            (name, text, seal("facts", (name, text))),
        )

    def add(
        self, rows: Iterable[TakeRow], recovered: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Add planned takes, all or none; those already here are left as they are.

        recovered: by take id where a take stands whose row was lost once, as `standing` says it.
        """
        with self._transaction():
            for row in rows:
                said = (recovered or {}).get(row.take_id)
                new = self._put_row(row if said is None else fold(row, "recovered", said))
                if new and said is not None:
                    self._append(row.take_id, "recovered", said)

    def _put_row(self, row: TakeRow) -> bool:
        """Insert a row; False when the take is here already."""
        columns = _columns(row)
        marks = ", ".join("?" * (len(columns) + 1))
        done = self._connection.execute(
            f"INSERT OR IGNORE INTO takes VALUES ({marks})",  # noqa: S608 - question marks
            (*columns, seal("takes", columns)),
        )
        return done.rowcount == 1

    def _append(self, take_id: str, kind: str, data: Mapping[str, Any]) -> None:
        columns = (self._now().isoformat(), take_id, kind, _json(data))
        self._connection.execute(
            "INSERT INTO events (at, take_id, kind, data, seal) VALUES (?, ?, ?, ?, ?)",
            (*columns, seal("events", (None, *columns))),
        )

    def record(self, take_id: str, kind: str, **data: Any) -> TakeRow:
        """Append an event and return the take's row after it; on disk when this returns."""
        before = self._take_columns(take_id)
        row = fold(self._decoded("takes", row_of, *before), kind, data)
        # The design of a take stays as it was first written, whichever version wrote it.
        columns = (*before[:6], *_columns(row)[6:])
        with self._transaction():
            self._append(take_id, kind, data)
            self._connection.execute(
                "UPDATE takes SET state = ?, job = ?, message = ?, cost_usd = ?, fetches = ?, "
                "clip = ?, low_usd = ?, high_usd = ?, seal = ? WHERE take_id = ?",
                (*columns[6:], seal("takes", columns), take_id),
            )
        return row

    def restore(
        self,
        *,
        facts: Mapping[str, Any],
        events: Mapping[int, Event],
        last_seq: int,
        rows: Iterable[TakeRow],
        recovered: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Fill an empty ledger with what was read from a damaged one.

        events: by their old numbers, which they keep; last_seq: the highest that was ever given.
        recovered: by take id where a take stands when its events do not say so.
        """
        with self._transaction():
            for name, value in facts.items():
                self._put_fact(name, value)
            for seq, (at, take_id, kind, data) in sorted(events.items()):
                columns = (seq, at, take_id, kind, _json(data))
                self._connection.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
                    (*columns, seal("events", columns)),
                )
            # New events begin after the lost ones.
            self._connection.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
            self._connection.execute(
                "INSERT INTO sqlite_sequence VALUES ('events', ?)", (last_seq,)
            )
        self.add(rows, recovered)

    def take(self, take_id: str) -> TakeRow:
        """One take's row. Raises KeyError if it is not here."""
        return self._decoded("takes", row_of, *self._take_columns(take_id))

    def _take_columns(self, take_id: str) -> tuple[Any, ...]:
        for columns in self._rows("takes", "WHERE take_id = ?", take_id):
            return columns
        raise KeyError(take_id)

    def takes(self) -> list[TakeRow]:
        """Every take in the order of the design."""
        return [
            self._decoded("takes", row_of, *columns)
            for columns in self._rows("takes", "ORDER BY position")
        ]

    def states(self) -> dict[str, TakeState]:
        """Every take's state, by id."""
        return {
            columns[0]: self._decoded("takes", lambda _, state: TakeState(state), *columns[:7:6])
            for columns in self._rows("takes", "ORDER BY position")
        }

    def money(self) -> "Money":
        """What the run has cost, what it was expected to cost, and what is still open."""
        rows = self.takes()
        known = [row for row in rows if row.cost_usd is not None and row.high_usd is not None]
        return Money(
            spent_usd=sum((row.cost_usd or 0.0 for row in rows), 0.0),
            expected_usd=(
                sum((row.low_usd or 0.0 for row in known), 0.0),
                sum((row.high_usd or 0.0 for row in known), 0.0),
            ),
            open_usd=sum((row.committed_usd for row in rows if row.cost_usd is None), 0.0),
        )

    def events(self, take_id: str | None = None) -> Iterator[Event]:
        """(time, take id, kind, data) of every event, or of one take's, oldest first."""
        if take_id is None:
            rows = self._rows("events", "ORDER BY seq")
        else:
            rows = self._rows("events", "WHERE take_id = ? ORDER BY seq", take_id)
        for columns in rows:
            yield self._decoded("events", event_of, *columns)

    def submission_accounts(self, take_id: str) -> list[str]:
        """The account that each sending of a take was made with, oldest first.

        `UNKNOWN_ACCOUNT` stands for those that were lost with a damaged ledger.
        """
        return [
            str(data.get("account", ""))
            for _, _, kind, data in self.events(take_id)
            if kind == "submitting" or (kind == "recovered" and "account" in data)
        ]

    def check(self) -> None:
        """Read every page and every row, and fold all events again.

        Raises RunFolderError, saying that the ledger is damaged, where anything is wrong.
        """
        with translated(self._path):
            check_pages(self._connection, self._path)
        self.verify()

    def verify(self) -> None:
        """Fold all events again; raise RunFolderError naming a take whose row disagrees."""
        names = [name for name, *_ in self._rows("facts")]
        facts = {name: self.fact(name) for name in names}
        rows = {row.take_id: row for row in self.takes()}
        lost = (facts.get("lost") or {}).get("takes", {})
        fresh = {take_id: unsent(row) for take_id, row in rows.items()}
        for _, take_id, kind, data in self.events():
            if take_id in fresh:
                fresh[take_id] = self._decoded(
                    "takes", lambda _, *event: fold(*event), take_id, fresh[take_id], kind, data
                )
            elif take_id not in lost:
                raise damaged(self._path, f"take {take_id} has events and no row")
        for take_id, row in rows.items():
            if row != fresh[take_id]:
                raise damaged(self._path, f"take {take_id} disagrees with its events")


def _columns(row: TakeRow) -> tuple[Any, ...]:
    return (
        row.take_id,
        row.position,
        row.trial,
        row.repeat,
        json.dumps(row.factors, ensure_ascii=False, allow_nan=False),  # in the design's order
        _json(row.take.to_json()),
        row.state.value,
        None if row.job is None else _json(row.job.to_json()),
        row.message,
        row.cost_usd,
        row.fetches,
        None if row.clip is None else _json(row.clip),
        row.low_usd,
        row.high_usd,
    )


def row_of(*columns: Any) -> TakeRow:
    """A take's row from its columns; the first schema had two fewer."""
    take_id, position, trial, repeat, factors, take, state, job, message, *rest = columns
    if not _TAKE_ID.fullmatch(take_id):  # files are called after it
        raise ValueError(f"{take_id!r} is no take's id")
    cost, fetches, clip, low, high = (*rest, None, None)[:5]
    return TakeRow(
        take_id=take_id,
        position=position,
        trial=trial,
        repeat=repeat,
        factors=json.loads(factors),
        take=Take.from_json(json.loads(take)),
        state=TakeState(state),
        job=None if job is None else Job.from_json(json.loads(job)),
        message=message,
        cost_usd=cost,
        fetches=fetches,
        clip=None if clip is None else json.loads(clip),
        low_usd=low,
        high_usd=high,
    )


def event_of(*columns: Any) -> Event:
    """An event from its columns."""
    _, at, take_id, kind, data, *_ = columns
    return at, take_id, kind, json.loads(data)


def sealed(table: Table, row: Sequence[Any]) -> bool:
    """True when a row, its seal last, is what was written."""
    try:
        return bool(row[-1] == seal(table, row[:-1]))
    except (TypeError, ValueError):
        return False


def _json(value: Any) -> str:
    # SQLite takes no text with lone surrogates, which stand for bytes of a name that is no UTF-8.
    return escape_controls(json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True))
