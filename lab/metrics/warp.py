"""Warping: surfaces that wobble as no rigid thing under a moving camera would."""

import math

import cv2
import numpy as np

from lab.metrics.contract import Measured, MetricSpec, Score, absent
from lab.metrics.moment import MIN_COVERAGE, Moment
from lab.metrics.reference import Reference
from lab.vision import apply_affine, fit_affine, length, masked_mean

_IGNORES = "steady motion of any kind, camera shake (affine), cuts, hidden and shown places, size"
_REFERENCE = "acceleration residual of bidirectional dense flow"
# The second difference of independent jitter has 6 times its variance.
_GAIN = math.sqrt(6)


class Warp:
    """Amplitude of non-rigid wobble in per mille of the frame diagonal."""

    specs = (
        MetricSpec(
            name="warp",
            unit="‰ of the diagonal",
            direction="lower",
            says="rms amplitude of the wobble left when steady motion and camera shake are taken "
            "out, frame to frame; under 0.3 nobody would notice",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=1000.0,
        ),
        MetricSpec(
            name="warp.worst",
            unit="‰ of the diagonal",
            direction="lower",
            says="the same at the worst frame",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=1000.0,
        ),
    )

    def start(self, reference: Reference | None) -> "_WarpTracker":
        """Begin a clip; no still is needed."""
        return _WarpTracker()


class _WarpTracker:
    def __init__(self) -> None:
        self._wobble: dict[int, float] = {}
        self._frames = 0

    def see(self, moment: Moment) -> None:
        self._frames += 1
        into, after = moment.step_before, moment.step
        middle = moment.previous
        if into is None or after is None or middle is None:
            return
        believed = (into.backward_valid & after.forward_valid).astype(np.uint8)
        # Flow bleeds across the borders of moving things; a band there is left out.
        valid = cv2.erode(believed, np.ones((5, 5), np.uint8)).astype(bool)
        if valid.mean() < MIN_COVERAGE:
            return
        acceleration = cv2.add(after.forward, into.backward)
        shake = fit_affine(acceleration, valid)
        if shake is not None:
            acceleration = cv2.subtract(acceleration, apply_affine(shake, *acceleration.shape[:2]))
        wobble_px = math.sqrt(masked_mean(length(acceleration) ** 2, valid)) / _GAIN
        self._wobble[middle.index] = wobble_px / moment.diagonal_px * 1000

    def result(self) -> Measured:
        if not self._wobble:
            reason = (
                "needs at least 3 frames"
                if self._frames < 3
                else "no two neighbouring steps could be followed (cuts, or motion too large)"
            )
            return absent(Warp.specs, reason)
        values = np.array(list(self._wobble.values()))
        return Measured(
            (
                Score("warp", float(np.sqrt((values**2).mean()))),
                Score("warp.worst", float(values.max())),
            ),
            {"warp": self._wobble},
        )
