"""Flicker: brightness, texture and colour that change where nothing should, motion taken out."""

import math
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.moment import TOO_SMALL, Moment, stands
from lab.metrics.reference import Reference
from lab.metrics.steps import MIN_COVERAGE
from lab.vision import backward_warp, enlarged, gradients, robust_bound

_REFERENCE = (
    "second difference of luma along motion trajectories; cf. the warping error of Lai et al., "
    "ECCV 2018, without its single-step difference, which any fade or flow error raises"
)
_IGNORES = "camera moves, exposure ramps and fades (linear in time), cuts, anything hidden or shown"
# Var(y_t - (y_{t-1} + y_{t+1}) / 2) of independent flicker is 1.5 times its own variance.
_GAIN2 = 1.5
_CELLS_A_SIDE = 16
# Where the picture is steep, a flow that is off by a fraction of a pixel looks like flicker.
_CALM_DN2 = 4.0
_MISPLACED_PX2 = 0.1
_TEXTURE_EVERY = 4  # boiling goes on; every fourth frame tells as much
_FINEST_PX = 0.7  # finer than this a picture does not survive being moved by part of a pixel
# What white noise, so blurred, has in common with its diagonal neighbours: the root of 2 away.
_GRAIN_SHARED = math.exp(-2 / (2 * _FINEST_PX) ** 2)
# What is left beyond that of the variance of texture 1/240 to 1/100 of the frame fine.
_TEXTURE_SHARED = 0.065
# Diagonal neighbours among cells have this in common of patches of a sixth of the frame.
_PATCH_SHARED = 0.76
_DIAGONALS = ((np.s_[1:, 1:], np.s_[:-1, :-1]), (np.s_[1:, :-1], np.s_[:-1, 1:]))
_MAX_KEPT = 512
_RIPPLE_PX = (11, 11)
_WINDOW_PX = (13, 13)
_COARSE_WINDOW_PX = (9, 9)


def _spec(name: str, unit: str, says: str, unnoticed: float) -> MetricSpec:
    return MetricSpec(
        name=name,
        unit=unit,
        direction="lower",
        says=says,
        ignores=_IGNORES,
        reference=_REFERENCE,
        version=3,
        high=255.0,
        unnoticed=unnoticed,
        judged="." not in name,
    )


