"""Jumps inside a shot: punch-ins, jump cuts and dissolves. No motion is measured across them."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.steps import MIN_COVERAGE, Seen, flattened
from lab.units import diagonal_px
from lab.vision import apply_affine, fit_affine, flow_both_ways, length

LEAST_SHIFT = 0.01  # of the diagonal, on average over the picture, in one step
TIMES_AS_FAST = 4.0  # times as fast as any neighbouring step; a whip pan takes several steps
# In a jump of a tenth nearer or more, at least 86 % of the flow agrees to a quarter of the shift
# (8 photographs); where a hand or a bottle moves fast before a standing camera, at most 60 %.
_AGREES = 0.75
_AGREE_WITHIN = 0.25  # of the shift, and 1 px
_CHANGED_DN, _CHANGED = 4.0, 0.5  # where nothing is found again, so much changes in half the cells
_NEIGHBOURS = 3  # steps before and after
_DISSOLVE_S = 0.4  # before and after a mixed frame: most dissolves are done by then
_MIXED = (0.2, 0.8)  # share of the later picture in a mixed frame
_MOST_LEFT = 0.25  # of the change, that a mixture of both pictures does not explain
_LEAST_CHANGE_DN = 12.0  # rms between both pictures
_EMPTY_DN = 4.0  # contrast of an empty picture
_EMPTY_SHARE = 0.25  # of the other picture's contrast: one that has faded
_SAME_PICTURE = 0.8  # correlation of luma: one that fades or is lit otherwise
_SMALL_SIDE_PX = 32  # at which motion within a shot hardly disturbs a mixture
_SAME_TIME_S = 1e-6


def mark_jumps(seen: Iterable[Seen]) -> Iterator[Seen]:
    """The same frames, at most 0.8 s later, with `jump` set on the steps that are jumps."""
    window = _Window()
    for each in seen:
        window.add(each)
        yield from window.known()
    yield from window.rest()


@dataclass(eq=False)
class _Entry:
    """A frame in the window.

    seen: None once it has left. shift: of the picture in the step to it, as a share of the
    diagonal; NaN without a step. whole: most of the picture shifts as one, or most of it changes
    where it is lost. lost: nothing is found again. luma: small, (h, w) float32.
    """

    seen: Seen | None
    time_s: float
    coarse: NDArray[np.uint8]
    seconds: float = math.nan
    shift: float = math.nan
    whole: bool = False
    lost: bool = False
    jump: bool = False
    luma: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        height, width = self.coarse.shape
        scale = min(1.0, _SMALL_SIDE_PX / min(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        self.luma = cv2.resize(self.coarse, size, interpolation=cv2.INTER_AREA).astype(np.float32)

    @property
    def speed(self) -> float:
        """Share of the diagonal per second; infinite where nothing is found again."""
        return math.inf if self.lost else self.shift / self.seconds


class _Window:
    """The frames around the next one to leave, far enough to tell whether the picture jumps."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._left = 0  # entries that have left; they stay as the past of others
        self._judged = 0  # entries that are known to be mixed or not

    def add(self, seen: Seen) -> None:
        grey = cv2.cvtColor(seen.coarse, cv2.COLOR_RGB2GRAY)
        entry = _Entry(seen, seen.frame.time_s, grey)
        if seen.step is not None:
            entry.seconds = seen.step.seconds
            entry.shift, entry.whole = _shift(seen)
            entry.lost = seen.step.flow.coverage < MIN_COVERAGE
            if entry.lost:
                entry.whole = self._changed(entry)
        self._entries.append(entry)

    def known(self) -> Iterator[Seen]:
        """The frames that are followed by enough others."""
        newest_s = self._entries[-1].time_s
        while self._entries[self._left].time_s + 2 * _DISSOLVE_S <= newest_s + _SAME_TIME_S:
            yield self._leave()

    def rest(self) -> Iterator[Seen]:
        """The frames that are left at the end of the clip."""
        while self._left < len(self._entries):
            yield self._leave()

    def _leave(self) -> Seen:
        place = self._left
        entry = self._entries[place]
        while (
            self._judged < len(self._entries)
            and self._entries[self._judged].time_s <= entry.time_s + _DISSOLVE_S + _SAME_TIME_S
        ):
            self._mark_dissolve(self._judged)
            self._judged += 1
        seen, entry.seen = entry.seen, None
        assert seen is not None
        self._left += 1
        if seen.step is not None and (entry.jump or self._stands_out(place)):
            seen = replace(seen, step=replace(seen.step, jump=True))
        self._forget(entry.time_s)
        return seen

    def _forget(self, now_s: float) -> None:
        """Drop what is too old to be anyone's past."""
        old = 0
        steps_after = 0
        for index in range(self._left - 1, -1, -1):
            if self._entries[index].time_s < now_s - 2 * _DISSOLVE_S and steps_after > _NEIGHBOURS:
                old = index
                break
            steps_after += not math.isnan(self._entries[index].shift)
        del self._entries[:old]
        self._left -= old
        self._judged -= old

    def _stands_out(self, place: int) -> bool:
        """True where the picture is lost or shifts at once, beside the steps before and after."""
        entry = self._entries[place]
        if not entry.whole:
            return False
        before = self._steps(reversed(self._entries[:place]))
        after = self._steps(iter(self._entries[place + 1 :]))
        if min(len(before), len(after)) == 0 and max(len(before), len(after)) < _NEIGHBOURS:
            return False
        fastest = max(neighbour.speed for neighbour in (*before, *after))
        if entry.lost:
            return not math.isinf(fastest)
        return entry.shift >= LEAST_SHIFT and entry.speed >= TIMES_AS_FAST * fastest

    def _changed(self, entry: _Entry) -> bool:
        """True if most of the picture differs from the newest frame in the window."""
        before = self._entries[-1].luma
        if before.shape != entry.luma.shape:
            return True
        return float((np.abs(entry.luma - before) > _CHANGED_DN).mean()) >= _CHANGED

    @staticmethod
    def _steps(entries: Iterator[_Entry]) -> list[_Entry]:
        found: list[_Entry] = []
        for entry in entries:
            if len(found) == _NEIGHBOURS:
                break
            if not math.isnan(entry.shift):
                found.append(entry)
        return found

    def _mark_dissolve(self, place: int) -> None:
        """Mark the steps around a frame that mixes the pictures before and after it."""
        middle = self._entries[place]
        around = [
            entry
            for entry in self._entries
            if abs(entry.time_s - middle.time_s) <= _DISSOLVE_S + _SAME_TIME_S
        ]
        first, last = around[0], around[-1]
        edges_s = middle.time_s - first.time_s, last.time_s - middle.time_s
        if min(edges_s) < 0.75 * _DISSOLVE_S or not _mixes(first, middle, last):
            return
        for entry in around[1:]:
            entry.jump = True


