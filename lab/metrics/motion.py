"""Motion: how much moves, and the camera's path. Shown beside every other number."""

import math
from dataclasses import asdict, replace

import cv2
import numpy as np

from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.course import course
from lab.metrics.moment import TOO_SMALL, Moment, stands
from lab.metrics.reference import Reference
from lab.vision import length, masked_mean

TOO_STILL_PERCENT_PER_S = 0.5
TOO_STILL_SHARE = 0.8
COURSE = ("pan", "tilt", "roll", "zoom", "parallax_x", "parallax_y", "approach")
_IGNORES = "frame rate and size; cuts"
_REFERENCE = "mean length of dense flow over an eighth of a second"
_COURSE_REFERENCE = "robust fits to dense flow, of the ground and of the subject"
_NOT_NEAR = "no subject could be followed beside the ground"
_MIN_SUBJECT_PX = 60
_LEAST_STRIDES = 5  # that a smooth course can be told from sway


def _spec(
    name: str, unit: str, says: str, version: int, *, low: float = 0.0, high: float = math.inf
) -> MetricSpec:
    return MetricSpec(
        name=name,
        unit=unit,
        direction="none",
        says=says,
        ignores=_IGNORES,
        reference=_REFERENCE,
        version=version,
        low=low,
        high=high,
    )


def _course(name: str, unit: str, says: str, version: int, low: float = -math.inf) -> MetricSpec:
    spec = _spec(f"motion.{name}", unit, says, version, low=low)
    return replace(spec, reference=_COURSE_REFERENCE)


class Motion:
    """Mean speed of the picture in percent of the frame diagonal per second."""

    specs = (
        _spec(
            "motion",
            "% of the diagonal per s",
            "mean speed of everything in the picture; a clip with hardly any scores well on every "
            "other metric without deserving it",
            2,
        ),
        _spec("motion.camera", "% of the diagonal per s", "the part that one camera explains", 3),
        _spec(
            "motion.subject",
            "% of the diagonal per s",
            "mean speed of the subject beyond the camera's",
            3,
        ),
        _spec(
            "motion.still",
            "share of the time",
            f"time with less than {TOO_STILL_PERCENT_PER_S} % of the diagonal per second: too "
            "still to judge the rest",
            2,
            high=1.0,
        ),
        _course("pan", "% of the width per s", "camera turning or moving right", 5),
        _course("tilt", "% of the height per s", "camera turning or moving up", 5),
        _course("roll", "degrees per s", "camera turning clockwise", 5),
        _course("zoom", "% per s", "ground growing: zoom or push-in", 5),
        _course(
            "parallax_x",
            "% of the width per s",
            "subject going right beyond the ground: the camera travels left, or the subject right",
            3,
        ),
        _course(
            "parallax_y",
            "% of the height per s",
            "subject going up beyond the ground: the camera sinks, or the subject rises",
            3,
        ),
        _course(
            "approach",
            "% per s",
            "subject growing beyond the ground: a push-in, not a zoom",
            3,
        ),
        _course(
            "sway",
            "% of the frame per s",
            "unsteadiness: rms of pan and tilt beside a smooth course",
            2,
            0.0,
        ),
    )

    def start(self, reference: Reference) -> "_MotionTracker":
        """Begin a clip; the still only tells the subject from the rest."""
        return _MotionTracker(near=reference.mask.measured)


_WHOLE_CLIP = ("motion.still", "motion.sway")
_REASONS = {
    "motion.subject": "the subject was not in sight",
    **{f"motion.{name}": _NOT_NEAR for name in ("parallax_x", "parallax_y", "approach")},
}


class _MotionTracker:
    def __init__(self, *, near: bool) -> None:
        self._near = near
        self._series: dict[str, dict[int, float]] = {
            spec.name: {} for spec in Motion.specs if spec.name not in _WHOLE_CLIP
        }
        self._seconds: dict[int, float] = {}
        self._coverage: list[float] = []
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
        self._coverage.append(stride.flow.coverage)
        self._series["motion"][index] = unit * masked_mean(speed, valid)
        if stride.camera is not None:
            rest = cv2.subtract(flow, stride.camera)
            self._series["motion.camera"][index] = unit * masked_mean(length(stride.camera), valid)
            subject = valid & (stride.subject > 0.5)
            if subject.sum() >= _MIN_SUBJECT_PX:
                self._series["motion.subject"][index] = unit * masked_mean(length(rest), subject)
        found = course(stride, near=self._near)
        for name, rate in {} if found is None else asdict(found).items():
            if not math.isnan(rate):
                self._series[f"motion.{name}"][index] = rate
        return Field(index, np.where(valid, speed * unit, np.nan).astype(np.float32))

    def result(self) -> Measured:
        speeds = self._series["motion"]
        if not speeds:
            if self._frames >= 2 and stands(self._frames, self._held):
                still = {"motion.still": 1.0}
                return Measured(
                    tuple(Score(spec.name, still.get(spec.name, 0.0)) for spec in Motion.specs)
                ).with_confidence(1.0)
            reason = "no stride could be followed (cuts, or motion too large)"
            if self._small:
                reason = TOO_SMALL
            elif not self._strides:
                reason = "needs at least 2 different frames an eighth of a second apart"
            return absent(Motion.specs, reason)
        weights = np.array([self._seconds[index] for index in speeds])
        slow = np.array(list(speeds.values())) < TOO_STILL_PERCENT_PER_S
        share = float((weights * slow).sum()) / float(weights.sum())
        scores = {"motion.still": Score("motion.still", share)}
        for name, values in self._series.items():
            reason = _REASONS.get(name, "no stride had enough picture to fit a camera to")
            scores[name] = Score(name, self._mean(values), "" if values else reason)
        scores["motion.sway"] = self._sway()
        # How much of the picture the flow followed.
        confidence = float(np.mean(self._coverage))
        ordered = tuple(scores[spec.name] for spec in Motion.specs)
        return Measured(ordered, self._series).with_confidence(confidence)

    def _sway(self) -> Score:
        """Rms length of what a quadratic in time leaves of pan and tilt.

        A quadratic, because a move that starts and ends gently has a rate of that form.
        """
        pan, tilt = self._series["motion.pan"], self._series["motion.tilt"]
        if len(pan) < _LEAST_STRIDES:
            return Score("motion.sway", math.nan, f"needs {_LEAST_STRIDES} strides of a course")
        place = np.array(list(pan), float)
        rates = np.stack([list(pan.values()), list(tilt.values())], axis=1)
        basis = np.vander((place - place[0]) / (place[-1] - place[0]), 3)
        left = rates - basis @ np.linalg.lstsq(basis, rates, rcond=None)[0]
        # The quadratic takes up three of the values, which a short clip would feel.
        mean_square = (left**2).sum() / (len(pan) - 3)
        return Score("motion.sway", float(math.sqrt(mean_square)))

    def _mean(self, values: dict[int, float]) -> float:
        total_s = sum(self._seconds[index] for index in values)
        if not total_s:
            return math.nan
        return sum(value * self._seconds[index] for index, value in values.items()) / total_s
