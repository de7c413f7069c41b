"""Drift: how far the subject has gone from the still."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from lab.errors import WeightsError
from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.moment import Moment
from lab.metrics.reference import Reference, Registration
from lab.vision import embed

_IGNORES = (
    "where the subject is, its size, its tilt and a turn of some degrees; the whole picture "
    "getting lighter or darker; being covered for a while"
)
_REFERENCE = "CIEDE2000 (Sharma et al. 2005) at places matched by SIFT (Lowe 2004) and dense flow"
_MIN_SEEN = 0.2  # share of the subject that must be in the frame
_MIN_GAIN = 0.25  # a frame darker or paler than this has too little colour left
_BLUR_PX = 1.5  # forgives being placed a pixel off, and the noise of compression
_END_S = 1.0
_IDENTITY_EVERY = 4  # samples
_MIN_SHARED = 0.6
_WINDOW_PX = (13, 13)
_MAX_PIXELS = 6000


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
        version=2,
        low=low,
        high=high,
        unnoticed=unnoticed,
        judged="." not in name,
    )


class Drift:
    """Colour distance of the subject from the still, in CIEDE2000 units."""

    specs = (
        _spec(
            "drift",
            "ΔE00",
            "colour distance of the subject from the still in the clip's last second (half of the "
            "clip, if shorter than two)",
            2.0,
        ),
        _spec(
            "drift.onset",
            "ΔE00",
            "the gap between the still and the clip's first second: what the model changed before "
            "anything moved",
            2.0,
        ),
        _spec("drift.proper", "ΔE00", "the last second less the first second", 2.0, -100.0),
        _spec("drift.between", "ΔE00", "mean change of the subject within half a second", 1.5),
        _spec("drift.worst", "ΔE00", "the largest distance that lasts for half a second", 2.0),
        _spec(
            "drift.slope",
            "ΔE00 per s",
            "how fast the distance grows",
            0.5,
            -math.inf,
            math.inf,
        ),
        _spec(
            "drift.structure",
            "share",
            "texture of the subject that is no longer that of the still, in the last second: 0 "
            "unchanged, 1 nothing in common",
            0.05,
            high=1.0,
        ),
        _spec(
            "drift.identity",
            "cosine distance",
            "how far the subject's features (MobileNetV2) are from the still's in the last second: "
            "0 the same, about 0.5 another subject",
            0.05,
            high=1.0,
        ),
    )

    def start(self, reference: Reference) -> "_DriftTracker":
        """Begin a clip; where the first frame stands in for a still, the result says so."""
        return _DriftTracker(reference)


class _DriftTracker:
    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._times: dict[int, float] = {}
        self._series: dict[str, dict[int, float]] = {
            name: {} for name in ("drift", "drift.between", "drift.structure", "drift.identity")
        }
        self._samples = 0
        self._lost = ""
        self._unnamed = ""
        self._colours: dict[int, NDArray[np.float32]] = {}
        self._inside = _halved(reference.subject.astype(np.float32)) > 0.5
        places = np.flatnonzero(self._inside)
        self._places = places[:: -(-places.size // _MAX_PIXELS) or 1]
        self._whole_still = _colours(reference.rgb, reference.subject)
        self._still = self._whole_still[self._places]

    def see(self, moment: Moment) -> Field | None:
        if moment.index == 0 and not self._reference.is_still:
            # Held against itself it would be 0, which says nothing about the clip.
            self._lost = "the clip is too short to be held against its own first frame"
            return None
        if moment.registration is None:
            self._lost = moment.lost or self._lost
            return None
        return self._sample(moment, moment.registration)

    def _sample(self, moment: Moment, found: Registration) -> Field | None:
        reference = self._reference
        inside = reference.subject & found.seen
        if inside.sum() < _MIN_SEEN * max(int(reference.subject.sum()), 1):
            self._lost = "the subject left the frame"
            return None
        if found.exposure[0] < _MIN_GAIN:
            self._lost = "the picture was too dark or too pale"
            return None
        sure = inside & found.flow.forward_valid
        if sure.sum() < _MIN_SEEN * inside.sum():
            sure = inside
        index = moment.index
        whole = _colours(found.laid, sure)
        colours = whole[self._places]
        known = _halved(sure.astype(np.float32)) > 0.5
        colours[~known.reshape(-1)[self._places]] = np.nan
        apart = _apart(self._still, colours)
        self._series["drift"][index] = float(np.nanmedian(apart))
        if self._colours:
            before = list(self._colours.values())[-2:][0]
            changed = _apart(before, colours)
            if not np.isnan(changed).all():
                self._series["drift.between"][index] = float(np.nanmedian(changed))
        self._colours[index] = colours
        self._series["drift.structure"][index] = _unlike(reference.grey, found.laid, inside)
        if self._samples % _IDENTITY_EVERY == 0 or moment.last:
            self._identify(index, found)
        self._samples += 1
        self._times[index] = moment.time_s
        self._forget(moment.time_s)
        return Field(index, self._seen_in_frame(whole, known, found))

    def _seen_in_frame(
        self, colours: NDArray[np.float32], known: NDArray[np.bool_], found: Registration
    ) -> NDArray[np.float32]:
        """Distance (ΔE*ab, cheaper and near enough for a picture) where the subject is now."""
        distance = np.linalg.norm(colours - self._whole_still, axis=1).reshape(known.shape)
        distance[~known] = np.nan
        # On half the size, half the shift.
        place = found.place * (1, 1, 0.5)
        height, width = found.frame_size
        placed: NDArray[np.float32] = cv2.warpAffine(
            distance,
            place,
            (width // 2, height // 2),
            flags=cv2.INTER_NEAREST,
            borderValue=math.nan,
        )
        return placed

    def _identify(self, index: int, found: Registration) -> None:
        """The distance of the features of what is visible in both pictures.

        Where most of the subject is found again, what a turn has hidden or shown is left out; where
        it is not, the subject may have become another one, and all of it counts.
        """
        whole = self._reference.mask.alpha * found.seen
        shared = whole * found.flow.forward_valid
        alpha = shared if shared.sum() >= _MIN_SHARED * whole.sum() else whole
        try:
            then, now = (embed(rgb, alpha) for rgb in (self._reference.rgb, found.laid))
        except WeightsError as error:
            self._unnamed = str(error)
        else:
            self._series["drift.identity"][index] = max(0.0, 1 - float(then @ now))

    def _forget(self, now_s: float) -> None:
        """Colours are needed of the first second and of the last."""
        begin_s = next(iter(self._times.values()))
        for index in list(self._colours):
            if begin_s + _END_S < self._times[index] < now_s - _END_S:
                del self._colours[index]

    def result(self) -> Measured:
        distance = self._series["drift"]
        if not distance:
            return absent(Drift.specs, self._lost or "no frame was seen")
        times = np.array(list(self._times.values()))
        values = np.array(list(distance.values()))
        structure = np.array(list(self._series["drift.structure"].values()))
        between = list(self._series["drift.between"].values())
        # A second at either end, or half of a clip too short for that, so that they never overlap.
        span_s = min(_END_S, (times[-1] - times[0]) / 2)
        apart = span_s > 0
        early, late = times <= times[0] + span_s, times >= times[-1] - span_s
        first, end = self._usual(early), self._usual(late)
        once = "" if apart else "seen only once, so nothing can have changed"
        apace = "" if between else once or "no place of the subject was seen twice in a row"
        onset = Score("drift.onset", first)
        notes = []
        if not self._reference.is_still:
            onset = Score("drift.onset", math.nan, "no still was given")
            notes.append(
                "drift is measured against the clip's first frame, because no still was given"
            )
        if not self._reference.mask.measured:
            mask = self._reference.mask
            notes.append(f"drift looks at the {mask.source}: {mask.note}")
        return Measured(
            (
                Score("drift", end),
                onset,
                Score("drift.proper", end - first if apart else math.nan, once),
                Score("drift.between", float(np.mean(between)) if between else math.nan, apace),
                Score("drift.worst", _lasting(values)),
                Score("drift.slope", _slope(times, values) if apart else math.nan, once),
                Score("drift.structure", float(np.median(structure[late]))),
                self._named(times[-1] - span_s),
            ),
            self._series,
            "; ".join(notes),
        )

    def _named(self, since_s: float) -> Score:
        """Distance of identity at the end."""
        late = [
            value
            for index, value in self._series["drift.identity"].items()
            if self._times[index] >= since_s
        ]
        if not late:
            return Score(
                "drift.identity", math.nan, self._unnamed or "the subject was not in sight"
            )
        return Score("drift.identity", float(np.median(late)))

    def _usual(self, when: NDArray[np.bool_]) -> float:
        """Distance of the subject's usual colours in a span: what only flickers is not drift."""
        chosen = [self._colours[index] for index in np.array(list(self._times))[when]]
        stack = np.stack(chosen)
        seen = ~np.isnan(stack).all(axis=0)
        usual = np.full(seen.shape, np.nan, stack.dtype)  # of places that were never in sight
        usual[seen] = np.nanmedian(stack[:, seen], axis=0)
        return float(np.nanmedian(_apart(self._still, usual)))


