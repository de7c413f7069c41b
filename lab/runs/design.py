"""The sweep that a run folder was made from, read back from its ledger."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import RunFolderError, StillError, SweepError
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.runs.take_row import TakeRow
from lab.stills import Still
from lab.sweeps import Sweep

_NEEDED = ("name", "question", "levels", "zip", "repeats", "backend", "budget_usd")


def design(out: str | Path) -> Sweep:
    """The sweep that a folder was last run with; see `Sweep.from_run`."""
    folder = RunFolder(out)
    folder.check()
    with Ledger.read(folder.ledger) as ledger:
        told, lost, rows = ledger.fact("sweep"), ledger.fact("lost"), ledger.takes()
    if missing := _missing(told):
        raise _incomplete(folder, missing)
    stills, problems = kept_stills(told, folder)
    if problems:
        raise SweepError(*(f"{folder.path}: {problem}; put it back there" for problem in problems))
    sweep = Sweep.from_json(told, stills)
    known = {row.take_id for row in rows}
    # After a recovery the ledger may lack takes that the design has.
    asked = [take for trial, take in sweep.takes() if trial.shot.still not in sweep.placeholders]
    if lost is None and any(take.id not in known for take in asked):
        raise _incomplete(folder, _unexplained(sweep, rows))
    return sweep


def kept_stills(
    told: Mapping[str, Any], folder: RunFolder
) -> tuple[dict[str, Still], tuple[str, ...]]:
    """A design's stills by SHA-256, where the folder keeps them; and a line for each that is not
    there as it was.
    """
    found: dict[str, Still] = {}
    problems: list[str] = []
    levels = [*told["levels"]["still"], *told["levels"].get("end_still", ())]
    # A still to be made from text has no hash before a picture is chosen.
    by_hash = {level["sha256"]: level for level in levels if level is not None}
    by_hash.pop("", None)
    for level in by_hash.values():
        why = f"is gone from {folder.stills} ({level['name']}-{level['sha256'][:8]}.*)"
        for path in folder.stills.glob(f"*-{level['sha256'][:8]}*"):
            if outside := folder.outside_error(path):
                why = f"is a link ({outside})"
                continue
            try:
                still = Still.open(path)
            except StillError as error:
                why = f"is damaged ({error})"
                continue
            if still.sha256 == level["sha256"]:
                found[still.sha256] = still
                break
            why = f"was changed ({path})"
        else:
            problems.append(f"the copy of still {level['name']!r} {why}")
    return found, tuple(problems)


def _missing(told: Mapping[str, Any] | None) -> str:
    """What a design lacks, in words; "" for nothing."""
    if told is None:
        return "the design"
    fields = [f"the design's {name}" for name in _NEEDED if name not in told]
    levels = told.get("levels", {"still": (), "prompt": ()})
    fields += [f"the levels of {name}" for name in ("still", "prompt") if name not in levels]
    return ", ".join(fields)


def _unexplained(sweep: Sweep, rows: Iterable[TakeRow]) -> str:
    """What older versions left out of a design: that of a prompt with cuts only its text."""
    cut = dict.fromkeys(row.take.shot.prompt for row in rows if row.take.shot.prompt.multi_shot)
    named = [repr(prompt.label) for prompt in cut if prompt not in sweep.levels["prompt"]]
    return f"the cuts of prompt {', '.join(named)}" if named else "some of what made its takes"


def _incomplete(folder: RunFolder, missing: str) -> RunFolderError:
    return RunFolderError(
        f"{folder.path}: its ledger does not keep {missing}; go on with the sweep file: "
        f"`lab run SWEEP.yaml --out {folder.path}`"
    )
