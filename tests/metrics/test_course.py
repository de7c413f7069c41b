"""Where the camera goes in one stride."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lab.metrics.course import course
from lab.metrics.moment import Moment, Stride
from lab.vision import apply_affine

SIZE = (120, 200)
CENTRE = np.array([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])
DISC = (80, 60)
Strode = Callable[..., Moment]


def _about_the_centre(linear: list[list[float]], shift: tuple[float, float]) -> np.ndarray:
    matrix = np.array(linear, float)
    return np.column_stack([matrix, np.array(shift) - matrix @ CENTRE])


def _stride(strode: Strode, ground: np.ndarray, subject: np.ndarray) -> Stride:
    """A disc that goes one way before a ground that goes another, in an eighth of a second."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    alpha = (np.hypot(x - DISC[0], y - DISC[1]) < 35).astype(np.float32)
    flow = np.where(
        alpha[..., None] > 0.5, apply_affine(subject, *SIZE), apply_affine(ground, *SIZE)
    ).astype(np.float32)
    stride = strode(flow, alpha).stride
    assert stride is not None
    return stride


def test_ground_and_subject_are_read_apart(strode: Strode) -> None:
    """The ground's rates are the camera's; what the subject does beyond the ground at its place is
    its own.
    """
    ground = _about_the_centre([[0.002, 0], [0, 0.002]], (-1.0, 0.5))
    subject = _about_the_centre([[0.005, 0], [0, 0.005]], (-2.0, -0.5))
    found = course(_stride(strode, ground, subject), near=True)
    assert found is not None
    assert found.pan == pytest.approx(100 * 1.0 / 200 * 8, rel=0.02)
    assert found.tilt == pytest.approx(100 * 0.5 / 120 * 8, rel=0.02)
    assert found.zoom == pytest.approx(100 * 0.002 * 8, rel=0.05)
    assert found.roll == pytest.approx(0, abs=0.02)
    right, down = (subject - ground) @ (*DISC, 1)
    assert found.parallax_x == pytest.approx(100 * right / 200 * 8, rel=0.05)
    assert found.parallax_y == pytest.approx(-100 * down / 120 * 8, rel=0.05)
    assert found.approach == pytest.approx(100 * 0.003 * 8, rel=0.1)


def test_an_off_centre_subject_that_grows_with_its_ground_is_no_parallax(strode: Strode) -> None:
    """Under a zoom everything grows about the centre, so nothing is nearer than anything."""
    zoom = _about_the_centre([[0.01, 0], [0, 0.01]], (0, 0))
    found = course(_stride(strode, zoom, zoom), near=True)
    assert found is not None
    assert found.zoom == pytest.approx(8, rel=0.02)
    for beyond in (found.parallax_x, found.parallax_y, found.approach):
        assert beyond == pytest.approx(0, abs=0.1)


def test_a_roll_is_clockwise_when_the_picture_turns_back(strode: Strode) -> None:
    """A ground that turns counterclockwise by a degree is a camera that rolled clockwise."""
    turn = math.radians(1)
    back = _about_the_centre([[0, turn], [-turn, 0]], (0, 0))
    found = course(_stride(strode, back, back), near=True)
    assert found is not None
    assert found.roll == pytest.approx(8, rel=0.02)


@pytest.mark.parametrize("linear", [[[0, 0.01], [0, 0]], [[0, 0], [0, 0.01]]])
def test_the_perspective_of_a_floor_is_no_roll_and_no_zoom(
    strode: Strode, linear: list[list[float]]
) -> None:
    """A floor nearer than its wall shears the picture in one direction; a camera turns both."""
    sheared = _about_the_centre(linear, (2, 0))
    found = course(_stride(strode, sheared, sheared), near=True)
    assert found is not None
    assert (found.roll, found.zoom) == pytest.approx((0, 0), abs=0.1)
    assert found.pan == pytest.approx(-8, rel=0.02)


@pytest.mark.parametrize("unlike", [1.0, 1.3])
def test_a_roll_that_a_floor_bends_keeps_its_size(strode: Strode, unlike: float) -> None:
    """If both directions turn the same way, by unlike amounts, a roll loses less than a tenth."""
    one, other = 2 / (1 + unlike), 2 * unlike / (1 + unlike)
    turn = math.radians(1)
    bent = _about_the_centre([[0, turn * one], [-turn * other, 0]], (0, 0))
    found = course(_stride(strode, bent, bent), near=True)
    assert found is not None
    assert 0.9 * 8 < found.roll <= 8.1


def test_the_camera_explains_the_ground_but_not_what_moves_by_itself(strode: Strode) -> None:
    """A ground that moves as one is explained wholly; unrelated motion of as many parts is not."""
    shift = _about_the_centre([[0, 0], [0, 0]], (3, 0))
    moving = course(_stride(strode, shift, shift), near=True)
    noise = np.random.default_rng(1).normal(0, 3, (*SIZE, 2)).astype(np.float32)
    stride = strode(noise).stride
    assert stride is not None
    restless = course(stride, near=False)
    assert moving is not None
    assert restless is not None
    assert (moving.explained, moving.agreeing) == pytest.approx((1, 1), abs=0.02)
    assert restless.explained < 0.5
    assert restless.agreeing < 0.2


@pytest.mark.parametrize("near", [True, False])
def test_without_a_subject_near_and_far_are_not_told_apart(strode: Strode, near: bool) -> None:
    """Where no subject is seen, or none is to be believed, the ground alone is read."""
    aside = _about_the_centre([[0, 0], [0, 0]], (2, 0))
    stride = _stride(strode, aside, aside)
    if near:
        stride = replace(stride, subject=np.zeros(SIZE, np.float32))
    found = course(stride, near=near)
    assert found is not None
    assert found.pan == pytest.approx(-8, rel=0.02)
    assert math.isnan(found.parallax_x)
    assert math.isnan(found.approach)


def test_a_picture_that_is_all_subject_has_a_course_without_parallax(strode: Strode) -> None:
    """Without ground everything stands in for it."""
    flow = np.full((*SIZE, 2), (2, 0), np.float32)
    stride = strode(flow, np.ones(SIZE, np.float32)).stride
    assert stride is not None
    found = course(stride, near=True)
    assert found is not None
    assert found.pan == pytest.approx(-8, rel=0.02)
    assert math.isnan(found.parallax_x)
