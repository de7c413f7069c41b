"""Estimates that a few outliers cannot turn: bounds, weights and medians of residuals."""

import numpy as np
from numpy.typing import NDArray

_TUKEY = 4.685  # 95 % efficient for normal residuals
_MAD_TO_SIGMA = 1.4826  # for normal residuals


def robust_bound(sizes: NDArray[np.floating], *, times: float, least: float) -> float:
    """A multiple of the median size, and `least` more: what lies beyond is an outlier.

    sizes: absolute values, (n,).
    """
    return times * float(np.median(sizes)) + least


def biweight(
    sizes: NDArray[np.float64], *, least: float, trust: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Tukey's biweight of residuals, 0..1, scaled by their median absolute deviation.

    sizes: absolute residuals, (n,). least: a lower bound of that scale, in the same unit. trust:
    how much each residual counts in the median; all the same when None.
    """
    scale = max(_MAD_TO_SIGMA * weighted_median(sizes, trust), least)
    weights: NDArray[np.float64] = np.clip(1 - (sizes / (_TUKEY * scale)) ** 2, 0, None) ** 2
    return weights


def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    """Median of values, (n,), each counting as much as its weight; the plain one when None."""
    if weights is None or (weights == weights[0]).all():
        return float(np.median(values))
    order = np.argsort(values)
    passed = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(passed, passed[-1] / 2)]])
