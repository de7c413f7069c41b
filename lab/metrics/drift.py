"""Drift: how far the subject has gone from the still."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from lab.errors import WeightsError
from lab.metrics.contract import LOW_CONFIDENCE, Field, Measured, MetricSpec, Score, absent
from lab.metrics.cuts import Cuts
from lab.metrics.moment import Moment
from lab.metrics.reference import Reference, Registration
from lab.vision import feature_map, local_correlation

_IGNORES = (
    "where the subject is, its size, its tilt and a turn of some degrees; the whole picture "
    "getting lighter or darker; being covered or out of the frame for a while"
)
_REFERENCE = "CIEDE2000 (Sharma et al. 2005), local correlation, MobileNetV2 features"
_END_S = 1.0
_MIN_VISIBLE = 0.15  # share of the subject that must be in the frame
_HIDDEN = 0.6  # of the agreement found later; a subject that agrees less was hidden for a while
_UNSURE = 0.7  # of the best confidence at the end; less sure frames do not count
_FOUND_AGAIN = 0.4  # agreement after a cut; unrelated pictures reach 0.36
_GRID_SIDE = 64  # colours are compared on about this many cells along the shorter side
_INSIDE = 0.5  # share of a cell
_BLUR_CELLS = 1.25  # forgives what alignment leaves, and the noise of compression
_TOLERANCE_CELLS = 2  # the surface of a subject that turns or speaks moves by some pixels
_GROUND_DELTA_E = 4.0
_GROUND_RATIO = 0.5
_NEIGHBOURS = 9  # a cell and those around it, which come first among the shifts
_WORST_SHARE = 0.1  # of the subject
_STRUCTURE_WINDOW_PX = 13
_IDENTITY_EVERY = 4  # samples
_MATTE_PX = 2.0
_MIN_CELLS = 20
_PLAIN_DN = 2.0  # standard deviation of the subject's luma: below it there is nothing to follow


@dataclass(frozen=True)
class _Part:
    """How one part enters drift.

    floor: the 90th percentile of moving subjects that did not change. scale: the distance beyond
    the floor at which the part alone makes drift 63.
    """

    floor: float
    scale: float

    def term(self, value: float) -> float:
        """0 for an unchanged subject; 0 without a value."""
        return 0.0 if math.isnan(value) else max(0.0, value - self.floor) / self.scale


# Fitted on cut-outs that move over other photographs, never on ratings. Each scale is in proportion
# to what a subject reads there that becomes another one; the one common factor makes subjects that
# are 40 % and 80 % another one read about 45 and 75.
_PARTS = {
    "drift.colour": _Part(0.5, 17.0),
    "drift.local": _Part(4.5, 38.0),
    "drift.structure": _Part(0.015, 0.77),
    "drift.identity": _Part(0.12, 0.9),
}


def _spec(
    name: str, unit: str, says: str, unnoticed: float, low: float = 0.0, high: float = 100.0
) -> MetricSpec:
    return MetricSpec(
        name=name,
        unit=unit,
        direction="lower",
        says=says,
        ignores=_IGNORES,
        reference=_REFERENCE,
        version=5,
        low=low,
        high=high,
        unnoticed=unnoticed,
        judged="." not in name,
    )


class Drift:
    """The share of the way to another subject, from the subject's colour, structure and features.

    drift = 100 * (1 - exp(-t)), where t sums, over `drift.colour`, `drift.local`, `drift.structure`
    and `drift.identity`, how far each lies beyond its floor, in units of its scale.
    """

    specs = (
        _spec(
            "drift",
            "% another subject",
            "how much of the subject is no longer the still's in the clip's last second (half of "
            "the clip, if shorter than two): 0 the same subject, 100 another one",
            10.0,
        ),
        _spec(
            "drift.colour",
            "ΔE00",
            "median colour distance of the subject from the still in the last second",
            2.0,
        ),
        _spec(
            "drift.local",
            "ΔE00",
            "colour distance of the tenth of the subject that changed most, in the last second",
            6.0,
        ),
        _spec(
            "drift.structure",
            "share",
            "texture of the subject that is no longer that of the still, in the last second: 0 "
            "unchanged, 1 nothing in common",
            0.1,
            high=1.0,
        ),
        _spec(
            "drift.identity",
            "cosine distance",
            "how far the subject's features (MobileNetV2) are from the still's in the last second: "
            "0 the same, about 0.5 another subject",
            0.2,
            high=1.0,
        ),
        _spec(
            "drift.onset",
            "ΔE00",
            "the gap between the still and the clip's first second: what the model changed before "
            "anything moved",
            2.0,
        ),
        _spec(
            "drift.proper",
            "ΔE00",
            "the median colour distance of the last second less that of the first",
            2.0,
            -100.0,
        ),
        _spec("drift.between", "ΔE00", "mean change of the subject within half a second", 1.5),
        _spec(
            "drift.worst",
            "% another subject",
            "the largest drift of any second; a passer-by raises it a little",
            20.0,
        ),
        _spec(
            "drift.slope",
            "% per s",
            "how fast the drift grows",
            4.0,
            -math.inf,
            math.inf,
        ),
    )

    def start(self, reference: Reference) -> "_DriftTracker":
        """Begin a clip; where the first frame stands in for a still, the result says so."""
        return _DriftTracker(reference)


@dataclass(frozen=True, eq=False)
class _Sample:
    """The subject in one frame.

    colours: CIELAB on the reduced grid around the subject, (h, w, 3), NaN where unknown. structure,
    identity: values of those parts. agreement, confidence: of the subject's placement.
    """

    time_s: float
    colours: NDArray[np.float32]
    structure: float
    identity: float
    agreement: float
    confidence: float


class _DriftTracker:
    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._series: dict[str, dict[int, float]] = {
            name: {} for name in ("drift", *_PARTS, "drift.between")
        }
        self._first: list[_Sample] = []
        self._before: dict[str, float] = {}
        self._newest: list[_Sample] = []
        self._times: dict[int, float] = {}
        self._agreement: dict[int, float] = {}
        self._cuts = Cuts()
        self._clip_end_s = 0.0
        self._lost = ""
        self._no_features = "" if reference.mask.measured else "no subject was recognised"
        self._identity = math.nan
        self._features: NDArray[np.float32] | None = None
        self._plain = float(reference.grey[reference.subject].std()) < _PLAIN_DN
        self._grid = _Grid(reference.subject)
        self._still = self._grid.colours(reference.rgb, reference.subject)

    def see(self, moment: Moment) -> Field | None:
        self._clip_end_s = moment.time_s
        self._cuts.see(moment)
        if moment.index == 0 and not self._reference.is_still:
            # Compared with itself it would be 0, which says nothing about the clip.
            self._lost = "the clip is too short to be compared with its own first frame"
            return None
        if self._plain:
            self._lost = "the subject of the still is plain, so it cannot be followed"
            return None
        if moment.registration is None:
            return None
        return self._sample(moment, moment.registration)

    def _sample(self, moment: Moment, found: Registration) -> Field | None:
        reference = self._reference
        inside = reference.subject & found.subject.inside
        if found.subject.visible < _MIN_VISIBLE:
            self._lost = "the subject left the frame"
            return None
        if found.empty:
            self._lost = "the picture was too dark, too pale or plain"
            return None
        colours = self._grid.colours(found.aligned, inside)
        distances = _delta_e(self._still, _nearest(self._still, colours)[1])
        ground = self._belongs_to_ground(found, distances)
        colours[ground], distances[ground] = np.nan, np.nan
        if np.isfinite(distances).sum() < _MIN_CELLS:
            self._lost = "the subject is too small"
            return None
        identity = math.nan
        if len(self._times) % _IDENTITY_EVERY == 0 or moment.last:
            identity = self._identity = self._identify(found)
        sample = _Sample(
            moment.time_s,
            colours,
            _unlike(reference.grey, found.aligned, inside),
            identity,
            found.subject.agreement,
            found.subject.confidence,
        )
        self._keep(moment.index, sample)
        # As if every place had changed alike.
        local = _PARTS["drift.local"]
        share = 100 * (1 - np.exp(-np.maximum(distances - local.floor, 0) / local.scale))
        return Field(moment.index, self._grid.in_frame(share, found))

    def _keep(self, index: int, sample: _Sample) -> None:
        """Take a sample into the series; colours are kept of the first second and the last.

        Those of the first second only until the clip is known to be longer than both.
        """
        if self._newest:
            changed = _delta_e(self._newest[-2:][0].colours, sample.colours)
            if not np.isnan(changed).all():
                self._series["drift.between"][index] = float(np.nanmedian(changed))
        self._times[index] = sample.time_s
        self._agreement[index] = sample.agreement
        since_s = sample.time_s - next(iter(self._times.values()))
        if since_s <= _END_S:
            self._first.append(sample)
        elif since_s > 2 * _END_S and self._first:
            self._before = self._summary(_surest(self._first))
            self._first = []
        self._newest = [one for one in self._newest if one.time_s >= sample.time_s - _END_S]
        self._newest.append(sample)
        values = self._summary(_surest(self._newest))
        self._series["drift"][index] = _combined(values)
        for name, value in values.items():
            if not math.isnan(value):
                self._series[name][index] = value

    def _belongs_to_ground(
        self, found: Registration, distances: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Places of the mask that stayed with the ground when the subject moved away from it.

        No mask is exact. (h, w) on the reduced grid.
        """
        if found.ground is None:
            return np.zeros(distances.shape, np.bool_)
        region = self._reference.subject & found.ground.inside
        stayed = self._grid.colours(found.ground_matched, region)
        with_ground = _delta_e(self._still, stayed)
        with np.errstate(invalid="ignore"):
            return (with_ground < _GROUND_DELTA_E) & (with_ground < _GROUND_RATIO * distances)

    def _identify(self, found: Registration) -> float:
        """The mean distance of the features on the subject; NaN with a reason in `_no_features`."""
        reference = self._reference
        if self._no_features:
            return math.nan
        seen = (reference.subject & found.subject.inside).astype(np.float32)
        alpha = cv2.GaussianBlur(seen, (0, 0), _MATTE_PX)[..., None]
        # The still's own pixels elsewhere, so that another ground does not count.
        composed = (found.aligned * alpha + reference.rgb * (1 - alpha)).astype(np.uint8)
        try:
            if self._features is None:
                self._features = feature_map(reference.rgb)
            features = feature_map(composed)
        except WeightsError as error:
            self._no_features = str(error)
            return math.nan
        _, rows, columns = features.shape
        alike = [
            (self._features * shifted).sum(axis=0) for shifted in _shifted(features, 1, fill=0)
        ]
        best = np.max(alike, axis=0)
        share = cv2.resize(seen, (columns, rows), interpolation=cv2.INTER_AREA)
        on_subject = share > min(0.5, float(share.max()) / 2)
        return float(np.clip(1 - best[on_subject], 0, 1).mean())

    def result(self) -> Measured:
        times = np.array(list(self._times.values()))
        if not times.size:
            return absent(Drift.specs, self._lost or "no frame was seen")
        # A second at either end, or half of a clip too short for that, so that they never overlap.
        span_s = min(_END_S, (times[-1] - times[0]) / 2)
        last = [one for one in self._newest if one.time_s >= times[-1] - span_s]
        if self._cut_away(last):
            return absent(Drift.specs, "the clip cuts to another picture")
        first = [one for one in self._first if one.time_s <= times[0] + span_s]
        before = self._before or self._summary(_surest(first))
        values = self._summary(_surest(last))
        confidence = float(np.median([one.confidence for one in _surest(last)]))
        self._forget_hidden()
        drift = self._series["drift"]
        drift[next(reversed(self._times))] = _combined(values)
        between = list(self._series["drift.between"].values())
        once = "" if span_s > 0 else "seen only once, so nothing can have changed"
        unpaired = "" if between else once or "no place of the subject was seen twice in a row"
        onset = ("", before["drift.colour"])
        if not self._reference.is_still:
            onset = ("no still was given", math.nan)
        proper = values["drift.colour"] - before["drift.colour"]
        slope = math.nan
        if len(drift) > 1:
            slope = _slope(
                np.array([self._times[i] for i in drift]), np.array(list(drift.values()))
            )
        no_features = self._no_features if math.isnan(values["drift.identity"]) else ""
        scores = (
            Score("drift", _combined(values)),
            Score("drift.colour", values["drift.colour"]),
            Score("drift.local", values["drift.local"]),
            Score("drift.structure", values["drift.structure"]),
            Score("drift.identity", values["drift.identity"], no_features),
            Score("drift.onset", onset[1], onset[0]),
            Score("drift.proper", math.nan if once else proper, once),
            Score("drift.between", float(np.mean(between)) if between else math.nan, unpaired),
            Score("drift.worst", max(drift.values())),
            Score("drift.slope", slope, "" if len(drift) > 1 else once or "the subject was hidden"),
        )
        notes = self._notes(confidence, times[-1])
        return Measured(scores, self._series, "; ".join(notes)).with_confidence(confidence)

    def _cut_away(self, last: list[_Sample]) -> bool:
        """True when the last seconds show another picture, after a cut."""
        cut = any(self._cuts.found().values())
        return cut and max(one.agreement for one in last) < _FOUND_AGAIN

    def _forget_hidden(self) -> None:
        """Drop the values of frames in which the subject was hidden: it agrees better later."""
        later = 0.0
        for index, agreement in reversed(self._agreement.items()):
            later = max(later, agreement)
            if agreement < _HIDDEN * later:
                for values in self._series.values():
                    values.pop(index, None)

    def _notes(self, confidence: float, seen_until_s: float) -> list[str]:
        notes = []
        if not self._reference.is_still:
            notes.append(
                "drift is measured against the clip's first frame, because no still was given"
            )
        if not self._reference.mask.measured:
            notes.append(f"drift is measured on the whole picture: {self._reference.mask.note}")
        if seen_until_s < self._clip_end_s:
            notes.append(f"drift is that at {seen_until_s:.2f} s: later, {self._lost}")
        if confidence < LOW_CONFIDENCE:
            notes.append(
                f"drift is uncertain (confidence {confidence:.2f}): the subject could be followed "
                "only in part"
            )
        return notes

    def _summary(self, samples: list[_Sample]) -> dict[str, float]:
        """Each part over some samples. Colours are those of the median picture.

        So what only flickers, or passes in front, is not drift.
        """
        colour, local = _colour_parts(self._still, _median([one.colours for one in samples]))
        identities = [one.identity for one in samples if not math.isnan(one.identity)]
        return {
            "drift.colour": colour,
            "drift.local": local,
            "drift.structure": float(np.median([one.structure for one in samples])),
            "drift.identity": float(np.median(identities or [self._identity])),
        }


