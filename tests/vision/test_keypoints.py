"""Keypoints, and the similarity that two pictures' keypoints agree on."""

import cv2
import numpy as np
import pytest

from lab.vision import Keypoints, find_keypoints, similarity


@pytest.fixture(scope="module")
def grey(texture: np.ndarray) -> np.ndarray:
    """A photograph full of detail, in grey, 512x512."""
    return cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY)


def _placed(grey: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(grey, matrix, grey.shape[::-1], borderMode=cv2.BORDER_REFLECT)


def _turned(degrees: float, scale: float, dx: float = 0, dy: float = 0) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((255.5, 255.5), degrees, scale)
    matrix[:, 2] += (dx, dy)
    return matrix


@pytest.mark.parametrize(
    ("degrees", "scale", "dx", "dy"),
    [
        (0, 1, 90, -60),
        (25, 1, 0, 0),
        (-90, 1, 0, 0),
        (0, 1.6, 0, 0),
        (0, 0.6, 0, 0),
        (10, 1.2, 30, 9),
    ],
)
def test_a_similarity_is_recovered(
    grey: np.ndarray, degrees: float, scale: float, dx: float, dy: float
) -> None:
    """However far a picture is moved, turned or scaled, its corners are found to 2 px."""
    true = _turned(degrees, scale, dx, dy)
    found = similarity(find_keypoints(grey), find_keypoints(_placed(grey, true)))
    assert found is not None
    assert found.shape == (2, 3)
    corners = np.float32([[[100, 100], [400, 100], [100, 400], [400, 400]]])
    assert np.abs(cv2.transform(corners, found) - cv2.transform(corners, true)).max() < 2


def test_it_is_a_similarity_and_repeatable(grey: np.ndarray) -> None:
    """Whatever the pictures, the answer turns, scales and moves, and it is the same each time."""
    squeezed = cv2.resize(grey, (512, 470))
    found = [similarity(find_keypoints(grey), find_keypoints(squeezed)) for _ in range(2)]
    assert found[0] is not None
    (a, b, _), (c, d, _) = found[0]
    assert (a, b) == (pytest.approx(d), pytest.approx(-c))
    assert np.array_equal(found[0], found[1])


def test_most_matches_decide(grey: np.ndarray) -> None:
    """With a third of the picture replaced by another one, the rest still tells where it is."""
    true = _turned(8, 1.1, 20, -10)
    moved = _placed(grey, true)
    moved[:170] = grey[::-1][:170]
    found = similarity(find_keypoints(grey), find_keypoints(moved))
    assert found is not None
    assert found == pytest.approx(true, abs=1.5)
    assert found[:, :2] == pytest.approx(true[:, :2], abs=0.01)


def test_places_are_pixels_of_the_picture(grey: np.ndarray) -> None:
    """Places are given in the picture's own pixels although a smaller copy is searched."""
    spot = np.zeros((600, 800), np.uint8)
    cv2.circle(spot, (640, 150), 14, 255, -1)
    places = find_keypoints(cv2.GaussianBlur(spot, (0, 0), 3)).places
    assert places.dtype == np.float32
    assert np.hypot(*(places - (640, 150)).T).min() < 1.5
    all_of_it = find_keypoints(grey).places
    assert all_of_it.min() >= -1
    assert all_of_it.max() < 512


@pytest.mark.parametrize("level", [0, 90, 255])
def test_an_empty_picture_has_none(level: int) -> None:
    """A flat picture has no keypoints, of the shapes that others have."""
    found = find_keypoints(np.full((64, 96), level, np.uint8))
    assert found.places.shape == (0, 2)
    assert found.descriptors.shape == (0, 128)
    assert similarity(found, found) is None


@pytest.mark.parametrize("size", [(8, 8), (8, 400), (1, 1)])
def test_tiny_pictures_do_no_harm(grey: np.ndarray, size: tuple[int, int]) -> None:
    """A picture of a few pixels has some keypoints or none."""
    found = find_keypoints(np.ascontiguousarray(grey[: size[0], : size[1]]))
    assert len(found.places) == len(found.descriptors)


def test_two_different_pictures_have_no_similarity(grey: np.ndarray, photo: np.ndarray) -> None:
    """Where fewer than eight matches agree there is no answer."""
    other = find_keypoints(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY))
    assert similarity(find_keypoints(grey), other) is None


def test_too_few_keypoints_have_no_similarity(grey: np.ndarray) -> None:
    """Seven keypoints do not place a picture, not even on itself; a hundred do."""
    found = find_keypoints(grey)
    few, many = (found.where(np.arange(len(found.places)) < n) for n in (7, 100))
    assert similarity(few, found) is None
    assert similarity(many, found) == pytest.approx(np.eye(2, 3), abs=1e-3)


def test_only_those_on_a_mask(grey: np.ndarray) -> None:
    """A mask keeps what lies on it; what lies outside the picture counts as at its edge."""
    found = find_keypoints(grey)
    left = np.zeros(grey.shape, bool)
    left[:, :256] = True
    on = found.on(left)
    assert 0 < len(on.places) < len(found.places)
    assert on.places[:, 0].max() < 256
    assert len(on.places) + len(found.on(~left).places) == len(found.places)
    outside = Keypoints(np.float32([[-3, -3], [900, 900]]), np.zeros((2, 128), np.float32))
    assert len(outside.on(left).places) == 1
