"""Harmless changes do what they state and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lab.calibration import NUISANCES, Nuisance
from lab.calibration.clean_clips import CleanClip

CHANGES = {nuisance.name: nuisance for nuisance in NUISANCES}
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def moving(textured: CleanClip) -> CleanClip:
    """A clip in which the grey photograph moves to the left in every frame."""
    frames = [np.roll(rgb, -3 * index, axis=1) for index, rgb in enumerate(textured.frames)]
    return replace(textured, frames=frames)


@pytest.fixture(scope="module")
def changed(moving: CleanClip) -> Callable[[str], CleanClip]:
    """The moving clip after the nuisance of that name."""
    return lambda name: CHANGES[name].change(moving)


def test_names_are_unique() -> None:
    """Cached rows refer to nuisances by name."""
    assert len(CHANGES) == len(NUISANCES)


@pytest.mark.parametrize("nuisance", NUISANCES, ids=lambda nuisance: nuisance.name)
def test_a_nuisance_keeps_what_it_does_not_name(nuisance: Nuisance, moving: CleanClip) -> None:
    """Frames have one even size and 8 bits. Count, rate, size and still change only as stated.

    The clean clip is never changed.
    """
    before = np.stack(moving.frames).copy()
    after = nuisance.change(moving)
    count = {"half frame rate": 12, "trimmed": 14}.get(nuisance.name, 24)
    size = {"half size": (48, 64), "double size": (192, 256)}.get(nuisance.name, (96, 128))
    assert [(rgb.shape, rgb.dtype) for rgb in after.frames] == [((*size, 3), np.uint8)] * count
    assert len(after.alphas) == count
    assert after.fps == (12 if nuisance.name == "half frame rate" else 24)
    still = cv2.flip(moving.still, 1) if nuisance.name == "mirrored" else moving.still
    assert (after.still == still).all()
    assert 0 < nuisance.allowed < 0.5
    assert (np.stack(moving.frames) == before).all()


def test_only_compression_is_left_to_the_encoder(moving: CleanClip) -> None:
    """It changes no frame and asks for a higher CRF than clean clips have."""
    crf = {nuisance.name: nuisance.crf for nuisance in NUISANCES}
    assert crf.pop("compressed (CRF 30)") == 30
    assert set(crf.values()) == {16}
    for name, nuisance in CHANGES.items():
        after = nuisance.change(moving)
        same = len(after.frames) == 24 and all(map(np.array_equal, after.frames, moving.frames))
        assert same == (name == "compressed (CRF 30)"), name


def test_mirrored_twice_is_the_same_clip(moving: CleanClip) -> None:
    """Frames and still are restored."""
    mirror = CHANGES["mirrored"].change
    twice = mirror(mirror(moving))
    assert all(map(np.array_equal, twice.frames, moving.frames))
    assert (twice.still == moving.still).all()


def test_held_frames_show_every_second_frame_twice(
    changed: Callable[[str], CleanClip], moving: CleanClip
) -> None:
    """The frames are 0, 0, 2, 2 and so on."""
    after = changed("held frames").frames
    assert all((after[i] == moving.frames[i - i % 2]).all() for i in range(24))


def test_half_the_rate_and_a_trim_keep_frames_unchanged(
    changed: Callable[[str], CleanClip], moving: CleanClip
) -> None:
    """They keep every second frame, and the first three fifths."""
    assert all(map(np.array_equal, changed("half frame rate").frames, moving.frames[::2]))
    assert all(map(np.array_equal, changed("trimmed").frames, moving.frames[:14]))


def test_exposure_and_fade_are_slow_gains(
    changed: Callable[[str], CleanClip], moving: CleanClip
) -> None:
    """Gains from 0.85 to 1.2 in even steps; 1 for half the clip, then falling to 0.4."""
    before = np.stack(moving.frames).mean(axis=(1, 2, 3))
    ramp = np.stack(changed("exposure ramp").frames).mean(axis=(1, 2, 3)) / before
    assert ramp == pytest.approx(np.linspace(0.85, 1.2, 24), abs=0.01)
    fade = np.stack(changed("fade out").frames).mean(axis=(1, 2, 3)) / before
    assert fade[:12] == pytest.approx(1, abs=0.01)
    assert np.all(np.diff(fade[11:]) < 0)
    assert fade[-1] == pytest.approx(0.4, abs=0.01)


def test_grain_is_three_code_values_new_in_every_frame(
    changed: Callable[[str], CleanClip], moving: CleanClip
) -> None:
    """It is grey, without a pattern, and different in each frame."""
    noise = np.stack(changed("film grain").frames).astype(float) - np.stack(moving.frames)
    assert (np.ptp(noise, axis=-1) == 0).all()
    assert noise.std() == pytest.approx(3, rel=0.02)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05


def test_a_turning_subject_leaves_the_background_alone(
    changed: Callable[[str], CleanClip], moving: CleanClip, disc: Pixels
) -> None:
    """The motion of its surface grows; pixels far from the subject stay."""
    after = np.stack(changed("turning subject").frames).astype(float)
    change = np.abs(after - np.stack(moving.frames)).mean(axis=-1)
    far = cv2.dilate(disc, np.ones((25, 25), np.uint8)) == 0
    assert far.any()
    assert not change[:, far].any()
    assert not change[0].any()
    assert change[-1][disc > 0].mean() > change[4][disc > 0].mean() > 0


def test_turning_without_a_subject_changes_nothing(moving: CleanClip, disc: Pixels) -> None:
    """All frames stay as they are."""
    nobody = replace(moving, alphas=[0 * disc] * 24)
    assert all(map(np.array_equal, CHANGES["turning subject"].change(nobody).frames, moving.frames))


def test_a_post_passes_within_the_middle_half(
    changed: Callable[[str], CleanClip], moving: CleanClip
) -> None:
    """It covers a seventh of the width and moves from left to right."""
    after = changed("passing post").frames
    columns = [
        np.flatnonzero((rgb != clean).any(axis=(0, 2)))
        for rgb, clean in zip(after, moving.frames, strict=True)
    ]
    assert not any(len(column) for column in (*columns[:6], *columns[18:]))
    assert max(len(column) for column in columns) == 128 // 7
    middles = [column.mean() for column in columns if len(column)]
    assert np.all(np.diff(middles) > 0)
    assert middles[0] < 32
    assert middles[-1] > 96
