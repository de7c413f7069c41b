"""Events: cuts, jumps, repeated frames, freezes and flashes. They have no headline."""

import math
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.media import srgb_light
from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.cuts import JUMP, RETURNS_S, STANDS_OUT, Cuts
from lab.metrics.jumps import LEAST_SHIFT, TIMES_AS_FAST
from lab.metrics.moment import Moment
from lab.metrics.reference import Reference
from lab.metrics.steps import MIN_COVERAGE

_MIN_SIDE_PX = 16

_FLASH_STEP = 0.10
_FLASH_DARKER = 0.80
_FLASH_AREA = 0.25
_TOGETHER_S = 0.1
_SECOND = 1.0
_CELLS_A_SIDE = 12
_SAME_TIME_S = 1e-6
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_LIGHT = srgb_light(np.arange(256) / 255)


class Events:
    """What happens at a moment of a clip, and how often or how long."""

    specs = (
        MetricSpec(
            name="events.cuts",
            unit="cuts",
            direction="lower",
            says="hard cuts: from one frame to the next the flow finds less than "
            f"{MIN_COVERAGE:.0%} of the picture again, at least {JUMP:.0%} of the colour "
            f"histogram moves, {STANDS_OUT:g} times more than one step before or after, and the "
            f"picture before does not return within {RETURNS_S:g} s",
            ignores="camera moves and whip pans, flashes, passers-by, fades and dissolves",
            reference="colour histograms and lost motion; cf. Boreczky and Rowe, Storage and "
            "Retrieval for Image and Video Databases IV, 1996",
        ),
        MetricSpec(
            name="events.jumps",
            unit="jumps",
            direction="lower",
            says="jumps inside a shot, across which no motion is measured: in one step the whole "
            f"picture shifts by at least {LEAST_SHIFT:.0%} of the diagonal, {TIMES_AS_FAST:g} "
            "times as fast as in any step nearby, or is not found again; or one picture dissolves "
            "into another",
            ignores="cuts, camera moves and whip pans, flashes, fades",
            reference="affine fits to dense flow; mixtures of two pictures",
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
            version=2,
        ),
    )

    def start(self, reference: Reference) -> "_EventsTracker":
        """Begin a clip; the still is not needed."""
        return _EventsTracker()


class _EventsTracker:
    def __init__(self) -> None:
        self._cuts = Cuts()
        self._flashes = _Flashes()
        self._jumps: dict[int, bool] = {}
        self._held: dict[int, float] = {}
        self._frozen: dict[int, float] = {}
        self._shown_s = 0.0

    def see(self, moment: Moment) -> Field | None:
        if not moment.held:
            self._shown_s = moment.time_s
        self._cuts.see(moment)
        self._flashes.see(moment)
        if moment.step is not None:
            self._jumps[moment.index] = moment.step.jump
        if moment.index > 0:
            self._held[moment.index] = float(moment.held)
            self._frozen[moment.index] = moment.time_s - self._shown_s
        return None

    def result(self) -> Measured:
        if not self._held:
            return absent(Events.specs, "needs at least 2 frames")
        cuts = self._cuts.found()
        flashes = self._flashes.within_a_second
        jumps = _begin(self._jumps, {index for index, cut in cuts.items() if cut})
        cut_reason = "" if cuts else f"the frames are too small for flow (under {_MIN_SIDE_PX} px)"
        scores = (
            Score("events.cuts", sum(cuts.values()) if cuts else math.nan, cut_reason),
            Score("events.jumps", sum(jumps.values()) if cuts else math.nan, cut_reason),
            Score("events.held", sum(self._held.values()) / len(self._held)),
            Score("events.frozen", max(self._frozen.values())),
            Score("events.flashes", max(flashes.values())),
        )
        series = {
            "events.cuts": cuts,
            "events.jumps": jumps,
            "events.held": self._held,
            "events.frozen": self._frozen,
            "events.flashes": flashes,
        }
        return Measured(scores, {name: values for name, values in series.items() if values})


def _begin(jumps: dict[int, bool], cuts: set[int]) -> dict[int, float]:
    """1 at the first of consecutive jumps among which there is no cut, else 0."""
    begins = dict.fromkeys(jumps, 0.0)
    run: list[int] = []
    for index, jump in (*jumps.items(), (-1, False)):
        if jump:
            run.append(index)
            continue
        if run and not cuts & set(run):
            begins[run[0]] = 1.0
        run = []
    return begins


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


def _luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean relative luminance of each cell, 0..1."""
    light = cv2.transform(cv2.LUT(rgb, _LIGHT), _LUMINANCE[None])
    height, width = light.shape[:2]
    cell = max(1, round(min(height, width) / _CELLS_A_SIDE))
    size = (max(1, width // cell), max(1, height // cell))
    cells: NDArray[np.float32] = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    return cells