def _colours(rgb: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """CIELAB of a picture halved and blurred within a mask, (h * w, 3) float32."""
    share = _halved(where.astype(np.float32))
    kept = _halved(cv2.copyTo(rgb, where.astype(np.uint8)).astype(np.float32))
    top, bottom = (cv2.GaussianBlur(values, (0, 0), _BLUR_PX) for values in (kept, share))
    soft = cv2.divide(top, cv2.merge([cv2.max(bottom, 1e-3)] * 3), scale=1 / 255)
    colours: NDArray[np.float32] = cv2.cvtColor(soft, cv2.COLOR_RGB2LAB)
    return colours.reshape(-1, 3)


def _halved(values: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = values.shape[:2]
    size = (max(1, width // 2), max(1, height // 2))
    halved: NDArray[np.float32] = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return halved


def _apart(then: NDArray[np.float32], now: NDArray[np.float32]) -> NDArray[np.float64]:
    """CIEDE2000 between colours (n, 3); NaN where either is not known."""
    distance: NDArray[np.float64] = deltaE_ciede2000(then, now)
    return distance


def _unlike(grey: NDArray[np.uint8], laid: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """1 - local correlation of luma, weighted by the still's local variance."""
    then, now = (
        picture.astype(np.float32) for picture in (grey, cv2.cvtColor(laid, cv2.COLOR_RGB2GRAY))
    )

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        blurred: NDArray[np.float32] = cv2.blur(values, _WINDOW_PX)
        return blurred

    then, now = cv2.GaussianBlur(then, (0, 0), 1.0), cv2.GaussianBlur(now, (0, 0), 1.0)
    mean_then, mean_now = mean(then), mean(now)
    spread_then = np.clip(mean(then * then) - mean_then**2, 0, None)
    spread_now = np.clip(mean(now * now) - mean_now**2, 0, None)
    together = mean(then * now) - mean_then * mean_now
    alike = together / np.sqrt(spread_then * spread_now + 16.0)
    weight = spread_then * where
    return float(np.clip(1 - (alike * weight).sum() / max(float(weight.sum()), 1e-6), 0, 1))


def _lasting(values: NDArray[np.float64]) -> float:
    """The largest median of three neighbours: what only one sample saw is a passer-by."""
    if len(values) < 3:
        return float(np.max(values))
    return float(max(np.median(values[i : i + 3]) for i in range(len(values) - 2)))


def _slope(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Median of the slopes between all pairs (Theil and Sen)."""
    from scipy.stats import theilslopes  # here, for it takes long to load

    return float(theilslopes(values, times).slope)
