"""Clean clips and their sources."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lab.calibration import clean_clips
from lab.calibration.clean_clips import Source, clean_clip, moving_sources, photographs, sources
from lab.errors import InputError, LabError
from lab.media import open_image, write_image
from lab.vision import grid


def test_the_sample_photographs_can_be_opened() -> None:
    """There are seven, in order of name."""
    shipped = photographs(None)
    assert [path.stem for path in shipped] == sorted(path.stem for path in shipped)
    assert len(shipped) == 7
    assert all(min(open_image(path).rgb.shape[:2]) >= 300 for path in shipped)


def test_a_folder_gives_its_pictures(tmp_path: Path) -> None:
    """In order of name, with suffixes of any case, and nothing else."""
    for name in ("b.JPG", "a.png", "c.jpeg", "notes.txt", "clip.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in photographs(tmp_path)] == ["a.png", "b.JPG", "c.jpeg"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """This holds for photographs and for footage."""
    missing = tmp_path / "gone"
    with pytest.raises(InputError, match="gone: no such folder"):
        photographs(missing)
    with pytest.raises(InputError, match="gone: no such folder"):
        sources(photographs(None), missing, moves_each=1)


def test_fewer_than_four_photographs_are_too_few() -> None:
    """Each half needs at least two."""
    with pytest.raises(InputError, match="at least four photographs"):
        sources(photographs(None)[:3], None, moves_each=1)
    assert len(sources(photographs(None)[:4], None, moves_each=1)) == 4


def test_every_second_photograph_is_in_the_final_half() -> None:
    """All moves of a photograph are in the same half, and each half has all moves."""
    made = sources(photographs(None), None, moves_each=3)
    assert len(made) == 21
    assert len({source.name for source in made}) == 21
    groups = {final: {one.group for one in made if one.final == final} for final in (True, False)}
    assert groups[True] == {"cat", "coffee", "hopper"}
    assert groups[False] == {"astronaut", "china", "flower", "rocket"}
    for final in (True, False):
        assert {one.move for one in made if one.final == final} == set(clean_clips.MOVES)
    assert all(source.other != source.path for source in made)


def test_footage_follows_the_photographs(tmp_path: Path) -> None:
    """Clips are in order of name, without a move, every second in the final half."""
    with pytest.raises(InputError, match=r"holds no clip \(\.mp4"):
        sources(photographs(None), tmp_path, moves_each=1)
    for name in ("b.mov", "a.mp4", "c.png"):
        (tmp_path / name).touch()
    clips = sources(photographs(None), tmp_path, moves_each=1)[7:]
    assert [(clip.name, clip.move, clip.final) for clip in clips] == [
        ("a", "", False),
        ("b", "", True),
    ]


def test_a_photograph_becomes_a_clip_that_starts_from_its_still(tiny: Executor) -> None:
    """Each frame has the rendered size and a mask of the subject; the clip is cached."""
    one, *_ = sources(photographs(None), None, moves_each=2)
    _, panned, *_ = sources(photographs(None), None, moves_each=2)
    held = clean_clip(one)
    assert [(rgb.shape, rgb.dtype) for rgb in held.frames] == [((96, 160, 3), np.uint8)] * 8
    assert [(a.shape, a.dtype) for a in held.alphas] == [((96, 160), np.uint8)] * 8
    assert held.fps == 24
    assert (held.still == held.frames[0]).all()
    assert all((rgb == held.still).all() for rgb in held.frames)
    assert 0.02 < (held.alphas[0] > 127).mean() < 0.9
    moved = clean_clip(panned)
    assert not any((rgb == moved.still).all() for rgb in moved.frames[1:])
    assert clean_clip(one) is held


def test_points_of_the_still_follow_a_moving_camera(tiny: Executor) -> None:
    """The still has the colour of a pixel of the subject at the point that belongs to it."""
    _, panned, *_ = sources(photographs(None), None, moves_each=2)
    clip = clean_clip(panned)
    assert clip.still_points is not None
    points = clip.still_points(7)
    assert np.abs(points[..., 0] - grid(96, 160)[..., 0]).mean() > 1
    solid = cv2.erode((clip.alphas[7] == 255).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    inside = (points[..., 0] > 0) & (points[..., 0] < 159) & (points[..., 1] < 95) & solid
    expected = cv2.remap(clip.still, points, None, cv2.INTER_LINEAR).astype(int)
    unmoved = np.abs(clip.still.astype(int) - clip.frames[7])[inside].mean()
    assert np.abs(expected - clip.frames[7])[inside].mean() < 0.5 * unmoved


def test_a_moving_subject_starts_from_its_still(tiny: Executor, all_moving: list[Source]) -> None:
    """The clip begins with the still and its subject is another place in the last frame."""
    walk = next(one for one in all_moving if one.move == "walk")
    clip = clean_clip(walk)
    assert len(clip.frames) == len(clip.alphas) == 8
    assert (clip.still == clip.frames[0]).all()
    first, last = (cv2.boundingRect((clip.alphas[i] > 127).astype(np.uint8)) for i in (0, -1))
    assert last[0] - first[0] > 60


def test_a_photograph_without_a_subject_cannot_move_it(tiny: Executor, tmp_path: Path) -> None:
    """The error is one line that names the file; such photographs are no moving sources."""
    blank = tmp_path / "blank.png"
    write_image(blank, np.full((200, 300, 3), 90, np.uint8))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"blank\.png: shows no subject"):
        clean_clip(Source(blank, "walk", blank, final=False))
    assert moving_sources([blank, tmp_path / "bad.png"], each=2) == []


def test_the_other_picture_is_another_photograph(tiny: Executor) -> None:
    """It has at most the clip's height and even sides."""
    clip = clean_clip(sources(photographs(None), None, moves_each=1)[0])
    height, width = clip.other.shape[:2]
    assert min(height, width) == 96
    assert (height % 2, width % 2) == (0, 0)


def test_footage_is_cut_to_length_and_size(
    tiny: Executor,
    tmp_path: Path,
    texture: NDArray[np.uint8],
    pan_clip: Callable[..., Path],
) -> None:
    """The first frames are used at their own rate, reduced to the rendered height."""
    path = pan_clip(tmp_path / "pan.mp4", texture[:300, :420], count=12, fps=12.5)
    other = photographs(None)[0]
    clip = clean_clip(Source(path, "", other, final=False))
    assert len(clip.frames) == len(clip.alphas) == 8
    assert clip.fps == pytest.approx(12.5)
    assert {rgb.shape for rgb in clip.frames} == {clip.still.shape}
    assert clip.still.shape[0] == 96
    assert clip.still.shape[1] % 2 == 0
    assert {alpha.shape for alpha in clip.alphas} == {clip.still.shape[:2]}
    assert (clip.still == clip.frames[0]).all()


def test_a_single_frame_of_footage_has_the_default_rate(
    tiny: Executor, tmp_path: Path, texture: NDArray[np.uint8], pan_clip: Callable[..., Path]
) -> None:
    """One frame has no duration from which to compute a rate."""
    path = pan_clip(tmp_path / "one.mp4", texture[:100, :164], count=1, fps=10)
    assert clean_clip(Source(path, "", photographs(None)[0], final=False)).fps == 24


def test_an_unreadable_photograph_is_refused(tiny: Executor, tmp_path: Path) -> None:
    """The error is one line that names the file."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    good = tmp_path / "good.png"
    write_image(good, np.full((200, 300, 3), 90, np.uint8))
    with pytest.raises(LabError, match=r"bad\.jpg"):
        clean_clip(Source(bad, "pan", good, final=False))
