"""Flicker: brightness that changes where nothing should."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lab.metrics import ClipScores
from lab.metrics.flicker import Flicker
from lab.render import Defects, Scene

ScoreFrames = Callable[..., ClipScores]
Drawn = Callable[..., list[np.ndarray]]
SEEN = 0.5  # code values that nobody would notice


def test_a_held_frame_does_not_flicker(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """The same picture again and again scores 0, but for what compression does."""
    held = score_frames([small] * 10, [Flicker()])
    assert held.value("flicker") < 0.05
    assert held.value("flicker.global") < 0.05
    assert held.value("flicker.texture") < 0.2


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("injected_dn", [2.0, 4.0])
def test_injected_flicker_is_read_back(
    score_frames: ScoreFrames, drawn: Drawn, ground: Scene, injected_dn: float, seed: int
) -> None:
    """Flicker of known strength on a lock-off reads its strength, half of its power global."""
    shown = drawn(ground, Defects(flicker_dn=injected_dn), count=64, seed=seed)
    read = score_frames(shown, [Flicker()])
    assert read.value("flicker") == pytest.approx(injected_dn, rel=0.15)
    assert read.value("flicker.global") == pytest.approx(injected_dn / np.sqrt(2), rel=0.15)


def test_an_exposure_ramp_is_no_flicker(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """Brightness that rises steadily by 1.5 code values a frame stays unnoticed."""
    ramp = [np.clip(small * 0.7 + 1.5 * n, 0, 255).astype(np.uint8) for n in range(16)]
    assert score_frames(ramp, [Flicker()]).value("flicker") < SEEN


def test_a_pan_is_no_flicker(
    score_frames: ScoreFrames, panned: Callable[..., list[np.ndarray]]
) -> None:
    """A clean camera move over fine texture stays unnoticed."""
    assert score_frames(panned(3), [Flicker()]).value("flicker") < SEEN


def test_flicker_is_seen_through_a_pan(
    score_frames: ScoreFrames, panned: Callable[..., list[np.ndarray]]
) -> None:
    """Brightness that jumps by 6 code values every other frame shows, moving or not."""
    shaken = [cv2.add(rgb, (6.0 * (n % 2),) * 3) for n, rgb in enumerate(panned(3, 14))]
    read = score_frames(shaken, [Flicker()])
    # An alternation by 6 is ±3 about its mean, and its second difference is twice as large as
    # that of independent flicker: 6 / sqrt(1.5).
    assert read.value("flicker.global") == pytest.approx(6 / np.sqrt(1.5), rel=0.15)


def test_a_cut_is_no_flicker(score_frames: ScoreFrames, small: np.ndarray) -> None:
    """A cut to another shot does not count."""
    cut = [small] * 6 + [255 - small[:, ::-1]] * 6
    assert score_frames(cut, [Flicker()]).value("flicker") < SEEN