class Flicker:
    """Root mean square brightness flicker in 8-bit code values, motion compensated."""

    specs = (
        _spec(
            "flicker",
            "8-bit code values",
            "rms of brightness that flickers in patches or everywhere; from about 1 it shows on "
            "calm ground",
            0.5,
        ),
        _spec("flicker.global", "8-bit code values", "the whole picture flickering together", 0.5),
        _spec("flicker.local", "8-bit code values", "patches that flicker by themselves", 0.5),
        _spec(
            "flicker.texture",
            "8-bit code values",
            "rms of fine texture that is redrawn from frame to frame (boiling); film grain reads "
            "less than a tenth of its strength",
            1.0,
        ),
        _spec("flicker.colour", "ΔE*ab", "rms of hue that flickers, everywhere or in patches", 0.7),
    )

    def start(self, reference: Reference) -> "_FlickerTracker":
        """Begin a clip; the still is not needed."""
        return _FlickerTracker()


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is compared of a frame. coarse: (h, w, 3) of luma, a, b, and that luma by itself."""

    coarse: NDArray[np.float32]
    luma: NDArray[np.float32]
    rgb: NDArray[np.uint8]

    @cached_property
    def fine(self) -> NDArray[np.float32]:
        """Luma at full analysis size, without its finest detail."""
        grey = cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return cv2.GaussianBlur(grey, (0, 0), _FINEST_PX)


class _FlickerTracker:
    def __init__(self) -> None:
        self._squares: dict[str, dict[int, float]] = {
            name: {} for name in ("global", "local", "texture", "colour")
        }
        self._frames = 0
        self._held = 0
        self._small = False
        self._earlier: dict[int, _Seen] = {}
        self._coverage: list[float] = []
        self._boiling = _Usual()

    def see(self, moment: Moment) -> Field | None:
        self._frames += 1
        self._small = moment.small
        if moment.held:
            self._held += 1
            return None
        seen = _seen(moment)
        middle = moment.previous
        shown = None
        if middle is not None and middle.previous is not None:
            first = self._earlier.get(middle.previous.index)
            centre = self._earlier.get(middle.index)
            if first is not None and centre is not None:
                shown = self._judge(first, centre, seen, moment, middle)
        self._earlier = {
            index: kept
            for index, kept in self._earlier.items()
            if middle is not None and index == middle.index
        }
        self._earlier[moment.index] = seen
        return shown

    def _judge(
        self, first: _Seen, centre: _Seen, last: _Seen, moment: Moment, middle: Moment
    ) -> Field | None:
        into, after = middle.step, moment.step
        if into is None or after is None or first.coarse.shape != last.coarse.shape:
            return None
        if into.jump or after.jump:
            return None
        believed = (into.flow.backward_valid & after.flow.forward_valid).astype(np.uint8)
        valid = cv2.erode(believed, np.ones((5, 5), np.uint8))
        coverage = float(valid.mean())
        if coverage < MIN_COVERAGE:
            return None
        self._coverage.append(coverage)
        back, on = into.flow.backward, after.flow.forward
        around = cv2.addWeighted(
            backward_warp(first.coarse, back), 0.5, backward_warp(last.coarse, on), 0.5, 0
        )
        change = cv2.subtract(centre.coarse, around)
        change[..., 0] = _placed(
            np.ascontiguousarray(change[..., 0]), centre.luma, _COARSE_WINDOW_PX
        )
        change = _bounded(change, valid)
        steep = cv2.multiply(_steepness(centre.luma), _MISPLACED_PX2)
        trust = cv2.divide(valid.astype(np.float32), cv2.add(steep, _CALM_DN2))
        cells, weight = _cells(change, trust)
        whole = (cells * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
        patches = _shared(cells - whole, weight) / _PATCH_SHARED
        index = middle.index
        self._squares["global"][index] = float(whole[0] ** 2) / _GAIN2
        self._squares["local"][index] = float(patches[0]) / _GAIN2
        self._squares["colour"][index] = float((whole[1:] ** 2 + patches[1:]).sum()) / _GAIN2
        if len(self._coverage) % _TEXTURE_EVERY == 1:
            self._boil(index, first, centre, last, back, on, valid)
        return Field(index, np.where(weight > 0, np.abs(cells[..., 0]) / math.sqrt(_GAIN2), np.nan))

    def _boil(
        self,
        index: int,
        first: _Seen,
        centre: _Seen,
        last: _Seen,
        back: NDArray[np.float32],
        on: NDArray[np.float32],
        valid: NDArray[np.uint8],
    ) -> None:
        """Texture of the middle frame that neither neighbour has, at full analysis size."""
        height, width = centre.fine.shape
        before, after = (
            backward_warp(seen.fine, enlarged(flow, width, height), cv2.INTER_CUBIC)
            for seen, flow in ((first, back), (last, on))
        )
        ripple = cv2.subtract(centre.fine, cv2.addWeighted(before, 0.5, after, 0.5, 0))
        sure = cv2.resize(valid, (width, height), interpolation=cv2.INTER_NEAREST)
        ripple = _bounded(_placed(ripple, centre.fine, _WINDOW_PX), sure)
        ripple -= cv2.blur(ripple, _RIPPLE_PX)
        product, share = _shared_variance(ripple, sure)
        variance = product / _TEXTURE_SHARED / _GAIN2
        self._boiling.add(np.where(share > 0.5, variance, np.nan))
        self._squares["texture"][index] = max(float((variance * share).sum() / share.sum()), 0.0)

    def result(self) -> Measured:
        squares = self._squares
        if not squares["global"]:
            if self._frames >= 3 and stands(self._frames, self._held):
                return Measured(
                    tuple(Score(spec.name, 0.0) for spec in Flicker.specs),
                    note="flicker is 0 because one picture is held throughout",
                ).with_confidence(1.0)
            reason = "no two neighbouring steps could be followed (cuts, or motion too large)"
            if self._frames - self._held < 3:
                reason = "needs at least 3 different frames"
            elif self._small:
                reason = TOO_SMALL
            return absent(Flicker.specs, reason)
        parts = {f"flicker.{name}": values for name, values in squares.items()}
        luma = ("global", "local")
        whole = {frame: sum(squares[part][frame] for part in luma) for frame in squares["global"]}
        every = {"flicker": whole, **parts}
        means = {name: sum(values.values()) / len(values) for name, values in every.items()}
        means["flicker.texture"] = max(self._boiling.mean(), 0.0)
        means["flicker"] = sum(means[f"flicker.{part}"] for part in luma)
        scores = tuple(Score(name, math.sqrt(mean)) for name, mean in means.items())
        series = {
            name: {frame: math.sqrt(square) for frame, square in values.items()}
            for name, values in every.items()
        }
        # How much of the picture the flow followed.
        return Measured(scores, series).with_confidence(float(np.mean(self._coverage)))


def _seen(moment: Moment) -> _Seen:
    colours = cv2.cvtColor(moment.coarse, cv2.COLOR_RGB2LAB)
    luma = cv2.cvtColor(moment.coarse, cv2.COLOR_RGB2GRAY)
    _, a, b = cv2.split(colours)
    coarse = cv2.merge([luma, a, b]).astype(np.float32)
    return _Seen(coarse, luma.astype(np.float32), moment.rgb)


def _bounded(change: NDArray[np.float32], valid: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Without outliers: what lies beyond is something passing by that the flow did not notice."""
    sampled = np.abs(change[::4, ::4][valid[::4, ::4] > 0])
    bound = robust_bound(sampled, times=10.0, least=6.0)
    bounded: NDArray[np.float32] = np.clip(change, -bound, bound)
    return bounded


