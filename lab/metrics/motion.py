"""Motion: how much moves, and the camera's path. Shown beside every other number."""

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.course import Course, course
from lab.metrics.moment import TOO_SMALL, Moment, stands
from lab.metrics.reference import Reference
from lab.vision import apply_affine, biweight, length, masked_mean

TOO_STILL_PERCENT_PER_S = 0.5
TOO_STILL_SHARE = 0.8
_SUBJECT_STILL_PERCENT_PER_S = 1.0  # a hardly noticeable step, breath or turn
COURSE = ("pan", "tilt", "roll", "zoom", "parallax_x", "parallax_y", "approach")
_IGNORES = "frame rate and size; cuts"
_REFERENCE = "mean length of dense flow over an eighth of a second"
_COURSE_REFERENCE = "robust fits to dense flow, of the ground and of the subject"
_NOT_NEAR = "no subject could be followed beside the ground"
_NO_GROUND = "the background has too little texture to follow"
_MIN_SUBJECT_PX = 60
_ENOUGH_TEXTURE = 0.16
_LEAST_TEXTURE = 0.03
_AGREEING = 0.87
_WELL_EXPLAINED = 0.9
"""A ground with less than enough texture has no camera, unless it has the least and nearly all of
it moves as one. White and black grounds of generated clips have 0.04 to 0.12, of which 0.5 to 0.8
agrees and 0.4 to 0.8 is explained; a candle before a dark wall has 0.07, of which 0.99 agrees;
plain colour has up to 0.011; a clear sky over a rocket has 0.17 to 0.2, other grounds 0.2 and more.
"""
_LEAST_EXPLAINED = 0.5
"""A camera that explains a smaller share of the motion it claims is the subject's motion, spread
over the ground: 0.06 to 0.7 on generated clips of standing cameras, 0.5 to 0.9 on others."""
_AROUND = 8  # strides, a second
_LATTICE = (4, 6)  # rows and columns of points at which cameras are compared
_LEAST_STRIDES = 5  # that a smooth course can be told from sway
_SWAY_ROUNDS = 4
_LEAST_SWAY = 0.05  # % of the frame per s: the precision of a pan


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
        _spec(
            "motion.camera",
            "% of the diagonal per s",
            "the part that one steady camera explains",
            4,
        ),
        _spec(
            "motion.subject",
            "% of the diagonal per s",
            "mean speed of the subject beyond the camera's",
            4,
        ),
        _spec(
            "motion.still",
            "share of the time",
            f"time with less than {TOO_STILL_PERCENT_PER_S} % of the diagonal per second in the "
            f"picture and {_SUBJECT_STILL_PERCENT_PER_S:g} in the subject: too still to judge the "
            "rest",
            3,
            high=1.0,
        ),
        _course("pan", "% of the width per s", "camera turning or moving right", 6),
        _course("tilt", "% of the height per s", "camera turning or moving up", 6),
        _course("roll", "degrees per s", "camera turning clockwise", 6),
        _course("zoom", "% per s", "ground growing: zoom or push-in", 6),
        _course(
            "parallax_x",
            "% of the width per s",
            "subject going right beyond the ground: the camera travels left, or the subject right",
            4,
        ),
        _course(
            "parallax_y",
            "% of the height per s",
            "subject going up beyond the ground: the camera sinks, or the subject rises",
            4,
        ),
        _course(
            "approach",
            "% per s",
            "subject growing beyond the ground: a push-in, not a zoom",
            4,
        ),
        _course(
            "sway",
            "% of the frame per s",
            "unsteadiness: rms of pan and tilt beside a smooth course, without outliers",
            3,
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
        self._courses: dict[int, Course] = {}
        self._cameras: dict[int, NDArray[np.float32]] = {}
        self._slow: dict[int, bool] = {}
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
        mean = self._series["motion"][index] = unit * masked_mean(speed, valid)
        subject = valid & (stride.subject > 0.5)
        in_sight = subject.sum() >= _MIN_SUBJECT_PX
        subject_mean = unit * masked_mean(speed, subject) if in_sight else 0.0
        self._slow[index] = (
            mean < TOO_STILL_PERCENT_PER_S and subject_mean < _SUBJECT_STILL_PERCENT_PER_S
        )
        found = course(stride, near=self._near)
        if found is not None:
            self._courses[index] = found
            self._cameras[index] = unit * _on_lattice(found.ground, *stride.grey.shape)
            if in_sight:
                beyond = length(cv2.subtract(flow, apply_affine(found.ground, *stride.grey.shape)))
                self._series["motion.subject"][index] = unit * masked_mean(beyond, subject)
            for name in COURSE:
                rate = getattr(found, name)
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
        share = float(weights @ list(self._slow.values())) / float(weights.sum())
        scores = {"motion.still": Score("motion.still", share)}
        reasons = _REASONS
        if self._shows_camera():
            self._series["motion.camera"] = self._steady_speeds()
        else:
            reasons = {}
            for name in ("camera", "subject", *COURSE):
                self._series[f"motion.{name}"].clear()
        for name, values in self._series.items():
            reason = "" if values else reasons.get(name, _NO_GROUND)
            scores[name] = Score(name, self._mean(values), reason)
        scores["motion.sway"] = self._sway()
        # How much of the picture the flow followed.
        confidence = float(np.mean(self._coverage))
        ordered = tuple(scores[spec.name] for spec in Motion.specs)
        return Measured(ordered, self._series).with_confidence(confidence)

    def _shows_camera(self) -> bool:
        """True if the ground had enough texture, or moved enough as one, to show the camera."""
        if not self._courses:
            return False
        fits = [(fit.texture, fit.agreeing, fit.explained) for fit in self._courses.values()]
        texture, agreeing, explained = np.mean(fits, axis=0)
        as_one = agreeing >= _AGREEING or explained >= _WELL_EXPLAINED
        return bool(texture >= (_LEAST_TEXTURE if as_one else _ENOUGH_TEXTURE))

    def _steady_speeds(self) -> dict[int, float]:
        """Mean speed of the picture under the median camera of the two seconds around each stride.

        A speed is never negative, so what a subject does to the camera of each stride would add up
        in a mean of speeds; in the median camera it cancels out. The speed is 0 where the camera
        explains too little of the picture's motion. Shaking is sway, not speed.
        """
        fields = np.array(list(self._cameras.values()))
        explained = np.array([found.explained for found in self._courses.values()])
        speeds = {}
        for at, index in enumerate(self._cameras):
            around = slice(max(0, at - _AROUND), at + _AROUND + 1)
            speed = float(np.hypot(*np.median(fields[around], axis=0)).mean())
            speeds[index] = speed if np.median(explained[around]) >= _LEAST_EXPLAINED else 0.0
        return speeds

    def _sway(self) -> Score:
        """Rms length of what a quadratic in time leaves of pan and tilt, without outliers.

        A quadratic, because a move that starts and ends gently has a rate of that form. A few
        strides whose flow failed are not an unsteady hand.
        """
        pan, tilt = self._series["motion.pan"], self._series["motion.tilt"]
        if len(pan) < _LEAST_STRIDES:
            reason = f"needs {_LEAST_STRIDES} strides of a course" if pan else _NO_GROUND
            return Score("motion.sway", math.nan, reason)
        place = np.array(list(pan), float)
        rates = np.stack([list(pan.values()), list(tilt.values())], axis=1)
        basis = np.vander((place - place[0]) / (place[-1] - place[0]), 3)
        weight = np.ones(len(pan))
        for _ in range(_SWAY_ROUNDS):
            root = np.sqrt(weight)[:, None]
            left = rates - basis @ np.linalg.lstsq(basis * root, rates * root, rcond=None)[0]
            sizes = np.hypot(*left.T)
            weight = biweight(sizes, least=_LEAST_SWAY)
        # The quadratic takes up three of the values, which a short clip would feel.
        mean_square = (weight * sizes**2).sum() / weight.sum() * len(pan) / (len(pan) - 3)
        return Score("motion.sway", float(math.sqrt(mean_square)))

    def _mean(self, values: dict[int, float]) -> float:
        total_s = sum(self._seconds[index] for index in values)
        if not total_s:
            return math.nan
        return sum(value * self._seconds[index] for index, value in values.items()) / total_s


def _on_lattice(matrix: NDArray[np.float64], height: int, width: int) -> NDArray[np.float32]:
    """The flow of a (2, 3) affine motion at points spread over the frame, (2, n)."""
    down, across = ((np.arange(count) + 0.5) / count for count in _LATTICE)
    x, y = np.meshgrid(across * width, down * height)
    flow: NDArray[np.float32] = (matrix @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])).astype(
        np.float32
    )
    return flow
