"""One frame of a clip with what the metrics share about it, computed once for all of them.

Frames are analysed with a shorter side of 256 px. Two clocks run: frame to frame, for what changes
at once (flicker), with flow found at half that size; and stride to stride, an eighth of a second
whatever the frame rate, for what moves (warp, motion), with flow found at full analysis size. The
subject and the ground are followed from stride to stride. Every quarter of a second the frame is
aligned with the still (drift).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.media import Frame
from lab.metrics.jumps import mark_jumps
from lab.metrics.reference import MIN_SIDE_PX, Reference, Registration
from lab.metrics.steps import MIN_COVERAGE, Seen, Step, flattened, steps
from lab.units import diagonal_px
from lab.vision import FlowPair, Placement, flow_both_ways

STRIDE_S = 0.125
REGISTER_S = 0.25
_LOCATE_GROUND_EVERY = 2  # registrations; in between, the ground is carried on by the flow
TOO_SMALL = f"the frames are too small for flow (under {MIN_SIDE_PX} px)"


@dataclass(frozen=True, eq=False)
class Stride:
    """From a frame to the one about an eighth of a second later, flow at analysis size.

    start_index, start_s: the earlier frame. grey: its luma, (h, w) uint8. subject: how much of each
    of its pixels is subject, (h, w) float32 in 0..1. before: the stride that led to it. jump:
    whether the picture jumps on the way (see `lab.metrics.jumps`).
    """

    start_index: int
    start_s: float
    seconds: float
    grey: NDArray[np.uint8]
    subject: NDArray[np.float32]
    flow: FlowPair
    before: "Stride | None"
    jump: bool = False

    @property
    def joined(self) -> bool:
        """False across a jump, and across a cut, where nothing is found again."""
        return not self.jump and self.flow.coverage >= MIN_COVERAGE


@dataclass(frozen=True, eq=False)
class Moment:
    """The newest frame and how it follows from those before.

    rgb: (h, w, 3) uint8 at analysis size. coarse: the same at half that. held: the frame before is
    shown again. last: no frame follows. previous: the last distinct frame, and step the way from
    it to this one. stride: the stride that ends here, if one does. registration: this frame aligned
    with the still, every quarter of a second and at the end.
    """

    index: int
    time_s: float
    rgb: NDArray[np.uint8]
    coarse: NDArray[np.uint8]
    held: bool = False
    last: bool = False
    previous: "Moment | None" = None
    step: Step | None = None
    stride: Stride | None = None
    registration: Registration | None = None

    @property
    def small(self) -> bool:
        """True for a frame that flow cannot be found on."""
        return min(self.coarse.shape[:2]) < MIN_SIDE_PX

    @property
    def diagonal_px(self) -> float:
        """Diagonal of the analysed frame in pixels."""
        height, width = self.rgb.shape[:2]
        return diagonal_px(width, height)


def stands(frames: int, held: int) -> bool:
    """True when of so many frames so many repeat the one before that the picture stands still.

    One frame is held throughout; or it changes once in eight frames, as the first one does when an
    encoder refines it.
    """
    return 0 < held == frames - 1 or (frames >= 8 and held == frames - 2)


def moments(frames: Iterable[Frame], reference: Reference) -> Iterator[Moment]:
    """Turn decoded frames into moments; those of less than a second are alive at a time."""
    path = _Path(reference)
    for seen in mark_jumps(steps(frames)):
        yield path.moment(seen)


class _Path:
    """What has to be remembered from frame to frame."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._newest: Moment | None = None
        self._grey: NDArray[np.uint8] | None = None
        self._start: tuple[int, float, NDArray[np.uint8]] | None = None
        self._stride: Stride | None = None
        self._subject: NDArray[np.float32] | None = None
        self._tracked: tuple[int, NDArray[np.uint8]] | None = None
        self._subject_track = reference.subject_track()
        self._ground_track = reference.ground_track()
        self._next_registration_s = 0.0
        self._registrations = 0
        self._frame_s = 0.0
        self._jumped = False

    def moment(self, seen: Seen) -> Moment:
        frame, grey = seen.frame, seen.grey
        known = self._newest
        if known is not None and known.rgb.shape != frame.rgb.shape:
            known = self._start = self._stride = None  # the picture changed its size: a cut
        moment = Moment(
            frame.index,
            frame.time_s,
            frame.rgb,
            seen.coarse,
            held=seen.held,
            last=seen.last,
            previous=known,
            step=seen.step,
        )
        if known is not None and not moment.held:
            self._frame_s = frame.time_s - known.time_s
        self._jumped |= seen.step is not None and seen.step.jump
        stride = self._stride_to(moment, grey)
        moment = replace(moment, stride=stride, registration=self._registered(moment, grey))
        if stride is not None or self._start is None or moment.small:
            self._start = (moment.index, moment.time_s, grey)
            self._subject = self._subject_mask(moment.rgb.shape[:2])
            self._jumped = False
        if not moment.held:
            # The chain is cut at two back, or a clip would be held in memory whole.
            kept = None if known is None else replace(known, previous=None, step=None)
            self._newest = replace(moment, previous=kept, stride=None, registration=None)
            self._grey = grey
        return moment

    def _stride_to(self, moment: Moment, grey: NDArray[np.uint8]) -> Stride | None:
        """The stride that ends at this frame, if one does; carries the regions along it."""
        if moment.held or self._start is None or moment.small:
            return None
        index, time_s, earlier = self._start
        since_s = moment.time_s - time_s
        # The frame nearest to an eighth of a second; of two equally near ones the later.
        if since_s <= 0 or since_s + self._frame_s / 2 <= STRIDE_S + 1e-6:
            return None
        flow = flow_both_ways(flattened(earlier), flattened(grey))
        assert self._subject is not None
        stride = Stride(
            index, time_s, since_s, earlier, self._subject, flow, self._stride, self._jumped
        )
        self._stride = replace(stride, before=None)
        self._carry(moment.index, grey, stride)
        return stride

    def _carry(self, index: int, grey: NDArray[np.uint8], stride: Stride | None = None) -> None:
        """Move both tracks to a frame, along the stride that ends there if they are at its start.

        index, grey: the frame's. Across a change of size nothing is followed.
        """
        if self._tracked is not None and self._tracked[1].shape == grey.shape:
            at, earlier = self._tracked
            if at == index:
                return
            if stride is not None and at == stride.start_index:
                flow = stride.flow
            else:
                flow = flow_both_ways(flattened(earlier), flattened(grey))
            for track in filter(None, (self._subject_track, self._ground_track)):
                track.carry(flow)
        self._tracked = (index, grey)

    def _registered(self, moment: Moment, grey: NDArray[np.uint8]) -> Registration | None:
        """The frame aligned with the still, when that is due."""
        if min(self._reference.grey.shape) < MIN_SIDE_PX:
            return None
        late_s = moment.time_s + 1e-6 - self._next_registration_s
        # The last frame just after another one would weigh too much in the last second.
        last = moment.last and (late_s >= -REGISTER_S / 2 or self._registrations < 2)
        if late_s < 0 and not last:
            return None
        self._next_registration_s = moment.time_s + REGISTER_S
        if moment.held and self._newest is not None and self._grey is not None:
            self._carry(self._newest.index, self._grey)
        elif min(grey.shape) >= MIN_SIDE_PX:
            self._carry(moment.index, grey)
        ground: Placement | None = None
        if self._ground_track is not None:
            search = self._registrations % _LOCATE_GROUND_EVERY == 0 or moment.last
            ground = self._ground_track.locate(moment.rgb, search=search)
        self._registrations += 1
        subject = self._subject_track.locate(moment.rgb)
        return Registration(self._reference, moment.rgb, subject=subject, ground=ground)

    def _subject_mask(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """The still's mask at the place where the subject is now. size: the frame's (h, w)."""
        transform = self._subject_track.transform
        if transform is None:
            return np.zeros(size, np.float32)
        placed: NDArray[np.float32] = cv2.warpAffine(
            self._reference.mask.alpha, transform, size[::-1], flags=cv2.INTER_LINEAR
        )
        return placed
