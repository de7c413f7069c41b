"""The still at analysis size, and frames aligned with it."""

import math
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision import (
    LIKENESS_WINDOW_PX,
    Borders,
    FlowPair,
    Keypoints,
    Placement,
    RegionTrack,
    SubjectMask,
    backward_warp,
    biweight,
    find_borders,
    find_keypoints,
    structure_agreement,
    subject_mask,
)

ANALYSIS_SIDE_PX = 256
MIN_SIDE_PX = 16  # of what flow can be found on
_MIN_GROUND_PX = 400
_GROUND_ALPHA = 0.2
_FIT_REDUCTION = 4  # averages what one similarity leaves of parallax and movement in the ground
_SHARED = 0.9  # of a reduced pixel
_FIT_ROUNDS = 4
_LEAST_GAIN, _MOST_GAIN = 0.05, 4.0
_MIN_GAIN = 0.25  # below it, little is left of 8-bit colours
_FLAT_DN = 8.0
_MIN_CORRELATION = 0.9  # of luma on the ground; the fitted gain is then at most a tenth too low
_EMPTY_SHARE, _DARK_DN, _PALE_DN = 0.25, 32, 223  # of the still's contrast: black or white


@dataclass(frozen=True, eq=False)
class Reference:
    """The picture a clip should stay true to, at analysis size.

    rgb: (h, w, 3) uint8; mask: its subject; keypoints of the whole picture. is_still: False when
    the clip's own first frame stands in for a still that was not given. borders: those of the
    still, which are left out.
    """

    rgb: NDArray[np.uint8]
    mask: SubjectMask
    keypoints: Keypoints
    is_still: bool
    borders: Borders = field(default_factory=Borders)

    @classmethod
    def of(cls, rgb: NDArray[np.uint8], *, is_still: bool) -> "Reference":
        """Study a picture of any size."""
        small = _at_analysis_size(rgb)
        borders = find_borders([small]) if is_still else Borders()
        if borders:
            small = _at_analysis_size(rgb[borders.inside(*rgb.shape[:2])])
        found = find_keypoints(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        return cls(small, subject_mask(small), found, is_still, borders)

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Luma, (h, w) uint8."""
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)

    @cached_property
    def subject(self) -> NDArray[np.bool_]:
        """The subject's pixels, (h, w); the whole picture where no subject was recognised."""
        if not self.mask.measured:
            return np.ones(self.grey.shape, np.bool_)
        return self.mask.alpha > 0.5

    @cached_property
    def ground(self) -> NDArray[np.bool_] | None:
        """The pixels behind the subject, (h, w); None where there are too few to follow."""
        ground = self.mask.alpha < _GROUND_ALPHA
        if not self.mask.measured or ground.sum() < _MIN_GROUND_PX:
            return None
        return ground

    def subject_track(self) -> RegionTrack:
        """A new track of the subject."""
        return RegionTrack(self.rgb, self.subject, self.keypoints, whole=self.mask.measured)

    def ground_track(self) -> RegionTrack | None:
        """A new track of the ground; None where there is too little of it."""
        if self.ground is None:
            return None
        return RegionTrack(self.rgb, self.ground, self.keypoints, whole=False)


class Registration:
    """A frame aligned with the reference: by the subject's similarity, then by dense flow.

    subject, ground: where these are in the frame; ground is None where there is too little of it.
    frame_size: the frame's (h, w). exposure: gain and offset (code values) from the reference's
    luma to the frame's; None where too little is found again, or another picture. aligned: the
    frame on the reference's pixels with the reference's exposure, (h, w, 3) uint8.
    """

    def __init__(
        self,
        reference: Reference,
        rgb: NDArray[np.uint8],
        *,
        subject: Placement,
        ground: Placement | None,
    ) -> None:
        """rgb: the frame, (height, width, 3) uint8 at analysis size."""
        self.reference = reference
        self.subject = subject
        self.ground = ground
        self.frame_size = rgb.shape[:2]
        self.exposure = self._exposure()
        self.aligned = self._matched(self._with_flow())

    @property
    def flow(self) -> FlowPair:
        """From the reference to the registered frame: what the similarity does not explain."""
        return self.subject.residual

    def _with_flow(self) -> NDArray[np.uint8]:
        """The registered frame, moved by the dense flow where the subject is then more alike.

        A small subject whose ground moves against it can be pulled along by the ground's flow.
        """
        warped = backward_warp(self.subject.registered, self.flow.forward)
        likeness = structure_agreement(
            self.reference.grey,
            cv2.cvtColor(warped, cv2.COLOR_RGB2GRAY),
            self.reference.subject & self.subject.inside,
            window_px=LIKENESS_WINDOW_PX,
        )
        return warped if likeness >= self.subject.likeness else self.subject.registered

    @property
    def ground_matched(self) -> NDArray[np.uint8]:
        """The frame registered by the ground, with the reference's exposure, (h, w, 3) uint8."""
        assert self.ground is not None
        return self._matched(self.ground.registered)

    def _matched(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture with the reference's exposure; as it is where the exposure is not known."""
        if self.exposure is None:
            return rgb
        gain, offset = self.exposure
        values = np.arange(256, dtype=np.float64)
        table = np.clip(np.rint((values - offset) / gain), 0, 255).astype(np.uint8)
        return cv2.LUT(rgb, table)

    def _exposure(self) -> tuple[float, float] | None:
        """Fitted on the ground, because a subject that alone gets lighter has changed; on the whole
        picture where there is too little ground, or only plain ground. Least squares under Tukey's
        biweight, on reduced pictures.
        """
        frame = cv2.cvtColor(self.subject.registered, cv2.COLOR_RGB2GRAY)
        full = float(self.reference.grey.std())
        dark_or_pale = not _DARK_DN < frame.mean() < _PALE_DN
        if full > _FLAT_DN and frame.std() < full * (_EMPTY_SHARE if dark_or_pale else _LEAST_GAIN):
            return _LEAST_GAIN, float(frame.mean())  # nothing is left to align
        ground = self.reference.ground
        then, now = np.zeros(0), np.zeros(0)
        if self.ground is not None and ground is not None:
            then, now = self._luma_pairs(self.ground, ground)
        if not then.size or then.std() < _FLAT_DN:
            everywhere = np.ones(self.reference.grey.shape, np.bool_)
            then, now = self._luma_pairs(self.subject, everywhere)
        if not then.size:
            return None
        # A flat picture tells an offset from a gain badly; then only the offset is believed.
        if then.std() < _FLAT_DN:
            return 1.0, float(np.median(now - then))
        gain, offset, correlation = _fitted_line(then, now)
        # Another ground lowers the slope of a least-squares line by the correlation.
        if correlation < _MIN_CORRELATION or not _LEAST_GAIN < gain < _MOST_GAIN:
            return None
        return gain, offset

    @property
    def empty(self) -> bool:
        """True for a frame that is black, white or plain, or so nearly that colours are lost."""
        return self.exposure is not None and self.exposure[0] < _MIN_GAIN

    def _luma_pairs(
        self, placed: Placement, where: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Luma of the reference and of a registered frame at the same places, (n,) each.

        Empty where too little is found again.
        """
        aligned = cv2.cvtColor(placed.registered, cv2.COLOR_RGB2GRAY)
        seen = where & placed.inside
        if not placed.followed:  # else the reduction averages what the similarity leaves
            aligned = backward_warp(aligned, placed.residual.forward)
            seen &= placed.residual.forward_valid
        shared = _reduced(seen.astype(np.float32)) > _SHARED
        if shared.sum() * _FIT_REDUCTION**2 < _MIN_GROUND_PX:
            return np.zeros(0), np.zeros(0)
        then, now = (
            _reduced(picture.astype(np.float32))[shared].astype(np.float64)
            for picture in (self.reference.grey, aligned)
        )
        return then, now


def _fitted_line(then: NDArray[np.float64], now: NDArray[np.float64]) -> tuple[float, float, float]:
    """Gain and offset of the robust line from one luma to another, and the correlation."""
    basis = np.stack([then, np.ones(then.size)], axis=1)
    weight = np.ones(then.size)
    gain, offset = 1.0, 0.0
    for _ in range(_FIT_ROUNDS):
        weighted = basis * weight[:, None]
        gain, offset = np.linalg.lstsq(weighted.T @ basis, weighted.T @ now, rcond=None)[0]
        residual = now - gain * then - offset
        weight = biweight(np.abs(residual), least=1.0)
    (first, product), (_, second) = np.cov(then, now, aweights=np.maximum(weight, 1e-9))
    correlation = product / max(math.sqrt(first * second), 1e-9)
    return float(gain), float(offset), float(correlation)


def _reduced(values: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = values.shape
    size = (max(1, width // _FIT_REDUCTION), max(1, height // _FIT_REDUCTION))
    reduced: NDArray[np.float32] = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return reduced


def _at_analysis_size(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture at analysis size; never enlarged."""
    scale = ANALYSIS_SIDE_PX / min(rgb.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(rgb)
    reduced: NDArray[np.uint8] = cv2.resize(
        rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    return reduced
