"""The file a take became."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lab.clips import SIMULATED_MARK, Clip
from lab.errors import ClipError
from lab.files import sha256_file


@pytest.mark.parametrize("comment", [f"{SIMULATED_MARK}: pan right", "", "made by a model"])
def test_a_clip_says_whether_it_was_simulated(
    tmp_path: Path, photo: np.ndarray, pan_clip: Callable[..., Path], comment: str
) -> None:
    """Only a clip whose comment begins with the mark counts as rendered locally."""
    clip = Clip.open(str(pan_clip(tmp_path / "a.mp4", photo, count=2, comment=comment)))
    assert clip.simulated == comment.startswith(SIMULATED_MARK)
    assert clip.sha256 == sha256_file(clip.path)
    assert clip.facts.frames == 2


def test_a_file_that_is_no_clip_does_not_open(tmp_path: Path) -> None:
    """A file that is no video is refused when it is opened, not when it is played."""
    (tmp_path / "a.mp4").write_text("words")
    with pytest.raises(ClipError, match="not a video"):
        Clip.open(tmp_path / "a.mp4")
