"""A decoded picture as a player shows it: upright, with square pixels, in sRGB."""

from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from lab.media import colours

_WIDEST_PIXEL = 8  # times as wide as high, or the reverse; more is a broken header


def pixel_aspect_of(stream: VideoStream) -> Fraction | None:
    """Width to height of a pixel as a stream declares it; None if it does not."""
    declared = stream.sample_aspect_ratio  # of another type in each version of PyAV
    return Fraction(declared.numerator, declared.denominator) if declared else None


def shown_size(picture: VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Width and height in pixels, upright. pixel_aspect: width to height of a pixel."""
    width, height = _squared_size(picture, pixel_aspect)
    turned = _orientation(picture)[0]
    return (height, width) if turned else (width, height)


def remarks(picture: VideoFrame, pixel_aspect: Fraction | None) -> tuple[str, ...]:
    """What a player does with such pictures beyond decoding, and what disturbs their numbers."""
    found = [colours.remark(picture)]
    if _squared_size(picture, pixel_aspect) != (picture.width, picture.height):
        assert pixel_aspect is not None
        found.append(
            f"its pixels are {pixel_aspect.numerator}:{pixel_aspect.denominator}, "
            "so that it is scaled to its shown shape"
        )
    if picture.interlaced_frame:
        found.append("it is interlaced: combed edges look like warp; deinterlace it")
    return tuple(filter(None, found))


def upright_rgb(
    picture: VideoFrame,
    pixel_aspect: Fraction | None,
    short_side_px: int | None,
    reformatter: VideoReformatter,
) -> NDArray[np.uint8]:
    """The picture as (h, w, 3) uint8 sRGB, its shorter side reduced to at most `short_side_px`."""
    width, height = _squared_size(picture, pixel_aspect)
    scale = min(1.0, short_side_px / min(width, height)) if short_side_px else 1.0
    converts = colours.needs_conversion(picture)
    reduced = reformatter.reformat(
        picture,
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        format="rgb48le" if converts else "rgb24",
        src_colorspace=colours.source_matrix(picture),
        interpolation=Interpolation.AREA if scale < 1 else Interpolation.BILINEAR,
    )
    if converts:
        rgb = colours.as_srgb(np.asarray(reduced.to_ndarray(), np.uint16), picture)
    else:
        rgb = np.asarray(reduced.to_ndarray(), np.uint8)
    turned, flipped_rows, flipped_columns = _orientation(picture)
    if turned:
        rgb = rgb.transpose(1, 0, 2)
    rows, columns = (
        slice(None, None, -1 if flip else 1) for flip in (flipped_rows, flipped_columns)
    )
    return np.ascontiguousarray(rgb[rows, columns])


def _squared_size(picture: VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The stored width and height, the one that has too few pixels enlarged to square ones."""
    width, height = picture.width, picture.height
    if not pixel_aspect or not 1 / _WIDEST_PIXEL <= pixel_aspect <= _WIDEST_PIXEL:
        return width, height
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


def _orientation(picture: VideoFrame) -> tuple[bool, bool, bool]:
    """Whether to swap rows and columns, then to reverse the rows, then to reverse the columns.

    From the display matrix (ISO/IEC 14496-12, 8.3.2.3), which takes (x, y) to (ax + cy, bx + dy).
    """
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")  # PyAV's annotation is a mapping of text
    if matrix is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, b < 0, c < 0
    return False, d < 0, a < 0
