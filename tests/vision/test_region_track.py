"""A region is followed through a clip, lost, and found again."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest

from lab.vision import RegionTrack, find_keypoints, flow_both_ways

SIZE = (320, 240)
FIGURE = np.s_[70:170, 110:190]

Composed = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def composed(photo: np.ndarray, texture: np.ndarray) -> Composed:
    """A figure before a ground, shifted and scaled about its centre (150, 120)."""
    ground = cv2.resize(texture, SIZE, interpolation=cv2.INTER_AREA)
    figure = np.zeros_like(ground)
    figure[FIGURE] = cv2.resize(photo[60:260, 200:360], (80, 100), interpolation=cv2.INTER_AREA)
    alpha = np.zeros(ground.shape[:2], np.float32)
    alpha[FIGURE] = 1

    def compose(dx: float = 0, dy: float = 0, scale: float = 1) -> np.ndarray:
        matrix = cv2.getRotationMatrix2D((150, 120), 0, scale)
        matrix[:, 2] += (dx, dy)
        moved, share = (cv2.warpAffine(layer, matrix, SIZE) for layer in (figure, alpha))
        return np.where(share[..., None] > 0.5, moved, ground)

    return compose


@pytest.fixture
def track(composed: Composed) -> RegionTrack:
    """A track of the figure, located in its still."""
    still = composed()
    region = np.zeros(still.shape[:2], bool)
    region[FIGURE] = True
    made = RegionTrack(
        still, region, find_keypoints(cv2.cvtColor(still, cv2.COLOR_RGB2GRAY)), whole=True
    )
    made.locate(still)
    return made


def _carried(track: RegionTrack, before: np.ndarray, after: np.ndarray) -> None:
    greys = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in (before, after))
    track.carry(flow_both_ways(*greys))


def test_a_walking_figure_is_carried_by_its_own_flow(
    track: RegionTrack, composed: Composed
) -> None:
    """After ten steps over a ground that stands still the figure is where it went."""
    shown = [composed(4 * n, n, 1 + 0.02 * n) for n in range(11)]
    for before, after in pairwise(shown):
        _carried(track, before, after)
    found = track.locate(shown[-1])
    centre = cv2.transform(np.float32([[[150, 120]]]), found.transform)[0, 0]
    assert centre == pytest.approx((190, 130), abs=1.5)
    assert found.transform[0, 0] == pytest.approx(1.2, abs=0.03)
    assert found.agreement > 0.85
    assert found.confidence > 0.95


def test_a_figure_that_left_is_found_where_it_returns(
    track: RegionTrack, composed: Composed
) -> None:
    """Out of the frame it does not agree; later it is found elsewhere."""
    _carried(track, composed(), composed(400))
    assert track.locate(composed(400)).agreement < 0.5
    found = track.locate(composed(-70, 20))
    assert found.transform[:, 2] == pytest.approx((-70, 20), abs=1.5)
    assert found.agreement > 0.85


def test_a_figure_that_becomes_another_stays_in_sight(
    track: RegionTrack, composed: Composed, texture: np.ndarray
) -> None:
    """What changes bit by bit agrees less and less, and its place is still sure."""
    shown = composed()
    for n in range(1, 13):
        changed = composed()
        other = cv2.GaussianBlur(texture[300:400, 300:380], (0, 0), 3)
        changed[FIGURE] = cv2.addWeighted(changed[FIGURE], 1 - n / 12, other, n / 12, 0)
        _carried(track, shown, changed)
        shown = changed
    found = track.locate(shown)
    assert found.agreement < 0.5
    assert found.confidence > 0.5
    assert np.abs(found.transform - np.eye(2, 3)).max() < 6


def test_a_step_that_nothing_follows_costs_confidence(
    track: RegionTrack, composed: Composed
) -> None:
    """After a cut to another picture neither the flow nor the structure says where it is."""
    squares = np.random.default_rng(0).integers(0, 255, (12, 16, 3))
    other = np.kron(squares, np.ones((20, 20, 1))).astype(np.uint8)
    _carried(track, composed(), other)
    assert track.locate(other).confidence < 0.4


def test_without_a_search_the_carried_place_is_taken(
    track: RegionTrack, composed: Composed
) -> None:
    """A frame that does not agree changes nothing."""
    assert np.array_equal(track.locate(composed(60), search=False).transform, np.eye(2, 3))
