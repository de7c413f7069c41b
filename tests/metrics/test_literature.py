"""The published numbers: against the formulas, other implementations and other decoders."""

import math
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from lab.errors import ClipError
from lab.media import frames
from lab.metrics import LITERATURE, METRICS, SPECS, literature, measure
from lab.metrics.literature import (
    i2v_subject,
    occluded,
    ssim,
    subject_consistency,
    temporal_flickering,
    warping_error,
)
from lab.render import Defects, Scene
from lab.stills import Still
from lab.vision.dino import Dino

Write = Callable[..., Path]
Pan = Callable[..., list[np.ndarray]]


@pytest.fixture(autouse=True)
def without_dino(monkeypatch: pytest.MonkeyPatch, fresh_settings: None) -> None:
    """Whatever this machine has set, no test sees it."""
    monkeypatch.delenv("I2VLAB_DINO", raising=False)


@pytest.fixture(scope="module")
def moving(write_frames: Write, panned: Pan) -> Path:
    """A pan over fine texture."""
    return write_frames(panned(3, 8))


def _values(clip: Path, still: Still | None = None) -> dict[str, float]:
    return {score.name: score.value for score in literature(clip, still).scores}


def _shown(clip: Path) -> list[np.ndarray]:
    return [frame.rgb for frame in frames(clip)]


def test_flickering_is_vbenchs_number(moving: Path) -> None:
    """It is the formula on every decoded frame, and that on another decoder's frames nearly."""
    ours = _values(moving)["vbench.temporal_flickering"]
    shown = [frame.astype(int) for frame in _shown(moving)]
    apart = np.mean([np.abs(a - b).mean() for a, b in pairwise(shown)])
    assert ours == pytest.approx((255 - apart) / 255, abs=1e-12)
    video = cv2.VideoCapture(str(moving))
    theirs = []
    while (read := video.read())[0]:
        theirs.append(np.array(read[1], dtype=np.float32))
    video.release()
    assert len(theirs) == len(shown)
    steps = [np.mean(cv2.absdiff(a, b)) for a, b in pairwise(theirs)]
    assert ours == pytest.approx((255.0 - np.mean(steps).item()) / 255.0, abs=2e-3)


def test_flickering_sees_every_frame_at_its_own_size(write_frames: Write) -> None:
    """Nothing is resized or left out: stripes of one pixel in one frame of many count in full."""
    grey = np.full((300, 400, 3), 100, np.uint8)
    striped = grey.copy()
    striped[:, ::2] = 140
    clip = write_frames([grey, grey, striped, grey, grey])
    # Twice of four steps, half of the pixels move by 40.
    expected = (255 - 2 / 4 * 20) / 255
    assert _values(clip)["vbench.temporal_flickering"] == pytest.approx(expected, abs=1e-3)


def test_a_frozen_clip_is_perfect(write_frames: Write) -> None:
    """The published numbers reward stillness: a frozen clip scores exactly 1, 0 and 1."""
    found = _values(write_frames([np.full((64, 96, 3), 90, np.uint8)] * 6))
    assert found["vbench.temporal_flickering"] == 1.0
    assert found["lai.warping_error"] == 0.0
    assert found["ssim.temporal"] == 1.0


def test_flickering_of_a_pair_by_hand() -> None:
    """One channel of one of four pixels, 12 apart, is a mean difference of 1."""
    before = np.zeros((2, 2, 3), np.uint8)
    after = before.copy()
    after[0, 1, 2] = 12
    assert temporal_flickering(before, after) == pytest.approx(254 / 255, abs=1e-15)


@given(st.integers(0, 255), st.integers(0, 255))
def test_flickering_knows_only_the_difference(before: int, after: int) -> None:
    """Flat frames score one less their difference over 255, either way round."""
    a, b = (np.full((3, 5, 3), level, np.uint8) for level in (before, after))
    assert temporal_flickering(a, b) == pytest.approx(1 - abs(before - after) / 255)
    assert temporal_flickering(a, b) == temporal_flickering(b, a)


