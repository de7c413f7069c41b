"""Shows the takes of a run folder in a table and updates it during the run.

All data comes from the ledger and the stored measurements. Each update reads them again.
"""

import threading
from dataclasses import dataclass, replace

from lab.analysis.loading import varied_factors
from lab.analysis.matched_motion import TOO_STILL
from lab.errors import InputError
from lab.measures import MeasureState, StoredMeasure
from lab.metrics.motion import TOO_STILL_SHARE
from lab.player import Proxies, make_proxies, poster_path
from lab.runs import Ledger, Money, RunFolder, TakeRow, TakeState
from lab.units import escape_controls, usd_text
from lab.widgets.debounce import Debounced
from lab.widgets.jupyter_files import file_url
from lab.widgets.takes_table import Cell, Row, TakesTable, level_cell, score_cells, table_columns

_POSTERS_PER_BATCH = 24
_FAILED_STATES = (TakeState.FAILED, TakeState.REFUSED, TakeState.UNCERTAIN)


@dataclass(frozen=True)
class FolderStatus:
    """The state of a run folder at one time.

    takes: the number of takes. scored: takes with fresh measurements. not_fresh: takes whose
    measurements exist but cannot all be used. states: the number of takes by state.
    """

    takes: int
    scored: int
    not_fresh: int
    states: dict[str, int]
    money: Money


class LiveTable:
    """A table of takes that follows a run folder.

    warning: why Jupyter cannot show the posters, or "".
    """

    def __init__(self, *, choosable: bool, caption: str) -> None:
        self.table = TakesTable(choosable=choosable, caption=caption)
        self.warning = ""
        self._measures_by_take: dict[str, tuple[object, StoredMeasure]] = {}
        self._poster_work = Debounced(0.0)
        self._without_poster: set[str] = set()  # takes whose poster could not be made
        self._latest: tuple[RunFolder, list[TakeRow], dict[str, StoredMeasure]] | None = None
        # Several threads update the table. The lock keeps older data from replacing newer data.
        self._lock = threading.RLock()

    def update(self, folder: RunFolder) -> FolderStatus:
        """Read the folder and show its takes. Missing posters are made in the background."""
        with self._lock:
            with Ledger.read(folder.ledger) as ledger:
                rows, money = ledger.takes(), ledger.money()
            measures = {row.take_id: self._stored_measure(folder, row) for row in rows}
            if self._latest is not None and self._latest[0].path != folder.path:
                self.clear()
            self._latest = (folder, rows, measures)
            self._show()
        states = [row.state.value for row in rows]
        return FolderStatus(
            takes=len(rows),
            scored=sum(
                row.clip is not None
                if row.take.shot.makes == "still"
                else measures[row.take_id].state is MeasureState.FRESH
                for row in rows
            ),
            not_fresh=sum(
                stored.state not in (MeasureState.FRESH, MeasureState.MISSING)
                for stored in measures.values()
            ),
            states={state: states.count(state) for state in dict.fromkeys(states)},
            money=money,
        )

    def clear(self) -> None:
        """Empty the table. Posters that are still being made do not appear."""
        with self._lock, self.table.hold_sync():
            self._latest = None
            self._without_poster.clear()
            self.table.rows, self.table.chosen, self.warning = [], [], ""

    def _stored_measure(self, folder: RunFolder, row: TakeRow) -> StoredMeasure:
        """A take's measurements, without their series and boxes, cached until they change."""
        stamp = (folder.path, folder.measure_stamp(row), row.message)
        cached = self._measures_by_take.get(row.take_id)
        if cached is None or cached[0] != stamp:
            stored = folder.stored_measure(row)
            if stored.measure is not None:
                stored = replace(stored, measure=replace(stored.measure, series={}, boxes={}))
            cached = self._measures_by_take[row.take_id] = (stamp, stored)
        return cached[1]

    def _show(self) -> None:
        """Show the latest data and start to make missing posters."""
        if self._latest is None:
            return
        folder, rows, measures = self._latest
        names = [*varied_factors([row.factors for row in rows])]
        names += ["repeat"] * any(row.repeat > 1 for row in rows)
        names += ["state"]
        names += ["cost"] * any(row.cost_usd or row.high_usd for row in rows)
        with self.table.hold_sync():  # columns and rows must arrive together
            self.table.columns = table_columns(names, numeric=("repeat", "cost"))
            self.table.rows = [
                _table_row(row, names, measures[row.take_id], self._poster_url(folder, row))
                for row in rows
            ]
        missing = [
            row
            for row in rows
            if row.clip
            and row.take_id not in self._without_poster
            and not poster_path(folder, row.clip["sha256"]).is_file()
            and folder.result_path(row.take).is_file()
        ][:_POSTERS_PER_BATCH]
        if missing:
            self._poster_work.call(
                lambda: make_proxies(
                    folder,
                    [_proxy_request(folder, row) for row in missing],
                    short_side_px=None,
                    quiet=True,
                ),
                self._on_posters,
            )

    def _on_posters(self, proxies: Proxies) -> None:
        with self._lock:
            self._without_poster |= set(proxies.problems)
            self._show()

    def _poster_url(self, folder: RunFolder, row: TakeRow) -> str:
        """The poster's URL; "" if it does not exist yet or Jupyter does not serve it."""
        if not row.clip or row.take_id in self._without_poster:
            return ""
        path = poster_path(folder, row.clip["sha256"])
        try:
            return file_url(path) if path.is_file() else ""
        except InputError as error:
            self.warning = str(error)
            return ""


def _proxy_request(folder: RunFolder, row: TakeRow) -> dict[str, str]:
    """The fields of a take that `make_proxies` reads to make a poster."""
    assert row.clip is not None
    return {
        "take_id": row.take_id,
        "clip": str(folder.result_path(row.take).relative_to(folder.path)),
        "clip_sha256": row.clip["sha256"],
        "still_path": "",
    }


def _table_row(row: TakeRow, names: list[str], stored: StoredMeasure, poster: str) -> Row:
    """A take as a row of the table. names: the columns before the scores."""
    cost_usd = row.high_usd if row.cost_usd is None else row.cost_usd
    too_still = stored.value("motion.still") >= TOO_STILL_SHARE
    is_clip = row.take.shot.makes == "clip"
    fetched = is_clip and row.state is TakeState.FETCHED
    unmeasured = fetched and stored.state is MeasureState.MISSING
    state = "measuring" if unmeasured else row.state.value
    if fetched and not unmeasured and stored.state is not MeasureState.FRESH:
        message = stored.reason
    elif stored.measure is not None and stored.measure.damage:
        message = stored.measure.damage
    else:
        message = TOO_STILL if too_still else row.message
    run_cells: dict[str, Cell] = {
        "repeat": level_cell(row.repeat),
        "state": {
            "text": escape_controls(state + (f": {message}" if message else "")),
            "title": escape_controls(message),
        },
        "cost": {
            "text": "" if cost_usd is None else usd_text(cost_usd),
            "number": cost_usd,
            "title": "estimated" if row.cost_usd is None else "as billed",
        },
    }
    factors = {name: level_cell(row.factors.get(name)) for name in names if name not in run_cells}
    cells = factors | run_cells
    if row.state in _FAILED_STATES:
        tone = "bad"
    else:
        tone = "" if stored.measure or not is_clip else "quiet"
    return {
        "id": row.take_id,
        "title": " · ".join(cell["text"] for cell in factors.values() if cell["text"]),
        "poster": poster,
        "cells": [*(cells[name] for name in names), *score_cells(stored)],
        "tone": tone,
        "choosable": is_clip and row.clip is not None,
    }
