"""Measures those clips of a run whose stored measurements are not fresh."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import Interrupted, LabError, StillError
from lab.measures import Measure, MeasureJson, MeasureState, StoredMeasure, measure_clip
from lab.runs.executors import failed_future, failure_text, open_executor, submit_to
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, TakeRow
from lab.runs.progress import Progress


@dataclass(frozen=True)
class MeasureOutcome:
    """What `measure` did.

    clips: how many the run has. measured: how many of them were measured now. problems: one line
    for each clip that could not be measured. remarks: one line for each clip that is damaged but
    was measured.
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
    """Measure the clips of a run whose measurements are not fresh. Nothing is sent or bought.

    For a stale record, only the stale scores are measured. executor: where clips are measured; a
    process pool by default. Raises RunFolderError for a folder without a run, BusyError while a
    runner is active, and Interrupted on Ctrl-C. An interrupted call keeps what it measured.
    """
    folder = RunFolder(out)
    folder.check()
    with folder.lock():
        with Ledger.read(folder.ledger) as ledger:
            rows = [row for row in ledger.takes() if row.clip and row.take.shot.makes == "clip"]
        damage: dict[str, str] = {}
        problems: list[str] = []
        not_fresh: list[TakeRow] = []
        for row in rows:
            stored = folder.stored_measure(row)
            if stored.state is not MeasureState.FRESH:
                not_fresh.append(row)
            damage[row.take_id] = damage_text(row.take_id, stored.measure)
        measured = 0
        try:
            for row, result in _measure_all(folder, not_fresh, executor, quiet=quiet):
                if isinstance(result, Measure):
                    measured += 1
                    damage[row.take_id] = damage_text(row.take_id, result)
                else:
                    problems.append(f"take {row.take_id}: {failure_text(result)}")
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted with {measured} of {len(not_fresh)} clips measured; run the same "
                "command again to continue"
            ) from None
    remarks = tuple(text for text in damage.values() if text)
    return MeasureOutcome(folder.path, len(rows), measured, tuple(problems), remarks)


def _measure_all(
    folder: RunFolder, rows: Sequence[TakeRow], executor: Executor | None, *, quiet: bool
) -> Iterator[tuple[TakeRow, Measure | BaseException]]:
    """Yield each take with its new record, which is saved, or with the error that occurred."""
    with (
        open_executor(executor, len(rows)) as pool,
        Progress(len(rows), "clips measured", quiet=quiet) as progress,
    ):
        rows_by_future = {
            start_measuring(pool, folder, row, folder.stored_measure(row)): row for row in rows
        }
        for future in as_completed(list(rows_by_future)):
            row = rows_by_future.pop(future)  # so that the record can be freed
            try:
                yield row, folder.save_measure(row, Measure.from_json(future.result()))
            except Exception as error:  # noqa: BLE001 - one bad clip must not stop the others
                yield row, error
            progress.advance()


def start_measuring(
    pool: Executor, folder: RunFolder, row: TakeRow, stored: StoredMeasure
) -> Future[MeasureJson]:
    """Start measuring the scores of a take's clip that are not fresh.

    The future's result is a record as plain data, for `Measure.from_json`.
    """
    if stored.clip_replaced:
        return failed_future(LabError(stored.reason))
    still = row.take.shot.still
    if still and (error := folder.still_error(still.path, still.sha256)):
        return failed_future(StillError(error))
    still_json = None if still is None else folder.locate(still).to_json()
    metric_names = tuple(stored.stale) if stored.state is MeasureState.STALE else None
    return submit_to(
        pool, measure_clip, str(folder.clip_path(row.take_id)), still_json, metric_names
    )


def damage_text(take_id: str, measure: Measure | None) -> str:
    """One line about a damaged clip that was measured; "" for an intact one."""
    if measure is None or not measure.damage:
        return ""
    return f"take {take_id}: {measure.damage}; its scores cover the frames before that"
