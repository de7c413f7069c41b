"""Dense optical flow and what can be believed of it."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from lab.vision import backward_warp, consistent, dense_flow


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
