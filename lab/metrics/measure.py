"""Score a clip: every metric while it is decoded."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.clips import Clip
from lab.media import Frame, frames
from lab.media.prefetch import prefetch
from lab.metrics.contract import Field, Metric, Score, absent
from lab.metrics.explain import Box, brightest
from lab.metrics.moment import moments
from lab.metrics.reference import ANALYSIS_SIDE_PX, Reference
from lab.stills import Still
from lab.vision import Borders, find_borders

MIN_SIDE_PX = 8  # below, the smallest windows of the metrics no longer fit into a frame
_BORDERS_FRAMES = 24  # at the beginning of a clip, in which its borders are looked for
_BORDERS_EVERY = 4


@dataclass(frozen=True)
class ClipScores:
    """Everything measured on one clip.

    frames and duration_s are what was decoded, not what the file declares. scores hold headlines
    and parts; series holds values by frame for each series name; times_s the time of every frame;
    boxes tells for each headline and frame where most of its value comes from. notes holds, by
    metric, a remark on how far its numbers can be believed. damage says after which frame the file
    is cut off or damaged; "" when it is whole.
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
    """Score a clip by every metric while it is decoded. Memory does not grow with its length.

    Plain borders of the clip and of the still (see `find_borders`) are left out, which a note says.
    keep is called with every headline's name and field, which has no data on the borders. A clip
    with a side under 8 px has no number, for that reason. Raises ClipError for a file that cannot
    be decoded at all; what is wrong with its tail becomes `damage` and a note.
    """
    opened = Clip.open(clip)
    times: list[float] = []
    damages: list[str] = []
    boxes: dict[str, dict[int, Box]] = {metric.specs[0].name: {} for metric in metrics}
    reference: Reference | None = None
    borders, decoded = _within_borders(opened.path)
    with closing(decoded):
        first = next(decoded)
        every = _noting(chain([first], decoded), damages)
        height, width = first.rgb.shape[:2]
        if min(height, width) < MIN_SIDE_PX:
            times = [frame.time_s for frame in every]
            why = f"frames of {width}x{height} px are too small; each side needs {MIN_SIDE_PX} px"
            results = [absent(metric.specs, why) for metric in metrics]
        else:
            reference = _reference(still) if still else Reference.of(first.rgb, is_still=False)
            trackers = [metric.start(reference) for metric in metrics]
            # Decoding, following and judging each have a thread, so that two cores are kept busy.
            followed = prefetch(moments(every, reference))
            with closing(followed):
                for moment in followed:
                    times.append(moment.time_s)
                    for tracker, (name, found) in zip(trackers, boxes.items(), strict=True):
                        field = tracker.see(moment)
                        if field is not None:
                            if borders:
                                field = replace(field, values=_framed(field.values, borders))
                            found[field.index] = brightest(field.values)
                            if keep is not None:
                                keep(name, field)
            results = [tracker.result() for tracker in trackers]
    notes = {
        metric.specs[0].name: result.note for metric, result in zip(metrics, results, strict=True)
    }
    bordered = {"clip": borders, "still": reference.borders if reference else Borders()}
    left_out = [f"{found} of the {whose}" for whose, found in bordered.items() if found]
    if left_out:
        notes["borders"] = f"plain borders are left out of every number: {'; '.join(left_out)}"
    converted = [*opened.facts.remarks]
    if still is not None:
        converted += [f"still: {change}" for change in still.changes]
    if converted:
        notes["picture"] = "; ".join(converted)
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
        notes={name: note for name, note in notes.items() if note},
        damage="".join(damages),
    )


@lru_cache(maxsize=8)
def _reference(still: Still) -> Reference:
    """Kept, because a sweep has many clips of one still."""
    return Reference.of(still.rgb(), is_still=True)


def _within_borders(path: Path) -> tuple[Borders, Generator[Frame, None, None]]:
    """The clip's borders, and its frames within them at analysis size, decoded in the background.

    Borders are those of the clip's first second, which is decoded once more for them.
    """
    with closing(frames(path, ANALYSIS_SIDE_PX)) as decoded:
        first = [frame.rgb for frame in islice(decoded, 0, _BORDERS_FRAMES, _BORDERS_EVERY)]
    height, width = first[0].shape[:2]
    borders = find_borders([rgb for rgb in first if rgb.shape == first[0].shape])
    if not borders:
        return borders, prefetch(frames(path, ANALYSIS_SIDE_PX))
    shorter = min(side.stop - side.start for side in borders.inside(height, width))
    side_px = round(ANALYSIS_SIDE_PX * min(height, width) / shorter)
    return borders, prefetch(_cropped(frames(path, side_px), borders))


def _cropped(decoded: Generator[Frame, None, None], borders: Borders) -> Iterator[Frame]:
    with closing(decoded):
        for frame in decoded:
            inside = borders.inside(*frame.rgb.shape[:2])
            yield replace(frame, rgb=np.ascontiguousarray(frame.rgb[inside]))


def _framed(values: NDArray[np.float32], borders: Borders) -> NDArray[np.float32]:
    """A field of the picture within the borders as one of the frame: NaN on the borders."""
    height, width = values.shape
    whole = (
        round(height / (1 - borders.top - borders.bottom)),
        round(width / (1 - borders.left - borders.right)),
    )
    top, left = round(borders.top * whole[0]), round(borders.left * whole[1])
    framed = np.full(whole, np.nan, np.float32)
    framed[top : top + height, left : left + width] = values
    return framed


def _noting(decoded: Iterator[Frame], damages: list[str]) -> Iterator[Frame]:
    for frame in decoded:
        if frame.damage:
            damages.append(frame.damage)
        yield frame
