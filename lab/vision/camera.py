"""The part of a flow field that one camera explains: a robust affine fit."""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.vision.robust import biweight, weighted_median

_MOST_ROUNDS = 6
_SETTLED_PX = 0.002  # no residual moved by more in a round; flow is ten times coarser
_MAX_POINTS = 1500
_MIN_POINTS = 50
_LEAST_SCALE_PX = 0.02  # of residuals: flow is no finer
FOLLOWS_PX = 0.5
"""A point whose flow differs by less moves with the fit."""


@lru_cache(maxsize=8)
def grid(height: int, width: int) -> NDArray[np.float32]:
    """Pixel coordinates, (height, width, 2) float32 holding (x, y). Shared: do not write to it."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    points = np.stack([x, y], axis=-1)
    points.flags.writeable = False
    return points


def fit_affine(
    flow: NDArray[np.float32],
    valid: NDArray[np.bool_],
    weight: NDArray[np.float32] | None = None,
    *,
    two_starts: bool = False,
) -> NDArray[np.float64] | None:
    """The affine motion that most of a flow field follows.

    flow: (height, width, 2) in pixels; valid: (height, width); weight: how far each pixel's flow
    can be trusted, (height, width), equally when None. Least squares reweighted by Tukey's
    biweight, on a square lattice of at most 1500 points. two_starts: start
    also from the points near the median shift, and keep the fit that more of the trusted points
    follow; a side of the picture that moves otherwise bends a fit that starts from all points.
    Returns a (2, 3) matrix M so that M @ (x, y, 1) is the flow at
    (x, y); None when fewer than 50 points are valid.
    """
    height, width = flow.shape[:2]
    sampled = _sampled(flow, valid, weight, math.ceil(math.sqrt(height * width / _MAX_POINTS)))
    if sampled is None:
        return None
    x, y, moved, trust = sampled
    basis = np.stack([x, y, np.ones(x.size)], axis=1).astype(np.complex128)
    solutions = [_robust(basis, moved, trust)]
    if two_starts:
        shift = complex(weighted_median(moved.real, trust), weighted_median(moved.imag, trust))
        near = trust * biweight(np.abs(moved - shift), least=_LEAST_SCALE_PX, trust=trust)
        solutions.append(_robust(basis, moved, trust, near))
    across, down, offset = max(
        solutions, key=lambda fit: trust[np.abs(moved - basis @ fit) < FOLLOWS_PX].sum()
    )
    linear = np.array([[across.real, down.real], [across.imag, down.imag]])
    return _in_pixels(linear, offset, flow)


def fit_similarity(
    flow: NDArray[np.float32],
    valid: NDArray[np.bool_],
    weight: NDArray[np.float32] | None = None,
) -> NDArray[np.float64] | None:
    """The same for shift, turn and growth alone, which a small area still determines.

    The lattice is as dense as the valid area allows with at most 1500 points.
    """
    step = max(1, math.ceil(math.sqrt(valid.sum() / _MAX_POINTS)))
    sampled = _sampled(flow, valid, weight, step)
    if sampled is None:
        return None
    x, y, moved, trust = sampled
    # In complex numbers a similarity is one factor and one offset.
    basis = np.stack([x + 1j * y, np.ones(x.size)], axis=1)
    factor, offset = _robust(basis, moved, trust)
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return _in_pixels(linear, offset, flow)


def _robust(
    basis: NDArray[np.complex128],
    moved: NDArray[np.complex128],
    trust: NDArray[np.float64],
    start: NDArray[np.float64] | None = None,
) -> NDArray[np.complexfloating]:
    """The solution of `basis @ solution = moved` that most points agree on.

    start: the weights to begin with, (n,); `trust` when None.
    """
    solution: NDArray[np.complexfloating]
    kept, before = trust if start is None else start, moved
    for _ in range(_MOST_ROUNDS):
        weighted = (basis * kept[:, None]).conj().T
        solution = np.linalg.lstsq(weighted @ basis, weighted @ moved, rcond=None)[0]
        miss = moved - basis @ solution
        if np.abs(miss - before).max() < _SETTLED_PX:
            break
        kept = trust * biweight(np.abs(miss), least=_LEAST_SCALE_PX, trust=trust)
        before = miss
    return solution


def _sampled(
    flow: NDArray[np.float32],
    valid: NDArray[np.bool_],
    weight: NDArray[np.float32] | None,
    step: int,
) -> (
    tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.complex128], NDArray[np.float64]]
    | None
):
    """Places, centred and scaled to about one so that normal equations stay well conditioned,
    the flow there as complex numbers, and how far it is trusted, (n,) each; None for too few.
    """
    height, width = flow.shape[:2]
    rows, columns = np.nonzero(valid[::step, ::step])
    if rows.size < _MIN_POINTS:
        return None
    rows, columns = rows * step, columns * step
    scale = max(height, width)
    trust = np.ones(rows.size) if weight is None else weight[rows, columns].astype(np.float64)
    moved = flow[rows, columns].astype(np.float64).view(np.complex128)[:, 0]
    return (columns - width / 2) / scale, (rows - height / 2) / scale, moved, trust


def _in_pixels(
    linear: NDArray[np.float64], offset: complex, flow: NDArray[np.float32]
) -> NDArray[np.float64]:
    """A (2, 3) matrix over pixels from one over centred, scaled places."""
    height, width = flow.shape[:2]
    linear = linear / max(height, width)
    return np.column_stack(
        [linear, np.array([offset.real, offset.imag]) - linear @ (width / 2, height / 2)]
    )


def apply_affine(matrix: NDArray[np.float64], height: int, width: int) -> NDArray[np.float32]:
    """The flow field, (height, width, 2) float32, of an affine motion fitted by `fit_affine`."""
    field: NDArray[np.float32] = cv2.transform(grid(height, width), matrix)
    return field
