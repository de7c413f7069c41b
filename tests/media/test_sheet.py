"""A clip at a glance."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lab.media import contact_sheet, write_clip
from lab.media.sheet import tile


@pytest.fixture
def fading_clip(tmp_path: Path) -> Callable[[int], Path]:
    """Write a clip whose frame n is flat grey of value 10 n."""

    def write(count: int) -> Path:
        shades = (np.full((60, 80, 3), 10 * index, np.uint8) for index in range(count))
        write_clip(tmp_path / "a.mp4", shades, fps=24)
        return tmp_path / "a.mp4"

    return write


def _shades(sheet: np.ndarray, columns: int) -> list[int]:
    return [round(float(sheet[10:50, 84 * k + 10 : 84 * k + 70].mean())) for k in range(columns)]


def test_first_and_last_frame_are_on_the_sheet(fading_clip: Callable[[int], Path]) -> None:
    """The tiles are spread evenly from the first to the last frame."""
    sheet = contact_sheet(fading_clip(21), count=5, short_side_px=60)
    assert sheet.shape == (60, 5 * 84 - 4, 3)
    assert _shades(sheet, 5) == pytest.approx([0, 50, 100, 150, 200], abs=2)


def test_a_short_clip_gives_a_short_sheet(fading_clip: Callable[[int], Path]) -> None:
    """Fewer frames than tiles give each frame once."""
    sheet = contact_sheet(fading_clip(3), count=6, short_side_px=60)
    assert sheet.shape == (60, 3 * 84 - 4, 3)
    assert _shades(sheet, 3) == pytest.approx([0, 10, 20], abs=2)


def test_tiles_fill_rows_from_the_left() -> None:
    """Pictures are laid out in rows with a white gap, a short last row staying white."""
    pictures = [np.full((10, 20, 3), shade, np.uint8) for shade in (1, 2, 3)]
    sheet = tile(pictures, 2, gap_px=4)
    assert sheet.shape == (24, 44, 3)
    assert [sheet[5, 5, 0], sheet[5, 30, 0], sheet[20, 5, 0], sheet[20, 30, 0]] == [1, 2, 3, 255]
    assert (sheet[10:14] == 255).all()
