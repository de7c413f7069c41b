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
from lab.vision import fit_affine, fit_similarity

# Flow near the subject's edge is a mixture of both, so neither side is asked there.
_RIM = 0.03  # of the shorter side
_LEAST_SHARE = 0.005  # of the picture: less subject than that does not determine a motion
_FAINT = 0.05  # weight of flat ground, where flow is a guess, beside that of texture


@dataclass(frozen=True)
class Course:
    """Rates over one stride. Directions are the camera's, signs as in `lab.prompts.Signature`.

    pan, parallax_x in % of the width per s; tilt, parallax_y in % of the height per s; roll in
    degrees per s; zoom, approach in % per s. The parallaxes and approach are NaN where no subject
    can be followed beside the ground.
    """

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
    areas = [valid & area for area in _ground(stride.subject)]
    fits = (fit_affine(flow, area, trust) for area in areas)
    place, ground = next(
        ((place, fit) for place, fit in enumerate(fits) if fit is not None), (0, None)
    )
    if ground is None:
        return None
    subject = None
    apart = place < len(areas) - 1  # the last area is the whole picture
    if near and apart:
        for area in _subject(stride.subject):
            if (valid & area).mean() >= _LEAST_SHARE:
                subject = fit_similarity(flow, valid & area, trust)
                break
    height, width = stride.grey.shape
    far = rates_of(ground, width, height, stride.seconds)
    if subject is None:
        return Course(*far, math.nan, math.nan, math.nan)
    close = rates_of(subject, width, height, stride.seconds)
    # Rates are the camera's; the subject's own shift in the picture is against it.
    return Course(*far, far[0] - close[0], far[1] - close[1], close[3] - far[3])


def rates_of(
    matrix: NDArray[np.float64], width: int, height: int, seconds: float
) -> tuple[float, float, float, float]:
    """Pan, tilt, roll and zoom of a (2, 3) affine flow, at the frame's centre."""
    across, down = matrix @ ((width - 1) / 2, (height - 1) / 2, 1)
    # The picture moves against the camera; image rows run down, the camera's tilt up.
    return (
        float(-100 * across / width / seconds),
        float(100 * down / height / seconds),
        -math.degrees((matrix[1, 0] - matrix[0, 1]) / 2) / seconds,
        float(100 * (matrix[0, 0] + matrix[1, 1]) / 2 / seconds),
    )


def _texture(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How well each pixel's neighbourhood determines a shift, (h, w) in 0..1.

    The smaller eigenvalue of the structure tensor (Shi and Tomasi, CVPR 1994) beside four times
    its median.
    """
    least = cv2.cornerMinEigenVal(grey, 7)
    share: NDArray[np.float32] = least / (least + 4 * float(np.median(least)) + 1e-9)
    return np.maximum(share, np.float32(_FAINT))


def _ground(subject: NDArray[np.float32]) -> Iterator[NDArray[np.bool_]]:
    """Where the ground is: well away from the subject, or near it, or the whole picture."""
    yield cv2.dilate(subject, _kernel(subject)) < 0.1
    yield subject < 0.3
    yield np.ones(subject.shape, np.bool_)


def _subject(subject: NDArray[np.float32]) -> Iterator[NDArray[np.bool_]]:
    """Where the subject is: well inside it, or, for a thin one, all of it."""
    yield cv2.erode(subject, _kernel(subject)) > 0.9
    yield subject > 0.7


def _kernel(subject: NDArray[np.float32]) -> NDArray[np.uint8]:
    side = 2 * round(_RIM * min(subject.shape)) + 1
    return np.ones((side, side), np.uint8)
