"""Motion: how much moves, in percent of the diagonal per second."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lab.metrics import ClipScores
from lab.metrics.motion import Motion

ScoreFrames = Callable[..., ClipScores]
Pan = Callable[..., list[np.ndarray]]
PERCENT_PER_PX = 100 / math.hypot(320, 240)


@pytest.mark.parametrize("fps", [12, 24])
def test_a_pan_measures_its_speed(score_frames: ScoreFrames, panned: Pan, fps: float) -> None:
    """3 px a frame read as 3 px a frame, all of it the camera's."""
    scores = score_frames(panned(3), [Motion()], fps=fps)
    for name in ("motion", "motion.camera"):
        assert scores.value(name) / fps / PERCENT_PER_PX == pytest.approx(3, rel=0.05)
    assert scores.value("motion.local") < 0.1 * scores.value("motion")
    assert scores.value("motion.still") == 0


def test_size_does_not_matter(score_frames: ScoreFrames, panned: Pan) -> None:
    """A copy of half the resolution moves as much."""
    whole = panned(4)
    half = [cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for rgb in whole]
    read = [score_frames(shown, [Motion()]).value("motion") for shown in (whole, half)]
    assert read[1] == pytest.approx(read[0], rel=0.1)


def test_a_frozen_clip_is_still(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """Nothing moves, all of the time."""
    scores = score_frames([small] * 8, [Motion()])
    assert scores.value("motion") < 0.1
    assert scores.value("motion.still") == 1


def test_half_of_a_clip_may_be_still(score_frames: ScoreFrames, panned: Pan) -> None:
    """A clip that stops half way is still for half of the time."""
    moving = panned(3, 8)
    scores = score_frames([*moving, *[moving[-1]] * 7], [Motion()])
    assert scores.value("motion.still") == pytest.approx(0.5, abs=0.08)


def test_what_moves_alone_is_not_the_cameras(
    score_frames: ScoreFrames, texture: np.ndarray, small: np.ndarray
) -> None:
    """A patch that crosses a held ground is local motion."""
    shown = []
    for n in range(10):
        rgb = small.copy()
        rgb[80:160, 40 + 4 * n : 140 + 4 * n] = texture[100:180, 100:200]
        shown.append(rgb)
    scores = score_frames(shown, [Motion()])
    assert scores.value("motion.local") > 2 * scores.value("motion.camera")


def test_a_cut_is_no_motion(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """A cut between two held shots does not count."""
    cut = [small] * 5 + [255 - small[:, ::-1]] * 5
    assert score_frames(cut, [Motion()]).value("motion") < 0.5
