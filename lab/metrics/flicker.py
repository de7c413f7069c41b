"""Flicker: brightness that changes where nothing should, after the motion is taken out."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.contract import Measured, MetricSpec, Score, absent
from lab.metrics.moment import MIN_COVERAGE, Moment
from lab.metrics.reference import Reference
from lab.vision import backward_warp, masked_mean

_REFERENCE = (
    "second difference of luma along motion trajectories; cf. the warping error of Lai et al., "
    "ECCV 2018, without its single-step difference, which any fade or flow error raises"
)
_IGNORES = "camera moves, exposure ramps and fades (linear in time), cuts, anything hidden or shown"
# Var(y_t - (y_{t-1} + y_{t+1}) / 2) of independent flicker is 1.5 times its own variance.
_GAIN = math.sqrt(1.5)


class Flicker:
    """Root mean square brightness flicker in 8-bit code values, motion compensated."""

    specs = (
        MetricSpec(
            name="flicker",
            unit="8-bit code values",
            direction="lower",
            says="rms of brightness that flickers in patches or everywhere; under 0.5 nobody "
            "would notice, from about 1 it shows on calm ground",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=255.0,
        ),
        MetricSpec(
            name="flicker.global",
            unit="8-bit code values",
            direction="lower",
            says="the part in which the whole picture flickers together",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=255.0,
        ),
        MetricSpec(
            name="flicker.texture",
            unit="8-bit code values",
            direction="lower",
            says="rms of fine texture that boils; never quite 0, because resampling and "
            "compression boil a little too",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=255.0,
        ),
    )

    def start(self, reference: Reference | None) -> "_FlickerTracker":
        """Begin a clip; no still is needed."""
        return _FlickerTracker()


class _FlickerTracker:
    def __init__(self) -> None:
        self._low: dict[int, float] = {}
        self._texture: dict[int, float] = {}
        self._shift: dict[int, float] = {}
        self._frames = 0

    def see(self, moment: Moment) -> None:
        self._frames += 1
        into, after = moment.step_before, moment.step
        middle = moment.previous
        if into is None or after is None or middle is None or middle.previous is None:
            return
        valid = into.backward_valid & after.forward_valid
        if valid.mean() < MIN_COVERAGE:
            return
        neighbours = cv2.add(
            backward_warp(middle.previous.grey, into.backward).astype(np.float32),
            backward_warp(moment.grey, after.forward).astype(np.float32),
        )
        change = middle.grey - 0.5 * neighbours
        low = _masked_blur(change, valid, min(change.shape) / 16)
        index = middle.index
        self._low[index] = math.sqrt(masked_mean(low**2, valid)) / _GAIN
        self._texture[index] = math.sqrt(masked_mean((change - low) ** 2, valid)) / _GAIN
        self._shift[index] = masked_mean(change, valid) / _GAIN

    def result(self) -> Measured:
        if not self._low:
            reason = (
                "needs at least 3 frames"
                if self._frames < 3
                else "no two neighbouring steps could be followed (cuts, or motion too large)"
            )
            return absent(Flicker.specs, reason)
        values = (
            ("flicker", _rms(self._low)),
            ("flicker.global", _rms(self._shift)),
            ("flicker.texture", _rms(self._texture)),
        )
        series = {
            "flicker": self._low,
            "flicker.global": {frame: abs(value) for frame, value in self._shift.items()},
            "flicker.texture": self._texture,
        }
        return Measured(tuple(Score(name, value) for name, value in values), series)


def _rms(values: dict[int, float]) -> float:
    return math.sqrt(sum(value**2 for value in values.values()) / len(values))


def _masked_blur(
    values: NDArray[np.float32], valid: NDArray[np.bool_], sigma_px: float
) -> NDArray[np.float32]:
    """Gaussian mean of the valid values around each pixel (normalised convolution), on a third."""
    size = values.shape[1::-1]
    small = (max(8, size[0] // 3), max(8, size[1] // 3))
    share = valid.astype(np.float32)
    top, bottom = (
        cv2.GaussianBlur(
            cv2.resize(field, small, interpolation=cv2.INTER_AREA), (0, 0), sigma_px / 3
        )
        for field in (values * share, share)
    )
    blurred: NDArray[np.float32] = cv2.resize(top / np.maximum(bottom, 1e-3), size)
    return blurred
