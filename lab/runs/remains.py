"""What is left of a damaged ledger: the rows that are what was written, and which ones are missing.

Events are numbered without a gap, so that it is known which are lost.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lab.prompts import Prompt
from lab.runs.ledger_codec import DECODE_ERRORS, decode_event, decode_take
from lab.runs.ledger_schema import Table, checksum_matches
from lab.runs.salvage import Image
from lab.runs.take_row import Event, TakeRow, apply_event
from lab.shots import Shot
from lab.takes import Take

_TABLE_OF: dict[int, Table] = {
    **{2: "facts", 3: "facts", 5: "events", 6: "events"},
    **{12: "takes", 14: "takes", 15: "takes"},
}
"""The table of a row by its number of columns, in any version of the ledger."""
_SEALED = (3, 6, 15)
_COUNT = "events"
"""SQLite keeps the highest number it gave an event in a row of its own, which begins so."""
_KEY = re.compile(r"i2v-([0-9a-f]+)-[0-9a-f]{12}")
_RUN_FACTS = ("sweep", "provenance", "origin", "run_id")

Range = tuple[int, int | None]
"""First and last number of lost events; None where it is unknown how many followed."""


@dataclass
class Remains:
    """What could be read.

    torn: takes with two rows that differ, so that neither is believed to be the last. last_seq: the
    highest number of an event that is known of. lost_events: those that nobody knew to be lost.
    rows_lost: there may have been more rows of takes. rows_current: those here are the last ones.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, TakeRow] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    torn: set[str] = field(default_factory=set)
    last_seq: int = 0
    lost_events: list[Range] = field(default_factory=list)
    lost_facts: tuple[str, ...] = ()
    rows_lost: bool = False
    rows_current: bool = False

    @classmethod
    def of(cls, image: Image) -> "Remains":
        """Read every page of a ledger."""
        found = cls()
        rows = [_numbered(number, columns) for number, columns in image.rows()]
        # An unsealed row in a sealed ledger is what an older version left behind.
        is_sealed = any(
            len(row) in _SEALED and checksum_matches(_TABLE_OF[len(row)], row) for row in rows
        )
        for row in rows:
            found._take_in(row, is_sealed=is_sealed)
        found._count_lost(open_end=image.log_torn or not (image.whole("events") or found.last_seq))
        found._find_names()
        if not image.whole("facts"):
            here = {*found.facts, *found.known_lost_facts}
            found.lost_facts = tuple(name for name in _RUN_FACTS if name not in here)
        found.rows_lost = image.log_torn or not image.whole("takes")
        # Otherwise pages that are no longer in use cannot be told from those that are.
        found.rows_current = not image.log_torn and image.free is not None
        return found

    @property
    def complete(self) -> bool:
        """True when every event is here, or an earlier recovery has made up for it."""
        return not self.lost_events

    @property
    def untraced(self) -> bool:
        """True when there may have been takes of which neither a row nor an event is left."""
        return self.rows_lost and not self.complete

    @property
    def known_untraced(self) -> bool:
        """True when that was so after an earlier recovery."""
        return bool(self._lost_before.get("untraced"))

    @property
    def known_lost(self) -> list[Range]:
        """Events that an earlier recovery knew to be lost; it has said where their takes stand."""
        return [(first, last) for first, last in self._lost_before.get("events", [])]

    @property
    def known_lost_facts(self) -> list[str]:
        """Facts that an earlier recovery could not find."""
        return list(self._lost_before.get("facts", []))

    @property
    def known_takes(self) -> dict[str, dict[str, Any]]:
        """Where takes stand whose rows an earlier recovery could not find, by id."""
        return dict(self._lost_before.get("takes", {}))

    @property
    def _lost_before(self) -> dict[str, Any]:
        return self.facts.get("lost") or {}

    def is_current(self, take_id: str) -> bool:
        """True when a take's row was read and is surely the last one written."""
        return self.rows_current and take_id in self.rows and take_id not in self.torn

    def histories(self) -> dict[str, list[Event]]:
        """The events by take, oldest first."""
        by_take: dict[str, list[Event]] = {}
        for _, event in sorted(self.events.items()):
            by_take.setdefault(event[1], []).append(event)
        return by_take

    def _take_in(self, row: tuple[Any, ...], *, is_sealed: bool) -> None:
        """Believe a row that is what was written, and makes sense."""
        if len(row) == 2 and row[0] == _COUNT and isinstance(row[1], int):
            self.last_seq = max(self.last_seq, row[1])
            return
        table = _TABLE_OF.get(len(row))
        if table is None or (
            is_sealed and not (len(row) in _SEALED and checksum_matches(table, row))
        ):
            return
        columns = row[:-1] if is_sealed else row
        with suppress(*DECODE_ERRORS):
            if table == "facts":
                self.facts[columns[0]] = json.loads(columns[1])
            elif table == "events":
                event = decode_event(*columns)
                apply_event(nobody(event[1]), event[2], event[3])  # it must mean something
                self.events[columns[0]] = event
            else:
                take = decode_take(*columns)
                if self.rows.setdefault(take.take_id, take) != take:
                    self.torn.add(take.take_id)

    def _count_lost(self, *, open_end: bool) -> None:
        """open_end: it is unknown how many events followed the last that is known of."""
        have = set(self.events)
        for first, last in self.known_lost:
            have |= set() if last is None else set(range(first, last + 1))
        self.last_seq = max([*have, self.last_seq], default=0)
        after = 0
        for seq in [*sorted(have), self.last_seq + 1]:
            if seq > after + 1:
                self.lost_events.append((after + 1, seq - 1))
            after = seq
        if open_end:
            self.lost_events.append((self.last_seq + 1, None))

    def _find_names(self) -> None:
        """Find out who we are at the service: what a fact says, sendings and jobs say too."""
        for said in self._sent():
            key = _KEY.fullmatch(str(said.get("key", "")))
            if key is not None:
                self.facts.setdefault("run_id", key[1])
            origin = said.get("origin") or said.get("host")
            if origin:
                self.facts.setdefault("origin", origin)
        provenance = self.facts.get("provenance") or {}
        if provenance.get("origin"):
            self.facts.setdefault("origin", provenance["origin"])

    def _sent(self) -> Iterator[Any]:
        """What sendings say of themselves, and jobs of where they are."""
        for _, _, kind, data in self.events.values():
            if kind == "submitting":
                yield data
            elif kind == "submitted":
                yield data["job"]["data"]
        yield from (row.job.data for row in self.rows.values() if row.job is not None)


def nobody(take_id: str, backend: str = "") -> TakeRow:
    """A row to fold events on while the take's own is lost."""
    return TakeRow(take_id, 0, 0, 1, {}, Take(Shot(None, Prompt("", ())), backend))


def _numbered(number: int, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row; an event's number lies in its key instead of its first column."""
    return (number, *row[1:]) if _TABLE_OF.get(len(row)) == "events" and row[0] is None else row
