"""Dense optical flow and what can be believed of it."""

import threading
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision.camera import grid

Scalar = TypeVar("Scalar", bound=np.generic)


# An instance writes into buffers of its own while it works, so each thread has one.
_own = threading.local()


def _dis() -> cv2.DISOpticalFlow:
    if not hasattr(_own, "dis"):
        _own.dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return _own.dis


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
    gap = _squared_length(cv2.add(forward, returned))
    size = cv2.add(_squared_length(forward), _squared_length(returned))
    height, width = forward.shape[:2]
    where = cv2.add(grid(height, width), forward)
    inside = cv2.inRange(where, (0, 0), (width - 1, height - 1))
    return (gap < 0.01 * size + 0.5) & (inside > 0)


def length(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Length of every flow vector in pixels, (height, width) float32."""
    across, down = cv2.split(flow)
    return cv2.magnitude(across, down)


def masked_mean(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> float:
    """Mean of a (height, width) field over the valid pixels; 0 when there is none."""
    return float(cv2.mean(values, valid.view(np.uint8))[0])


def _squared_length(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    across, down = cv2.split(flow)
    return cv2.add(cv2.multiply(across, across), cv2.multiply(down, down))
