"""A fetched file is measured, and differences from the submission are recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.backends import Job
from lab.backends.kling.fetched_file import check_fetched_file


@pytest.fixture
def result_of(tmp_path: Path, pan_clip: Callable[..., Path], photo: Any) -> Callable[..., Any]:
    """The result for a clip of half a second at 24 fps, 1:1, without sound."""
    path = tmp_path / "clip.mp4"
    pan_clip(path, photo[:160, :208])

    def result(kind: Any = "clip", **asked: Any) -> Any:
        data = {"asked": {"fps": 24.0, "sound": False, **asked}, "notes": ["still: cut"]}
        return check_fetched_file(Job("kling", "1", "take", data), path, kind=kind)

    return result


@pytest.mark.parametrize(
    ("asked", "differences"),
    [
        ({"duration_s": 0.6, "aspect_ratio": "1:1"}, {}),
        ({"duration_s": 5.0}, {"duration_s": "asked for 5 s, the clip has 0.50 s"}),
        ({"sound": True}, {"sound": "the clip has no sound track"}),
        ({"fps": 30.0}, {"fps": "asked for 30, the clip has 24"}),
        ({"aspect_ratio": "16:9"}, {"aspect_ratio": "asked for 16:9, the clip has 160x160 px"}),
        (
            {"seed": 0},
            {"seed": "the service does not support seeds; equal submissions give different clips"},
        ),
    ],
)
def test_differences(
    result_of: Callable[..., Any], asked: dict[str, Any], differences: dict[str, str]
) -> None:
    """The file counts, not what replies said about it; a seed of 0 is a seed."""
    fetched = result_of(**asked)
    assert dict(fetched.not_honoured) == differences
    assert fetched.notes == ("still: cut",)
    assert fetched.honoured == ()


def test_a_still_has_no_length(result_of: Callable[..., Any]) -> None:
    """A still has only the notes."""
    assert result_of("still", duration_s=5.0).not_honoured == ()


def test_an_older_job(tmp_path: Path, pan_clip: Callable[..., Path], photo: Any) -> None:
    """A job without the requested settings is fetched all the same."""
    path = pan_clip(tmp_path / "clip.mp4", photo[:160, :208])
    assert check_fetched_file(Job("kling", "1", "take", {}), path, kind="clip").not_honoured == ()
