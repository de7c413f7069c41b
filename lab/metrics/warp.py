"""Warping: surfaces that wobble or lose their shape as no rigid thing under a camera would."""

import math
from collections.abc import Collection

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.contract import Field, Measured, MetricSpec, Score, absent
from lab.metrics.lost_texture import lost
from lab.metrics.moment import STRIDE_S, TOO_SMALL, Moment, Stride, stands
from lab.metrics.reference import Reference, Registration
from lab.units import diagonal_px
from lab.vision import (
    apply_affine,
    fit_affine,
    least_eigenvalue,
    length,
    masked_mean,
    robust_bound,
)

_IGNORES = "steady motion of any kind, camera shake (affine), cuts, hidden and shown places, size"
_REFERENCE = "acceleration residual of bidirectional dense flow, and where that flow is lost"
# The second difference of independent jitter has 6 times its variance.
_GAIN = math.sqrt(6)
_TEXTURE_DN2 = 16.0
_SMOOTH_SHARE = 1 / 32
_FOLDED = 0.2
_MIN_SURE = 0.08
_MIN_TRUST = 0.02
_MIN_SHARE = 0.002
_MIN_PLACES = 30  # of a layer; the median of fewer says little about its outliers
# A subject loses up to this share of its texture in a stride without anybody calling it warping:
# limbs, hair, light. Clean renders lose .00 to .02.
_LOST_ANYWAY = 0.15
# A wobble of 8 px of 256 leaves only the calmest places to be followed; what is lost moved at least
# as far as this quantile of them.
_LOST_QUANTILE = 0.95


def _spec(name: str, unit: str, says: str, unnoticed: float, *, version: int) -> MetricSpec:
    return MetricSpec(
        name=name,
        unit=unit,
        direction="lower",
        says=says,
        ignores=_IGNORES,
        reference=_REFERENCE,
        version=version,
        high=1000.0,
        unnoticed=unnoticed,
        judged="." not in name,
    )


class Warp:
    """Amplitude of non-rigid wobble in per mille of the frame diagonal."""

    specs = (
        _spec(
            "warp",
            "‰ of the diagonal",
            "rms amplitude of the wobble left when steady motion, camera shake and the subject's "
            "own rigid shake are taken out; subject and ground count the same, whatever their size",
            0.4,
            version=4,
        ),
        _spec("warp.subject", "‰ of the diagonal", "the same on the subject", 0.4, version=5),
        _spec(
            "warp.background", "‰ of the diagonal", "the same behind the subject", 0.4, version=5
        ),
        _spec("warp.worst", "‰ of the diagonal", "the same at the worst moment", 0.8, version=4),
        _spec(
            "warp.strain", "‰", "how much neighbouring places shear in that wobble", 4.0, version=4
        ),
        _spec(
            "warp.folds",
            "‰ of the area",
            "surface that folds over itself in a stride",
            1.0,
            version=3,
        ),
        _spec(
            "warp.shape",
            "‰ of the diagonal",
            "how far the subject's surface is bent from its shape in the still, at the end; a "
            "rigid turn is taken out",
            1.0,
            version=5,
        ),
    )

    def start(self, reference: Reference) -> "_WarpTracker":
        """Begin a clip."""
        return _WarpTracker()


