"""One frame of a clip with what the metrics share about it: flow, validity, the camera.

Everything is computed on frames whose shorter side is 256 px, once for all metrics.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.media import Frame
from lab.units import diagonal_px
from lab.vision import apply_affine, consistent, dense_flow, fit_affine

ANALYSIS_SIDE_PX = 256
# The two directions of flow are found side by side.
_BESIDE = ThreadPoolExecutor(thread_name_prefix="flow")
# Two frames belong to one shot while the flow explains at least this share of the picture.
MIN_COVERAGE = 0.3


class Step:
    """From one frame to the next: flow both ways and where it can be believed."""

    def __init__(self, before: NDArray[np.uint8], after: NDArray[np.uint8], seconds: float) -> None:
        """before and after: (height, width) uint8 grey, the same size."""
        self.seconds = seconds
        there = _BESIDE.submit(dense_flow, before, after)
        self.backward = dense_flow(after, before)
        self.forward = there.result()

    @cached_property
    def forward_valid(self) -> NDArray[np.bool_]:
        """Where the flow from the earlier frame is consistent."""
        return consistent(self.forward, self.backward)

    @cached_property
    def backward_valid(self) -> NDArray[np.bool_]:
        """Where the flow from the later frame is consistent."""
        return consistent(self.backward, self.forward)

    @property
    def coverage(self) -> float:
        """Share of the earlier frame that is found again in the later one, 0..1."""
        return float(self.forward_valid.mean())

    @property
    def joined(self) -> bool:
        """False across a cut, where nothing is found again."""
        return self.coverage >= MIN_COVERAGE

    @cached_property
    def camera(self) -> NDArray[np.float32] | None:
        """The part of the forward flow that one camera explains, (height, width, 2)."""
        matrix = fit_affine(self.forward, self.forward_valid)
        return None if matrix is None else apply_affine(matrix, *self.forward.shape[:2])


@dataclass(frozen=True, eq=False)
class Moment:
    """The newest frame and the two steps that led to it.

    rgb: (h, w, 3) uint8 at analysis size. step: from the previous frame to this one; step_before:
    the one before that. The previous frame therefore has a flow to both its neighbours.
    """

    index: int
    time_s: float
    rgb: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    previous: "Moment | None" = None
    step: Step | None = None
    step_before: Step | None = None

    @property
    def diagonal_px(self) -> float:
        """Diagonal of the analysed frame in pixels."""
        height, width = self.grey.shape
        return diagonal_px(width, height)


def moments(frames: Iterable[Frame]) -> Iterator[Moment]:
    """Turn decoded frames into moments; at most three frames are alive at a time."""
    previous: Moment | None = None
    for frame in frames:
        grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
        step = step_before = None
        if previous is not None and previous.grey.shape == grey.shape and min(grey.shape) >= 16:
            step = Step(previous.grey, grey, frame.time_s - previous.time_s)
            step_before = previous.step
        earlier = None
        if previous is not None:
            # The chain is cut at two back, or a clip would be held in memory whole.
            oldest = previous.previous
            kept = None if oldest is None else _alone(oldest)
            earlier = Moment(
                previous.index, previous.time_s, previous.rgb, previous.grey, kept, previous.step
            )
        moment = Moment(frame.index, frame.time_s, frame.rgb, grey, earlier, step, step_before)
        yield moment
        previous = moment


def _alone(moment: Moment) -> Moment:
    return Moment(moment.index, moment.time_s, moment.rgb, moment.grey)
