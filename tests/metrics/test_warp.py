"""Warp: surfaces that wobble as no rigid thing would."""

from collections.abc import Callable

import numpy as np

from lab.metrics import ClipScores
from lab.metrics.warp import Warp
from lab.prompts.vocabulary import CameraRates
from lab.render import Defects, Motion, Scene

ScoreFrames = Callable[..., ClipScores]
Drawn = Callable[..., list[np.ndarray]]
SEEN = 0.3  # per mille of the diagonal that nobody would notice


def test_a_held_frame_does_not_wobble(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """The same picture again and again scores 0."""
    assert score_frames([small] * 10, [Warp()]).value("warp") < 0.03


def test_warp_grows_with_what_was_injected(
    score_frames: ScoreFrames, drawn: Drawn, ground: Scene
) -> None:
    """No wobble, one per mille and three per mille score in that order, well apart."""
    read = [score_frames(drawn(ground, Defects(warp_permille=w)), [Warp()]) for w in (0, 1, 3)]
    for name in ("warp", "warp.worst"):
        none, one, three = (scores.value(name) for scores in read)
        assert 0 <= none < one / 2 < one < three / 2


def test_a_clean_push_in_does_not_wobble(
    score_frames: ScoreFrames,
    drawn: Drawn,
    photo: np.ndarray,
    texture: np.ndarray,
    scene_of: Callable[..., Scene],
) -> None:
    """Moving in on a subject before its ground, with parallax, stays unnoticed."""
    push_in = Motion(CameraRates(dolly=0.1))
    shown = drawn(scene_of(texture, photo), motion=push_in, count=20)
    assert score_frames(shown, [Warp()]).value("warp") < SEEN


def test_a_pan_does_not_wobble(
    score_frames: ScoreFrames, panned: Callable[..., list[np.ndarray]]
) -> None:
    """A fast steady pan stays unnoticed."""
    assert score_frames(panned(5), [Warp()]).value("warp") < SEEN


def test_shake_is_no_wobble(score_frames: ScoreFrames, texture: np.ndarray) -> None:
    """A camera that jerks to and fro as one rigid thing stays unnoticed."""
    places = np.random.default_rng(3).integers(-4, 5, (12, 2)) + 40
    shown = [texture[y : y + 240, x : x + 320] for x, y in places]
    assert score_frames(shown, [Warp()]).value("warp") < SEEN
