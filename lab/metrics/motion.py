"""Motion: how much moves. Neither good nor bad, and shown beside every other number."""

import math

import cv2
import numpy as np

from lab.metrics.contract import Measured, MetricSpec, Score, absent
from lab.metrics.moment import Moment
from lab.metrics.reference import Reference
from lab.vision import length, masked_mean

TOO_STILL_PERCENT_PER_S = 0.5
_IGNORES = "frame rate and size; cuts"
_REFERENCE = "mean length of dense flow"


class Motion:
    """Mean speed of the picture in percent of the frame diagonal per second."""

    specs = (
        MetricSpec(
            name="motion",
            unit="% of the diagonal per s",
            direction="none",
            says="mean speed of everything in the picture; a clip with hardly any scores well on "
            "every other metric without deserving it",
            ignores=_IGNORES,
            reference=_REFERENCE,
        ),
        MetricSpec(
            name="motion.camera",
            unit="% of the diagonal per s",
            direction="none",
            says="the part that one camera explains",
            ignores=_IGNORES,
            reference=_REFERENCE,
        ),
        MetricSpec(
            name="motion.local",
            unit="% of the diagonal per s",
            direction="none",
            says="the part that the camera does not explain",
            ignores=_IGNORES,
            reference=_REFERENCE,
        ),
        MetricSpec(
            name="motion.still",
            unit="share of the time",
            direction="none",
            says=f"time with less than {TOO_STILL_PERCENT_PER_S} % of the diagonal per second: "
            "too still to judge the rest",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=1.0,
        ),
    )

    def start(self, reference: Reference | None) -> "_MotionTracker":
        """Begin a clip; no still is needed."""
        return _MotionTracker()


class _MotionTracker:
    def __init__(self) -> None:
        self._speed: dict[int, float] = {}
        self._camera: dict[int, float] = {}
        self._local: dict[int, float] = {}
        self._frames = 0

    def see(self, moment: Moment) -> None:
        self._frames += 1
        step = moment.step
        if step is None or not step.joined or step.seconds <= 0:
            return
        unit = 100 / moment.diagonal_px / step.seconds
        valid = step.forward_valid
        self._speed[moment.index] = unit * masked_mean(length(step.forward), valid)
        if step.camera is not None:
            rest = cv2.subtract(step.forward, step.camera)
            self._camera[moment.index] = unit * masked_mean(length(step.camera), valid)
            self._local[moment.index] = unit * masked_mean(length(rest), valid)

    def result(self) -> Measured:
        if not self._speed:
            reason = (
                "needs at least 2 frames"
                if self._frames < 2
                else "no step could be followed (cuts, or motion too large)"
            )
            return absent(Motion.specs, reason)
        speeds = np.array(list(self._speed.values()))
        unfitted = "" if self._camera else "no step had enough picture to fit a camera to"
        return Measured(
            (
                Score("motion", float(speeds.mean())),
                Score("motion.camera", _mean(self._camera), unfitted),
                Score("motion.local", _mean(self._local), unfitted),
                Score("motion.still", float((speeds < TOO_STILL_PERCENT_PER_S).mean())),
            ),
            {"motion": self._speed, "motion.camera": self._camera, "motion.local": self._local},
        )


def _mean(values: dict[int, float]) -> float:
    return sum(values.values()) / len(values) if values else math.nan