class _Grid:
    """The reduced grid around the subject's bounding box."""

    def __init__(self, subject: NDArray[np.bool_]) -> None:
        self._cell_px = max(1, round(min(subject.shape) / _GRID_SIDE))
        share = self._reduced(subject.astype(np.float32))
        left, top, width, height = cv2.boundingRect((share >= _INSIDE).astype(np.uint8))
        self._corner = np.array([[left], [top]], np.float64)
        self._box = np.s_[top : top + max(height, 1), left : left + max(width, 1)]

    def colours(self, rgb: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.float32]:
        """CIELAB of a picture, blurred within a mask: (h, w, 3), NaN outside the mask."""
        share = self._reduced(where.astype(np.float32))[self._box]
        masked = self._reduced(cv2.copyTo(rgb, where.astype(np.uint8)).astype(np.float32))[
            self._box
        ]
        top, bottom = (cv2.GaussianBlur(values, (0, 0), _BLUR_CELLS) for values in (masked, share))
        smooth = top / np.maximum(bottom, 1e-3)[..., None] / 255
        colours: NDArray[np.float32] = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
        colours[share < _INSIDE] = np.nan
        return colours

    def in_frame(self, values: NDArray[np.float32], found: Registration) -> NDArray[np.float32]:
        """Values of the grid where the subject is in the frame, on cells of the same size."""
        linear, shift = found.subject.transform[:, :2], found.subject.transform[:, 2:]
        transform = np.hstack([linear, linear @ self._corner + shift / self._cell_px])
        height, width = found.frame_size
        placed: NDArray[np.float32] = cv2.warpAffine(
            values,
            transform,
            (max(1, width // self._cell_px), max(1, height // self._cell_px)),
            flags=cv2.INTER_NEAREST,
            borderValue=math.nan,
        )
        return placed

    def _reduced(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = values.shape[:2]
        size = (max(1, width // self._cell_px), max(1, height // self._cell_px))
        reduced: NDArray[np.float32] = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        return reduced


def _median(pictures: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The median of pictures (h, w, 3), NaN where all of them are unknown."""
    stack = np.stack(pictures)
    known = ~np.isnan(stack[..., 0]).all(axis=0)
    median = np.full(pictures[0].shape, np.nan, np.float32)
    median[known] = np.nanmedian(stack[:, known], axis=0)
    return median


def _surest(samples: list[_Sample]) -> list[_Sample]:
    """The samples whose placement is about as sure as the best one's."""
    best = max(one.agreement for one in samples)
    seen = [one for one in samples if one.agreement >= _HIDDEN * best]
    surest = max(one.confidence for one in seen)
    return [one for one in seen if one.confidence >= _UNSURE * surest]


def _combined(values: dict[str, float]) -> float:
    """The share of the way to another subject, in percent."""
    return 100 * (1 - math.exp(-sum(part.term(values[name]) for name, part in _PARTS.items())))


def _shifted(values: NDArray[np.float32], reach: int, *, fill: float) -> list[NDArray[np.float32]]:
    """An array (n, h, w) moved by up to `reach` places, by the fewest first.

    `fill` is where nothing is left.
    """
    padded = np.pad(values, ((0, 0), (reach, reach), (reach, reach)), constant_values=fill)
    _, height, width = values.shape
    side = range(2 * reach + 1)
    shifts = sorted(
        ((down, across) for down in side for across in side),
        key=lambda shift: max(abs(shift[0] - reach), abs(shift[1] - reach)),
    )
    return [padded[:, down : down + height, across : across + width] for down, across in shifts]


def _nearest(
    still: NDArray[np.float32], now: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The colours most like those of each place of the still: within one cell, and the tolerance.

    (h, w, 3) each, NaN where none is known. Chosen by the Euclidean distance in CIELAB, which is
    cheaper than CIEDE2000.
    """
    channels = np.ascontiguousarray(np.moveaxis(still, 2, 0))
    moved = _shifted(np.ascontiguousarray(np.moveaxis(now, 2, 0)), _TOLERANCE_CELLS, fill=math.nan)
    distances = np.stack([np.square(channels - shifted).sum(axis=0) for shifted in moved])
    distances[np.isnan(distances)] = np.inf
    choices = np.stack(moved)
    near, far = (
        np.take_along_axis(choices, distances[:count].argmin(axis=0)[None, None], axis=0)[0]
        for count in (_NEIGHBOURS, len(moved))
    )
    return np.moveaxis(near, 0, 2), np.moveaxis(far, 0, 2)


def _delta_e(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIEDE2000 of two CIELAB pictures (h, w, 3); NaN where either is not known."""
    known = np.isfinite(one[..., 0]) & np.isfinite(other[..., 0])
    distance = np.full(known.shape, np.nan, np.float32)
    distance[known] = deltaE_ciede2000(one[known], other[known])
    return distance


def _colour_parts(still: NDArray[np.float32], now: NDArray[np.float32]) -> tuple[float, float]:
    """The median distance and that of the worst tenth of the subject."""
    near, far = (_delta_e(still, match) for match in _nearest(still, now))
    known = np.sort(far[np.isfinite(far)])
    worst = known[-max(1, round(_WORST_SHARE * known.size)) :]
    return float(np.nanmedian(near)), float(worst.mean())


def _unlike(grey: NDArray[np.uint8], aligned: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """1 - the median local correlation of luma on the subject, 0..1."""
    now = cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY)
    correlation, _ = local_correlation(grey, now, where, window_px=_STRUCTURE_WINDOW_PX)
    return float(np.clip(1 - np.median(correlation[where]), 0, 1))


def _slope(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Median of the slopes between all pairs (Theil and Sen)."""
    from scipy.stats import theilslopes  # imported late: it is slow to load

    return float(theilslopes(values, times).slope)