def _placed(
    ripple: NDArray[np.float32], luma: NDArray[np.float32], window: tuple[int, int]
) -> NDArray[np.float32]:
    """Without what a small displacement of each neighbourhood explains.

    One step of Lucas and Kanade (1981): the flow is a little off, and along an edge that looks like
    a change of texture.
    """
    across, down = gradients(luma)
    mean_x, mean_y, mean_r = (cv2.blur(values, window) for values in (across, down, ripple))
    xx, yy, xy, xr, yr = (
        cv2.subtract(cv2.blur(cv2.multiply(one, other), window), cv2.multiply(mean, other_mean))
        for one, other, mean, other_mean in (
            (across, across, mean_x, mean_x),
            (down, down, mean_y, mean_y),
            (across, down, mean_x, mean_y),
            (across, ripple, mean_x, mean_r),
            (down, ripple, mean_y, mean_r),
        )
    )
    xx += 1.0
    yy += 1.0
    inverse = 1 / (xx * yy - xy * xy)
    shift_x, shift_y = (yy * xr - xy * yr) * inverse, (xx * yr - xy * xr) * inverse
    # A brightness that the whole neighbourhood shares is no displacement and stays.
    placed: NDArray[np.float32] = ripple - shift_x * (across - mean_x) - shift_y * (down - mean_y)
    return placed


def _shared_variance(
    ripple: NDArray[np.float32], valid: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean product of diagonal neighbours beyond that of white noise, in the cells of a grid.

    Also the share of each cell that is valid. What spans several pixels boils; what does not is
    grain, noise or a flow that is a little off, and drops out.
    """
    product = cv2.multiply(ripple, ripple, scale=-2 * _GRAIN_SHARED)
    for one, other in _DIAGONALS:
        product[one] += ripple[one] * ripple[other]
    means, share = _cells(0.5 * product[..., None], valid.astype(np.float32))
    return means.reshape(share.shape), share


def _shared(change: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """What diagonal neighbours among cells have in common of a squared change, (channels,).

    A patch that flickers spans several cells; what an error of the flow leaves in one cell says
    nothing about the next, and drops out.
    """
    tops, bottoms = [], []
    for one, other in _DIAGONALS:
        both = np.sqrt(weight[one] * weight[other])
        tops.append((change[one] * change[other] * both[..., None]).sum(axis=(0, 1)))
        bottoms.append(both.sum())
    shared: NDArray[np.float32] = np.maximum(sum(tops) / max(sum(bottoms), 1e-9), 0.0)
    return shared


@dataclass
class _Usual:
    """Median over time of a value in each place: what passes by is not usual there.

    Of a long clip every second, fourth, ... frame is kept, so that memory stays bounded.
    """

    kept: list[NDArray[np.float32]] = field(default_factory=list)
    every: int = 1
    seen: int = 0

    def add(self, values: NDArray[np.float32]) -> None:
        if self.seen % self.every == 0:
            self.kept.append(values)
        self.seen += 1
        if len(self.kept) >= _MAX_KEPT:
            self.kept = self.kept[::2]
            self.every *= 2

    def mean(self) -> float:
        """Mean over the places that were ever seen; 0 when there is none."""
        shape = self.kept[-1].shape
        stack = np.stack([values for values in self.kept if values.shape == shape])
        usual = np.nanmedian(stack[:, ~np.isnan(stack).all(axis=0)], axis=0)
        return float(usual.mean()) if usual.size else 0.0


def _steepness(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared gradient in code values per pixel, (h, w)."""
    across, down = gradients(luma)
    return cv2.add(cv2.multiply(across, across), cv2.multiply(down, down))


def _cells(
    change: NDArray[np.float32], trust: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Trusted mean of each cell of a grid, sixteen along the shorter side, and its weight."""
    height, width = trust.shape
    cell = max(1, round(min(height, width) / _CELLS_A_SIDE))
    size = (max(1, width // cell), max(1, height // cell))
    top = cv2.resize(change * trust[..., None], size, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(trust.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    means = top.reshape(*weight.shape, -1) / np.maximum(weight, 1e-6)[..., None]
    return means, weight
