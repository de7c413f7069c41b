"""Events: cuts, repeated frames, freezes and flashes, counted. They have no headline."""

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.moment import MIN_COVERAGE, Moment
from lab.metrics.reference import Reference
from lab.vision import flow_both_ways

_BINS = 8
_JUMP = 0.25
# A cut happens in one step; a whip pan takes several, each about as large as the next.
_STANDS_OUT = 2.0
# What a flash or a passer-by hides is seen again by then.
_RETURNS_S = 0.5
# Flow finds everything again in an empty picture.
_EMPTY_DN = 4.0
_MIN_SIDE_PX = 16

_FLASH_STEP = 0.10
_FLASH_DARKER = 0.80
_FLASH_AREA = 0.25
_TOGETHER_S = 0.1
_SECOND = 1.0
_CELLS_A_SIDE = 12
_SAME_TIME_S = 1e-6
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


class Events:
    """What happens at a moment of a clip, and how often or how long."""

    specs = (
        MetricSpec(
            name="events.cuts",
            unit="cuts",
            direction="lower",
            says="hard cuts: from one frame to the next the flow finds less than "
            f"{MIN_COVERAGE:.0%} of the picture again, at least {_JUMP:.0%} of the colour "
            f"histogram moves, {_STANDS_OUT:g} times more than one step before or after, and the "
            f"picture before does not return within {_RETURNS_S:g} s",
            ignores="camera moves and whip pans, flashes, passers-by, fades and dissolves",
            reference="colour histograms and lost motion; cf. Boreczky and Rowe, Storage and "
            "Retrieval for Image and Video Databases IV, 1996",
        ),
        MetricSpec(
            name="events.held",
            unit="share of frames",
            direction="lower",
            says="frames that repeat the frame before, of all that have one before them",
            ignores="what an encoder changes in a repeated frame",
            reference="counting",
            high=1.0,
        ),
        MetricSpec(
            name="events.frozen",
            unit="s",
            direction="lower",
            says="longest time from a picture's first frame to the last that repeats it",
            ignores="what an encoder changes in a repeated frame",
            reference="cf. the freezedetect filter of FFmpeg",
        ),
        MetricSpec(
            name="events.flashes",
            unit="flashes in one second",
            direction="lower",
            says="the most general flashes within any one second; more than 3 are unsafe to show. "
            "A flash is two opposing changes of relative luminance by at least "
            f"{_FLASH_STEP:.0%} of its maximum with the darker below {_FLASH_DARKER:.2f}, each "
            f"over at least {_FLASH_AREA:.0%} of the picture within {_TOGETHER_S:g} s, in the "
            "means of cells a twelfth of the shorter side wide; red flashes and patterns are "
            "not looked for",
            ignores="slow changes and changes of small areas; cuts are changes like any other",
            reference="ITU-R BT.1702 and WCAG 2.3.1 (general flash), sRGB assumed",
        ),
    )

    def start(self, reference: Reference) -> "_EventsTracker":
        """Begin a clip; the still is not needed."""
        return _EventsTracker()


class _EventsTracker:
    def __init__(self) -> None:
        self._cuts = _Cuts()
        self._flashes = _Flashes()
        self._held: dict[int, float] = {}
        self._frozen: dict[int, float] = {}
        self._shown_s = 0.0

    def see(self, moment: Moment) -> Field | None:
        if not moment.held:
            self._shown_s = moment.time_s
        self._cuts.see(moment)
        self._flashes.see(moment)
        if moment.index > 0:
            self._held[moment.index] = float(moment.held)
            self._frozen[moment.index] = moment.time_s - self._shown_s
        return None

    def result(self) -> Measured:
        if not self._held:
            return absent(Events.specs, "needs at least 2 frames")
        cuts = self._cuts.found()
        flashes = self._flashes.within_a_second
        cut_reason = "" if cuts else f"the frames are too small for flow (under {_MIN_SIDE_PX} px)"
        scores = (
            Score("events.cuts", sum(cuts.values()) if cuts else math.nan, cut_reason),
            Score("events.held", sum(self._held.values()) / len(self._held)),
            Score("events.frozen", max(self._frozen.values())),
            Score("events.flashes", max(flashes.values())),
        )
        series = {
            "events.cuts": cuts,
            "events.held": self._held,
            "events.frozen": self._frozen,
            "events.flashes": flashes,
        }
        return Measured(scores, {name: values for name, values in series.items() if values})


@dataclass(frozen=True, eq=False)
class _Break:
    """A step that may be a cut. before: what was seen until then. moved: share of the histogram."""

    index: int
    time_s: float
    before: "_Look"
    moved: float


