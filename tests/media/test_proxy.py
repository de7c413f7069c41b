"""Small copies of clips and images."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.media import Frame, data_uri, frames, poster_jpeg, probe, write_clip, write_proxy


def test_a_proxy_is_a_smaller_clip(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """A proxy has the frames and rate of the clip, with fewer pixels and bytes."""
    clip = pan_clip(tmp_path / "a.mp4", photo, count=6, fps=30)
    write_proxy(clip, tmp_path / "b.mp4", 120)
    small, large = probe(tmp_path / "b.mp4"), probe(clip)
    assert (small.frames, small.fps) == (large.frames, large.fps)
    assert (small.width_px, small.height_px) == (172, 120)
    assert small.bytes < large.bytes
    for one, other in zip(frames(tmp_path / "b.mp4"), frames(clip, 120), strict=True):
        assert np.abs(one.rgb.astype(int) - other.rgb[:, :172]).mean() < 8


def test_a_proxy_keeps_uneven_times(tmp_path: Path, photo: np.ndarray) -> None:
    """Uneven timestamps are the same in the proxy."""
    times = [0.0, 0.04, 0.1, 0.3, 0.34, 0.5, 0.9]
    picture = np.ascontiguousarray(photo[:200, :300])
    pictures = (
        Frame(index, time, np.roll(picture, 9 * index, 1)) for index, time in enumerate(times)
    )
    write_clip(tmp_path / "a.mp4", pictures, fps=10)
    write_proxy(tmp_path / "a.mp4", tmp_path / "b.mp4", 120)
    for name in ("a.mp4", "b.mp4"):
        assert [frame.time_s for frame in frames(tmp_path / name)] == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize("side_px", [75, 77])
def test_a_proxy_of_odd_size_plays(
    side_px: int, tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path]
) -> None:
    """An odd size is cut to an even one, as H.264 requires."""
    write_proxy(pan_clip(tmp_path / "a.mp4", photo, count=2), tmp_path / "b.mp4", side_px)
    facts = probe(tmp_path / "b.mp4")
    assert facts.width_px % 2 == facts.height_px % 2 == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 200), (200, 3)])
def test_a_proxy_of_a_few_pixels_plays(size: tuple[int, int], tmp_path: Path) -> None:
    """A clip of one or two pixels has a proxy too."""
    shades = [Image.new("RGB", size, (40 * n, 90, 200 - 40 * n)) for n in range(4)]
    shades[0].save(tmp_path / "a.gif", save_all=True, append_images=shades[1:], duration=100)
    write_proxy(tmp_path / "a.gif", tmp_path / "b.mp4")
    assert len(list(frames(tmp_path / "b.mp4"))) == 4


def test_a_poster_is_never_enlarged(photo: np.ndarray) -> None:
    """A poster is a JPEG with the requested short side, or that of a smaller image."""
    small = Image.open(io.BytesIO(poster_jpeg(photo, 100)))
    assert (small.format, small.size) == ("JPEG", (150, 100))
    assert Image.open(io.BytesIO(poster_jpeg(photo, 5000))).size == (600, 400)


def test_a_data_uri_contains_the_bytes() -> None:
    """The URI contains the bytes and their media type."""
    uri = data_uri(b"\x00\xffclip", ".mp4")
    head, body = uri.split(",")
    assert head == "data:video/mp4;base64"
    assert base64.b64decode(body) == b"\x00\xffclip"
