"""The takes of a run folder as a live table: read from the ledger and the measures, never kept."""

import threading
from dataclasses import dataclass, replace
from typing import Any

from lab.analysis.loading import varied_factors
from lab.analysis.matched import TOO_STILL
from lab.errors import InputError
from lab.measures import MeasureState, StoredMeasure
from lab.metrics.motion import TOO_STILL_SHARE
from lab.player import Copies, make_copies, poster_path
from lab.runs import Ledger, Money, RunFolder, TakeRow, TakeState
from lab.units import escape_controls, usd_text
from lab.widgets.later import Later
from lab.widgets.served import served
from lab.widgets.takes import TakesTable, cell, columns, score_cells

_POSTERS_AT_ONCE = 24
_BAD = (TakeState.FAILED, TakeState.REFUSED, TakeState.UNCERTAIN)


@dataclass(frozen=True)
class Seen:
    """What a look at a run folder found.

    takes: how many in all; scored: those whose measurements are fresh; not_fresh: clips whose
    measurements are there but cannot all be used. states: takes by state.
    """

    takes: int
    scored: int
    not_fresh: int
    states: dict[str, int]
    money: Money


class Board:
    """Keeps a table of takes in step with a run folder."""

    def __init__(self, *, choosable: bool, caption: str) -> None:
        self.table = TakesTable(choosable=choosable, caption=caption)
        self.trouble = ""
        self._stored_measures: dict[str, tuple[object, StoredMeasure]] = {}
        self._later = Later(0.0)
        self._undrawable: set[str] = set()
        self._latest: tuple[RunFolder, list[TakeRow], dict[str, StoredMeasure]] | None = None
        # Several threads look and draw; what one of them read must not cover what came later.
        self._lock = threading.RLock()

    def look(self, folder: RunFolder) -> Seen:
        """Read the folder and show what is there; posters that are not made yet follow."""
        with self._lock:
            with Ledger.read(folder.ledger) as ledger:
                rows, money = ledger.takes(), ledger.money()
            stored_measures = {row.take_id: self._stored_measure(folder, row) for row in rows}
            if self._latest is not None and self._latest[0].path != folder.path:
                self.clear()
            self._latest = (folder, rows, stored_measures)
            self._show()
        states = [row.state.value for row in rows]
        return Seen(
            takes=len(rows),
            scored=sum(
                row.clip is not None
                if row.take.shot.makes == "still"
                else stored_measures[row.take_id].state is MeasureState.FRESH
                for row in rows
            ),
            not_fresh=sum(
                stored.state not in (MeasureState.FRESH, MeasureState.MISSING)
                for stored in stored_measures.values()
            ),
            states={state: states.count(state) for state in dict.fromkeys(states)},
            money=money,
        )

    def clear(self) -> None:
        """Show nothing, whatever is still being drawn."""
        with self._lock, self.table.hold_sync():
            self._latest = None
            self._undrawable.clear()
            self.table.rows, self.table.chosen, self.trouble = [], [], ""

    def _stored_measure(self, folder: RunFolder, row: TakeRow) -> StoredMeasure:
        """What was measured, read once for each time it was written; without the series."""
        stamp = (folder.path, folder.measure_stamp(row), row.message)
        kept = self._stored_measures.get(row.take_id)
        if kept is None or kept[0] != stamp:
            stored = folder.stored_measure(row)
            if stored.measure is not None:
                stored = replace(stored, measure=replace(stored.measure, series={}, boxes={}))
            kept = self._stored_measures[row.take_id] = (stamp, stored)
        return kept[1]

    def _show(self) -> None:
        """Draw the latest look, and start to make the posters that it lacks."""
        if self._latest is None:
            return
        folder, rows, stored_measures = self._latest
        names = [*varied_factors([row.factors for row in rows])]
        names += ["repeat"] * any(row.repeat > 1 for row in rows)
        names += ["state"]
        names += ["cost"] * any(row.cost_usd or row.high_usd for row in rows)
        with self.table.hold_sync():  # columns and rows belong together
            self.table.columns = columns(names, numbers=("repeat", "cost"))
            self.table.rows = [
                _line(row, names, stored_measures[row.take_id], self._poster(folder, row))
                for row in rows
            ]
        missing = [
            row
            for row in rows
            if row.clip
            and row.take_id not in self._undrawable
            and not poster_path(folder, row.clip["sha256"]).is_file()
            and folder.result_path(row.take).is_file()
        ][:_POSTERS_AT_ONCE]
        if missing:
            self._later.call(
                lambda: make_copies(
                    folder,
                    [_copyable(folder, row) for row in missing],
                    short_side_px=None,
                    quiet=True,
                ),
                self._drew,
            )

    def _drew(self, copies: Copies) -> None:
        with self._lock:
            self._undrawable |= set(copies.problems)
            self._show()

    def _poster(self, folder: RunFolder, row: TakeRow) -> str:
        """The poster's address; "" where there is none yet, or Jupyter does not serve it."""
        if not row.clip or row.take_id in self._undrawable:
            return ""
        path = poster_path(folder, row.clip["sha256"])
        try:
            return served(path) if path.is_file() else ""
        except InputError as error:
            self.trouble = str(error)
            return ""


def _copyable(folder: RunFolder, row: TakeRow) -> dict[str, Any]:
    """A take as `make_copies` reads it, for its clip alone."""
    assert row.clip is not None
    return {
        "take_id": row.take_id,
        "clip": str(folder.result_path(row.take).relative_to(folder.path)),
        "clip_sha256": row.clip["sha256"],
        "still_path": "",
    }


def _line(row: TakeRow, names: list[str], stored: StoredMeasure, poster: str) -> dict[str, Any]:
    """A take as a row of the table; names: its columns before the scores."""
    money = row.high_usd if row.cost_usd is None else row.cost_usd
    still = stored.value("motion.still") >= TOO_STILL_SHARE
    moves = row.take.shot.makes == "clip"
    here = moves and row.state is TakeState.FETCHED
    waiting = here and stored.state is MeasureState.MISSING
    state = "measuring" if waiting else row.state.value
    if here and not waiting and stored.state is not MeasureState.FRESH:
        said = stored.reason
    elif stored.measure is not None and stored.measure.damage:
        said = stored.measure.damage
    else:
        said = TOO_STILL if still else row.message
    own = {
        "repeat": cell(row.repeat),
        "state": {
            "text": escape_controls(state + (f": {said}" if said else "")),
            "title": escape_controls(said),
        },
        "cost": {
            "text": "" if money is None else usd_text(money),
            "number": money,
            "title": "estimated" if row.cost_usd is None else "as billed",
        },
    }
    factors = {name: cell(row.factors.get(name)) for name in names if name not in own}
    cells = factors | own
    return {
        "id": row.take_id,
        "title": " · ".join(part["text"] for part in factors.values() if part["text"]),
        "poster": poster,
        "cells": [*(cells[name] for name in names), *score_cells(stored)],
        "tone": "bad" if row.state in _BAD else "" if stored.measure or not moves else "quiet",
        "choosable": moves and row.clip is not None,
    }
