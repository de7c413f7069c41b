"""Summarises the state of a run from its ledger and files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.measures import MeasureState
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, Money, TakeRow
from lab.runs.runner import cap_reason
from lab.takes import lines_by_reason

_MEASURE_LABELS = {
    MeasureState.STALE: "with stale measurements",
    MeasureState.MISSING: "not measured",
    MeasureState.DAMAGED: "with damaged measurements",
    MeasureState.OTHER_CLIP: "measured on another clip",
}


@dataclass(frozen=True)
class RunStatus:
    """The takes of a run by state.

    pictures: how many takes make a still from text. states: the number of takes by state.
    measures: the number of clips by state of their measurements. not_fresh: by take id, why its
    measurements cannot all be used. stop_reason: why a run under a cap submits no more takes; "" if
    it does submit more. still_errors: one line for each still that is missing or was changed.
    """

    folder: Path
    takes: int
    pictures: int
    states: Mapping[str, int]
    measures: Mapping[MeasureState, int]
    not_fresh: Mapping[str, str]
    money: Money
    stop_reason: str
    still_errors: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "run": str(self.folder),
            "takes": self.takes,
            "pictures": self.pictures,
            "states": dict(self.states),
            "measured": self.measures.get(MeasureState.FRESH, 0),
            "measures": {state.value: count for state, count in self.measures.items()},
            "not_fresh": dict(self.not_fresh),
            **self.money.to_json(),
            "stopped": self.stop_reason,
        }

    def __str__(self) -> str:
        takes = "take" if self.takes == 1 else "takes"
        pictures = f" ({self.pictures} of them pictures made from text)" if self.pictures else ""
        states = ", ".join(f"{count} {state}" for state, count in self.states.items())
        measured = [f"{self.measures.get(MeasureState.FRESH, 0)} measured"]
        measured += [
            f"{count} {_MEASURE_LABELS[state]}"
            for state, count in self.measures.items()
            if state in _MEASURE_LABELS
        ]
        lines = [
            f"{self.folder}: {self.takes} {takes}{pictures}: {states}; {', '.join(measured)}; "
            f"{self.money}"
        ]
        lines += lines_by_reason(self.not_fresh)
        lines += [f"stopped: {self.stop_reason}"] if self.stop_reason else []
        lines += self.still_errors
        if "uncertain" in self.states or "submitting" in self.states:
            lines.append(
                "for some takes it is unknown whether they were bought; "
                f"`lab reconcile {self.folder}` asks the service"
            )
        return "\n".join(lines)


def status(run: str | Path) -> RunStatus:
    """The status of a run, also while a runner is active.

    Raises RunFolderError for a folder without a run.
    """
    folder = RunFolder(run)
    folder.check()
    with Ledger.read(folder.ledger) as ledger:
        rows, money = ledger.takes(), ledger.money()
        design = ledger.fact("sweep") or {}
    states: dict[str, int] = {}
    for row in rows:
        states[row.state.value] = states.get(row.state.value, 0) + 1
    measures: dict[MeasureState, int] = {}
    not_fresh: dict[str, str] = {}
    for row in rows:
        if row.clip is not None and row.take.shot.makes == "clip":
            stored = folder.stored_measure(row)
            measures[stored.state] = measures.get(stored.state, 0) + 1
            if stored.reason:
                not_fresh[row.take_id] = stored.reason
    return RunStatus(
        folder.path,
        takes=len(rows),
        pictures=sum(row.take.shot.makes == "still" for row in rows),
        states=states,
        measures=measures,
        not_fresh=not_fresh,
        money=money,
        stop_reason=cap_reason(design.get("cap_usd"), rows),
        still_errors=_still_errors(folder, rows),
    )


def _still_errors(folder: RunFolder, rows: list[TakeRow]) -> tuple[str, ...]:
    stills = {still.path: still.sha256 for row in rows if (still := row.take.shot.still)}
    errors = (folder.still_error(path, sha256) for path, sha256 in stills.items())
    return tuple(error for error in errors if error)
