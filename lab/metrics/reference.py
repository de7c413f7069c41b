"""What the metrics need to know of the still, and a frame laid back over it."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision import (
    FlowPair,
    Keypoints,
    SubjectMask,
    backward_warp,
    biweight,
    find_keypoints,
    flow_both_ways,
    similarity,
    subject_mask,
)

ANALYSIS_SIDE_PX = 256
MIN_SIDE_PX = 16  # of what flow can be found on
_MIN_FIT_PX = 400
_FIT_ROUNDS = 4
_LEAST_GAIN = 0.05
_EMPTY_SHARE = 0.25  # of the still's contrast: black, white, or nearly


@dataclass(frozen=True, eq=False)
class Reference:
    """The picture a clip should stay true to, at analysis size.

    rgb: (h, w, 3) uint8; mask: its subject; keypoints of the whole picture. is_still: False when
    the clip's own first frame stands in for a still that was not given.
    """

    rgb: NDArray[np.uint8]
    mask: SubjectMask
    keypoints: Keypoints
    is_still: bool

    @classmethod
    def of(cls, rgb: NDArray[np.uint8], *, is_still: bool) -> "Reference":
        """Study a picture of any size."""
        scale = ANALYSIS_SIDE_PX / min(rgb.shape[:2])
        small = rgb
        if scale < 1:
            small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = find_keypoints(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        return cls(small, subject_mask(small), found, is_still)

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Luma, (h, w) uint8."""
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)

    @cached_property
    def subject(self) -> NDArray[np.bool_]:
        """Where the subject is, (h, w)."""
        return self.mask.alpha > 0.5

    @cached_property
    def on_subject(self) -> Keypoints:
        """The keypoints that lie on the subject."""
        return self.keypoints.on(self.mask.alpha > 0.3)


class Registration:
    """A frame laid over the reference: first by one similarity, then by dense flow.

    place: the (2, 3) similarity from the reference's pixels to the frame's. brought: the frame
    under it, (h, w, 3) uint8 of the reference's size. frame_size: the frame's (h, w). seen: where
    the frame reaches, (h, w) bool.
    """

    def __init__(
        self, reference: Reference, rgb: NDArray[np.uint8], place: NDArray[np.float64]
    ) -> None:
        """rgb: the frame, (height, width, 3) uint8 at analysis size."""
        self.reference = reference
        self.place = place
        self.frame_size = rgb.shape[:2]
        height, width = reference.rgb.shape[:2]
        size = (width, height)
        self.brought: NDArray[np.uint8] = cv2.warpAffine(
            rgb,
            place,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        frame_area = np.full(rgb.shape[:2], 255, np.uint8)
        nearest = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        self.seen: NDArray[np.bool_] = cv2.warpAffine(frame_area, place, size, flags=nearest) > 0

    @cached_property
    def flow(self) -> FlowPair:
        """From the reference to `brought`: what one similarity does not explain."""
        brought = cv2.cvtColor(self.brought, cv2.COLOR_RGB2GRAY)
        return flow_both_ways(self.reference.grey, brought, far=False)

    @cached_property
    def laid(self) -> NDArray[np.uint8]:
        """The frame laid exactly over the reference, its exposure matched: (h, w, 3) uint8."""
        gain, offset = self.exposure
        values = np.arange(256, dtype=np.float64)
        table = np.clip(np.rint((values - offset) / gain), 0, 255).astype(np.uint8)
        return cv2.LUT(backward_warp(self.brought, self.flow.forward), table)

    @cached_property
    def exposure(self) -> tuple[float, float]:
        """Gain and offset (code values) from the reference's luma to the frame's.

        Fitted where the ground is found again, or the whole picture where there is little ground:
        a subject that alone gets lighter has changed. Least squares under Tukey's biweight.
        """
        laid = backward_warp(cv2.cvtColor(self.brought, cv2.COLOR_RGB2GRAY), self.flow.forward)
        sure = self.flow.forward_valid & self.seen
        ground = sure & (self.reference.mask.alpha < 0.2)
        chosen = ground if ground.sum() >= _MIN_FIT_PX else sure
        if chosen.sum() < _MIN_FIT_PX:
            return 1.0, 0.0
        pictures = (self.reference.grey, laid)
        then, now = (picture[chosen][::3].astype(np.float64) for picture in pictures)
        basis = np.stack([then, np.ones(then.size)], axis=1)
        weight = np.ones(then.size)
        gain, offset = 1.0, 0.0
        for _ in range(_FIT_ROUNDS):
            weighted = basis * weight[:, None]
            gain, offset = np.linalg.lstsq(weighted.T @ basis, weighted.T @ now, rcond=None)[0]
            miss = now - gain * then - offset
            weight = biweight(np.abs(miss), least=1.0)
        empty = gain <= _LEAST_GAIN and now.std() < _EMPTY_SHARE * then.std()
        # Flat ground tells an offset from a gain badly; then only the offset is believed.
        if then.std() < 8 or not (empty or _LEAST_GAIN < gain < 4):
            return 1.0, float(np.median(now - then))
        return max(float(gain), _LEAST_GAIN), float(offset)


def register(
    reference: Reference,
    rgb: NDArray[np.uint8],
    guess: NDArray[np.float64] | None,
    *,
    search: bool = True,
) -> Registration | None:
    """Find the reference again in a frame (height, width, 3) uint8 at analysis size.

    The subject's keypoints decide, or the whole picture's, or the guess: the place it had a moment
    ago. Without search the guess is taken at once. None when there is none of the three, or the
    reference is too small for flow.
    """
    if min(reference.rgb.shape[:2]) < MIN_SIDE_PX:
        return None
    if search or guess is None:
        found = find_keypoints(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        for known in (reference.on_subject, reference.keypoints):
            place = similarity(known, found)
            if place is not None:
                return Registration(reference, rgb, place)
    return None if guess is None else Registration(reference, rgb, guess)
