"""Motion: how much moves, and the camera's path. Shown beside every other number."""

import math

import cv2
import numpy as np

from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.moment import TOO_SMALL, Moment, Stride, stands
from lab.metrics.reference import Reference
from lab.vision import length, masked_mean

TOO_STILL_PERCENT_PER_S = 0.5
TOO_STILL_SHARE = 0.8
_IGNORES = "frame rate and size; cuts"
_REFERENCE = "mean length of dense flow over an eighth of a second"
_MIN_SUBJECT_PX = 60


def _spec(name: str, unit: str, says: str, low: float = 0.0, high: float = math.inf) -> MetricSpec:
    return MetricSpec(
        name=name,
        unit=unit,
        direction="none",
        says=says,
        ignores=_IGNORES,
        reference=_REFERENCE,
        version=2,
        low=low,
        high=high,
    )


class Motion:
    """Mean speed of the picture in percent of the frame diagonal per second."""

    specs = (
        _spec(
            "motion",
            "% of the diagonal per s",
            "mean speed of everything in the picture; a clip with hardly any scores well on every "
            "other metric without deserving it",
        ),
        _spec("motion.camera", "% of the diagonal per s", "the part that one camera explains"),
        _spec(
            "motion.subject",
            "% of the diagonal per s",
            "mean speed of the subject beyond the camera's",
        ),
        _spec(
            "motion.still",
            "share of the time",
            f"time with less than {TOO_STILL_PERCENT_PER_S} % of the diagonal per second: too "
            "still to judge the rest",
            high=1.0,
        ),
        _spec("motion.pan", "% of the width per s", "camera turning or moving right", -math.inf),
        _spec("motion.tilt", "% of the height per s", "camera turning or moving up", -math.inf),
        _spec("motion.roll", "degrees per s", "camera turning clockwise", -math.inf),
        _spec("motion.zoom", "% per s", "picture growing: zoom or push-in", -math.inf),
    )

    def start(self, reference: Reference) -> "_MotionTracker":
        """Begin a clip; the still only tells the subject from the rest."""
        return _MotionTracker()


class _MotionTracker:
    def __init__(self) -> None:
        self._series: dict[str, dict[int, float]] = {
            spec.name: {} for spec in Motion.specs if spec.name != "motion.still"
        }
        self._seconds: dict[int, float] = {}
        self._frames = 0
        self._held = 0
        self._strides = 0
        self._small = False

    def see(self, moment: Moment) -> Field | None:
        self._frames += 1
        self._held += moment.held
        self._small = moment.small
        stride = moment.stride
        self._strides += stride is not None
        if stride is None or not stride.joined:
            return None
        unit = 100 / moment.diagonal_px / stride.seconds
        flow, valid = stride.flow.forward, stride.flow.forward_valid
        index = stride.start_index
        speed = length(flow)
        self._seconds[index] = stride.seconds
        self._series["motion"][index] = unit * masked_mean(speed, valid)
        if stride.camera is not None:
            rest = cv2.subtract(flow, stride.camera)
            self._series["motion.camera"][index] = unit * masked_mean(length(stride.camera), valid)
            subject = valid & (stride.subject > 0.5)
            if subject.sum() >= _MIN_SUBJECT_PX:
                self._series["motion.subject"][index] = unit * masked_mean(length(rest), subject)
            self._path(index, stride)
        return Field(index, np.where(valid, speed * unit, np.nan).astype(np.float32))

    def _path(self, index: int, stride: Stride) -> None:
        matrix = stride.camera_matrix
        assert matrix is not None
        height, width = stride.grey.shape
        across, down = matrix @ ((width - 1) / 2, (height - 1) / 2, 1)
        # The picture moves against the camera; image rows run down, the camera's tilt up.
        rates = {
            "motion.pan": -100 * across / width,
            "motion.tilt": 100 * down / height,
            "motion.roll": -math.degrees((matrix[1, 0] - matrix[0, 1]) / 2),
            "motion.zoom": 100 * (matrix[0, 0] + matrix[1, 1]) / 2,
        }
        for name, rate in rates.items():
            self._series[name][index] = float(rate) / stride.seconds

    def result(self) -> Measured:
        speeds = self._series["motion"]
        if not speeds:
            if self._frames >= 2 and stands(self._frames, self._held):
                still = {"motion.still": 1.0}
                return Measured(
                    tuple(Score(spec.name, still.get(spec.name, 0.0)) for spec in Motion.specs)
                )
            reason = "no stride could be followed (cuts, or motion too large)"
            if self._small:
                reason = TOO_SMALL
            elif not self._strides:
                reason = "needs at least 2 different frames an eighth of a second apart"
            return absent(Motion.specs, reason)
        weights = np.array([self._seconds[index] for index in speeds])
        slow = np.array(list(speeds.values())) < TOO_STILL_PERCENT_PER_S
        share = float((weights * slow).sum() / weights.sum())
        scores = {"motion.still": Score("motion.still", share)}
        for name, values in self._series.items():
            reason = "the subject was not in sight" if name == "motion.subject" else ""
            reason = reason or "no stride had enough picture to fit a camera to"
            scores[name] = Score(name, self._mean(values), "" if values else reason)
        return Measured(tuple(scores[spec.name] for spec in Motion.specs), self._series)

    def _mean(self, values: dict[int, float]) -> float:
        total_s = sum(self._seconds[index] for index in values)
        if not total_s:
            return math.nan
        return sum(value * self._seconds[index] for index, value in values.items()) / total_s