def _shift(seen: Seen) -> tuple[float, bool]:
    """How far the picture moves in the step to a frame, as a share of the diagonal, averaged.

    The second is whether most of it moves like that.
    """
    assert seen.step is not None
    height, width = seen.coarse.shape[:2]
    flow = seen.step.flow
    camera = fit_affine(flow.forward, flow.forward_valid)
    if camera is None:
        return 0.0, False
    fitted = apply_affine(camera, height, width)
    shift_px = float(length(fitted).mean())
    off_px = length(flow.forward - fitted)[flow.forward_valid]
    agrees = float((off_px < max(1.0, _AGREE_WITHIN * shift_px)).mean())
    return shift_px / diagonal_px(width, height), agrees >= _AGREES


def _mixes(first: _Entry, middle: _Entry, last: _Entry) -> bool:
    """True if the middle picture is a mixture of two others that show different things."""
    if not first.luma.shape == middle.luma.shape == last.luma.shape:
        return False
    whole, part = last.luma - first.luma, middle.luma - first.luma
    change = float((whole**2).mean())
    empty, full = sorted(float(entry.luma.std()) for entry in (first, last))
    if change < _LEAST_CHANGE_DN**2 or empty < max(_EMPTY_DN, _EMPTY_SHARE * full):
        return False
    if np.corrcoef(first.luma.ravel(), last.luma.ravel())[0, 1] > _SAME_PICTURE:
        return False
    share = float((whole * part).mean()) / change
    left = float(((part - share * whole) ** 2).mean()) / change
    if not _MIXED[0] <= share <= _MIXED[1] or left > _MOST_LEFT**2:
        return False
    flow = flow_both_ways(flattened(first.coarse), flattened(last.coarse))
    return flow.coverage < MIN_COVERAGE