class _Cuts:
    """Steps at which nothing was found again; each is kept until it is known what became of it."""

    def __init__(self) -> None:
        self._look: _Look | None = None
        self._moved = 0.0
        self._open: list[_Break] = []
        self._verdicts: dict[int, float] = {}

    def see(self, moment: Moment) -> None:
        before, moved_before = self._look, self._moved
        if moment.held:
            self._moved = 0.0
            self._verdicts[moment.index] = 0.0
            return
        look = self._look = _Look(moment.coarse)
        if before is None or moment.step is None:
            return
        moved = self._moved = before.moved_to(look)
        self._verdicts[moment.index] = 0.0
        newest = self._open[-1] if self._open else None
        if newest and newest.index == moment.index - 1 and newest.moved < _STANDS_OUT * moved:
            self._open.pop()
        returned = self._settle(moment, look)
        lost = not moment.step.joined or before.empty or look.empty
        if lost and moved >= max(_JUMP, _STANDS_OUT * moved_before) and not returned:
            self._open.append(_Break(moment.index, moment.time_s, before, moved))

    def _settle(self, moment: Moment, look: "_Look") -> bool:
        """Forget what came back, with all that happened while it was away; True if it did."""
        while self._open and moment.time_s - self._open[0].time_s > _RETURNS_S:
            self._verdicts[self._open.pop(0).index] = 1.0
        for place, broken in enumerate(self._open):
            if look.shows_again(broken.before):
                del self._open[place:]
                return True
        return False

    def found(self) -> dict[int, float]:
        """1 at each frame that begins a shot, 0 at the others that could be judged."""
        return self._verdicts | {broken.index: 1.0 for broken in self._open}


class _Look:
    """What a frame looks like: its luma and its colours.

    grey: (h, w) uint8. colours: share of the picture in each of 8³ bins of RGB.
    """

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self.grey: NDArray[np.uint8] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        counts = cv2.calcHist([rgb], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
        self.colours: NDArray[np.float32] = counts / self.grey.size

    @property
    def empty(self) -> bool:
        """True for a picture in which nothing could be found again, such as plain black."""
        return float(self.grey.std()) < _EMPTY_DN

    def moved_to(self, other: "_Look") -> float:
        """Share of the histogram that differs, 0..1."""
        return 1.0 - float(np.minimum(self.colours, other.colours).sum())

    def shows_again(self, earlier: "_Look") -> bool:
        """True when an earlier picture is seen again, by its colours or by its flow."""
        if earlier.moved_to(self) < _JUMP:
            return True
        if self.empty or earlier.empty or earlier.grey.shape != self.grey.shape:
            return False
        return flow_both_ways(earlier.grey, self.grey).coverage >= MIN_COVERAGE


class _Flashes:
    """Changes of luminance in each cell of a grid, and how many make flashes.

    A cell's change is counted when it departs from its last turning point; turning points alternate
    between low and high. It counts only where enough cells change the same way at once.
    """

    def __init__(self) -> None:
        self.within_a_second: dict[int, float] = {}
        self._recent: deque[tuple[float, NDArray[np.bool_]]] = deque()
        self._cells: _Cells | None = None

    def see(self, moment: Moment) -> None:
        luminance = _luminance(moment.coarse)
        if self._cells is None or self._cells.low.shape != luminance.shape:
            self._cells = _Cells(luminance)
            self._recent.clear()
        for together in self._cells.changes(luminance, moment.time_s):
            self._recent.append((moment.time_s, together))
        while self._recent and self._recent[0][0] <= moment.time_s - _SECOND + _SAME_TIME_S:
            self._recent.popleft()
        changes = np.zeros(luminance.shape, int)
        for _, together in self._recent:
            changes += together
        # The number of changes that the required area has seen, at least.
        needed = int(np.ceil(_FLASH_AREA * changes.size))
        self.within_a_second[moment.index] = float(np.sort(changes, axis=None)[-needed] // 2)


class _Cells:
    """Turning points of each cell's relative luminance. low, high: extremes since the last."""

    def __init__(self, luminance: NDArray[np.float32]) -> None:
        self.low = luminance
        self._high = luminance
        self._direction = np.zeros(luminance.shape, int)
        self._changed_s = {way: np.full(luminance.shape, -np.inf) for way in (1, -1)}
        self._waiting = {way: np.zeros(luminance.shape, bool) for way in (1, -1)}

    def changes(self, luminance: NDArray[np.float32], time_s: float) -> list[NDArray[np.bool_]]:
        """The cells that changed together: brighter, darker, or both at once, elsewhere."""
        self.low = np.minimum(self.low, luminance)
        self._high = np.maximum(self._high, luminance)
        up = (luminance - self.low >= _FLASH_STEP) & (self.low < _FLASH_DARKER)
        down = (self._high - luminance >= _FLASH_STEP) & (luminance < _FLASH_DARKER)
        up &= self._direction != 1
        down &= (self._direction != -1) & ~up
        self._high = np.where(up, luminance, self._high)
        self.low = np.where(down, luminance, self.low)
        self._direction = np.where(up, 1, np.where(down, -1, self._direction))
        found = []
        for way, changed in ((1, up), (-1, down)):
            self._changed_s[way][changed] = time_s
            self._waiting[way] |= changed
            together = time_s - self._changed_s[way] <= _TOGETHER_S + _SAME_TIME_S
            self._waiting[way] &= together
            if together.mean() >= _FLASH_AREA and self._waiting[way].any():
                found.append(self._waiting[way].copy())
                self._waiting[way][:] = False
        return found


def _linear() -> NDArray[np.float32]:
    """Light of every sRGB code value, 0..1 (IEC 61966-2-1)."""
    code = np.arange(256) / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


_LIGHT = _linear()


def _luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean relative luminance of each cell, 0..1."""
    light = cv2.transform(cv2.LUT(rgb, _LIGHT), _LUMINANCE[None])
    height, width = light.shape[:2]
    cell = max(1, round(min(height, width) / _CELLS_A_SIDE))
    size = (max(1, width // cell), max(1, height // cell))
    cells: NDArray[np.float32] = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    return cells
