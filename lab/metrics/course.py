"""Where the camera goes in one stride: what the ground does, and the subject beyond the ground.

Near things answer a camera that travels more than far ones do, and one that only turns or zooms the
same; so the subject's shift and growth beyond the ground's tell a push-in from a zoom, a truck from
a pan, an orbit from both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.metrics.moment import Stride
from lab.vision import FOLLOWS_PX, apply_affine, fit_affine, fit_similarity, length

# Flow near the subject's edge is a mixture of both, so neither side is asked there.
_RIM = 0.03  # of the shorter side
_LEAST_GROUND = 0.05  # of the picture: less is a seam beside the subject
# The outline misses hair and hands here and there. Before a plain wall these would be all the
# texture of the ground, and move as one with the subject.
_FAR = 0.1  # of the shorter side: where the ground's texture is judged
_LEAST_SHARE = 0.005  # of the picture: less subject than that does not determine a motion
_TEXTURED = 3e-5
"""The smaller eigenvalue of the structure tensor, for luma of 0..1 as OpenCV scales it, at which a
pixel counts half. A grey wall with an encoder's noise has about 1e-6, leaves and faces 1e-4 to
1e-2."""


@dataclass(frozen=True)
class Course:
    """Rates over one stride. Directions are the camera's, signs as in `lab.prompts.Signature`.

    ground: the affine flow of the ground, (2, 3) over pixels. texture: how well flow is determined
    on the ground, mean far from the subject, 0..1. agreeing: the share of the ground's texture that
    moves with the fit, 0..1. explained: by how much the ground's flow is shorter beside the fit, as
    a share of the fit's own length; 1 if the ground moves just so, negative if the fit invents
    motion.

    pan, parallax_x in % of the width per s; tilt, parallax_y in % of the height per s; roll in
    degrees per s; zoom, approach in % per s. The parallaxes and approach are NaN where no subject
    can be followed beside the ground.
    """

    ground: NDArray[np.float64]
    texture: float
    agreeing: float
    explained: float
    pan: float
    tilt: float
    roll: float
    zoom: float
    parallax_x: float
    parallax_y: float
    approach: float


def course(stride: Stride, *, near: bool) -> Course | None:
    """The camera's course, or None where the picture does not determine one.

    near: whether the stride's subject was seen, so that it can be told from the ground.
    """
    flow, valid = stride.flow.forward, stride.flow.forward_valid
    trust = _texture(stride.grey)
    apart = [area for area in _ground(stride.subject) if (valid & area).mean() >= _LEAST_GROUND]
    area = valid & apart[0] if apart else valid
    weight = trust * area
    ground = fit_affine(flow, area, trust, two_starts=True) if weight.any() else None
    if ground is None:
        return None
    camera = apply_affine(ground, *area.shape)
    left = length(flow - camera)
    agreeing = float(weight[left < FOLLOWS_PX].sum() / weight.sum())
    expected = float((weight * length(camera)).sum())
    explained = float((weight * (length(flow) - left)).sum()) / expected if expected else 0.0
    far_off = cv2.dilate(stride.subject, _kernel(stride.subject, _FAR)) < 0.1
    judged = far_off if far_off.mean() >= _LEAST_GROUND else area
    fit = ground, float(trust[judged].mean()), agreeing, explained
    height, width = stride.grey.shape
    far = rates_of(ground, width, height, stride.seconds)
    for area in _subject(stride.subject) if near and apart else ():
        seen = valid & area
        subject = fit_similarity(flow, seen, trust) if seen.mean() >= _LEAST_SHARE else None
        if subject is not None:
            at = _centroid(seen)
            close = rates_of(subject, width, height, stride.seconds, at=at)
            behind = rates_of(ground, width, height, stride.seconds, at=at)
            # Rates are the camera's; the subject's own shift in the picture is against it.
            beyond = behind[0] - close[0], behind[1] - close[1], close[3] - far[3]
            return Course(*fit, *far, *beyond)
    return Course(*fit, *far, math.nan, math.nan, math.nan)


def rates_of(
    matrix: NDArray[np.float64],
    width: int,
    height: int,
    seconds: float,
    *,
    at: tuple[float, float] | None = None,
) -> tuple[float, float, float, float]:
    """Pan, tilt, roll and zoom of a (2, 3) affine flow.

    at: where pan and tilt are read, (x, y) in pixels; the frame's centre when None. A floor that is
    nearer than the wall behind it shears as if the camera turned or came closer, but in one
    direction only. Turning and growing are therefore the geometric mean of both directions, and 0
    where these disagree.
    """
    x, y = ((width - 1) / 2, (height - 1) / 2) if at is None else at
    across, down = matrix @ (x, y, 1)
    # The picture moves against the camera; image rows run down, the camera's tilt up.
    return (
        float(-100 * across / width / seconds),
        float(100 * down / height / seconds),
        -math.degrees(_agreed(matrix[1, 0], -matrix[0, 1])) / seconds,
        100 * _agreed(matrix[0, 0], matrix[1, 1]) / seconds,
    )


def _agreed(one: float, other: float) -> float:
    """The geometric mean of two rates of the same sign, else 0."""
    return math.copysign(math.sqrt(one * other), one) if one * other > 0 else 0.0


def _texture(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How well each pixel's neighbourhood determines a shift, (h, w) in 0..1.

    By the smaller eigenvalue of the structure tensor (Shi and Tomasi, CVPR 1994).
    """
    least = cv2.cornerMinEigenVal(grey, 7)
    share: NDArray[np.float32] = least / (least + np.float32(_TEXTURED))
    return share


def _centroid(area: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean (x, y) of an area, in pixels."""
    rows, columns = np.nonzero(area)
    return float(columns.mean()), float(rows.mean())


def _ground(subject: NDArray[np.float32]) -> Iterator[NDArray[np.bool_]]:
    """Where the ground is: well away from the subject, or near it."""
    yield cv2.dilate(subject, _kernel(subject, _RIM)) < 0.1
    yield subject < 0.3


def _subject(subject: NDArray[np.float32]) -> Iterator[NDArray[np.bool_]]:
    """Where the subject is: well inside it, or, for a thin one, all of it."""
    yield cv2.erode(subject, _kernel(subject, _RIM)) > 0.9
    yield subject > 0.7


def _kernel(subject: NDArray[np.float32], reach: float) -> NDArray[np.uint8]:
    """A square that reaches so far to each side, as a share of the shorter side."""
    side = 2 * round(reach * min(subject.shape)) + 1
    return np.ones((side, side), np.uint8)
