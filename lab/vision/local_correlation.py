"""Local correlation: how well two pictures agree in structure, pixel by pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

_SMOOTHING_PX = 1.0
_NOISE_VARIANCE = 16.0
"""In squared code values. Weaker texture is noise: there the correlation tends to 0."""


def local_correlation(
    one: NDArray[np.uint8],
    other: NDArray[np.uint8],
    where: NDArray[np.bool_],
    *,
    window_px: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The correlation of two grey pictures around each pixel, and the local variance of the first.

    one, other: (h, w) uint8. where: (h, w), the pixels that count. window_px: odd side of the
    square window. Returns (h, w) float32 each: the correlation in -1..1, which does not change with
    local brightness and contrast, and the variance in squared code values; both 0 outside `where`.
    """
    first, second = (
        cv2.GaussianBlur(picture.astype(np.float32), (0, 0), _SMOOTHING_PX)
        for picture in (one, other)
    )
    mask = where.astype(np.float32)
    window = (window_px, window_px)
    share = np.maximum(cv2.blur(mask, window), 1e-6)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.divide(cv2.blur(cv2.multiply(values, mask), window), share)

    mean_first, mean_second = mean(first), mean(second)
    variance_first = np.clip(mean(first * first) - mean_first**2, 0, None)
    variance_second = np.clip(mean(second * second) - mean_second**2, 0, None)
    covariance = mean(first * second) - mean_first * mean_second
    correlation = covariance / np.sqrt(variance_first * variance_second + _NOISE_VARIANCE)
    return correlation * mask, variance_first * mask


def structure_agreement(
    one: NDArray[np.uint8],
    other: NDArray[np.uint8],
    where: NDArray[np.bool_],
    *,
    window_px: int,
) -> float:
    """The mean local correlation within a mask, weighted by the variance of the first; 0..1."""
    correlation, variance = local_correlation(one, other, where, window_px=window_px)
    total = float(variance.sum())
    return float(np.clip((correlation * variance).sum() / max(total, 1e-6), 0, 1))
