"""Plain borders around a picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.vision import Borders, find_borders
from tests.tiers import examples

BLACK, WHITE, GREEN = (0, 0, 0), (255, 255, 255), (10, 120, 40)


def _photo(seed: int = 0, size: tuple[int, int] = (180, 240)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def _framed(rgb: np.ndarray, colour: tuple[int, int, int], **bars: int) -> np.ndarray:
    sides = [bars.get(name, 0) for name in ("top", "bottom", "left", "right")]
    return cv2.copyMakeBorder(rgb, *sides, cv2.BORDER_CONSTANT, value=colour)


@settings(max_examples=examples(20), deadline=None)
@given(
    st.sampled_from([BLACK, WHITE, GREEN]),
    st.integers(5, 60),
    st.integers(5, 60),
    st.booleans(),
    st.floats(0, 2),
)
def test_bars_are_found_to_the_pixel(
    colour: tuple[int, int, int], one: int, other: int, beside: bool, noise_dn: float
) -> None:
    """Bars of any colour and unequal widths are found exactly, also under an encoder's noise."""
    names = ("left", "right") if beside else ("top", "bottom")
    pictures = [
        _framed(_photo(seed), colour, **dict(zip(names, (one, other), strict=True)))
        for seed in range(3)
    ]
    noise = np.random.default_rng(one).normal(0, noise_dn, pictures[0].shape)
    noisy = [np.clip(rgb + noise, 0, 255).astype(np.uint8) for rgb in pictures]
    found = find_borders(noisy)
    height, width = noisy[0].shape[:2]
    rows, columns = found.inside(height, width)
    inner = (rows, columns)[beside]
    assert abs(inner.start - one) <= 1
    assert abs((width if beside else height) - inner.stop - other) <= 1
    assert not (found.top if beside else found.left)


def test_bars_on_all_sides_and_soft_edges_are_found() -> None:
    """A picture in a window is cut out whole, and the soft edge is no part of it."""
    window = _framed(_photo(), BLACK, top=20, bottom=20, left=30, right=30)
    soft = cv2.GaussianBlur(window, (0, 0), 1)
    for rgb in (window, soft):
        found = find_borders([rgb])
        rows, columns = found.inside(*rgb.shape[:2])
        assert rows.start == pytest.approx(20, abs=3)
        assert columns.start == pytest.approx(30, abs=3)
        left = rgb[rows, columns]
        for edge in (left[0], left[-1], left[:, 0], left[:, -1]):
            assert edge.mean() > 0.5 * left.mean()
    assert str(find_borders([window])).startswith("top 9%, bottom 9%, left 10%")


@pytest.mark.parametrize(
    "rgb",
    [
        _photo(),
        np.full((180, 240, 3), 255, np.uint8),
        _framed(_photo(), BLACK, top=30),
        _framed(_framed(_photo(), BLACK, top=30), WHITE, bottom=30),
    ],
    ids=["photograph", "plain", "one bar", "unlike bars"],
)
def test_what_is_no_border_stays(rgb: np.ndarray) -> None:
    """A picture without a pair of like bars stays whole."""
    assert not find_borders([rgb])
    assert find_borders([rgb]).inside(180, 240) == (slice(0, 180), slice(0, 240))


def test_a_subject_on_plain_colour_has_no_border() -> None:
    """A round product on white has a curved outline; its white is part of the picture."""
    y, x = np.mgrid[:180, :240]
    disc = (np.hypot(x - 120, y - 90) < 60)[..., None]
    assert not find_borders([np.where(disc, _photo(), 255).astype(np.uint8)])


def test_a_bar_that_the_picture_enters_is_none() -> None:
    """What is plain in one frame and not in another is part of the picture."""
    barred, filled = _framed(_photo(), BLACK, top=30, bottom=30), _photo(1, (240, 240))
    assert find_borders([barred, barred])
    assert not find_borders([barred, filled])
    assert Borders() == find_borders([filled])
