"""Measures of how well a picture was taken and kept, on pictures whose answer is known."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from lab.stills.quality import (
    WINDOW_PX,
    blocking,
    clipping,
    detail_beyond,
    noise,
    sharpness,
    window,
)


@pytest.mark.parametrize("sigma", [3.0, 6.0, 12.0])
def test_grain_is_measured_in_code_values(sigma: float) -> None:
    """On a ramp, grain of a known spread reads as that spread."""
    ramp = np.tile(np.linspace(60, 190, 256), (256, 1))
    grained = ramp + np.random.default_rng(1).normal(0, sigma, ramp.shape)
    read = noise(np.clip(grained, 0, 255).round().astype(np.uint8))
    assert read == pytest.approx(sigma, rel=0.12)


def test_what_is_clipped_hides_its_grain_and_nothing_is_no_grain() -> None:
    """Black and white areas are left out; a picture of nothing else reads 0."""
    assert noise(np.zeros((128, 128), np.uint8)) == 0
    assert noise(np.full((128, 128), 255, np.uint8)) == 0


def test_enlarging_leaves_no_detail_to_lose(photo: np.ndarray) -> None:
    """Reduced and enlarged again, a photograph loses little when that is done to it once more."""
    grey = window(photo)
    size = (grey.shape[1] // 2, grey.shape[0] // 2)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    again = cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_CUBIC)
    assert detail_beyond(grey, 1.5) > 2 * detail_beyond(again, 1.5)
    assert detail_beyond(np.full((64, 64), 90, np.uint8), 1.5) == 1


def test_a_soft_ground_does_not_make_a_sharp_subject_soft(photo: np.ndarray) -> None:
    """Half of the picture out of focus hardly changes the measure."""
    grey = window(photo)
    half = cv2.GaussianBlur(grey, (0, 0), 3)
    half[:, : grey.shape[1] // 2] = grey[:, : grey.shape[1] // 2]
    assert sharpness(half) > 0.9 * sharpness(grey)


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0, 5.0, 8.0])
def test_however_blurred_a_picture_is_soft(photo: np.ndarray, sigma: float) -> None:
    """A little blur and a lot of it both read far below the sharp picture."""
    grey = window(photo)
    assert sharpness(cv2.GaussianBlur(grey, (0, 0), sigma)) < 0.75 * sharpness(grey)


@pytest.mark.parametrize("shift", [0, 3])
def test_jpeg_blocks_are_found_wherever_their_grid_begins(photo: np.ndarray, shift: int) -> None:
    """Strong compression shows, also after cropping a few pixels; a clean picture reads about 1."""
    stream = io.BytesIO()
    Image.fromarray(photo).save(stream, "JPEG", quality=10)
    compressed = np.asarray(Image.open(stream).convert("RGB"))[shift:, shift:]
    assert blocking(window(compressed)) > 1.6
    assert blocking(window(photo)) < 1.2
    assert blocking(np.full((64, 64), 90, np.uint8)) == pytest.approx(1)


def test_clipping_counts_plain_black_and_plain_white() -> None:
    """A quarter black and half white; a saturated colour is neither; only the part counts."""
    rgb = np.full((8, 8, 3), 120, np.uint8)
    rgb[:2] = 0
    rgb[2:6] = 255
    rgb[6] = (255, 0, 0)
    everywhere = np.ones(rgb.shape[:2], bool)
    assert clipping(rgb, everywhere) == (0.25, 0.5)
    assert clipping(rgb, (rgb == 255).all(axis=2)) == (0.0, 1.0)


def test_a_large_picture_is_judged_by_its_middle() -> None:
    """The window has the picture's own pixels, at most 1024 a side."""
    rgb = np.zeros((1500, 2500, 3), np.uint8)
    rgb[238:1262, 738:1762] = 200
    part = window(rgb)
    assert part.shape == (WINDOW_PX, WINDOW_PX)
    assert (part == 200).all()
