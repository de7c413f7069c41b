"""Local correlation: how well two pictures agree in structure, pixel by pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

_SMOOTHING_PX = 1.0
_COMMON_VARIANCE = 4.0
"""In squared code values: added to both, as if they shared a noise of 2. Weaker texture is noise of
its own, so that two plain areas agree, and a plain one and a textured one do not."""


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
    correlation, variance = (np.zeros(where.shape, np.float32) for _ in range(2))
    box = _box(where, margin_px=window_px // 2)
    mask = where[box].astype(np.float32)
    first, second = (
        cv2.GaussianBlur(picture[box].astype(np.float32), (0, 0), _SMOOTHING_PX)
        for picture in (one, other)
    )
    window = (window_px, window_px)
    share = np.maximum(cv2.blur(mask, window), 1e-6)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.divide(cv2.blur(cv2.multiply(values, mask), window), share)

    mean_first, mean_second = mean(first), mean(second)
    variance_first = np.clip(mean(first * first) - mean_first**2, 0, None)
    variance_second = np.clip(mean(second * second) - mean_second**2, 0, None)
    covariance = mean(first * second) - mean_first * mean_second
    correlation[box] = (
        mask
        * (covariance + _COMMON_VARIANCE)
        / np.sqrt((variance_first + _COMMON_VARIANCE) * (variance_second + _COMMON_VARIANCE))
    )
    variance[box] = variance_first * mask
    return correlation, variance


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


def _box(where: NDArray[np.bool_], *, margin_px: int) -> tuple[slice, slice]:
    """Rows and columns of a mask with a margin, as far as the picture goes."""
    left, top, width, height = cv2.boundingRect(where.view(np.uint8))
    return (
        slice(max(top - margin_px, 0), top + height + margin_px),
        slice(max(left - margin_px, 0), left + width + margin_px),
    )
