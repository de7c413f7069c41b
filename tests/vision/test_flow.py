"""Dense optical flow and what can be believed of it."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from lab.vision import backward_warp, consistent, dense_flow, enlarged, flow_both_ways, length


@pytest.fixture(scope="module")
def grey(photo: np.ndarray) -> np.ndarray:
    """The good still in grey, 400x600."""
    return cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)


def _views(grey: np.ndarray, dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    """Two views of a photograph, the second of which shows everything moved by (dx, dy)."""
    edge = 12
    height, width = grey.shape
    here = grey[edge : height - edge, edge : width - edge]
    there = grey[edge - dy : height - edge - dy, edge - dx : width - edge - dx]
    return np.ascontiguousarray(here), np.ascontiguousarray(there)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (-3, 0), (0, 3), (0, -3), (2, -5), (0, 0)])
def test_a_shift_of_whole_pixels_is_measured(grey: np.ndarray, dx: int, dy: int) -> None:
    """A photograph moved by three pixels measures three, in the direction it moved."""
    flow = dense_flow(*_views(grey, dx, dy))
    assert flow.shape == (376, 576, 2)
    assert flow.dtype == np.float32
    assert np.median(flow[..., 0]) == pytest.approx(dx, abs=0.15)
    assert np.median(flow[..., 1]) == pytest.approx(dy, abs=0.15)


def test_flow_does_not_depend_on_what_was_measured_before(grey: np.ndarray) -> None:
    """The same two pictures measure the same after others were measured."""
    pair = _views(grey, 3, 0)
    first = dense_flow(*pair)
    dense_flow(*_views(grey, -6, 4))
    assert np.array_equal(dense_flow(*pair), first)


def test_flow_is_the_same_in_every_thread(grey: np.ndarray) -> None:
    """Measured by several threads at once, every pair gives what it gives alone."""
    pairs = [_views(grey, dx, 1) for dx in range(-4, 5)]
    alone = [dense_flow(*pair) for pair in pairs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: dense_flow(*pair), pairs))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_the_flow_brings_the_next_picture_back(grey: np.ndarray) -> None:
    """Warped back along its flow, the next picture is the first one again."""
    here, there = _views(grey, 4, 2)
    back = backward_warp(there, dense_flow(here, there))
    inside = np.s_[12:-12, 12:-12]
    before = np.abs(there[inside].astype(int) - here[inside]).mean()
    after = np.abs(back[inside].astype(int) - here[inside]).mean()
    assert after < 0.25 * before


def test_a_warp_reads_where_the_flow_points(grey: np.ndarray) -> None:
    """A flow of (2, 1) everywhere shows at each pixel what lies two right and one below."""
    flow = np.tile(np.float32([2, 1]), (*grey.shape, 1))
    warped = backward_warp(grey, flow)
    assert np.array_equal(warped[:-1, :-2], grey[1:, 2:])
    assert (warped[:-1, -1] == grey[1:, -1]).all()


def test_what_was_covered_is_not_believed(grey: np.ndarray) -> None:
    """Where something new hides what was there, going there and back does not meet."""
    here, there = _views(grey, 2, 0)
    luck = np.random.default_rng(0).integers(0, 255, (60, 90), np.uint8)
    patch = np.s_[150:210, 200:290]
    there[patch] = cv2.GaussianBlur(luck, (0, 0), 2)
    believed = consistent(dense_flow(here, there), dense_flow(there, here))
    core = np.s_[160:200, 210:280]
    assert believed[core].mean() < 0.4
    far = np.ones(here.shape, bool)
    far[110:250, 160:330] = False
    assert believed[far].mean() > 0.9


def test_what_left_the_picture_is_not_believed() -> None:
    """A motion that ends outside the picture is not believed however well it meets itself."""
    forward = np.tile(np.float32([10, 0]), (40, 60, 1))
    believed = consistent(forward, -forward)
    assert believed[:, :50].all()
    assert not believed[:, 50:].any()


def _far(
    grey: np.ndarray, degrees: float, scale: float, dx: float, dy: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two views of a photograph, 300x400, and the true flow from the one to the other."""
    matrix = cv2.getRotationMatrix2D((300, 200), degrees, scale)
    matrix[:, 2] += (dx, dy)
    moved = cv2.warpAffine(grey, matrix, grey.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    y, x = np.mgrid[50:350, 100:500].astype(np.float32)
    place = np.dstack([x, y])
    true = cv2.transform(place, matrix) - place
    view = np.s_[50:350, 100:500]
    here, there = (np.ascontiguousarray(picture[view]) for picture in (grey, moved))
    return here, there, true.astype(np.float32)


@pytest.mark.parametrize(
    ("degrees", "scale", "dx", "dy"),
    [
        (0, 1, 45, 0),
        (0, 1, -60, 35),
        (0, 1, 90, 0),
        (20, 1, 0, 0),
        (0, 1.35, 0, 0),
        (-15, 1.2, 30, 0),
    ],
)
def test_moves_beyond_the_search_are_followed(
    grey: np.ndarray, degrees: float, scale: float, dx: float, dy: float
) -> None:
    """A shift of 9 to 18 % of the diagonal, a turn, a zoom: measured to a pixel, both ways."""
    here, there, true = _far(grey, degrees, scale, dx, dy)
    found = flow_both_ways(here, there)
    assert found.coverage >= flow_both_ways(here, there, far=False).coverage
    assert np.median(length(found.forward - true)[found.forward_valid]) < 1
    back = backward_warp(true, found.backward)  # what the earlier picture's flow is where it lands
    assert np.median(length(found.backward + back)[found.backward_valid]) < 1
    landed = np.mgrid[:300, :400][::-1].transpose(1, 2, 0) + true
    visible = ((landed > 2) & (landed < (397, 297))).all(axis=2)
    assert found.forward_valid[visible].mean() > 0.7
    assert found.forward_valid[~visible].mean() < 0.2


def test_a_near_move_needs_no_keypoints(grey: np.ndarray) -> None:
    """What the search can follow by itself is left exactly as it found it."""
    here, there = _views(grey, 4, -3)
    near, alone = flow_both_ways(here, there), flow_both_ways(here, there, far=False)
    assert near.coverage > 0.9
    assert np.array_equal(near.forward, alone.forward)
    assert np.array_equal(near.backward, alone.backward)


def test_both_ways_are_one_another_turned_round(grey: np.ndarray) -> None:
    """Asked for the other way round, the two flows change places."""
    here, there = _views(grey, 3, 2)
    there_first = flow_both_ways(there, here)
    pair = flow_both_ways(here, there)
    assert np.array_equal(pair.forward, there_first.backward)
    assert np.array_equal(pair.backward_valid, there_first.forward_valid)


def test_two_different_pictures_are_not_found_again(grey: np.ndarray, texture: np.ndarray) -> None:
    """Between pictures of two things little is believed, with keypoints or without."""
    other = cv2.resize(cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY), grey.shape[::-1])
    assert flow_both_ways(grey, other).coverage < 0.3


