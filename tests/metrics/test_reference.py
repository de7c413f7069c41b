"""The still at analysis size, and frames aligned with it."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lab.metrics.reference import ANALYSIS_SIDE_PX, Reference, Registration

Plain = Callable[..., Reference]
SIZE = (360, 240)


@pytest.fixture(scope="module")
def cup(plain: Plain, small: np.ndarray) -> Reference:
    """The good still with an ellipse in its middle as the subject."""
    alpha = np.zeros(small.shape[:2], np.float32)
    cv2.ellipse(alpha, (180, 120), (90, 80), 0, 0, 360, 1.0, -1)
    return plain(small, alpha)


def _registered(reference: Reference, rgb: np.ndarray) -> Registration:
    """A frame aligned by what is found in it alone."""
    ground = reference.ground_track()
    return Registration(
        reference,
        rgb,
        subject=reference.subject_track().locate(rgb),
        ground=None if ground is None else ground.locate(rgb),
    )


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
def test_a_moved_subject_is_aligned(
    cup: Reference, degrees: float, scale: float, dx: float, dy: float
) -> None:
    """Shifted, turned, nearer or farther, the subject lies on its own pixels again."""
    matrix = cv2.getRotationMatrix2D((180, 120), degrees, scale)
    matrix[:, 2] += (dx, dy)
    frame = cv2.warpAffine(cup.rgb, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
    found = _registered(cup, frame)
    corners = np.float32([[[90, 40], [270, 40], [90, 200], [270, 200]]])
    apart = cv2.transform(corners, found.subject.transform) - cv2.transform(corners, matrix)
    assert np.abs(apart).max() < 1.5
    inner = found.subject.inside & cup.subject & found.flow.forward_valid
    assert inner.sum() > 0.5 * cup.subject.sum()
    assert np.abs(found.aligned[inner].astype(int) - cup.rgb[inner]).mean() < 4


@pytest.mark.parametrize(("gain", "offset"), [(1, 0), (0.6, 0), (1.2, 0), (0.8, 25), (0.3, 5)])
def test_a_change_of_exposure_is_measured_and_undone(
    cup: Reference, gain: float, offset: float
) -> None:
    """Gain and offset of the whole picture are measured, and the aligned frame has none."""
    lit = np.clip(cup.rgb * gain + offset, 0, 255).round().astype(np.uint8)
    found = _registered(cup, lit)
    assert found.exposure == pytest.approx((gain, offset), rel=0.05, abs=2)
    unclipped = cup.subject & (lit.max(axis=2) < 250)
    assert np.abs(found.aligned[unclipped].astype(int) - cup.rgb[unclipped]).mean() < 4


def test_a_subject_that_lights_up_alone_is_no_exposure(cup: Reference) -> None:
    """Light on the subject only is its own change and stays in the aligned frame."""
    lit = np.where(cup.subject[..., None], np.clip(cup.rgb * 1.3, 0, 255), cup.rgb).astype(np.uint8)
    found = _registered(cup, lit)
    assert found.exposure == pytest.approx((1, 0), rel=0.02, abs=1)
    assert found.aligned[cup.subject].mean() > 1.15 * cup.rgb[cup.subject].mean()


def test_another_ground_tells_no_exposure(cup: Reference, texture: np.ndarray) -> None:
    """Where the subject stands before another ground, its light cannot be compared."""
    other = cv2.resize(texture, SIZE) // 2
    found = _registered(cup, np.where(cup.subject[..., None], cup.rgb, other))
    assert found.exposure is None
    inner = cv2.erode(cup.subject.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.abs(found.aligned[inner].astype(int) - cup.rgb[inner]).mean() < 4


@pytest.mark.parametrize("level", [0, 255])
def test_an_empty_frame_has_next_to_no_gain(cup: Reference, level: int) -> None:
    """Of a black or a white frame nothing is left to compare, and the gain says so."""
    found = _registered(cup, np.full_like(cup.rgb, level))
    assert found.exposure is not None
    assert found.exposure[0] < 0.1


def test_a_flat_still_tells_only_an_offset(plain: Plain) -> None:
    """Where the still has no contrast the gain is not guessed."""
    flat = np.full((100, 120, 3), 90, np.uint8)
    assert _registered(plain(flat), flat + np.uint8(30)).exposure == (1.0, 30.0)


def test_the_part_of_the_still_outside_the_frame_is_known(cup: Reference) -> None:
    """Of a frame that shows the right half, the left half is outside."""
    found = _registered(cup, np.ascontiguousarray(cup.rgb[:, 180:]))
    assert not found.subject.inside[:, :178].any()
    assert found.subject.inside[:, 182:].all()
    assert found.subject.visible == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("shape", [(600, 400), (100, 300), (512, 512)])
def test_a_still_is_reduced_never_enlarged(texture: np.ndarray, shape: tuple[int, int]) -> None:
    """A reference has a shorter side of 256 px, or of its own if that is less."""
    reference = Reference.of(cv2.resize(texture, shape[::-1]), is_still=True)
    assert min(reference.rgb.shape[:2]) == min(ANALYSIS_SIDE_PX, *shape)
    assert reference.mask.alpha.shape == reference.grey.shape == reference.rgb.shape[:2]


def test_without_a_subject_the_whole_picture_is_followed(plain: Plain, small: np.ndarray) -> None:
    """A picture without a recognised subject has no ground of its own."""
    whole = plain(small)
    assert whole.subject.all()
    assert whole.ground is None
