"""Score any clips, each once, spread over an executor."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import TypedDict, final

from lab.errors import Interrupted
from lab.files import make_writable_folder
from lab.measures import ClipRecord, Measure
from lab.metrics import METRICS, measure, measure_with_heatmaps
from lab.metrics import literature as published
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
    """Worker: what `score` yields for one clip; plain data in, plain data out."""
    opened = None if still is None else Still.from_json(still)
    films: list[Path] = []
    if heatmaps is None:
        scores = measure(clip, opened, METRICS)
    else:
        scores, films = measure_with_heatmaps(clip, opened, METRICS, Path(heatmaps))
    found = Measure.of(scores)
    if literature:
        found = found.with_published(published(clip, opened))
    record = found.record()
    if films:
        record["heatmaps"] = [str(film) for film in films]
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
    """Score clip files against one still; yields a plain record a clip, as each is ready.

    A record is what `lab score --json` prints, with `series` by frame beside it; a clip that cannot
    be read yields {"clip", "error"} and the others go on. literature: add the published numbers,
    which take a pass of their own at native size. heatmaps: a folder that gets one film a clip and
    headline, showing where its value comes from. Raises StillError for a bad still.
    """
    clips = [clips] if isinstance(clips, str | Path) else list(clips)
    if not clips:
        return
    opened = still if isinstance(still, Still) or still is None else Still.open(still)
    plain = None if opened is None else opened.to_json()
    films = None if heatmaps is None else str(make_writable_folder(Path(heatmaps)))
    asked = (plain, literature, films)
    if executor is None and len(clips) == 1:
        try:
            yield score_clip(str(clips[0]), *asked)
        except Exception as error:  # noqa: BLE001 - named like a clip of many
            yield _failed(str(clips[0]), error)
        return
    try:
        with (
            open_executor(executor, len(clips)) as pool,
            Progress(len(clips), "clips", quiet=quiet) as progress,
        ):
            jobs = {submit_to(pool, score_clip, str(clip), *asked): str(clip) for clip in clips}
            for job in as_completed(jobs):
                progress.advance()
                failure = job.exception()
                yield job.result() if failure is None else _failed(jobs[job], failure)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the clips printed so far are complete") from None


def _failed(clip: str, error: BaseException) -> ClipFailure:
    """What is yielded for a clip that was not scored; it names the clip exactly once."""
    said = failure_text(error)
    return {"clip": clip, "error": said if clip in said else f"{clip}: {said}"}