class _WarpTracker:
    def __init__(self) -> None:
        self._series: dict[str, dict[int, float]] = {
            name: {} for name in ("warp", "subject", "background", "strain", "folds", "shape")
        }
        self._frames = 0
        self._held = 0
        self._strides = 0
        self._small = False
        self._coverage: list[float] = []

    def see(self, moment: Moment) -> Field | None:
        self._frames += 1
        self._held += moment.held
        self._small = moment.small
        if moment.registration is not None and not moment.registration.empty:
            bent = _bent(moment.registration)
            if bent is not None:
                self._series["shape"][moment.index] = bent
        stride = moment.stride
        if stride is None:
            return None
        self._strides += 1
        if stride.joined:
            self._series["folds"][stride.start_index] = 1000 * _folded(stride)
        if stride.before is None or stride.before.flow.forward.shape != stride.flow.forward.shape:
            return None
        if stride.jump or stride.before.jump:
            return None
        return self._wobble(stride.before, stride)

    def _wobble(self, into: Stride, after: Stride) -> Field | None:
        believed = (into.flow.backward_valid & after.flow.forward_valid).astype(np.uint8)
        # Flow bleeds across the borders of moving things; a band there is left out.
        valid = cv2.erode(believed, np.ones((5, 5), np.uint8)).astype(bool)
        if valid.mean() < _MIN_SURE:
            return None
        h1, h2 = into.seconds, after.seconds
        mean_s = (h1 + h2) / 2
        # Displacement per stride squared, for strides of unequal length too.
        acceleration = cv2.addWeighted(
            after.flow.forward, mean_s / h2, into.flow.backward, mean_s / h1, 0
        )
        # Wobble is smooth: it is looked at on a quarter of the size, each place by its trust.
        height, width = valid.shape
        texture = _texture(after.grey)
        near, trust = _reduced(acceleration, valid * texture)
        sure = trust > _MIN_TRUST
        if not sure.any():
            return None
        self._coverage.append(float(valid.mean()))
        subject = _small(after.subject, sure.shape) > 0.5
        layers = {"subject": subject, "background": ~subject}
        smooth, weight = _smoothed(
            _unsteady(near, sure, layers.values()), trust, min(height, width)
        )
        scale = 1000 / diagonal_px(width, height) / _GAIN * (STRIDE_S / mean_s)
        size = length(smooth) * scale
        squares = {
            name: float((size**2 * weight)[layer].sum() / weight[layer].sum())
            for name, layer in layers.items()
            if (weight * layer).mean() > _MIN_SHARE
        }
        shown = np.where(sure, size, np.nan).astype(np.float32)
        followed = size[subject & (weight > _MIN_TRUST)]
        if "subject" in squares and followed.size:
            share, gone = _lost_share(texture, lost(into, after), subject)
            if share > 0:
                beyond = float(np.quantile(followed, _LOST_QUANTILE))
                squares["subject"] += share * max(beyond**2 - squares["subject"], 0.0)
                shown[gone] = beyond
        index = after.start_index
        for name, square in squares.items():
            self._series[name][index] = math.sqrt(square)
        if squares:
            self._series["warp"][index] = math.sqrt(np.mean(list(squares.values())))
        shear = _shear(smooth) * (STRIDE_S / mean_s) / _GAIN * weight.shape[0] / height
        strain = math.sqrt(float((shear**2 * weight).sum() / weight.sum()))
        self._series["strain"][index] = 1000 * strain
        return Field(index, shown)

    def result(self) -> Measured:
        wobble = self._series["warp"]
        held = self._frames >= 3 and stands(self._frames, self._held)
        if not wobble and not held:
            reason = "no two neighbouring strides could be followed (cuts, or motion too large)"
            if self._small:
                reason = TOO_SMALL
            elif self._strides < 2:
                reason = "needs three moments an eighth of a second apart"
            return absent(Warp.specs, reason)
        scores = []
        for spec in Warp.specs:
            part = spec.name.partition(".")[2] or "warp"
            if not wobble and part != "shape":
                scores.append(Score(spec.name, 0.0))
                continue
            if part == "worst":
                scores.append(Score(spec.name, max(wobble.values())))
                continue
            values = list(self._series[part].values())
            if not values:
                hidden = "ground" if part == "background" else "subject"
                scores.append(Score(spec.name, math.nan, f"the {hidden} was not in sight"))
            elif part == "shape":
                scores.append(Score(spec.name, float(np.median(values[-3:]))))
            elif part == "folds":
                scores.append(Score(spec.name, float(np.mean(values))))
            else:
                scores.append(Score(spec.name, math.sqrt(float(np.mean(np.square(values))))))
        series = {
            "warp" if part == "warp" else f"warp.{part}": values
            for part, values in self._series.items()
        }
        note = "" if wobble else "warp is 0 because one picture is held throughout"
        # How much of the picture the flow followed.
        confidence = float(np.mean(self._coverage)) if self._coverage else 1.0
        return Measured(tuple(scores), series, note).with_confidence(confidence)


def _unsteady(
    acceleration: NDArray[np.float32],
    sure: NDArray[np.bool_],
    layers: Collection[NDArray[np.bool_]],
) -> NDArray[np.float32]:
    """Acceleration without the part that shakes a whole layer, and without outliers.

    What moves far more than the rest of its layer is something that passes by. A bound from the
    whole picture would cut the wobble of a small subject to what the calm ground does.
    """
    unsteady = acceleration.copy()
    for layer in layers:
        places = sure & layer
        shake = fit_affine(acceleration, places)
        if shake is None:
            shake = fit_affine(acceleration, sure)
        if shake is not None:
            unsteady[places] -= apply_affine(shake, *sure.shape)[places]
    size = length(unsteady)
    everywhere = _bound(size[sure])
    for layer in layers:
        places = sure & layer
        bound = _bound(size[places]) if places.sum() >= _MIN_PLACES else everywhere
        unsteady[layer] *= np.minimum(1, bound / np.maximum(size[layer], 1e-6))[:, None]
    return unsteady