def test_ssim_is_skimages(moving: Path, small: np.ndarray) -> None:
    """The mean over neighbours is what skimage finds with the window of Wang et al."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in _shown(moving)]
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    each = [structural_similarity(a, b, data_range=255, **how) for a, b in pairwise(grey)]
    assert _values(moving)["ssim.temporal"] == pytest.approx(np.mean(each), abs=1e-5)
    assert ssim(small, small) == 1.0
    assert ssim(small, 255 - small) < 0.2


def test_occlusion_by_hand() -> None:
    """A jump of the flow by a pixel is a boundary, on its near side alone."""
    still = np.zeros((20, 30, 2), np.float32)
    assert not occluded(still, still).any()
    jump = still.copy()
    jump[:, 12:] = (1, 0)
    # |∇F|² is 1 at column 11, where the bound is 0.002; coming back agrees everywhere but there.
    assert np.flatnonzero(occluded(jump, -jump)[10]).tolist() == [11]


def test_the_bound_grows_with_the_square_of_the_flow() -> None:
    """At 20 px a miss of 2.7 px is still believed, at rest 0.7 px is; 0.1 px more is not."""
    for length, miss, hidden in (
        (20, 2.7, False),
        (20, 2.8, True),
        (0, 0.7, False),
        (0, 0.8, True),
    ):
        forward = np.zeros((8, 8, 2), np.float32)
        forward[...] = (length, 0)
        backward = np.zeros((8, 8, 2), np.float32)
        backward[...] = (miss - length, 0)
        assert (occluded(forward, backward) == hidden).all()


def test_warping_error_of_a_brightness_step_by_hand(small: np.ndarray) -> None:
    """A step by 10 code values on a still picture is (10/255)² wherever it is compared."""
    dim = (small * 0.8).astype(np.uint8)
    assert warping_error(dim, dim) == 0.0
    assert warping_error(dim, dim + 10) == pytest.approx((10 / 255) ** 2, rel=0.1)


def test_warping_error_follows_motion(
    write_frames: Write, panned: Pan, drawn: Callable[..., list[np.ndarray]], ground: Scene
) -> None:
    """A clean pan has a far smaller error than frames merely subtracted; flicker raises it."""
    shot = panned(3, 6)
    apart = np.mean([((a / 255 - b / 255) ** 2).mean() for a, b in pairwise(shot)])
    assert _values(write_frames(shot))["lai.warping_error"] < 0.05 * apart
    flickering, clean = (
        _values(write_frames(drawn(ground, Defects(flicker_dn=dn), count=8)))["lai.warping_error"]
        for dn in (6, 0)
    )
    # Neighbours that flicker on their own differ by √2 of their rms.
    assert flickering - clean == pytest.approx(2 * (6 / 255) ** 2, rel=0.4)


def test_subject_consistency_by_hand() -> None:
    """Half to the frame before, half to the first, the first frame left out; below 0 is 0."""
    turns = [np.array([math.cos(a), math.sin(a)], np.float32) for a in (0, 0.3, 0.9, math.pi)]
    each = [
        (math.cos(0.3) + math.cos(0.3)) / 2,
        (math.cos(0.6) + math.cos(0.9)) / 2,
        (0 + 0) / 2,
    ]
    assert subject_consistency(turns) == pytest.approx(np.mean(each), abs=1e-6)
    assert subject_consistency(turns[:1] * 5) == 1.0


def test_i2v_subject_by_hand() -> None:
    """0.4 of the best likeness to the still, 0.3 of the mean and 0.3 of the least step."""
    still, *shown = (np.array([math.cos(a), math.sin(a)], np.float32) for a in (0.0, 0.2, 0.1, 0.8))
    steps = [math.cos(0.1), math.cos(0.7)]
    expected = 0.4 * math.cos(0.1) + 0.3 * np.mean(steps) + 0.3 * min(steps)
    assert i2v_subject(still, shown) == pytest.approx(expected, abs=1e-6)


def test_i2v_subject_does_not_see_slow_drift() -> None:
    """A subject that turns into something else in 49 even steps still scores 0.9997."""
    turn = math.pi / 2 / 48
    shown = [np.array([math.cos(n * turn), math.sin(n * turn)], np.float32) for n in range(49)]
    assert i2v_subject(shown[0], shown) == pytest.approx(0.9997, abs=5e-5)


def test_what_needs_weights_says_how_to_get_them(moving: Path, coffee: Still) -> None:
    """Without DINO its numbers are missing, with one line on what to install and to set."""
    for score in literature(moving, coffee).scores:
        needs = score.name in ("vbench.subject_consistency", "vbench.i2v_subject")
        assert math.isnan(score.value) == needs
        assert ("I2VLAB_DINO" in score.reason and "i2v-lab[dino]" in score.reason) == needs


def test_every_number_is_defined_and_in_range(
    moving: Path, write_frames: Write, small: np.ndarray
) -> None:
    """Each has a definition of its own beside the metrics, and values inside its range."""
    assert not set(LITERATURE) & set(SPECS)
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    for clip in (moving, write_frames(noise), write_frames([small, 255 - small])):
        scores = literature(clip, None).scores
        assert [score.name for score in scores] == list(LITERATURE)
        for score in scores:
            spec = LITERATURE[score.name]
            assert not spec.headline
            assert bool(score.reason) == math.isnan(score.value)
            assert math.isnan(score.value) or spec.low <= score.value <= spec.high


def test_one_frame_is_no_data(write_frames: Write, small: np.ndarray) -> None:
    """Every number is missing with a reason, never 0 or 1."""
    for score in literature(write_frames([small]), None).scores:
        assert math.isnan(score.value)
        assert score.reason == "needs at least 2 frames"


def test_frames_too_small_for_a_window_say_so(write_frames: Write, small: np.ndarray) -> None:
    """The plain difference needs no window; the others are missing."""
    found = literature(write_frames([small[:10, :10], small[10:20, :10]]), None)
    reasons = {score.name: score.reason for score in found.scores}
    assert reasons["vbench.temporal_flickering"] == ""
    assert "too small" in reasons["ssim.temporal"]
    assert "too small" in reasons["lai.warping_error"]


def test_nothing_is_added_unasked(moving: Path) -> None:
    """A measure holds our own numbers alone."""
    assert {score.name for score in measure(moving, None, METRICS).scores} == set(SPECS)


def test_a_file_that_is_no_clip_is_named(tmp_path: Path) -> None:
    """What cannot be decoded is the caller's to fix."""
    path = tmp_path / "text.mp4"
    path.write_text("words")
    with pytest.raises(ClipError, match=r"text\.mp4"):
        literature(path, None)


def test_features_reach_their_formulas(
    moving: Path,
    coffee: Still,
    monkeypatch: pytest.MonkeyPatch,
    dino_state: Callable[..., dict[str, Any]],
) -> None:
    """With a network, the two numbers are the formulas on its features of whole and middle."""
    network = Dino(dino_state(blocks=2, width=32))
    monkeypatch.setattr(sys.modules[literature.__module__], "dino", lambda: network)
    shown = _shown(moving)
    found = _values(moving, coffee)
    whole = subject_consistency([network.whole(rgb) for rgb in shown])
    centre = i2v_subject(network.centre(coffee.rgb()), [network.centre(rgb) for rgb in shown])
    assert found["vbench.subject_consistency"] == pytest.approx(whole)
    assert found["vbench.i2v_subject"] == pytest.approx(centre)
    assert 0 < whole < 1
    (missing,) = [s for s in literature(moving, None).scores if math.isnan(s.value)]
    assert (missing.name, missing.reason) == ("vbench.i2v_subject", "no still was given")
