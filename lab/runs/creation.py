"""Chooses the best picture for each still that a run makes from text."""

import shutil
from collections.abc import Iterator, Sequence

from lab.files import atomic_write, make_writable_folder
from lab.findings import Finding
from lab.prompts import Prompt
from lab.runs.folder import RunFolder
from lab.runs.ledger import TakeRow, TakeState
from lab.stills import Needs, Still, preflight
from lab.sweeps import CreatedStill, Sweep

_FINAL = (TakeState.FETCHED, TakeState.FAILED, TakeState.REFUSED)


def with_earlier_chosen_stills(sweep: Sweep, folder: RunFolder, rows: Sequence[TakeRow]) -> Sweep:
    """The sweep, with the earlier choice kept for each still whose chosen picture a clip uses.

    rows: all takes of the folder. Without this, a later version of preflight might choose another
    picture, and every clip would be bought again.
    """
    if not sweep.created_stills:
        return sweep
    used = {
        row.take.shot.still.sha256: folder.locate(row.take.shot.still)
        for row in rows
        if row.take.shot.still is not None
    }
    chosen = {
        level.name: used[row.clip["sha256"]]
        for level, pictures in _pictures(sweep, rows)
        for row in pictures
        if row.clip is not None and row.clip["sha256"] in used
    }
    return sweep.with_chosen(chosen)


def choose_stills(
    sweep: Sweep, folder: RunFolder, rows: Sequence[TakeRow]
) -> tuple[Sweep, list[str], dict[str, str]]:
    """For each still that is made from text, choose a picture once all its pictures are finished.

    rows: all takes of the folder. Returns the sweep with the chosen stills, a line for each new
    choice, and, by level name, why a still has no choice.
    """
    needs = Needs.together(
        prompt.needs for prompt in sweep.levels["prompt"] if isinstance(prompt, Prompt)
    )
    chosen: dict[str, Still] = {}
    lines: list[str] = []
    missing: dict[str, str] = {}
    for level, pictures in _pictures(sweep, rows):
        if level.chosen is not None:
            continue
        fetched = [row for row in pictures if row.state is TakeState.FETCHED]
        if unfinished := sum(row.state not in _FINAL for row in pictures):
            missing[level.name] = (
                f"still {level.name}: {unfinished} of its {level.best_of} pictures are missing; "
                "run the same command again to continue"
            )
        elif fetched:
            chosen[level.name], line = _copy_best(level, fetched, folder, needs)
            lines.append(f"still {level.name}: {line}")
        else:
            missing[level.name] = f"still {level.name}: no picture could be made; change its text"
    return sweep.with_chosen(chosen), lines, missing


def _pictures(
    sweep: Sweep, rows: Sequence[TakeRow]
) -> Iterator[tuple[CreatedStill, list[TakeRow]]]:
    """Each still that is made from text, with the rows of its pictures."""
    by_id = {row.take_id: row for row in rows}
    take_ids = [(trial.factors["still"], take.id) for trial, take in sweep.still_takes()]
    for level in sweep.created_stills:
        yield level, [by_id[id_] for name, id_ in take_ids if name == level.name and id_ in by_id]


def _copy_best(
    level: CreatedStill, rows: Sequence[TakeRow], folder: RunFolder, needs: Needs
) -> tuple[Still, str]:
    """Copy the picture with the fewest errors, then warnings, then notes; on a tie, the first.

    Returns the copy, and a line that says which picture it is and lists preflight's findings.
    """
    candidates: list[tuple[list[int], TakeRow, Sequence[Finding]]] = []
    for row in rows:
        checked = preflight(
            folder.result_path(row.take),
            aspect_ratio=level.settings.aspect_ratio,
            resolution=level.settings.resolution,
            needs=needs,
        )
        severities = [finding.severity for finding in checked.findings]
        counts = [severities.count(severity) for severity in ("error", "warning", "note")]
        candidates.append((counts, row, checked.findings))
    _, row, findings = min(candidates, key=lambda candidate: candidate[0])
    copy = make_writable_folder(folder.created) / f"{level.name}.png"
    with atomic_write(copy) as part:
        shutil.copyfile(folder.result_path(row.take), part)
    kinds = ", ".join(finding.kind for finding in findings) or "no findings"
    return Still.open(copy), f"picture {row.repeat} of {level.best_of} is chosen ({kinds})"
