"""Cutting a still to a ratio."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.stills import Crop, crop_to_ratio
from lab.units import RATIOS

SIDES = st.integers(64, 12_000)
RATIO = st.sampled_from(list(RATIOS.values()))
FOCUS = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(SIDES, SIDES, RATIO, FOCUS)
def test_a_crop_lies_inside_the_picture(
    width_px: int, height_px: int, ratio: Fraction, focus: tuple[float, float]
) -> None:
    """Whatever the focus, no side of the crop leaves the picture."""
    crop = crop_to_ratio(width_px, height_px, ratio, focus)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.width <= width_px
    assert crop.top + crop.height <= height_px


@given(SIDES, SIDES, RATIO)
def test_a_crop_has_its_ratio_and_wastes_nothing(
    width_px: int, height_px: int, ratio: Fraction
) -> None:
    """A crop is of the ratio to half a pixel and as large as the picture allows."""
    crop = crop_to_ratio(width_px, height_px, ratio)
    assert crop.width == width_px or crop.height == height_px
    assert (
        abs(crop.width - crop.height * ratio) <= 0.5 or abs(crop.height - crop.width / ratio) <= 0.5
    )


@given(SIDES, SIDES, RATIO, FOCUS)
def test_a_crop_is_as_near_its_focus_as_it_can_be(
    width_px: int, height_px: int, ratio: Fraction, focus: tuple[float, float]
) -> None:
    """A crop is centred on its focus to a pixel, or stands at the picture's edge."""
    crop = crop_to_ratio(width_px, height_px, ratio, focus)
    miss_x = crop.left + crop.width / 2 - focus[0] * width_px
    miss_y = crop.top + crop.height / 2 - focus[1] * height_px
    assert abs(miss_x) <= 1 or crop.left in (0, width_px - crop.width)
    assert abs(miss_y) <= 1 or crop.top in (0, height_px - crop.height)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_crop_cuts_masks_and_pictures_alike(channels: tuple[int, ...]) -> None:
    """A crop cuts the same rectangle out of an array with or without channels."""
    pixels = np.arange(10 * 8 * int(np.prod(channels, initial=1))).reshape(10, 8, *channels)
    assert np.array_equal(Crop(2, 3, 4, 5).of(pixels), pixels[3:8, 2:6])
