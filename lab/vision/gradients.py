"""Gradients of a picture and what their structure tensor says."""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def gradients(luma: Plane) -> tuple[Plane, Plane]:
    """Scharr's derivatives across and down, (h, w) each, in code values per pixel."""
    across: Plane = cv2.Scharr(luma, cv2.CV_32F, 1, 0, scale=1 / 32)
    down: Plane = cv2.Scharr(luma, cv2.CV_32F, 0, 1, scale=1 / 32)
    return across, down


def least_eigenvalue(luma: Plane, window: tuple[int, int]) -> Plane:
    """The smaller eigenvalue of the structure tensor over a window in pixels, (h, w).

    The squared gradient in the weaker direction: how well a shift can be determined there (Shi and
    Tomasi, CVPR 1994).
    """
    across, down = gradients(luma)
    xx, yy, xy = (
        cv2.blur(product, window)
        for product in (cv2.multiply(across, across), cv2.multiply(down, down), across * down)
    )
    least: Plane = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    return least
