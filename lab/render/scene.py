"""Split a still into a subject layer and an inpainted background layer."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.stills import framing
from lab.units import frame_size
from lab.vision import SubjectMask

SUBJECT_INVERSE_DEPTH = 1.0
BACKGROUND_INVERSE_DEPTH = 0.4
_INPAINT_SIDE_PX = 240


@dataclass(frozen=True, eq=False)
class Scene:
    """Two layers on one canvas, and the position of the frame on it.

    background: (h, w, 3) uint8, the still with the subject's area inpainted. subject: (h, w, 4)
    uint8, RGBA with premultiplied alpha; composited over the background it gives the still.
    frame_left, frame_top: top left corner of the first frame on the canvas. Canvas and frame have
    the same scale.
    """

    background: NDArray[np.uint8]
    subject: NDArray[np.uint8]
    frame_left: int
    frame_top: int
    width_px: int
    height_px: int

    @classmethod
    def from_still(
        cls, rgb: NDArray[np.uint8], mask: SubjectMask, *, aspect_ratio: str, resolution: str
    ) -> Self:
        """Crop a still around its subject to a ratio and resolution, and split it into layers."""
        return cls.framed(rgb, mask, *frame_size(aspect_ratio, resolution))

    @classmethod
    def framed(
        cls, rgb: NDArray[np.uint8], mask: SubjectMask, width_px: int, height_px: int
    ) -> Self:
        """Like `from_still`, for a frame of any size in pixels."""
        width, height = width_px, height_px
        crop = framing(mask.alpha, Fraction(width, height))
        scale_x, scale_y = width / crop.width, height / crop.height
        size = (round(rgb.shape[1] * scale_x), round(rgb.shape[0] * scale_y))
        enlarging = scale_x > 1
        canvas = cv2.resize(
            rgb, size, interpolation=cv2.INTER_CUBIC if enlarging else cv2.INTER_AREA
        )
        alpha = np.clip(cv2.resize(mask.alpha, size, interpolation=cv2.INTER_LINEAR), 0, 1)
        background, subject = _split_layers(canvas, _inpaint_subject(canvas, alpha), alpha)
        left = min(round(crop.left * scale_x), size[0] - width)
        top = min(round(crop.top * scale_y), size[1] - height)
        return cls(background, subject, left, top, width, height)


def _inpaint_subject(canvas: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Inpaint the subject from its surroundings (Telea 2004, on a reduced copy)."""
    height, width = alpha.shape
    small_scale = min(1.0, _INPAINT_SIDE_PX / min(height, width))
    small_size = (max(2, round(width * small_scale)), max(2, round(height * small_scale)))
    small = cv2.resize(canvas, small_size, interpolation=cv2.INTER_AREA)
    hole = (cv2.resize(alpha, small_size, interpolation=cv2.INTER_AREA) > 0.04).astype(np.uint8)
    hole = cv2.dilate(hole, np.ones((5, 5), np.uint8))
    if hole.all():
        return cv2.GaussianBlur(canvas, (0, 0), max(height, width) / 20)
    inpainted = cv2.inpaint(small, hole, 4, cv2.INPAINT_TELEA)
    inpainted = cv2.GaussianBlur(inpainted, (0, 0), 1.0)
    enlarged = cv2.resize(inpainted, (width, height), interpolation=cv2.INTER_CUBIC)
    # The seam lies outside the subject's soft edge, so no subject colour leaks into the background.
    weight = cv2.resize(cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1.0), (width, height))
    return _blend(enlarged, canvas, np.clip(weight * 1.2, 0, 1))


def _split_layers(
    canvas: NDArray[np.uint8], background: NDArray[np.uint8], alpha: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Background and subject layers that composite to the canvas."""
    alpha_u8 = (alpha * 255).round().astype(np.uint8)
    # Compositing only adds light, so the attenuated background must not exceed the canvas. Where
    # it does, darken the background if alpha is low; otherwise raise alpha.
    low_alpha = alpha_u8 < 64
    bound = cv2.divide(canvas, cv2.merge([255 - alpha_u8] * 3), scale=255)
    background = np.where(low_alpha[..., None], cv2.min(background, bound), background)
    too_bright = (cv2.subtract(_attenuated(background, alpha_u8), canvas) > 1).any(axis=2)
    transmission = cv2.divide(canvas, background, scale=255)
    transmission[canvas >= background] = 255
    alpha_u8[too_bright] = 255 - transmission.min(axis=2)[too_bright]
    colours = cv2.subtract(canvas, _attenuated(background, alpha_u8))
    return background, np.dstack([colours, alpha_u8])


def _attenuated(background: NDArray[np.uint8], alpha_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The background multiplied by 1 - alpha of the subject; `alpha_u8` is that alpha, 0..255."""
    transmission = cv2.merge([255 - alpha_u8] * 3)
    attenuated: NDArray[np.uint8] = cv2.multiply(background, transmission, scale=1 / 255)
    return attenuated


def composite(background: NDArray[np.uint8], subject: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite a subject layer with premultiplied alpha over a background of the same size."""
    combined: NDArray[np.uint8] = cv2.add(
        _attenuated(background, np.ascontiguousarray(subject[..., 3])), subject[..., :3]
    )
    return combined


def _blend(
    over: NDArray[np.uint8], under: NDArray[np.uint8], weight: NDArray[np.float32]
) -> NDArray[np.uint8]:
    weight = weight[..., None]
    return (over * weight + under * (1 - weight)).round().astype(np.uint8)
