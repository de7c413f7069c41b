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
Strode = Callable[..., Moment]


def _about_the_centre(linear: list[list[float]], shift: tuple[float, float]) -> np.ndarray:
    matrix = np.array(linear, float)
    return np.column_stack([matrix, np.array(shift) - matrix @ CENTRE])


def _stride(strode: Strode, ground: np.ndarray, subject: np.ndarray) -> Stride:
    """A disc that goes one way before a ground that goes another, in an eighth of a second."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    alpha = (np.hypot(x - 80, y - 60) < 35).astype(np.float32)
    flow = np.where(
        alpha[..., None] > 0.5, apply_affine(subject, *SIZE), apply_affine(ground, *SIZE)
    ).astype(np.float32)
    stride = strode(flow, alpha).stride
    assert stride is not None
    return stride


def test_ground_and_subject_are_read_apart(strode: Strode) -> None:
    """The ground's rates are the camera's; what the subject does beyond them is its own."""
    ground = _about_the_centre([[0.002, 0], [0, 0.002]], (-1.0, 0.5))
    subject = _about_the_centre([[0.005, 0], [0, 0.005]], (-2.0, -0.5))
    found = course(_stride(strode, ground, subject), near=True)
    assert found is not None
    assert found.pan == pytest.approx(100 * 1.0 / 200 * 8, rel=0.02)
    assert found.tilt == pytest.approx(100 * 0.5 / 120 * 8, rel=0.02)
    assert found.zoom == pytest.approx(100 * 0.002 * 8, rel=0.05)
    assert found.roll == pytest.approx(0, abs=0.02)
    assert found.parallax_x == pytest.approx(100 * -1.0 / 200 * 8, rel=0.05)
    assert found.parallax_y == pytest.approx(100 * 1.0 / 120 * 8, rel=0.05)
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
