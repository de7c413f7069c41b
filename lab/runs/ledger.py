"""What happened, for ever: an SQLite file of events, and each take's state as their fold.

One writer, any number of readers. Every change is one transaction that appends an event and
updates the take's row; `verify` folds all events again and compares. Nothing is ever deleted.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from lab.backends import Job
from lab.errors import RunFolderError
from lab.files import written_whole
from lab.takes import Take
from lab.units import usd_text

SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
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
    high_usd REAL
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    take_id TEXT NOT NULL REFERENCES takes,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX events_by_take ON events (take_id, seq);
"""
# Version 1 knew no estimates.
_TO_VERSION_2 = """
ALTER TABLE takes ADD COLUMN low_usd REAL;
ALTER TABLE takes ADD COLUMN high_usd REAL;
"""


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


def fold(row: TakeRow, kind: str, data: Mapping[str, Any]) -> TakeRow:
    """The row after an event. Pure; an unknown kind is a KeyError."""
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
        self, connection: sqlite3.Connection, path: Path, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._path = path
        self._now = now

    @classmethod
    def write(cls, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Self:
        """Open for writing; made if it does not exist."""
        with _translated(path), ExitStack() as unless_opened:
            if not path.exists():
                # Under its own name only when complete: somebody may be waiting to read it.
                with written_whole(path) as part, closing(sqlite3.connect(part)) as begun:
                    begun.executescript(
                        f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                    )
            connection = unless_opened.enter_context(closing(sqlite3.connect(path, timeout=30)))
            connection.execute("PRAGMA journal_mode = WAL")
            # Money is at stake: an event is on the disk before the request it announces is sent.
            connection.execute("PRAGMA synchronous = FULL")
            if _checked_version(connection, path) == 1:
                connection.executescript(
                    f"BEGIN; {_TO_VERSION_2} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
            unless_opened.pop_all()
        return cls(connection, path, now)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading only; a writer may be at work meanwhile."""
        if not path.is_file():
            raise RunFolderError(f"{path.parent}: holds no run")
        with _translated(path), ExitStack() as unless_opened:
            address = f"{path.resolve().as_uri()}?mode=ro"
            connection = sqlite3.connect(address, uri=True, timeout=30)
            unless_opened.enter_context(closing(connection))
            _checked_version(connection, path)
            unless_opened.pop_all()
        return cls(connection, path, lambda: datetime.now(UTC))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and on disk afterwards."""
        with _translated(self._path), self._connection:
            yield

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def fact(self, name: str) -> Any:
        """A fact about the run as a whole (sweep, provenance), or None."""
        found = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,))
        row = found.fetchone()
        return None if row is None else json.loads(row[0])

    def set_fact(self, name: str, value: Any) -> None:
        """Write a fact about the run as a whole."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?2",
                (name, _json(value)),
            )

    def add(self, rows: Iterable[TakeRow]) -> None:
        """Add planned takes, all or none; those already here are left as they are."""
        with self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO takes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_columns(row) for row in rows],
            )

    def record(self, take_id: str, kind: str, **data: Any) -> TakeRow:
        """Append an event and return the take's row after it; on disk when this returns."""
        row = fold(self.take(take_id), kind, data)
        with self._transaction():
            self._connection.execute(
                "INSERT INTO events (at, take_id, kind, data) VALUES (?, ?, ?, ?)",
                (self._now().isoformat(), take_id, kind, _json(data)),
            )
            self._connection.execute(
                "UPDATE takes SET state = ?, job = ?, message = ?, cost_usd = ?, fetches = ?, "
                "clip = ?, low_usd = ?, high_usd = ? WHERE take_id = ?",
                (*_columns(row)[6:], take_id),
            )
        return row

    def take(self, take_id: str) -> TakeRow:
        """One take's row. Raises KeyError if it is not here."""
        found = self._connection.execute("SELECT * FROM takes WHERE take_id = ?", (take_id,))
        row = found.fetchone()
        if row is None:
            raise KeyError(take_id)
        return _row(row)

    def takes(self) -> list[TakeRow]:
        """Every take in the order of the design."""
        found = self._connection.execute("SELECT * FROM takes ORDER BY position")
        return [_row(row) for row in found]

    def states(self) -> dict[str, TakeState]:
        """Every take's state, by id."""
        found = self._connection.execute("SELECT take_id, state FROM takes ORDER BY position")
        return {take_id: TakeState(state) for take_id, state in found}

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

    def events(self, take_id: str | None = None) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """(time, take id, kind, data) of every event, or of one take's, oldest first."""
        found = self._connection.execute(
            "SELECT at, take_id, kind, data FROM events WHERE ?1 IS NULL OR take_id = ?1 "
            "ORDER BY seq",
            (take_id,),
        )
        return ((at, take, kind, json.loads(data)) for at, take, kind, data in found)

    def sendings(self, take_id: str) -> list[str]:
        """The account that each sending of a take was made with, oldest first."""
        return [
            str(data.get("account", ""))
            for _, _, kind, data in self.events(take_id)
            if kind == "submitting"
        ]

    def verify(self) -> None:
        """Fold all events again; raise RunFolderError naming a take whose row disagrees."""
        fresh = {
            row.take_id: replace(
                row,
                state=TakeState.PLANNED,
                job=None,
                message="",
                cost_usd=None,
                fetches=0,
                clip=None,
            )
            for row in self.takes()
        }
        for _, take_id, kind, data in self.events():
            fresh[take_id] = fold(fresh[take_id], kind, data)
        for row in self.takes():
            if row != fresh[row.take_id]:
                raise RunFolderError(f"ledger: take {row.take_id} disagrees with its events")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RunFolderError(f"{path}: cannot be read or written ({error}); free space?") from error
    except sqlite3.DatabaseError as error:
        raise RunFolderError(f"{path}: not a usable ledger ({error})") from error


def _checked_version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 1 <= version <= SCHEMA_VERSION:
        raise RunFolderError(
            f"{path}: ledger version {version} and this i2v-lab reads 1 to "
            f"{SCHEMA_VERSION}; update i2v-lab"
        )
    return version


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


def _row(columns: tuple[Any, ...]) -> TakeRow:
    take_id, position, trial, repeat, factors, take, state, job, message, *rest = columns
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


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