def _bound(sizes: NDArray[np.float32]) -> float:
    return robust_bound(sizes, times=4.0, least=0.1)


def _lost_share(
    texture: NDArray[np.float32], missing: NDArray[np.bool_], subject: NDArray[np.bool_]
) -> tuple[float, NDArray[np.bool_]]:
    """The share of the subject's texture that is lost beyond the usual, 0..1, and where.

    texture, missing: (h, w). subject, and the places: of a smaller size.
    """
    here = _small(texture, subject.shape) * subject
    gone = _small(texture * missing, subject.shape) * subject
    if here.mean() <= _MIN_SHARE:
        return 0.0, np.zeros(subject.shape, bool)
    share = (float(gone.sum() / here.sum()) - _LOST_ANYWAY) / (1 - _LOST_ANYWAY)
    return max(share, 0.0), (gone > 0.5 * here) & (here > _MIN_TRUST)


def _small(field: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Mean of a (h, w) field around each place of a smaller one."""
    small: NDArray[np.float32] = cv2.resize(field, shape[::-1], interpolation=cv2.INTER_AREA)
    return small


def _texture(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How well a place can be followed, 0..1: by the weaker direction of its gradients."""
    luma = grey.astype(np.float32)
    weaker = least_eigenvalue(luma, (9, 9))
    trusted: NDArray[np.float32] = weaker / (weaker + _TEXTURE_DN2)
    return trusted


def _reduced(
    field: NDArray[np.float32], trust: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Trusted mean of a (h, w, 2) field on a quarter of its size, and the trust there."""
    height, width = trust.shape
    small = (max(8, width // 4), max(8, height // 4))
    weight = cv2.resize(trust, small, interpolation=cv2.INTER_AREA)
    top = cv2.resize(
        cv2.multiply(field, cv2.merge([trust, trust])), small, interpolation=cv2.INTER_AREA
    )
    return top / np.maximum(weight, 1e-6)[..., None], weight


def _smoothed(
    field: NDArray[np.float32], trust: NDArray[np.float32], side_px: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Trusted mean around each place of a reduced field, and the trust there."""
    sigma = side_px * _SMOOTH_SHARE / 4
    top, bottom = (
        cv2.GaussianBlur(values, (0, 0), sigma) for values in (field * trust[..., None], trust)
    )
    return top / np.maximum(bottom, 1e-4)[..., None], bottom


def _shear(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shear strain of a displacement field, per pixel of it."""
    (ux_y, ux_x), (uy_y, uy_x) = (np.gradient(field[..., axis]) for axis in range(2))
    sheared: NDArray[np.float32] = 0.5 * np.hypot(ux_x - uy_y, ux_y + uy_x)
    return sheared


def _folded(stride: Stride) -> float:
    """Share of the area whose flow squeezes it to a fifth or turns it over."""
    flow, valid = stride.flow.forward, stride.flow.forward_valid
    (ux_y, ux_x), (uy_y, uy_x) = (np.gradient(flow[..., axis]) for axis in range(2))
    area = (1 + ux_x) * (1 + uy_y) - ux_y * uy_x
    return masked_mean(np.where(area < _FOLDED, np.float32(1), np.float32(0)), valid)


def _bent(registration: Registration) -> float | None:
    """rms displacement of the subject's surface that no affine motion explains, in ‰."""
    flow = registration.flow
    reference = registration.reference
    inner = cv2.erode(reference.subject.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    subject = flow.forward_valid & registration.subject.inside & inner
    if subject.sum() < 0.2 * max(int(reference.subject.sum()), 1):
        return None
    rigid = fit_affine(flow.forward, subject)
    if rigid is None:
        return None
    height, width = reference.grey.shape
    rest = cv2.subtract(flow.forward, apply_affine(rigid, height, width))
    near, trust = _reduced(rest, subject * _texture(reference.grey))
    smooth, weight = _smoothed(near, trust, min(height, width))
    share = weight * _small(subject.astype(np.float32), weight.shape)
    # A rigid thing that turns moves its surface along one direction (the affine epipolar
    # constraint; Koenderink and van Doorn 1991). What is left across it is a change of shape.
    flat = smooth.reshape(-1, 2).astype(np.float64)
    spread = (flat * share.reshape(-1, 1)).T @ flat / max(float(share.sum()), 1e-9)
    across = max(float(np.linalg.eigvalsh(spread)[0]), 0.0)
    return 1000 * math.sqrt(2 * across) / diagonal_px(width, height)
