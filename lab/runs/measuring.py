"""Bring the measurements of a run up to date: only what is not fresh is measured."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import Interrupted, LabError, StillError
from lab.measures import Measure, MeasureJson, MeasureState, StoredMeasure, measure_clip
from lab.runs.executors import failed_future, failure_text, open_executor, submit_to
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.runs.progress import Progress
from lab.runs.take_row import TakeRow


@dataclass(frozen=True)
class MeasureOutcome:
    """What `measure` did. clips: how many the run has here. measured: how many of them were
    measured now. problems: one line for each clip that was not, and why. remarks: one line for each
    clip that is damaged and was measured all the same.
    """

    folder: Path
    clips: int
    measured: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        fresh = self.clips - self.measured - len(self.problems)
        head = f"{self.folder}: {self.clips} clips, {fresh} up to date, {self.measured} measured"
        return "\n".join([head, *self.remarks, *self.problems])

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "run": str(self.folder),
            "clips": self.clips,
            "measured": self.measured,
            "problems": list(self.problems),
            "remarks": list(self.remarks),
        }


def measure(
    out: str | Path, *, executor: Executor | None = None, quiet: bool = False
) -> MeasureOutcome:
    """Measure the clips of a run whose measurements are not fresh; nothing is sent or bought.

    Of a record that is stale only the stale numbers are measured. executor: where clips are
    measured; a process pool when None. Raises RunFolderError for a folder that holds no run,
    BusyError while a runner is at work there, and Interrupted on Ctrl-C; what was measured by then
    is kept.
    """
    folder = RunFolder(out)
    folder.check()
    with folder.lock():
        with Ledger.read(folder.ledger) as ledger:
            rows = [row for row in ledger.takes() if row.clip and row.take.shot.makes == "clip"]
        damage: dict[str, str] = {}
        problems: list[str] = []
        todo = []
        for row in rows:
            stored = folder.stored_measure(row)
            if stored.state is not MeasureState.FRESH:
                todo.append(row)
            damage[row.take_id] = damage_text(row.take_id, stored.measure)
        measured = 0
        try:
            for row, answer in _answers(folder, todo, executor, quiet=quiet):
                if isinstance(answer, Measure):
                    measured += 1
                    damage[row.take_id] = damage_text(row.take_id, answer)
                else:
                    problems.append(f"take {row.take_id}: {failure_text(answer)}")
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted with {measured} of {len(todo)} clips measured; run the same again "
                "to go on"
            ) from None
    remarks = tuple(text for text in damage.values() if text)
    return MeasureOutcome(folder.path, len(rows), measured, tuple(problems), remarks)


def _answers(
    folder: RunFolder, rows: Sequence[TakeRow], executor: Executor | None, *, quiet: bool
) -> Iterator[tuple[TakeRow, Measure | BaseException]]:
    """Each take with its new record, which is written by then, or with why there is none."""
    with (
        open_executor(executor, len(rows)) as pool,
        Progress(len(rows), "clips measured", quiet=quiet) as progress,
    ):
        jobs = {start_measuring(pool, folder, row, folder.stored_measure(row)): row for row in rows}
        for job in as_completed(list(jobs)):
            row = jobs.pop(job)
            try:
                yield row, folder.save_measure(row, Measure.from_json(job.result()))
            except Exception as error:  # noqa: BLE001 - one bad clip must not end the others
                yield row, error
            progress.advance()


def start_measuring(
    pool: Executor, folder: RunFolder, row: TakeRow, stored: StoredMeasure
) -> Future[MeasureJson]:
    """Measure what is not fresh of a take's clip; the future gives a record as plain data."""
    if stored.clip_replaced:
        return failed_future(LabError(stored.reason))
    still = row.take.shot.still
    if still and (trouble := folder.still_error(still.path, still.sha256)):
        return failed_future(StillError(trouble))
    plain = None if still is None else folder.locate(still).to_json()
    numbers = tuple(stored.stale) if stored.state is MeasureState.STALE else None
    return submit_to(pool, measure_clip, str(folder.clip_path(row.take_id)), plain, numbers)


def damage_text(take_id: str, measure: Measure | None) -> str:
    """One line on a clip that was measured although it is damaged; "" for a whole one."""
    if measure is None or not measure.damage:
        return ""
    return f"take {take_id}: {measure.damage}; its scores are of the frames before that"
