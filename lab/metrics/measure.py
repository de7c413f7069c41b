"""Score a clip: one decode, every metric."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from lab.clips import Clip
from lab.media import frames
from lab.media.ahead import ahead
from lab.metrics.contract import Field, Metric, Score
from lab.metrics.explain import Box, brightest
from lab.metrics.moment import moments
from lab.metrics.reference import ANALYSIS_SIDE_PX, Reference
from lab.stills import Still


@dataclass(frozen=True)
class ClipScores:
    """Everything measured on one clip.

    frames and duration_s are what was decoded, not what the file declares. scores hold headlines
    and parts; series holds values by frame for each series name; times_s the time of every frame;
    boxes tells for each headline and frame where most of its value comes from. notes holds, by
    metric, a remark on how far its numbers can be believed. damage says what is wrong with the
    file, "" for a whole one.
    """

    clip: Clip
    still: Still | None
    frames: int
    duration_s: float
    scores: tuple[Score, ...]
    series: dict[str, dict[int, float]]
    boxes: dict[str, dict[int, Box]]
    times_s: tuple[float, ...]
    notes: dict[str, str]
    damage: str

    def value(self, name: str) -> float:
        """The value of a headline or part; NaN where there is no data."""
        return next(score.value for score in self.scores if score.name == name)


def measure(
    clip: str | Path,
    still: Still | None,
    metrics: Sequence[Metric],
    *,
    keep: Callable[[str, Field], None] | None = None,
) -> ClipScores:
    """Decode a clip once and score it by every metric. Memory does not grow with its length.

    keep is called with every headline's name and field. Raises ClipError for a file that cannot
    be decoded at all; a damaged tail becomes a note.
    """
    opened = Clip.open(clip)
    times: list[float] = []
    damage: list[str] = []
    boxes: dict[str, dict[int, Box]] = {metric.specs[0].name: {} for metric in metrics}
    with closing(ahead(frames(opened.path, ANALYSIS_SIDE_PX))) as decoded:
        first = next(decoded)
        reference = _reference(still) if still else Reference.of(first.rgb, is_still=False)
        trackers = [metric.start(reference) for metric in metrics]
        # Decoding, following and judging each have a thread, so that two cores are kept busy.
        followed = ahead(moments(_noting(chain([first], decoded), damage), reference))
        with closing(followed):
            for moment in followed:
                times.append(moment.time_s)
                for tracker, (name, found) in zip(trackers, boxes.items(), strict=True):
                    field = tracker.see(moment)
                    if field is not None:
                        found[field.index] = brightest(field.values)
                        if keep is not None:
                            keep(name, field)
    results = [tracker.result() for tracker in trackers]
    step_s = times[-1] / (len(times) - 1) if len(times) > 1 else 1 / (opened.facts.fps or 25)
    return ClipScores(
        clip=opened,
        still=still,
        frames=len(times),
        duration_s=times[-1] + step_s,
        scores=tuple(score for result in results for score in result.scores),
        series={name: dict(v) for result in results for name, v in result.series.items()},
        boxes={name: found for name, found in boxes.items() if found},
        times_s=tuple(times),
        notes={
            metric.specs[0].name: result.note
            for metric, result in zip(metrics, results, strict=True)
            if result.note
        },
        damage="; ".join(damage),
    )


@lru_cache(maxsize=8)
def _reference(still: Still) -> Reference:
    """Kept, because a sweep has many clips of one still."""
    return Reference.of(still.rgb(), is_still=True)


def _noting(decoded: Any, damage: list[str]) -> Any:
    for frame in decoded:
        if frame.note:
            damage.append(frame.note)
        yield frame
