"""Scores clip files outside of a run, in parallel."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import TypedDict, final

from lab.errors import Interrupted
from lab.files import make_writable_folder
from lab.measures import ClipRecord, Measure
from lab.metrics import METRICS, measure, measure_with_heatmaps
from lab.metrics import literature as measure_literature
from lab.runs.executors import failure_text, open_executor, submit_to
from lab.runs.progress import Progress
from lab.stills import Still, StillJson


@final
class ClipFailure(TypedDict):
    """A clip that was not scored, and why."""

    clip: str
    error: str


def score_clip(
    clip: str,
    still: StillJson | None,
    literature: bool = False,
    heatmaps: str | None = None,
) -> ClipRecord:
    """Worker: score one clip, as `score` does. Its arguments and its result are plain data."""
    opened = None if still is None else Still.from_json(still)
    videos: list[Path] = []
    if heatmaps is None:
        scores = measure(clip, opened, METRICS)
    else:
        scores, videos = measure_with_heatmaps(clip, opened, METRICS, Path(heatmaps))
    measured = Measure.from_scores(scores)
    if literature:
        measured = measured.with_published(measure_literature(clip, opened))
    record = measured.record()
    if videos:
        record["heatmaps"] = [str(video) for video in videos]
    return record


def score(
    clips: str | Path | Sequence[str | Path],
    still: str | Path | Still | None = None,
    *,
    executor: Executor | None = None,
    quiet: bool = False,
    literature: bool = False,
    heatmaps: str | Path | None = None,
) -> Iterator[ClipRecord | ClipFailure]:
    """Score clip files against one still. Yields the record of each clip when it is finished.

    A record is what `lab score --json` prints, with a `series` by frame. A clip that cannot be read
    yields {"clip", "error"}, and the others continue. literature: add the published metrics, which
    need a second pass at full resolution. heatmaps: a folder for one video per clip and headline
    metric, which shows where in the frame the value comes from. Raises StillError for an unusable
    still.
    """
    clips = [clips] if isinstance(clips, str | Path) else list(clips)
    if not clips:
        return
    opened = still if isinstance(still, Still) or still is None else Still.open(still)
    still_json = None if opened is None else opened.to_json()
    heatmap_folder = None if heatmaps is None else str(make_writable_folder(Path(heatmaps)))
    arguments = (still_json, literature, heatmap_folder)
    if executor is None and len(clips) == 1:
        try:
            yield score_clip(str(clips[0]), *arguments)
        except Exception as error:  # noqa: BLE001 - reported like a failure in a worker
            yield _failed(str(clips[0]), error)
        return
    try:
        with (
            open_executor(executor, len(clips)) as pool,
            Progress(len(clips), "clips", quiet=quiet) as progress,
        ):
            clips_by_future = {
                submit_to(pool, score_clip, str(clip), *arguments): str(clip) for clip in clips
            }
            for future in as_completed(clips_by_future):
                progress.advance()
                failure = future.exception()
                yield (
                    future.result()
                    if failure is None
                    else _failed(clips_by_future[future], failure)
                )
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the scores printed so far are complete") from None


def _failed(clip: str, error: BaseException) -> ClipFailure:
    """The record of a clip that was not scored. The error names the clip exactly once."""
    text = failure_text(error)
    return {"clip": clip, "error": text if clip in text else f"{clip}: {text}"}
