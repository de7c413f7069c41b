"""A still taken apart: the subject, and the ground behind it filled in."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.stills import framing
from lab.units import frame_size
from lab.vision import SubjectMask

SUBJECT_NEARNESS = 1.0
GROUND_NEARNESS = 0.4
_FILL_SIDE_PX = 240


@dataclass(frozen=True, eq=False)
class Scene:
    """Two layers on one canvas, and the frame's place on it.

    ground: (h, w, 3) uint8, the still with the subject taken out and what it hid filled in.
    subject: (h, w, 4) uint8, the subject's colours multiplied by its alpha, and that alpha; laid
    over the ground it gives the still back. frame_left and frame_top: the first frame's corner on
    the canvas, in canvas pixels, which are as large as frame pixels.
    """

    ground: NDArray[np.uint8]
    subject: NDArray[np.uint8]
    frame_left: int
    frame_top: int
    width_px: int
    height_px: int

    @classmethod
    def from_still(
        cls, rgb: NDArray[np.uint8], mask: SubjectMask, *, aspect_ratio: str, resolution: str
    ) -> Self:
        """Frame a still around its subject in a ratio and resolution, and split it in two."""
        return cls.framed(rgb, mask, *frame_size(aspect_ratio, resolution))

    @classmethod
    def framed(
        cls, rgb: NDArray[np.uint8], mask: SubjectMask, width_px: int, height_px: int
    ) -> Self:
        """The same for a frame of any size in pixels."""
        width, height = width_px, height_px
        crop = framing(mask.alpha, Fraction(width, height))
        scale_x, scale_y = width / crop.width, height / crop.height
        size = (round(rgb.shape[1] * scale_x), round(rgb.shape[0] * scale_y))
        enlarging = scale_x > 1
        canvas = cv2.resize(
            rgb, size, interpolation=cv2.INTER_CUBIC if enlarging else cv2.INTER_AREA
        )
        alpha = np.clip(cv2.resize(mask.alpha, size, interpolation=cv2.INTER_LINEAR), 0, 1)
        ground, subject = _apart(canvas, _filled(canvas, alpha), alpha)
        left = min(round(crop.left * scale_x), size[0] - width)
        top = min(round(crop.top * scale_y), size[1] - height)
        return cls(ground, subject, left, top, width, height)


def _filled(canvas: NDArray[np.uint8], alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The canvas with the subject filled in from around it (Telea 2004, on a small copy)."""
    height, width = alpha.shape
    small_scale = min(1.0, _FILL_SIDE_PX / min(height, width))
    small_size = (max(2, round(width * small_scale)), max(2, round(height * small_scale)))
    small = cv2.resize(canvas, small_size, interpolation=cv2.INTER_AREA)
    hole = (cv2.resize(alpha, small_size, interpolation=cv2.INTER_AREA) > 0.04).astype(np.uint8)
    hole = cv2.dilate(hole, np.ones((5, 5), np.uint8))
    if hole.all():
        return cv2.GaussianBlur(canvas, (0, 0), max(height, width) / 20)
    filled = cv2.inpaint(small, hole, 4, cv2.INPAINT_TELEA)
    filled = cv2.GaussianBlur(filled, (0, 0), 1.0)
    wide = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    # The seam lies outside the subject's soft edge, so no subject colour leaks into the ground.
    soft = cv2.resize(cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1.0), (width, height))
    return _mixed(wide, canvas, np.clip(soft * 1.2, 0, 1))


def _apart(
    canvas: NDArray[np.uint8], ground: NDArray[np.uint8], alpha: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Ground and subject layers that, laid together, are the canvas."""
    share = (alpha * 255).round().astype(np.uint8)
    # A subject cannot darken what shines through it. Where the canvas is darker than that, a
    # pixel that is nearly all ground makes the ground darker, any other hides more of it.
    faint = share < 64
    bound = cv2.divide(canvas, cv2.merge([255 - share] * 3), scale=255)
    ground = np.where(faint[..., None], cv2.min(ground, bound), ground)
    too_light = (cv2.subtract(_behind(ground, share), canvas) > 1).any(axis=2)
    let_through = cv2.divide(canvas, ground, scale=255)
    let_through[canvas >= ground] = 255
    share[too_light] = 255 - let_through.min(axis=2)[too_light]
    colours = cv2.subtract(canvas, _behind(ground, share))
    return ground, np.dstack([colours, share])


def _behind(ground: NDArray[np.uint8], share: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is seen of the ground through a subject of that alpha."""
    through = cv2.merge([255 - share] * 3)
    seen: NDArray[np.uint8] = cv2.multiply(ground, through, scale=1 / 255)
    return seen


def composite(ground: NDArray[np.uint8], subject: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a subject layer (colours already multiplied by alpha) over a ground of the same size."""
    laid: NDArray[np.uint8] = cv2.add(
        _behind(ground, np.ascontiguousarray(subject[..., 3])), subject[..., :3]
    )
    return laid


def _mixed(
    over: NDArray[np.uint8], under: NDArray[np.uint8], share: NDArray[np.float32]
) -> NDArray[np.uint8]:
    weight = share[..., None]
    return (over * weight + under * (1 - weight)).round().astype(np.uint8)
