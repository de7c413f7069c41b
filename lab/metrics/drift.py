"""Drift: how far the subject has gone from the still."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from lab.metrics.contract import Measured, MetricSpec, Score, absent
from lab.metrics.moment import Moment
from lab.metrics.reference import Reference, keypoints

_IGNORES = (
    "where the subject is, its size and its tilt; the whole picture getting lighter or darker by "
    "the same amount (by the same factor only in part); being covered for a while"
)
_REFERENCE = "CIEDE2000 (Sharma et al. 2005) at places matched by SIFT (Lowe 2004)"
_SAMPLE_S = 0.5
_MIN_MATCHES = 8
_RATIO_TEST = 0.8
_MIN_SEEN = 0.2  # share of the subject that must be in the frame
_BLUR_PX = 2.0  # forgives being placed a pixel off
_MAX_PIXELS = 6000
_MIN_GROUND_PX = 200


class Drift:
    """Colour distance of the subject from the still, in CIEDE2000 units."""

    specs = (
        MetricSpec(
            name="drift",
            unit="ΔE00",
            direction="lower",
            says="colour distance of the subject from the still in the clip's last second (half of "
            "the clip, if shorter than two); 1 to 2 is just visible side by side",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=100.0,
        ),
        MetricSpec(
            name="drift.onset",
            unit="ΔE00",
            direction="lower",
            says="the gap between the still and the clip's first second: what the model changed "
            "before anything moved",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=100.0,
        ),
        MetricSpec(
            name="drift.change",
            unit="ΔE00",
            direction="lower",
            says="drift proper: the last second less the first second",
            ignores=_IGNORES,
            reference=_REFERENCE,
            low=-100.0,
            high=100.0,
        ),
        MetricSpec(
            name="drift.worst",
            unit="ΔE00",
            direction="lower",
            says="the largest distance at any moment",
            ignores=_IGNORES,
            reference=_REFERENCE,
            high=100.0,
        ),
    )

    def start(self, reference: Reference | None) -> "_DriftTracker":
        """Begin a clip; without a still its first frame stands in, and the result says so."""
        return _DriftTracker(reference)


class _DriftTracker:
    def __init__(self, reference: Reference | None) -> None:
        self._reference = reference
        self._distance: dict[int, float] = {}
        self._times: dict[int, float] = {}
        self._due_s = 0.0
        self._latest: Moment | None = None
        self._lost = ""

    def see(self, moment: Moment) -> None:
        if self._reference is None:
            # Held against itself it would be 0, which says nothing about the clip.
            self._reference = Reference.of(moment.rgb, is_still=False)
            self._due_s = moment.time_s + _SAMPLE_S
            self._lost = "the clip is too short to be held against its own first frame"
            return
        if moment.time_s + 1e-6 < self._due_s:
            self._latest = moment
            return
        self._due_s = moment.time_s + _SAMPLE_S
        self._latest = None
        self._sample(self._reference, moment)

    def _sample(self, reference: Reference, moment: Moment) -> None:
        place = locate(reference, moment.grey)
        if place is None:
            self._lost = "the subject could not be found again by its keypoints"
            return
        distance = _distance(reference, moment.rgb, place)
        if distance is None:
            self._lost = "the subject left the frame"
            return
        self._distance[moment.index] = distance
        self._times[moment.index] = moment.time_s

    def result(self) -> Measured:
        if self._latest is not None and self._reference is not None:
            self._sample(self._reference, self._latest)  # a clip is judged by its last frame too
        if not self._distance:
            return absent(Drift.specs, self._lost or "no frame was seen")
        assert self._reference is not None
        times = np.array(list(self._times.values()))
        values = np.array(list(self._distance.values()))
        # A second at either end, or half of a clip too short for that, so that they never overlap.
        span_s = min(1.0, (times[-1] - times[0]) / 2)
        first = float(np.median(values[times <= times[0] + span_s - 1e-6])) if span_s else values[0]
        last = float(np.median(values[times >= times[-1] - span_s]))
        apart = span_s > 0
        too_short = "" if apart else "seen only once, so nothing can have changed"
        onset = Score("drift.onset", first)
        note = ""
        if not self._reference.is_still:
            onset = Score("drift.onset", math.nan, "no still was given")
            note = "drift is measured against the clip's first frame, because no still was given"
        if not self._reference.mask.measured:
            missing = f"drift looks at the {self._reference.mask.source}"
            note = "; ".join(filter(None, (note, f"{missing}: {self._reference.mask.note}")))
        return Measured(
            (
                Score("drift", last),
                onset,
                Score("drift.change", last - first if apart else math.nan, too_short),
                Score("drift.worst", float(values.max())),
            ),
            {"drift": self._distance},
            note,
        )


def locate(reference: Reference, grey: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The similarity (2, 3) that takes the reference's subject to its place in a frame.

    Keypoints on the subject are matched by the ratio test and fitted by RANSAC; the whole
    picture's are used where the subject has too few. None when neither gives enough matches.
    """
    points, descriptors = keypoints(grey)
    if len(points) < _MIN_MATCHES:
        return None
    columns, rows = np.clip(reference.points.round().astype(int), 0, None).T
    height, width = reference.mask.alpha.shape
    on_subject = reference.mask.alpha[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    for chosen in (on_subject > 0.3, np.ones(len(reference.points), bool)):
        if chosen.sum() < _MIN_MATCHES:
            continue
        pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(reference.descriptors[chosen], descriptors, k=2)
        good = [
            best for best, *rest in pairs if rest and best.distance < _RATIO_TEST * rest[0].distance
        ]
        if len(good) < _MIN_MATCHES:
            continue
        source = reference.points[chosen][[match.queryIdx for match in good]]
        target = points[[match.trainIdx for match in good]]
        matrix, kept = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=3.0)
        if matrix is not None and kept.sum() >= _MIN_MATCHES:
            place: NDArray[np.float64] = matrix
            return place
    return None


def _distance(
    reference: Reference, rgb: NDArray[np.uint8], place: NDArray[np.float64]
) -> float | None:
    """Mean CIEDE2000 over the subject, the frame brought back onto the reference.

    The ground's median change of lightness is taken out first: it is exposure, not drift.
    """
    height, width = reference.rgb.shape[:2]
    back = cv2.invertAffineTransform(place)
    size = (width, height)
    seen = (
        cv2.warpAffine(
            np.full(rgb.shape[:2], 255, np.uint8),
            place,
            size,
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        )
        > 0
    )
    brought = cv2.warpAffine(rgb, back, size, flags=cv2.INTER_LINEAR)
    subject = (reference.mask.alpha > 0.5) & seen
    if subject.sum() < _MIN_SEEN * max((reference.mask.alpha > 0.5).sum(), 1):
        return None
    then, now = (
        cv2.cvtColor(
            cv2.GaussianBlur(picture, (0, 0), _BLUR_PX).astype(np.float32) / 255, cv2.COLOR_RGB2LAB
        )
        for picture in (reference.rgb, brought)
    )
    ground = (reference.mask.alpha < 0.2) & seen
    if ground.sum() > _MIN_GROUND_PX:
        now[..., 0] -= np.median(now[ground][:, 0] - then[ground][:, 0])
    chosen = np.flatnonzero(subject)
    chosen = chosen[:: -(-chosen.size // _MAX_PIXELS)]
    then, now = (lab.reshape(-1, 3)[chosen] for lab in (then, now))
    return float(deltaE_ciede2000(then, now).mean())
