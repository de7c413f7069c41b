"""Jumps inside a shot, and what is measured around them."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lab.media import open_image
from lab.metrics import METRICS, ClipScores
from lab.metrics.events import Events
from lab.metrics.motion import Motion

ScoreFrames = Callable[..., ClipScores]
Pan = Callable[..., list[np.ndarray]]
FPS = 24
JUMP_AT = 14


def _nearer(rgb: np.ndarray, times: float, aside_px: float = 0.0) -> np.ndarray:
    """The picture enlarged about its centre, and moved aside."""
    height, width = rgb.shape[:2]
    zoom = cv2.getRotationMatrix2D((width / 2, height / 2), 0, times)
    zoom[0, 2] += aside_px
    return cv2.warpAffine(rgb, zoom, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def _jumps(scores: ClipScores) -> list[int]:
    found = [index for index, jump in scores.series["events.jumps"].items() if jump]
    assert scores.value("events.jumps") == len(found)
    return found


@pytest.fixture(scope="module")
def other(stills_dir: object) -> np.ndarray:
    """Another photograph, 320x240."""
    rgb = open_image(stills_dir / "coffee.jpg").rgb  # type: ignore[operator]
    return cv2.resize(rgb, (320, 240), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("jump", ["in", "out", "aside"])
def test_a_jump_breaks_the_series(score_frames: ScoreFrames, panned: Pan, jump: str) -> None:
    """A punch-in, its reverse or a jump aside is named with its frame, and is no motion."""
    shot = panned(2, 28)
    before, after = shot[:JUMP_AT], shot[JUMP_AT:]
    jumped = {
        "in": [*before, *(_nearer(rgb, 1.18) for rgb in after)],
        "out": [*(_nearer(rgb, 1.25) for rgb in before), *after],
        "aside": [*before, *panned(2, 48)[JUMP_AT + 20 :]],
    }[jump]
    plain, broken = (score_frames(frames, METRICS, fps=FPS) for frames in (shot, jumped))
    assert _jumps(plain) == []
    assert _jumps(broken) == [JUMP_AT]
    assert broken.value("events.cuts") == 0
    for name, tolerance in (
        ("motion.pan", 3.0),
        ("motion.zoom", 0.5),
        ("motion.sway", 1.5),
        ("warp", 0.3),
        ("flicker", 0.3),
    ):
        assert broken.value(name) == pytest.approx(plain.value(name), abs=tolerance), name


def test_a_dissolve_is_one_jump(score_frames: ScoreFrames, panned: Pan, other: np.ndarray) -> None:
    """Half a second in which one picture turns into another is one jump, and no cut."""
    mixed = [
        cv2.addWeighted(rgb, 1 - share, other, share, 0)
        for n, rgb in enumerate(panned(1, 48))
        for share in [float(np.clip((n - 18) / 12, 0, 1))]
    ]
    scores = score_frames(mixed, [Motion(), Events()], fps=FPS)
    (begins,) = _jumps(scores)
    assert 8 <= begins <= 30
    assert scores.value("events.cuts") == 0
    strides = scores.series["motion.pan"]
    assert not any(20 <= index <= 26 for index in strides)
    assert strides


def test_what_is_no_jump(score_frames: ScoreFrames, panned: Pan, other: np.ndarray) -> None:
    """A whip pan, a shaking hand, a flash, a fade, animation on twos and a cut are not jumps."""
    slow, wide = panned(1, 30), panned(1, 170)
    starts = [0, 1, 2, 3, 5, 9, 20, 45, 80, 110, 130, 140, 144, 146, 147, 148, 149, 150, 151, 152]
    hand = np.cumsum(np.random.default_rng(3).normal(0, 2.5, 30))
    shown = {
        "whip pan": [wide[at] for at in starts],
        "hand": [_nearer(rgb, 1.1, float(step)) for rgb, step in zip(slow, hand, strict=True)],
        "flash": [cv2.add(rgb, (120.0 * (n == 12),) * 3) for n, rgb in enumerate(slow)],
        "fade": [cv2.convertScaleAbs(rgb, alpha=max(0, 1 - n / 20)) for n, rgb in enumerate(slow)],
        "on twos": [slow[2 * (n // 2)] for n in range(30)],
        "cut": [*slow[:15], *[other] * 15],
    }
    found = {
        name: _jumps(score_frames(frames, [Events()], fps=FPS)) for name, frames in shown.items()
    }
    assert found == {name: [] for name in shown}
