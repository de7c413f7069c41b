"""How well a picture was taken and kept: detail, noise, JPEG blocks, clipping."""

import cv2
import numpy as np
from numpy.typing import NDArray

WINDOW_PX = 1024  # the middle of a larger picture stands for it
_TILE_PX = 16
_SOFT_SCALE = 3.0
_SIZES = 3
_LEAST_SIDE_PX = 64
_JPEG_BLOCK_PX = 8
_OWN_EDGE = 24  # a step in luma beyond this is an edge of the picture's own


def detail_beyond(grey: NDArray[np.uint8], scale: float) -> float:
    """Share of the finest detail that is lost when the picture is reduced `scale` times, 0..1.

    Low when there is no detail finer than that: the picture is soft, or was enlarged. Energy of the
    Laplacian before and of what reducing and enlarging again takes away, in the tenth of the tiles
    that have most of it, so that a soft ground does not count. grey: (h, w) uint8. 1 for a picture
    with no detail to judge by.
    """
    height, width = grey.shape
    picture = grey.astype(np.float32)
    size = (max(2, round(width / scale)), max(2, round(height / scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    again = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    there, lost = (
        (_tiles(cv2.Laplacian(each, cv2.CV_32F)) ** 2).mean(axis=(1, 2))
        for each in (picture, picture - again)
    )
    finest = there >= np.percentile(there, 90)
    if there[finest].mean() < 1:
        return 1.0
    return min(1.0, float(lost[finest].mean() / there[finest].mean()))


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Share of the finest detail that reducing three times takes away, 0..1; low when soft.

    The least over the picture, its half and its quarter: where a strong blur has left nothing at a
    picture's own size but the rounding of its values, the blur still shows in a smaller copy.
    """
    found = [detail_beyond(grey, _SOFT_SCALE)]
    while min(grey.shape) >= 2 * _LEAST_SIDE_PX and len(found) < _SIZES:
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        found.append(detail_beyond(grey, _SOFT_SCALE))
    return min(found)


def noise(grey: NDArray[np.uint8]) -> float:
    """Standard deviation of grain in code values, from where there is least else to see.

    The mask of Immerkær (Computer Vision and Image Understanding, 1996) takes out what is smooth;
    of what it leaves in tiles that are not clipped, the twentieth percentile. grey: (h, w) uint8.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    rest = cv2.filter2D(grey, cv2.CV_32F, mask, borderType=cv2.BORDER_REFLECT_101)
    spread = np.sqrt((_tiles(rest) ** 2).mean(axis=(1, 2)))
    level = _tiles(grey.astype(np.float32)).mean(axis=(1, 2))
    unclipped = (level > 20) & (level < 235)
    return float(np.percentile(spread[unclipped], 20)) if unclipped.sum() >= 8 else 0.0


def blocking(grey: NDArray[np.uint8]) -> float:
    """How many times more neighbours differ across the edges of 8 px blocks than inside them.

    About 1 without blocks. The grid may begin anywhere, for a picture that was cropped later; the
    lesser of both directions. grey: (h, w) uint8.
    """
    return min(_blocking_across(grey), _blocking_across(np.ascontiguousarray(grey.T)))


def clipping(rgb: NDArray[np.uint8], where: NDArray[np.bool_]) -> tuple[float, float]:
    """Shares of a part of a picture, 0..1, that are as black and as white as can be.

    rgb: (h, w, 3) uint8. where: (h, w), true for the part, which must not be empty.
    """
    part = rgb[where]
    return float((part.max(axis=1) <= 3).mean()), float((part.min(axis=1) >= 252).mean())


def window(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of a picture's own pixels, (h, w) uint8: all, or the middle of a large one."""
    height, width = rgb.shape[:2]
    top, left = max(0, height - WINDOW_PX) // 2, max(0, width - WINDOW_PX) // 2
    part = np.ascontiguousarray(rgb[top : top + WINDOW_PX, left : left + WINDOW_PX])
    return cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)


def _tiles(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The whole tiles of a picture of at least 16 px a side, (n, 16, 16)."""
    rows, columns = (side // _TILE_PX for side in values.shape)
    whole = values[: rows * _TILE_PX, : columns * _TILE_PX]
    tiled = whole.reshape(rows, _TILE_PX, columns, _TILE_PX).swapaxes(1, 2)
    return tiled.reshape(-1, _TILE_PX, _TILE_PX)


def _blocking_across(grey: NDArray[np.uint8]) -> float:
    steps = np.abs(np.diff(grey.astype(np.float32), axis=1))
    inside = steps < _OWN_EDGE
    columns = (steps * inside).sum(axis=0) / np.maximum(inside.sum(axis=0), 1)
    phases = np.array(
        [np.median(columns[phase::_JPEG_BLOCK_PX]) for phase in range(_JPEG_BLOCK_PX)]
    )
    grid = int(np.argmax(phases))
    # A tenth of a code value, so that a flat picture divides by something.
    return float((phases[grid] + 0.1) / (np.median(np.delete(phases, grid)) + 0.1))
