"""A frame laid back over the still."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lab.metrics.reference import ANALYSIS_SIDE_PX, Reference, register

Plain = Callable[..., Reference]
SIZE = (360, 240)


@pytest.fixture(scope="module")
def cup(plain: Plain, small: np.ndarray) -> Reference:
    """The good still with an ellipse in its middle as the subject."""
    alpha = np.zeros(small.shape[:2], np.float32)
    cv2.ellipse(alpha, (180, 120), (90, 80), 0, 0, 360, 1.0, -1)
    return plain(small, alpha)


def _moved(rgb: np.ndarray, degrees: float, scale: float, dx: float, dy: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((180, 120), degrees, scale)
    matrix[:, 2] += (dx, dy)
    return matrix


@pytest.mark.parametrize(
    ("degrees", "scale", "dx", "dy"),
    [
        (0, 1, 0, 0),
        (0, 1, 40, -20),
        (12, 1, 0, 0),
        (0, 1.4, 0, 0),
        (0, 0.7, 10, 5),
        (-8, 1.2, 9, 4),
    ],
)
def test_the_subjects_place_is_found(
    cup: Reference, degrees: float, scale: float, dx: float, dy: float
) -> None:
    """Shifted, turned, nearer or farther, the subject's corners are found to 1.5 px."""
    true = _moved(cup.rgb, degrees, scale, dx, dy)
    frame = cv2.warpAffine(cup.rgb, true, SIZE, borderMode=cv2.BORDER_REFLECT)
    found = register(cup, frame, None)
    assert found is not None
    corners = np.float32([[[90, 40], [270, 40], [90, 200], [270, 200]]])
    apart = cv2.transform(corners, found.place) - cv2.transform(corners, true)
    assert np.abs(apart).max() < 1.5
    inner = found.seen & cup.subject & found.flow.forward_valid
    assert inner.sum() > 0.5 * cup.subject.sum()
    assert np.abs(found.laid[inner].astype(int) - cup.rgb[inner]).mean() < 4


@pytest.mark.parametrize(("gain", "offset"), [(1, 0), (0.6, 0), (1.2, 0), (0.8, 25), (0.3, 5)])
def test_the_lights_change_is_found_and_undone(cup: Reference, gain: float, offset: float) -> None:
    """Gain and offset of the whole picture are measured, and the laid frame has none."""
    lit = np.clip(cup.rgb * gain + offset, 0, 255).round().astype(np.uint8)
    found = register(cup, lit, np.eye(2, 3))
    assert found is not None
    assert found.exposure == pytest.approx((gain, offset), rel=0.05, abs=2)
    unclipped = cup.subject & (lit.max(axis=2) < 250)
    assert np.abs(found.laid[unclipped].astype(int) - cup.rgb[unclipped]).mean() < 4


def test_a_subject_that_lights_up_alone_is_no_exposure(cup: Reference) -> None:
    """Light on the subject only is its own change and stays in the laid frame."""
    lit = np.where(cup.subject[..., None], np.clip(cup.rgb * 1.3, 0, 255), cup.rgb).astype(np.uint8)
    found = register(cup, lit, np.eye(2, 3))
    assert found is not None
    assert found.exposure == pytest.approx((1, 0), rel=0.02, abs=1)
    assert found.laid[cup.subject].mean() > 1.15 * cup.rgb[cup.subject].mean()


@pytest.mark.parametrize("level", [0, 255])
def test_an_empty_frame_has_next_to_no_gain(cup: Reference, level: int) -> None:
    """Of a black or a white frame nothing is left to compare, and the gain says so."""
    found = register(cup, np.full_like(cup.rgb, level), np.eye(2, 3), search=False)
    assert found is not None
    assert found.exposure[0] < 0.1


def test_a_flat_still_tells_only_an_offset(plain: Plain) -> None:
    """Where the still has no contrast the gain is not guessed."""
    flat = np.full((100, 120, 3), 90, np.uint8)
    found = register(plain(flat), flat + np.uint8(30), np.eye(2, 3))
    assert found is not None
    assert found.exposure == (1.0, 30.0)


def test_another_picture_is_not_found(cup: Reference, texture: np.ndarray) -> None:
    """Without a guess there is no place for it; with one, the guess stands."""
    other = cv2.resize(texture, SIZE)
    assert register(cup, other, None) is None
    guess = np.array([[1, 0, 5], [0, 1, -3]], float)
    found = register(cup, other, guess)
    assert found is not None
    assert np.array_equal(found.place, guess)


def test_without_a_search_the_guess_is_taken(cup: Reference) -> None:
    """A guess a little off is taken as it is, and the dense flow makes up for it."""
    guess = np.array([[1, 0, 2], [0, 1, -1]], float)
    found = register(cup, cup.rgb, guess, search=False)
    assert found is not None
    assert np.array_equal(found.place, guess)
    inner = cup.subject & found.flow.forward_valid
    assert np.median(found.flow.forward[inner], axis=0) == pytest.approx((-2, 1), abs=0.1)


def test_what_lies_outside_the_frame_is_not_seen(cup: Reference) -> None:
    """Of a frame that shows the right half, the left half is not seen."""
    place = np.array([[1, 0, -180], [0, 1, 0]], float)
    found = register(cup, np.ascontiguousarray(cup.rgb[:, 180:]), place, search=False)
    assert found is not None
    assert not found.seen[:, :179].any()
    assert found.seen[:, 181:].all()


def test_a_strip_is_too_small(plain: Plain, texture: np.ndarray) -> None:
    """A reference of fewer pixels than flow needs is never laid over anything."""
    strip = np.ascontiguousarray(np.hstack([texture[100:112], texture[300:312]]))
    assert register(plain(strip), strip, np.eye(2, 3)) is None


@pytest.mark.parametrize("shape", [(600, 400), (100, 300), (512, 512)])
def test_a_still_is_reduced_never_enlarged(texture: np.ndarray, shape: tuple[int, int]) -> None:
    """A reference has a shorter side of 256 px, or of its own if that is less."""
    reference = Reference.of(cv2.resize(texture, shape[::-1]), is_still=True)
    assert min(reference.rgb.shape[:2]) == min(ANALYSIS_SIDE_PX, *shape)
    assert reference.mask.alpha.shape == reference.grey.shape == reference.rgb.shape[:2]
    assert set(map(tuple, reference.on_subject.places)) <= set(
        map(tuple, reference.keypoints.places)
    )
