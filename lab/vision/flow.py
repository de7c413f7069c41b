"""Dense optical flow and what can be believed of it."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision.camera import grid

Scalar = TypeVar("Scalar", bound=np.generic)

# Dense inverse search works in one stripe a thread and each stripe starts afresh, so its result
# would depend on how many cores a machine has. A score may not.
cv2.setNumThreads(1)


def dense_flow(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow from one grey picture to the next by dense inverse search (Kroeger et al., ECCV 2016).

    Both (height, width) uint8, at least 16 px a side. Returns (height, width, 2) float32: the
    pixel (x, y) of `source` is found in `target` at (x, y) + flow[y, x]. Reliable up to about 3 %
    of the diagonal.
    """
    # A new instance each time, at no cost: one that has seen a small picture keeps a finer scale
    # for ever after, and then a score would depend on what was scored before.
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow: NDArray[np.float32] = search.calc(source, target, None)
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
