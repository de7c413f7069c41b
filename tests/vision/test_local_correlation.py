"""Local correlation: how well two pictures agree in structure."""

import cv2
import numpy as np

from lab.vision import local_correlation, structure_agreement


def test_brightness_and_contrast_do_not_count(photo: np.ndarray) -> None:
    """A darker, paler copy agrees; a negative one is the opposite."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    paler = cv2.convertScaleAbs(grey, alpha=0.6, beta=40)
    where = np.ones(grey.shape, bool)
    assert structure_agreement(grey, paler, where, window_px=21) > 0.97
    correlation, variance = local_correlation(grey, 255 - grey, where, window_px=21)
    assert np.median(correlation[variance > 400]) < -0.97


def test_another_picture_does_not_agree(photo: np.ndarray, texture: np.ndarray) -> None:
    """Unrelated structure agrees hardly at all; only what the mask covers counts."""
    grey, other = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in (photo, texture))
    mixed = cv2.resize(other, grey.shape[::-1])
    half = grey.shape[1] // 2
    mixed[:, :half] = grey[:, :half]
    left = np.zeros(grey.shape, bool)
    left[:, :half] = True
    assert structure_agreement(grey, mixed, left, window_px=21) > 0.99
    assert structure_agreement(grey, mixed, ~left, window_px=21) < 0.25


def test_plain_areas_agree_with_each_other_alone(photo: np.ndarray) -> None:
    """Faint noise of its own is no structure; texture in a plain area is, and its loss too."""
    textured = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    rng = np.random.default_rng(0)
    plain, other = (
        np.clip(90 + rng.normal(0, 1.5, textured.shape), 0, 255).astype(np.uint8) for _ in "ab"
    )
    where = np.ones(textured.shape, bool)

    def median(one: np.ndarray, other: np.ndarray) -> float:
        correlation, _ = local_correlation(one, other, where, window_px=13)
        return float(np.median(correlation))

    assert median(plain, other) > 0.9
    assert median(plain, textured) < 0.3
    assert median(textured, plain) < 0.3
