"""Rebuilds the sweep of a run folder from its ledger."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import RunFolderError, StillError, SweepError
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, TakeRow
from lab.runs.recovery import LOSSES_FACT
from lab.stills import Still
from lab.sweeps import Sweep

_REQUIRED = ("name", "question", "levels", "zip", "repeats", "backend", "budget_usd")


def design(out: str | Path) -> Sweep:
    """The sweep of the latest run in a folder; see `Sweep.from_run`."""
    folder = RunFolder(out)
    folder.check()
    with Ledger.read(folder.ledger) as ledger:
        data, losses, rows = ledger.fact("sweep"), ledger.fact(LOSSES_FACT), ledger.takes()
    if missing := _missing_fields(data):
        raise _incomplete(folder, missing)
    stills, problems = stored_stills(data, folder)
    if problems:
        raise SweepError(*(f"{folder.path}: {problem}; put it back there" for problem in problems))
    sweep = Sweep.from_json(data, stills)
    in_ledger = {row.take_id for row in rows}
    takes = [take for trial, take in sweep.takes() if trial.shot.still not in sweep.placeholders]
    # A recovered ledger may lack takes of the design.
    if losses is None and any(take.id not in in_ledger for take in takes):
        raise _incomplete(folder, _not_in_design(sweep, rows))
    return sweep


def stored_stills(
    data: Mapping[str, Any], folder: RunFolder
) -> tuple[dict[str, Still], tuple[str, ...]]:
    """The stills of a design, by SHA-256, from their copies in the folder.

    data: the design as plain data. Also returns a line for each still whose copy is missing or
    changed.
    """
    stills: dict[str, Still] = {}
    problems: list[str] = []
    levels = [*data["levels"]["still"], *data["levels"].get("end_still", ())]
    by_hash = {level["sha256"]: level for level in levels if level is not None}
    # A still to be made from text has no hash before a picture is chosen.
    by_hash.pop("", None)
    for level in by_hash.values():
        reason = f"is missing from {folder.stills} ({level['name']}-{level['sha256'][:8]}.*)"
        for path in folder.stills.glob(f"*-{level['sha256'][:8]}*"):
            if error := folder.outside_error(path):
                reason = f"is a link ({error})"
                continue
            try:
                still = Still.open(path)
            except StillError as damage:
                reason = f"is damaged ({damage})"
                continue
            if still.sha256 == level["sha256"]:
                stills[still.sha256] = still
                break
            reason = f"was changed ({path})"
        else:
            problems.append(f"the copy of still {level['name']!r} {reason}")
    return stills, tuple(problems)


def _missing_fields(data: Mapping[str, Any] | None) -> str:
    """The missing fields of a design, as text; "" if it is complete."""
    if data is None:
        return "the design"
    fields = [f"the design's {name}" for name in _REQUIRED if name not in data]
    levels = data.get("levels", {"still": (), "prompt": ()})
    fields += [f"the levels of {name}" for name in ("still", "prompt") if name not in levels]
    return ", ".join(fields)


def _not_in_design(sweep: Sweep, rows: Iterable[TakeRow]) -> str:
    """The parts of the takes that are missing from the stored design, as text.

    Older versions stored only the text of a prompt with cuts.
    """
    with_cuts = dict.fromkeys(
        row.take.shot.prompt for row in rows if row.take.shot.prompt.multi_shot
    )
    labels = [repr(prompt.label) for prompt in with_cuts if prompt not in sweep.levels["prompt"]]
    return f"the cuts of prompt {', '.join(labels)}" if labels else "parts of its takes"


def _incomplete(folder: RunFolder, missing: str) -> RunFolderError:
    return RunFolderError(
        f"{folder.path}: its ledger lacks {missing}; continue with the sweep file: "
        f"`lab run SWEEP.yaml --out {folder.path}`"
    )
