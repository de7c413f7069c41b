"""Which part of a still becomes the first frame."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

_HEADROOM = 0.04


@dataclass(frozen=True)
class Crop:
    """A rectangle of a still, in its own pixels."""

    left: int
    top: int
    width: int
    height: int

    def of(self, pixels: NDArray[Value]) -> NDArray[Value]:
        """The rectangle, cut out of an array whose first axes are height and width."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


def crop_to_ratio(
    width_px: int, height_px: int, ratio: Fraction, focus: tuple[float, float] = (0.5, 0.5)
) -> Crop:
    """The largest rectangle of that width:height ratio, as near to `focus` as the picture allows.

    focus: (x, y) as shares of width and height, 0..1.
    """
    if Fraction(width_px, height_px) > ratio:
        width, height = max(1, round(height_px * ratio)), height_px
    else:
        width, height = width_px, max(1, round(width_px / ratio))
    left = round(focus[0] * width_px - width / 2)
    top = round(focus[1] * height_px - height / 2)
    return Crop(
        left=min(max(left, 0), width_px - width),
        top=min(max(top, 0), height_px - height),
        width=width,
        height=height,
    )


def framing(alpha: NDArray[np.float32], ratio: Fraction) -> Crop:
    """The part of a still that becomes the first frame: around the subject of that mask, whole if
    it fits. One taller than the frame keeps its top, where heads are, with a little headroom.
    """
    height, width = alpha.shape
    total = float(alpha.sum()) or 1.0
    x = float((alpha.sum(axis=0) * (np.arange(width) + 0.5)).sum()) / total / width
    y = float((alpha.sum(axis=1) * (np.arange(height) + 0.5)).sum()) / total / height
    crop = crop_to_ratio(width, height, ratio, (x, y))
    box = extent(alpha)
    if box is None:
        return crop
    columns, rows = box
    # The last row itself may lie beyond the frame by one before the subject counts as taller.
    if rows[1] - 1 - rows[0] > crop.height:
        middle = rows[0] - _HEADROOM * crop.height + crop.height / 2
        return crop_to_ratio(width, height, ratio, (x, middle / height))
    return replace(
        crop,
        left=_holding(crop.left, crop.width, columns, width),
        top=_holding(crop.top, crop.height, rows, height),
    )


def extent(alpha: NDArray[np.floating]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The columns and the rows, (first, one past the last) each, of what a mask holds for sure;
    None when it holds nothing.
    """
    solid = alpha > 0.5
    spans = [np.nonzero(solid.any(axis=axis))[0] for axis in (0, 1)]
    if not spans[0].size:
        return None
    columns, rows = ((int(span[0]), int(span[-1]) + 1) for span in spans)
    return columns, rows


def _holding(start: int, length: int, held: tuple[int, int], whole: int) -> int:
    """Where a span begins so that it holds all of `held`, moved no further than it must."""
    if held[1] - held[0] > length:
        return start
    return min(max(start, held[1] - length, 0), held[0], whole - length)
