"""The part of a flow field that one camera explains: a robust affine fit."""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

_ROUNDS = 6
_MAX_POINTS = 1500


@lru_cache(maxsize=8)
def grid(height: int, width: int) -> NDArray[np.float32]:
    """Pixel coordinates, (height, width, 2) float32 holding (x, y). Shared: do not write to it."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    points = np.stack([x, y], axis=-1)
    points.flags.writeable = False
    return points


def fit_affine(flow: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """The affine motion that most of a flow field follows.

    flow: (height, width, 2) in pixels; valid: (height, width). Least squares reweighted by
    Tukey's biweight, on a square lattice of at most 1500 points. Returns a (2, 3) matrix M so that
    M @ (x, y, 1) is the flow at (x, y); None when fewer than 50 points are valid.
    """
    height, width = flow.shape[:2]
    step = math.ceil(math.sqrt(height * width / _MAX_POINTS))
    rows, columns = np.nonzero(valid[::step, ::step])
    if rows.size < 50:
        return None
    rows, columns = rows * step, columns * step
    # Centred and scaled to about one, so that the normal equations stay well conditioned.
    scale = max(height, width)
    basis = np.stack(
        [(columns - width / 2) / scale, (rows - height / 2) / scale, np.ones(rows.size)], axis=1
    )
    moved = flow[rows, columns].astype(np.float64)
    weight = np.ones(rows.size)
    solution = np.zeros((3, 2))
    for _ in range(_ROUNDS):
        weighted = basis * weight[:, None]
        solution = np.linalg.lstsq(weighted.T @ basis, weighted.T @ moved, rcond=None)[0]
        miss = np.hypot(*(moved - basis @ solution).T)
        bound = 4.685 * max(1.4826 * float(np.median(miss)), 0.02)
        weight = np.clip(1 - (miss / bound) ** 2, 0, None) ** 2
    (ax, bx), (ay, by), (c, d) = solution
    linear = np.array([[ax, ay], [bx, by]]) / scale
    offset = np.array([c, d]) - linear @ (width / 2, height / 2)
    return np.column_stack([linear, offset])


def apply_affine(matrix: NDArray[np.float64], height: int, width: int) -> NDArray[np.float32]:
    """The flow field, (height, width, 2) float32, of an affine motion fitted by `fit_affine`."""
    field: NDArray[np.float32] = cv2.transform(grid(height, width), matrix)
    return field
