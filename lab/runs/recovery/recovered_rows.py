"""Collects the valid rows of a damaged ledger and works out which rows are missing.

Events are numbered without gaps, so a gap shows which events were lost.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lab.prompts import Prompt
from lab.runs.ledger import Event, EventKind, TakeRow, apply_event
from lab.runs.ledger.codec import DECODE_ERRORS, decode_event, decode_take
from lab.runs.ledger.schema import Table, checksum_matches
from lab.runs.recovery.losses import LOSSES_FACT, Losses, SeqRange
from lab.runs.recovery.sqlite_pages import DatabaseImage, Row
from lab.shots import Shot
from lab.takes import Take

_TABLE_OF: dict[int, Table] = {
    **{2: "facts", 3: "facts", 5: "events", 6: "events"},
    **{12: "takes", 14: "takes", 15: "takes"},
}
"""The table of a row by its number of columns, in all versions of the ledger."""
_WITH_CHECKSUM = (3, 6, 15)
_SEQUENCE_ROW = "events"
"""SQLite stores the highest event number in a row of sqlite_sequence that starts with this name."""
_JOB_KEY = re.compile(r"i2v-([0-9a-f]+)-[0-9a-f]{12}")
_RUN_FACTS = ("sweep", "provenance", "origin", "run_id")


@dataclass
class RecoveredRows:
    """The valid rows of a damaged ledger.

    events: by number. conflicting: takes with two different rows, whose order is unknown. last_seq:
    the highest known event number. lost_events, lost_facts: what was lost since the last recovery.
    rows_may_be_missing: some takes may have no row here. rows_current: a row of a take, unless
    conflicting, is its latest version.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, TakeRow] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    conflicting: set[str] = field(default_factory=set)
    last_seq: int = 0
    lost_events: list[SeqRange] = field(default_factory=list)
    lost_facts: tuple[str, ...] = ()
    rows_may_be_missing: bool = False
    rows_current: bool = False

    @classmethod
    def from_image(cls, image: DatabaseImage) -> "RecoveredRows":
        """Read every page of a ledger."""
        recovered = cls()
        rows = [_with_event_number(row) for row in image.rows()]
        # If any row has a valid checksum, the ledger has the current schema. Rows without one are
        # then remnants of an older version.
        has_checksums = any(_is_valid(row) for row in rows)
        for row in rows:
            if not has_checksums or _is_valid(row) or _is_sequence_row(row):
                recovered._add(row, has_checksums=has_checksums)
        last_seq_known = image.table_is_readable("events") or recovered.last_seq > 0
        recovered._find_lost_events(end_unknown=image.wal_damaged or not last_seq_known)
        recovered._restore_identity()
        if not image.table_is_readable("facts"):
            known = {*recovered.facts, *recovered.earlier_losses.facts}
            recovered.lost_facts = tuple(name for name in _RUN_FACTS if name not in known)
        recovered.rows_may_be_missing = image.wal_damaged or not image.table_is_readable("takes")
        # Without the list of free pages, an unused page with old rows looks like a page in use.
        recovered.rows_current = not image.wal_damaged and image.free_pages is not None
        return recovered

    @property
    def events_complete(self) -> bool:
        """True when every event was read, apart from those that an earlier recovery lost."""
        return not self.lost_events

    @property
    def takes_may_be_unknown(self) -> bool:
        """True when some takes may have lost their rows and all their events."""
        return self.rows_may_be_missing and not self.events_complete

    @property
    def earlier_losses(self) -> Losses:
        """What earlier recoveries could not restore."""
        return Losses.from_fact(self.facts.get(LOSSES_FACT))

    def is_current(self, take_id: str) -> bool:
        """True when a take's row was read and is certainly the latest version."""
        return self.rows_current and take_id in self.rows and take_id not in self.conflicting

    def histories(self) -> dict[str, list[Event]]:
        """The events of each take, oldest first."""
        by_take: dict[str, list[Event]] = {}
        for _, event in sorted(self.events.items()):
            by_take.setdefault(event.take_id, []).append(event)
        return by_take

    def _add(self, row: tuple[Any, ...], *, has_checksums: bool) -> None:
        """Add a row, unless its content cannot be decoded."""
        if _is_sequence_row(row):
            self.last_seq = max(self.last_seq, row[1])
            return
        table = _TABLE_OF.get(len(row))
        columns = row[:-1] if has_checksums else row
        with suppress(*DECODE_ERRORS):
            if table == "facts":
                self.facts[columns[0]] = json.loads(columns[1])
            elif table == "events":
                event = decode_event(*columns)
                apply_event(
                    placeholder_row(event.take_id), event.kind, event.data
                )  # fails for an invalid event
                self.events[columns[0]] = event
            elif table == "takes":
                take = decode_take(*columns)
                if self.rows.setdefault(take.take_id, take) != take:
                    self.conflicting.add(take.take_id)

    def _find_lost_events(self, *, end_unknown: bool) -> None:
        """Find the gaps in the event numbers. end_unknown: later events may be missing too."""
        known = set(self.events)
        for first, last in self.earlier_losses.events:
            known |= set() if last is None else set(range(first, last + 1))
        self.last_seq = max([*known, self.last_seq], default=0)
        previous = 0
        for seq in [*sorted(known), self.last_seq + 1]:
            if seq > previous + 1:
                self.lost_events.append((previous + 1, seq - 1))
            previous = seq
        if end_unknown:
            self.lost_events.append((self.last_seq + 1, None))

    def _restore_identity(self) -> None:
        """Restore the facts "run_id" and "origin" from submissions, jobs and provenance."""
        for data in self._submission_data():
            key = _JOB_KEY.fullmatch(str(data.get("key", "")))
            if key is not None:
                self.facts.setdefault("run_id", key[1])
            origin = data.get("origin") or data.get("host")
            if origin:
                self.facts.setdefault("origin", origin)
        provenance = self.facts.get("provenance") or {}
        if provenance.get("origin"):
            self.facts.setdefault("origin", provenance["origin"])

    def _submission_data(self) -> Iterator[Any]:
        """The data of submissions, then the data of jobs."""
        for event in self.events.values():
            if event.kind == EventKind.SUBMITTING:
                yield event.data
            elif event.kind == EventKind.SUBMITTED:
                yield event.data["job"]["data"]
        yield from (row.job.data for row in self.rows.values() if row.job is not None)


def placeholder_row(take_id: str, backend: str = "") -> TakeRow:
    """A row that stands in for a lost one, so that events can be applied to it."""
    return TakeRow(take_id, 0, 0, 1, {}, Take(Shot(None, Prompt("", ())), backend))


def _with_event_number(row: Row) -> tuple[Any, ...]:
    """The columns of a row. SQLite stores an event's number as the rowid, not as a column."""
    rowid, columns = row
    if _TABLE_OF.get(len(columns)) == "events" and columns[0] is None:
        return (rowid, *columns[1:])
    return columns


def _is_valid(row: tuple[Any, ...]) -> bool:
    """True for a row of the current schema whose checksum matches."""
    return len(row) in _WITH_CHECKSUM and checksum_matches(_TABLE_OF[len(row)], row)


def _is_sequence_row(row: tuple[Any, ...]) -> bool:
    """True for the row of sqlite_sequence that holds the highest event number."""
    return len(row) == 2 and row[0] == _SEQUENCE_ROW and isinstance(row[1], int)
