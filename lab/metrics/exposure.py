"""Exposure: a picture that gets lighter or darker than its still, or is clipped."""

import math

import numpy as np

from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.moment import Moment
from lab.metrics.reference import Reference

_BLACK_DN, _WHITE_DN = 4, 251


class Exposure:
    """Change of exposure against the still, and clipping. It has no headline of its own."""

    specs = (
        MetricSpec(
            name="exposure.change",
            unit="stops",
            direction="none",
            says="how much lighter (or, below 0, darker) than the still the clip has become at its "
            "end: the base 2 logarithm of the luma's gain, display-referred",
            ignores="what moves, and a subject that alone gets lighter",
            reference="robust line from the still's luma to the frame's, on the ground",
            version=3,
            low=-math.inf,
        ),
        MetricSpec(
            name="exposure.clipped",
            unit="share of the picture",
            direction="lower",
            says=f"pixels at black (luma up to {_BLACK_DN}) or white (from {_WHITE_DN}) beyond the "
            "still's own, at the clip's worst quarter second",
            ignores="what was black or white in the still already",
            reference="counting",
            version=3,
            high=1.0,
            unnoticed=0.02,
        ),
    )

    def start(self, reference: Reference) -> "_ExposureTracker":
        """Begin a clip; clipping that the still has is not held against it."""
        return _ExposureTracker(reference)


class _ExposureTracker:
    def __init__(self, reference: Reference) -> None:
        self._is_still = reference.is_still
        self._already = _clipped(reference.rgb)
        self._change: dict[int, float] = {}
        self._clipped: dict[int, float] = {}

    def see(self, moment: Moment) -> Field | None:
        # Held against itself a first frame would show no change, which says nothing about the clip.
        found = moment.registration
        if found is None or (moment.index == 0 and not self._is_still):
            return None
        clipped = _clipped(moment.rgb) - self._already
        self._clipped[moment.index] = max(0.0, clipped)
        if found.exposure is not None:
            gain, offset = found.exposure
            # At middle grey, so that a change found as an offset counts too.
            self._change[moment.index] = math.log2(max(gain + offset / 128, 1 / 256))
        return None

    def result(self) -> Measured:
        picture = "still" if self._is_still else "first frame"
        if not self._clipped:
            return absent(Exposure.specs, f"no frame could be compared with the {picture}")
        change, reason = math.nan, f"the ground of the {picture} was not found again in any frame"
        if self._change:
            change, reason = next(reversed(self._change.values())), ""
        return Measured(
            (
                Score("exposure.change", change, reason),
                Score("exposure.clipped", max(self._clipped.values())),
            ),
            {"exposure.change": self._change, "exposure.clipped": self._clipped},
        )


def _clipped(rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    luma = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    return float(((luma <= _BLACK_DN) | (luma >= _WHITE_DN)).mean())