@pytest.mark.parametrize("size", [(16, 16), (16, 300), (24, 560), (390, 17), (4, 500), (1, 1)])
def test_thin_pictures_have_a_flow(grey: np.ndarray, size: tuple[int, int]) -> None:
    """However thin a picture, its flow has its size, and to itself it is at rest."""
    here = np.ascontiguousarray(grey[: size[0], : size[1]])
    found = flow_both_ways(here, here)
    assert found.forward.shape == (*size, 2)
    assert np.abs(found.forward).max() < 0.5


def test_a_strips_motion_is_measured(grey: np.ndarray) -> None:
    """A strip of 20 px in height that moves by 3 px measures three."""
    strip = grey[190:210]
    here, there = np.ascontiguousarray(strip[:, 3:]), np.ascontiguousarray(strip[:, :-3])
    assert np.median(dense_flow(here, there)[..., 0]) == pytest.approx(3, abs=0.15)


def test_an_enlarged_flow_is_longer() -> None:
    """A flow found on a quarter of the width and half of the height is four and two times longer
    there, and where it changes it does so in the same places.
    """
    flow = np.zeros((20, 30, 2), np.float32)
    flow[:, 15:] = (1.5, -2)
    wide = enlarged(flow, 120, 40)
    assert wide.shape == (40, 120, 2)
    assert wide[20, 100] == pytest.approx((6, -4))
    assert wide[20, 20] == pytest.approx((0, 0))
    assert wide[20, 59, 0] < 3 < wide[20, 60, 0]


def test_a_flow_of_the_same_size_stays() -> None:
    """Nothing is changed where nothing is enlarged."""
    flow = np.random.default_rng(0).normal(0, 3, (12, 17, 2)).astype(np.float32)
    assert np.allclose(enlarged(flow, 17, 12), flow)
