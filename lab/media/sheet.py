"""Tile frames of a clip into a contact sheet."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.media.decode import frames


def contact_sheet(
    clip: Path, *, count: int = 6, short_side_px: int = 180, columns: int = 6
) -> NDArray[np.uint8]:
    """Tile frames spread evenly over a clip, first and last included, left to right.

    Returns an RGB array. A clip with fewer frames than `count` gives a shorter sheet.
    """
    # Count by decoding: the header may lack the number of frames, or declare too many.
    total = sum(1 for _ in frames(clip, short_side_px))
    indices = set(np.linspace(0, total - 1, count).round().astype(int).tolist())
    tiles = [frame.rgb for frame in frames(clip, short_side_px) if frame.index in indices]
    return tile(tiles, columns)


def tile(
    pictures: list[NDArray[np.uint8]], columns: int, gap_px: int = 4, shade: int = 255
) -> NDArray[np.uint8]:
    """Tile pictures of equal size in rows of `columns`, separated by a gap."""
    height, width = pictures[0].shape[:2]
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full(
        (rows * (height + gap_px) - gap_px, columns * (width + gap_px) - gap_px, 3), shade, np.uint8
    )
    for position, picture in enumerate(pictures):
        top = position // columns * (height + gap_px)
        left = position % columns * (width + gap_px)
        sheet[top : top + height, left : left + width] = picture
    return sheet
