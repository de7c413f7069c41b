"""Clip files."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from lab.clips import SIMULATED_MARK, Clip
from lab.errors import ClipError
from lab.files import sha256_file
from lab.media import contact_sheet


@pytest.mark.parametrize("comment", [f"{SIMULATED_MARK}: pan right", "", "made by a model"])
def test_a_clip_says_whether_it_was_simulated(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path], comment: str
) -> None:
    """Only a clip whose comment begins with the mark counts as rendered locally."""
    clip = Clip.open(str(pan_clip(tmp_path / "a.mp4", photo, count=2, comment=comment)))
    assert clip.simulated == comment.startswith(SIMULATED_MARK)
    assert clip.sha256 == sha256_file(clip.path)
    assert clip.facts.frames == 2


def test_a_file_that_is_not_a_clip_does_not_open(tmp_path: Path) -> None:
    """A file that is not a video is refused when it is opened."""
    (tmp_path / "a.mp4").write_text("words")
    with pytest.raises(ClipError, match="not a video"):
        Clip.open(tmp_path / "a.mp4")


def test_a_clip_without_a_declared_length_is_shown_with_its_own(
    tmp_path: Path, photo: np.ndarray
) -> None:
    """A clip without a declared duration is shown with its measured one."""
    path = tmp_path / "live.webm"
    with av.open(str(path), "w", format="webm", options={"live": "1"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=16)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for shift in range(24):
            picture = np.ascontiguousarray(photo[:64, shift : shift + 64])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    clip = Clip.open(path)
    assert clip.facts.duration_s == 0
    assert "64x64, 1.5 s" in clip._repr_html_()
    assert contact_sheet(path).shape[1] > 6 * 64
