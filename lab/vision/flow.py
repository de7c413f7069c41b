"""Dense optical flow and what can be believed of it."""

from functools import cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision.camera import grid

Scalar = TypeVar("Scalar", bound=np.generic)


@cache
def _dis() -> cv2.DISOpticalFlow:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)


def dense_flow(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow from one grey picture to the next by dense inverse search (Kroeger et al., ECCV 2016).

    Both (height, width) uint8, at least 16 px a side. Returns (height, width, 2) float32: the
    pixel (x, y) of `source` is found in `target` at (x, y) + flow[y, x]. Reliable up to about 3 %
    of the diagonal.
    """
    # None, not the last flow: a warm start would make a score depend on what was scored before.
    flow: NDArray[np.float32] = _dis().calc(source, target, None)
    return flow


def backward_warp(
    picture: NDArray[Scalar], flow: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR
) -> NDArray[Scalar]:
    """Bring the next picture back: result[p] = picture[p + flow[p]]; edges are repeated."""
    warped: NDArray[Scalar] = cv2.remap(
        picture,
        flow,
        None,
        interpolation | cv2.WARP_RELATIVE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped


def consistent(forward: NDArray[np.float32], backward: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where going there and coming back ends where it began, and stays inside the picture.

    The bound of Sundaram, Brox and Keutzer (ECCV 2010): |F + B(p + F)|² < 0.01(|F|² + |B|²) + 0.5.
    """
    returned = backward_warp(backward, forward)
    gap = ((forward + returned) ** 2).sum(axis=2)
    size = (forward**2).sum(axis=2) + (returned**2).sum(axis=2)
    height, width = forward.shape[:2]
    where = grid(height, width) + forward
    inside = (
        (where[..., 0] >= 0)
        & (where[..., 0] <= width - 1)
        & (where[..., 1] >= 0)
        & (where[..., 1] <= height - 1)
    )
    return (gap < 0.01 * size + 0.5) & inside
