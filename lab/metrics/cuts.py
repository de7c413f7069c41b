"""Cuts: frames from which the picture before is not found again."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.moment import Moment
from lab.metrics.steps import MIN_COVERAGE
from lab.vision import flow_both_ways

_BINS = 8
JUMP = 0.25
# A cut happens in one step; a whip pan takes several, each about as large as the next.
STANDS_OUT = 2.0
# What a flash or a passer-by hides is seen again by then.
RETURNS_S = 0.5
# Flow finds everything again in an empty picture.
_EMPTY_DN = 4.0


@dataclass(frozen=True, eq=False)
class _Break:
    """A step that may be a cut: the frame it leads to, and what changed."""

    index: int
    time_s: float
    change: "_Change"


class Cuts:
    """Steps at which nothing was found again; each is kept until it is known what became of it."""

    def __init__(self) -> None:
        self._look: _Look | None = None
        self._change: _Change | None = None
        self._open: list[_Break] = []
        self._verdicts: dict[int, float] = {}

    def see(self, moment: Moment) -> None:
        before, earlier = self._look, self._change
        if moment.held:
            self._change = None
            self._verdicts[moment.index] = 0.0
            return
        look = self._look = _Look(moment.coarse)
        if before is None or moment.step is None:
            return
        change = self._change = _Change(before, look)
        self._verdicts[moment.index] = 0.0
        newest = self._open[-1] if self._open else None
        if (
            newest
            and newest.index == moment.index - 1
            and STANDS_OUT * change.moved > newest.change.moved
        ):
            self._open.pop()
        returned = self._settle(moment, look)
        lost = not moment.step.joined or before.empty or look.empty
        if not lost or returned:
            return
        if change.moved >= max(JUMP, STANDS_OUT * (earlier.moved if earlier else 0.0)):
            self._open.append(_Break(moment.index, moment.time_s, change))

    def _settle(self, moment: Moment, look: "_Look") -> bool:
        """Forget what came back, with all that happened while it was away; True if it did."""
        while self._open and moment.time_s - self._open[0].time_s > RETURNS_S:
            self._verdicts[self._open.pop(0).index] = 1.0
        for place, broken in enumerate(self._open):
            if look.shows_again(broken.change.before):
                del self._open[place:]
                return True
        return False

    def found(self) -> dict[int, float]:
        """1 at each frame that begins a shot, 0 at the others that could be judged."""
        return self._verdicts | {broken.index: 1.0 for broken in self._open}


@dataclass(frozen=True, eq=False)
class _Look:
    """What a frame looks like: its luma and its colours, found when they are asked for."""

    rgb: NDArray[np.uint8]

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)

    @cached_property
    def colours(self) -> NDArray[np.float32]:
        """Share of the picture in each of 8³ bins of RGB."""
        counts = cv2.calcHist([self.rgb], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
        shares: NDArray[np.float32] = counts / self.grey.size
        return shares

    @cached_property
    def empty(self) -> bool:
        """True for a picture in which nothing could be found again, such as plain black."""
        return float(self.grey.std()) < _EMPTY_DN

    def moved_to(self, other: "_Look") -> float:
        """Share of the histogram that differs, 0..1."""
        return 1.0 - float(np.minimum(self.colours, other.colours).sum())

    def shows_again(self, earlier: "_Look") -> bool:
        """True when an earlier picture is seen again, by its colours or by its flow."""
        if earlier.moved_to(self) < JUMP:
            return True
        if self.empty or earlier.empty or earlier.grey.shape != self.grey.shape:
            return False
        return flow_both_ways(earlier.grey, self.grey).coverage >= MIN_COVERAGE


@dataclass(frozen=True, eq=False)
class _Change:
    """From one frame to the next."""

    before: _Look
    after: _Look

    @cached_property
    def moved(self) -> float:
        """Share of the histogram that differs, 0..1."""
        return self.before.moved_to(self.after)
