"""The takes of a run folder as a live table: read from the ledger and the measures, never kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.analysis.matched import TOO_STILL
from lab.analysis.results import varied_factors
from lab.errors import InputError
from lab.metrics.motion import TOO_STILL_SHARE
from lab.player import Copies, make_copies, poster_path
from lab.runs import Ledger, Money, RunFolder, TakeRow, TakeState
from lab.runs.scoring import kept_measure
from lab.units import usd_text
from lab.widgets.later import Later
from lab.widgets.served import served
from lab.widgets.takes import TakesTable, cell, columns, score_cells

_POSTERS_AT_ONCE = 24
_BAD = (TakeState.FAILED, TakeState.REFUSED, TakeState.UNCERTAIN)


@dataclass(frozen=True)
class Seen:
    """What a look at a run folder found: takes in all, those with scores, by state, the money."""

    takes: int
    scored: int
    states: dict[str, int]
    money: Money


class Board:
    """Keeps a table of takes in step with a run folder."""

    def __init__(self, *, choosable: bool, caption: str) -> None:
        self.table = TakesTable(choosable=choosable, caption=caption)
        self.trouble = ""
        self._measures: dict[Path, tuple[float, dict[str, Any] | None]] = {}
        self._later = Later(0.0)
        self._undrawable: set[str] = set()

    def look(self, folder: RunFolder) -> Seen:
        """Read the folder and show what is there; posters that are not made yet follow."""
        with Ledger.read(folder.ledger) as ledger:
            rows, money = ledger.takes(), ledger.money()
        measures = {row.take_id: self._measure(folder.measure(row.take_id)) for row in rows}
        self._show(folder, rows, measures)
        states = [row.state.value for row in rows]
        return Seen(
            takes=len(rows),
            scored=sum(
                measures[row.take_id] is not None
                or (row.take.shot.makes == "still" and row.clip is not None)
                for row in rows
            ),
            states={state: states.count(state) for state in dict.fromkeys(states)},
            money=money,
        )

    def clear(self) -> None:
        """Show nothing."""
        self.table.rows = []

    def _measure(self, path: Path) -> dict[str, Any] | None:
        """The scores in a measure, read once for each time it was written."""
        try:
            written = path.stat().st_mtime
        except FileNotFoundError:
            return None
        if self._measures.get(path, (0.0, None))[0] != written:
            kept = kept_measure(path)
            part = None if kept is None else {name: kept[name] for name in ("scores", "reasons")}
            self._measures[path] = (written, part)
        return self._measures[path][1]

    def _show(
        self,
        folder: RunFolder,
        rows: list[TakeRow],
        measures: dict[str, dict[str, Any] | None],
    ) -> None:
        names = [*varied_factors([row.factors for row in rows])]
        names += ["repeat"] * any(row.repeat > 1 for row in rows)
        names += ["state"]
        names += ["cost"] * any(row.cost_usd or row.high_usd for row in rows)
        with self.table.hold_sync():  # columns and rows belong together
            self.table.columns = columns(names, numbers=("repeat", "cost"))
            self.table.rows = [
                _line(row, names, measures[row.take_id], self._poster(folder, row)) for row in rows
            ]
        missing = [
            row
            for row in rows
            if row.clip
            and row.take_id not in self._undrawable
            and not poster_path(folder, row.clip["sha256"]).is_file()
            and folder.result(row.take).is_file()
        ][:_POSTERS_AT_ONCE]
        if missing:
            self._later.call(
                lambda: make_copies(
                    folder,
                    [_copyable(folder, row) for row in missing],
                    short_side_px=None,
                    quiet=True,
                ),
                lambda copies: self._drew(folder, rows, measures, copies),
            )

    def _drew(
        self,
        folder: RunFolder,
        rows: list[TakeRow],
        measures: dict[str, dict[str, Any] | None],
        copies: Copies,
    ) -> None:
        self._undrawable |= set(copies.problems)
        self._show(folder, rows, measures)

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
        "clip": str(folder.result(row.take).relative_to(folder.path)),
        "clip_sha256": row.clip["sha256"],
        "still_path": "",
    }


def _line(
    row: TakeRow, names: list[str], measure: dict[str, Any] | None, poster: str
) -> dict[str, Any]:
    """A take as a row of the table; names: its columns before the scores."""
    money = row.high_usd if row.cost_usd is None else row.cost_usd
    scores = {} if measure is None else measure["scores"]
    still = (scores.get("motion.still") or 0) >= TOO_STILL_SHARE
    said = TOO_STILL if still else row.message
    moves = row.take.shot.makes == "clip"
    waiting = moves and row.state is TakeState.FETCHED and measure is None
    state = "measuring" if waiting else row.state.value
    own = {
        "repeat": cell(row.repeat),
        "state": {"text": state + (f": {said}" if said else ""), "title": said},
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
        "cells": [*(cells[name] for name in names), *score_cells(measure)],
        "tone": "bad" if row.state in _BAD else "" if measure or not moves else "quiet",
        "choosable": moves and row.clip is not None,
    }
