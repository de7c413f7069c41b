"""From frame to frame: which ones repeat the one before, and the flow between those that differ."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.media import Frame
from lab.metrics.reference import MIN_SIDE_PX
from lab.vision import FlowPair, flow_both_ways

# Two frames belong to one shot while the flow explains at least this share of the picture.
MIN_COVERAGE = 0.3
_COARSE_SIDE_PX = 128
_DETAIL_SHARE = 8
# A frame that differs from the one before by less than an encoder does has been shown before.
_HELD_MEAN_DN = 0.15
_HELD_PEAK_DN = 12.0


@dataclass(frozen=True, eq=False)
class Step:
    """From one distinct frame to the next, flow at half analysis size (see `FlowPair`).

    jump: whether the picture jumps here inside a shot (see `lab.metrics.jumps`).
    """

    seconds: float
    flow: FlowPair
    jump: bool = False

    @property
    def joined(self) -> bool:
        """False across a jump, and across a cut, where nothing is found again."""
        return not self.jump and self.flow.coverage >= MIN_COVERAGE


@dataclass(frozen=True, eq=False)
class Seen:
    """A decoded frame beside the one before.

    grey: its luma, (h, w) uint8. coarse: (h, w, 3) uint8 at half analysis size. held: it repeats
    the frame before. last: no frame follows. step: the way from the last distinct frame; None for
    the first frame, a held one, one of another size, and one too small for flow.
    """

    frame: Frame
    grey: NDArray[np.uint8]
    coarse: NDArray[np.uint8]
    held: bool = False
    last: bool = False
    step: Step | None = None


def steps(frames: Iterable[Frame]) -> Iterator[Seen]:
    """Look at decoded frames one after the other; only a few are alive at a time."""
    distinct: Seen | None = None
    waiting: Seen | None = None
    for frame in frames:
        seen = _seen(frame, distinct)
        if waiting is not None:
            yield waiting
        waiting = seen
        if not seen.held:
            distinct = seen
    if waiting is not None:
        yield replace(waiting, last=True)


def _seen(frame: Frame, before: Seen | None) -> Seen:
    """before: the last distinct frame."""
    grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
    seen = Seen(frame, grey, _coarse(frame.rgb))
    if before is None or before.grey.shape != grey.shape:
        return seen
    if _repeats(before.grey, grey):
        return replace(seen, held=True)
    if min(seen.coarse.shape[:2]) < MIN_SIDE_PX:
        return seen
    earlier, later = (
        flattened(cv2.cvtColor(side.coarse, cv2.COLOR_RGB2GRAY)) for side in (before, seen)
    )
    step = Step(frame.time_s - before.frame.time_s, flow_both_ways(earlier, later))
    return replace(seen, step=step)


def flattened(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Detail around the local mean, so that patches that lighten do not look like motion."""
    side = min(grey.shape) // _DETAIL_SHARE | 1
    around = cv2.blur(grey, (side, side), borderType=cv2.BORDER_REFLECT_101)
    detail: NDArray[np.uint8] = cv2.addWeighted(grey, 1.0, around, -1.0, 128)
    return detail


def _coarse(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(1.0, _COARSE_SIDE_PX / min(rgb.shape[:2]))
    if scale == 1:
        return rgb
    reduced: NDArray[np.uint8] = cv2.resize(
        rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    return reduced


def _repeats(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
    apart = cv2.absdiff(before, after)
    return float(cv2.mean(apart)[0]) < _HELD_MEAN_DN and float(apart.max()) < _HELD_PEAK_DN
