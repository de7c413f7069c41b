"""Contact sheets."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lab.media import contact_sheet, frames, write_clip
from lab.media.sheet import tile


@pytest.fixture
def fading_clip(tmp_path: Path) -> Callable[[int], Path]:
    """Write a clip in which frame n is flat grey of value 10 n."""

    def write(count: int) -> Path:
        shades = (np.full((60, 80, 3), 10 * index, np.uint8) for index in range(count))
        write_clip(tmp_path / "a.mp4", shades, fps=24)
        return tmp_path / "a.mp4"

    return write


def _shades(sheet: np.ndarray, columns: int) -> list[int]:
    return [round(float(sheet[10:50, 84 * k + 10 : 84 * k + 70].mean())) for k in range(columns)]


def test_first_and_last_frame_are_on_the_sheet(fading_clip: Callable[[int], Path]) -> None:
    """The tiles are evenly spaced from the first to the last frame."""
    sheet = contact_sheet(fading_clip(21), count=5, short_side_px=60)
    assert sheet.shape == (60, 5 * 84 - 4, 3)
    assert _shades(sheet, 5) == pytest.approx([0, 50, 100, 150, 200], abs=2)


def test_a_short_clip_gives_a_short_sheet(fading_clip: Callable[[int], Path]) -> None:
    """With fewer frames than tiles, each frame appears once."""
    sheet = contact_sheet(fading_clip(3), count=6, short_side_px=60)
    assert sheet.shape == (60, 3 * 84 - 4, 3)
    assert _shades(sheet, 3) == pytest.approx([0, 10, 20], abs=2)


def test_a_clip_without_a_declared_length_gives_a_full_sheet(tmp_path: Path) -> None:
    """A live WebM, without a length in its header, fills every tile."""
    path = tmp_path / "a.webm"
    with av.open(str(path), "w", container_options={"live": "1"}) as container:
        stream = container.add_stream("libvpx", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 80, 60, "yuv420p"
        for index in range(21):
            shade = np.full((60, 80, 3), 10 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        container.mux(stream.encode(None))
    sheet = contact_sheet(path, count=5, short_side_px=60)
    assert _shades(sheet, 5) == pytest.approx([0, 50, 100, 150, 200], abs=4)


def test_a_truncated_clip_gives_a_full_sheet(fading_clip: Callable[[int], Path]) -> None:
    """The tiles cover the decoded frames, not the number in the header."""
    path = fading_clip(24)
    content = path.read_bytes()
    path.write_bytes(content[:-150])
    decoded = len(list(frames(path)))
    assert 4 <= decoded < 24
    sheet = contact_sheet(path, count=4, short_side_px=60)
    assert sheet.shape == (60, 4 * 84 - 4, 3)
    assert _shades(sheet, 4)[-1] == pytest.approx(10 * (decoded - 1), abs=3)


def test_tiles_fill_rows_from_the_left() -> None:
    """Rows are separated by a white gap; the rest of a short last row is white."""
    pictures = [np.full((10, 20, 3), shade, np.uint8) for shade in (1, 2, 3)]
    sheet = tile(pictures, 2, gap_px=4)
    assert sheet.shape == (24, 44, 3)
    assert [sheet[5, 5, 0], sheet[5, 30, 0], sheet[20, 5, 0], sheet[20, 30, 0]] == [1, 2, 3, 255]
    assert (sheet[10:14] == 255).all()
