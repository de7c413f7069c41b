"""Measures the clips of a report again and compares the scores with those in the report."""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import InputError, Interrupted, LabError
from lab.measures import Measure, MeasureJson, measure_clip
from lab.metrics import SPECS
from lab.report.facts import ReportFacts, TakeFacts
from lab.report.verification import Count, Mismatch
from lab.runs import RunFolder
from lab.runs.executors import failure_text, open_executor, submit_to
from lab.runs.progress import Progress
from lab.stills import Still, StillJson

TOLERANCE = 0.01
"""Relative tolerance of a score. Other machines and library versions round differently."""

_OTHER_DEFINITION = "of another definition"


@dataclass
class _Tally:
    """A running count of checked values. unchecked: the number of unchecked values by reason."""

    total: int
    checked: int = 0
    unchecked: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> Count:
        return Count(self.checked, self.total, dict(self.unchecked))


class Remeasurement:
    """The result of checking a report's scores, filled in step by step.

    score_tally: counts the reported scores. clip_tally: counts the clips that have any.
    mismatches: scores that differ or could not be checked.
    """

    def __init__(self, facts: ReportFacts) -> None:
        counts = [len(take.reported_scores) for take in facts.takes if take.reported_scores]
        self.score_tally, self.clip_tally = _Tally(sum(counts)), _Tally(len(counts))
        self.mismatches: list[Mismatch] = []

    def skip(self) -> None:
        """Record that no clip is measured again, because the caller did not ask for it."""
        for tally in (self.score_tally, self.clip_tally):
            tally.unchecked["not asked for"] = tally.total

    def skip_definition(self, name: str, version: int) -> None:
        """Record that a metric's version differs from the one in the report."""
        current = f"version {SPECS[name].version}" if name in SPECS else "no such metric"
        subject = f"definition of {name}, so its scores were not checked"
        self.mismatches.append(Mismatch("", subject, f"version {version}", current))

    def skip_take(self, take: TakeFacts, scores: Collection[str], reason: str, error: str) -> None:
        """Record that a take's clip could not be measured. reason: a key of `unchecked`."""
        self.score_tally.unchecked[reason] += len(scores)
        self.clip_tally.unchecked[reason] += 1
        measured = f"not checked: {error}"
        self.mismatches.append(Mismatch(take.id, "its scores", f"{len(scores)} numbers", measured))

    def compare(self, take: TakeFacts, scores: Collection[str], measure: Measure) -> None:
        """Compare a new measurement with the reported scores. scores: names of the scores."""
        self.clip_tally.checked += 1
        self.score_tally.checked += len(scores)
        measured = measure.record()["scores"]
        for name in scores:
            if not _within_tolerance(name, take.scores[name], measured.get(name)):
                texts = number_text(take.scores[name]), number_text(measured.get(name))
                self.mismatches.append(Mismatch(take.id, name, *texts))
        if take.row.damage != measure.damage:
            texts = take.row.damage or "none", measure.damage or "none"
            self.mismatches.append(Mismatch(take.id, "damage of the clip", *texts))
        if measure.simulated and not take.row.simulated:
            texts = "a video model", "rendered locally"
            self.mismatches.append(Mismatch(take.id, "made by", *texts))


def remeasure(
    folders: Mapping[str, RunFolder], facts: ReportFacts, executor: Executor | None, *, quiet: bool
) -> Remeasurement:
    """Measure every clip that has scores in the report, and compare the scores.

    folders: by name of the run. Raises Interrupted.
    """
    result = Remeasurement(facts)
    changed = {
        name: version
        for name, version in facts.versions.items()
        if name not in SPECS or SPECS[name].version != version
    }
    for name, version in changed.items():
        result.skip_definition(name, version)
    todo = []
    for take in facts.takes:
        scores = [name for name in take.reported_scores if name not in changed]
        skipped = len(take.reported_scores) - len(scores)
        if skipped:
            result.score_tally.unchecked[_OTHER_DEFINITION] += skipped
        if scores:
            todo.append((take, scores))
        elif skipped:
            result.clip_tally.unchecked[_OTHER_DEFINITION] += 1
    try:
        with (
            open_executor(executor, len(todo)) as pool,
            Progress(len(todo), "clips measured again", quiet=quiet) as progress,
        ):
            futures: dict[Future[MeasureJson], tuple[TakeFacts, list[str]]] = {}
            for take, scores in todo:
                folder = folders[take.row.run]
                clip = file_in_run(folder, take.row.clip)
                try:
                    if clip is None:
                        raise InputError("its clip is missing")
                    still = _still_json(folder, take)
                except LabError as error:
                    reason = "missing" if clip is None else "without their still"
                    result.skip_take(take, scores, reason, str(error))
                    progress.advance()
                    continue
                futures[submit_to(pool, measure_clip, str(clip), still)] = (take, scores)
            for future in as_completed(futures):
                progress.advance()
                take, scores = futures[future]
                failure = future.exception()
                if failure is not None:
                    text = failure_text(failure)
                    result.skip_take(take, scores, "that cannot be measured", text)
                else:
                    result.compare(take, scores, Measure.from_json(future.result()))
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was changed") from None
    return result


def file_in_run(folder: RunFolder, name: str) -> Path | None:
    """The path of a file in the run folder; None if it is missing or outside the folder."""
    file = folder.path / name
    return file if not folder.outside_error(file) and file.is_file() else None


def number_text(value: float | None) -> str:
    """A number with six digits, or none."""
    return "none" if value is None else f"{value:.6g}"


def _still_json(folder: RunFolder, take: TakeFacts) -> StillJson | None:
    """The take's still for a worker; None if the take has no still. Raises LabError."""
    name = take.row.still_path
    if not name:
        return None
    file = file_in_run(folder, name)
    if file is None:
        raise InputError(f"its still {name} is missing")
    return Still.open(file).to_json()


def _within_tolerance(name: str, reported: float | None, measured: float | None) -> bool:
    if reported is None or measured is None:
        return reported is measured
    threshold = SPECS[name].flaw(SPECS[name].unnoticed)
    absolute = 1e-6 if math.isnan(threshold) else TOLERANCE * threshold
    return math.isclose(reported, measured, rel_tol=TOLERANCE, abs_tol=absolute)
