"""The part of a flow field that one camera explains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.vision import apply_affine, fit_affine, fit_similarity, grid
from tests.tiers import examples

SIZE = (90, 160)
RATE = st.floats(-0.05, 0.05)
SHIFT = st.floats(-20, 20)


def _valid() -> np.ndarray:
    return np.ones(SIZE, bool)


@settings(max_examples=examples(40))
@given(st.tuples(RATE, RATE, SHIFT, RATE, RATE, SHIFT), st.integers(0, 1000))
def test_an_affine_motion_is_recovered_among_outliers(
    numbers: tuple[float, ...], seed: int
) -> None:
    """With three vectors in ten wrong, the camera's motion is found to a twentieth of a pixel."""
    matrix = np.array(numbers).reshape(2, 3)
    flow = apply_affine(matrix, *SIZE)
    luck = np.random.default_rng(seed)
    wrong = luck.random(SIZE) < 0.3
    flow[wrong] += luck.uniform(-15, 15, (int(wrong.sum()), 2)).astype(np.float32)
    found = fit_affine(flow, _valid())
    assert found is not None
    assert np.abs(apply_affine(found, *SIZE) - apply_affine(matrix, *SIZE)).max() < 0.05


def test_a_subject_that_moves_on_its_own_is_left_out() -> None:
    """A block of a quarter of the picture moving its own way does not bend the camera's motion."""
    matrix = np.array([[0.01, 0, 2], [0, 0.01, -1]])
    flow = apply_affine(matrix, *SIZE)
    flow[20:65, 40:120] = (-6, 5)
    found = fit_affine(flow, _valid())
    assert found is not None
    assert np.abs(found - matrix).max() < 0.05


@pytest.mark.parametrize("shift", [(0, 0), (2, -1)])
def test_a_side_that_moves_otherwise_bends_only_a_single_start(shift: tuple[float, float]) -> None:
    """Where one side of the picture moves by itself, the shift of the rest is found."""
    flow = np.full((*SIZE, 2), shift, np.float32)
    flow[:, :40] += (6, 2)
    bent, found = (fit_affine(flow, _valid(), two_starts=both) for both in (False, True))
    assert bent is not None
    assert found is not None
    assert np.abs(apply_affine(found, *SIZE) - shift).max() < 0.05
    assert np.abs(apply_affine(bent, *SIZE) - shift).max() > 1


def test_only_valid_vectors_count() -> None:
    """Vectors marked invalid do not matter, be they the most."""
    flow = np.full((*SIZE, 2), 50, np.float32)
    valid = np.zeros(SIZE, bool)
    valid[:20] = True
    flow[:20] = (1, -2)
    found = fit_affine(flow, valid)
    assert found is not None
    assert np.abs(apply_affine(found, *SIZE)[:20] - (1, -2)).max() < 0.01


@pytest.mark.parametrize("count", [0, 49])
def test_too_few_vectors_give_no_camera(count: int) -> None:
    """Under fifty valid vectors there is no answer."""
    valid = np.zeros(SIZE, bool)
    valid.flat[:count] = True
    assert fit_affine(np.zeros((*SIZE, 2), np.float32), valid) is None


def test_a_picture_at_rest_has_a_camera_at_rest() -> None:
    """No motion fits to exactly no motion."""
    found = fit_affine(np.zeros((*SIZE, 2), np.float32), _valid())
    assert found is not None
    assert np.abs(found).max() == 0


def test_the_shared_grid_cannot_be_spoilt() -> None:
    """The coordinates handed out are (x, y) and cannot be written to."""
    points = grid(3, 4)
    assert points[2, 3].tolist() == [3, 2]
    with pytest.raises(ValueError, match="read-only"):
        points[0, 0] = 1


@settings(max_examples=examples(40))
@given(st.tuples(RATE, RATE, SHIFT, SHIFT), st.integers(0, 1000))
def test_a_similarity_is_recovered_on_a_small_area(numbers: tuple[float, ...], seed: int) -> None:
    """Shift, turn and growth of a patch of 30 by 30 px are found among outliers."""
    grow, turn, across, down = numbers
    matrix = np.array([[grow, -turn, across], [turn, grow, down]])
    flow = apply_affine(matrix, *SIZE)
    luck = np.random.default_rng(seed)
    wrong = luck.random(SIZE) < 0.25
    flow[wrong] += luck.uniform(-15, 15, (int(wrong.sum()), 2)).astype(np.float32)
    patch = np.zeros(SIZE, bool)
    patch[30:60, 60:90] = True
    found = fit_similarity(flow, patch)
    assert found is not None
    missed = apply_affine(found, *SIZE) - apply_affine(matrix, *SIZE)
    assert np.abs(missed[patch]).max() < 0.1


@pytest.mark.parametrize("fit", [fit_affine, fit_similarity])
def test_what_is_trusted_more_counts_more(fit: object) -> None:
    """Where most of a picture is flat and its flow a guess, the textured part decides."""
    flow = np.zeros((*SIZE, 2), np.float32)
    flow[:, :60] = (2, 1)
    weight = np.full(SIZE, 0.02, np.float32)
    weight[:, :60] = 1
    found = fit(flow, _valid(), weight)  # type: ignore[operator]
    assert np.abs(apply_affine(found, *SIZE)[:, :60] - (2, 1)).max() < 0.05
    guessed = fit(flow, _valid())  # type: ignore[operator]
    assert np.abs(apply_affine(guessed, *SIZE)[:, :60] - (2, 1)).max() > 0.5


def test_too_small_an_area_gives_no_similarity() -> None:
    """Under fifty valid vectors there is no answer."""
    valid = np.zeros(SIZE, bool)
    valid[:7, :7] = True
    assert fit_similarity(np.zeros((*SIZE, 2), np.float32), valid) is None
