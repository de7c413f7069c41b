"""Measure many clips, each once, spread over an executor."""

import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from lab.errors import BusyError, Interrupted, LabError
from lab.files import make_writable_folder
from lab.metrics import LITERATURE, METRICS, SPECS, measure, measure_with_heatmaps
from lab.metrics import literature as published
from lab.runs.executors import WorkerPool
from lab.runs.progress import Progress
from lab.settings import settings
from lab.stills import Still

VERSIONS = {name: spec.version for name, spec in SPECS.items()}


def measure_clip(
    clip: str,
    still: dict[str, Any] | None,
    literature: bool = False,
    heatmaps: str | None = None,
) -> dict[str, Any]:
    """Worker: score one clip; plain data in, plain data out."""
    opened = None if still is None else Still.from_json(still)
    films: list[Path] = []
    if heatmaps is None:
        scores = measure(clip, opened, METRICS)
    else:
        scores, films = measure_with_heatmaps(clip, opened, METRICS, Path(heatmaps))
    units = {name: spec.unit for name, spec in SPECS.items()}
    record = {**scores.to_json(), "units": units, "versions": VERSIONS}
    if films:
        record["heatmaps"] = [str(film) for film in films]
    return _with_literature(record, opened) if literature else record


def _with_literature(record: dict[str, Any], still: Still | None) -> dict[str, Any]:
    """The record with the published numbers beside our own."""
    found = published(record["clip"], still)
    values = {
        score.name: None if math.isnan(score.value) else float(f"{score.value:.9g}")
        for score in found.scores
    }
    reasons = {score.name: score.reason for score in found.scores if score.reason}
    return {
        **record,
        "scores": record["scores"] | values,
        "reasons": record["reasons"] | reasons,
        "notes": record["notes"] + [found.note] * bool(found.note),
        "units": record["units"] | {name: spec.unit for name, spec in LITERATURE.items()},
        "versions": VERSIONS | {name: spec.version for name, spec in LITERATURE.items()},
    }


def kept_measure(path: Path) -> dict[str, Any] | None:
    """A measure written earlier, unless a metric's definition has changed since."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if kept.get("versions") == VERSIONS else None


def score(
    clips: str | Path | Sequence[str | Path],
    still: str | Path | Still | None = None,
    *,
    executor: Executor | None = None,
    quiet: bool = False,
    literature: bool = False,
    heatmaps: str | Path | None = None,
) -> Iterator[dict[str, Any]]:
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
        yield _or_error(str(clips[0]), lambda: measure_clip(str(clips[0]), *asked))
        return
    pool = executor or WorkerPool(min(len(clips), settings().workers))
    done = False
    try:
        jobs = {pool.submit(measure_clip, str(clip), *asked): str(clip) for clip in clips}
        with Progress(len(jobs), "clips", quiet=quiet) as progress:
            for job in as_completed(jobs):
                record = _or_error(jobs[job], job.result)
                progress.advance()
                yield record
        done = True
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the clips printed so far are complete") from None
    finally:
        if executor is None:
            assert isinstance(pool, WorkerPool)
            pool.shutdown() if done else pool.stop()


def _or_error(clip: str, measured: Any) -> dict[str, Any]:
    try:
        record: dict[str, Any] = measured()
    except LabError as error:
        return {"clip": clip, "error": str(error)}
    except BrokenProcessPool:
        raise worker_died() from None
    return record


def worker_died() -> LabError:
    """The error for workers that ended without an answer."""
    return BusyError(
        "a worker process ended by itself; if memory ran out, run again with fewer workers "
        '(I2VLAB_WORKERS=1); in a script, put the call under if __name__ == "__main__":'
    )
