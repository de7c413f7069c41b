"""Gradients of a picture and their structure tensor."""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def gradients(luma: Plane) -> tuple[Plane, Plane]:
    """Scharr's derivatives across and down, (h, w) each, in code values per pixel."""
    across: Plane = cv2.Scharr(luma, cv2.CV_32F, 1, 0, scale=1 / 32)
    down: Plane = cv2.Scharr(luma, cv2.CV_32F, 0, 1, scale=1 / 32)
    return across, down


def structure_tensor(luma: Plane, window: tuple[int, int]) -> tuple[Plane, Plane, Plane]:
    """Mean products xx, yy and xy of the gradients over a window in pixels, (h, w) each."""
    across, down = gradients(luma)
    xx, yy, xy = (
        cv2.blur(product, window)
        for product in (cv2.multiply(across, across), cv2.multiply(down, down), across * down)
    )
    return xx, yy, xy
