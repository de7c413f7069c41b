"""Gradients and the structure tensor."""

import numpy as np
import pytest

from lab.vision import gradients, structure_tensor


def _ramp(across: float, down: float) -> np.ndarray:
    y, x = np.mgrid[:24, :32].astype(np.float32)
    return np.float32(across) * x + np.float32(down) * y


def test_a_gradient_is_in_code_values_per_pixel() -> None:
    """A ramp of 3 to the right and -2 downwards reads 3 and -2 inside the picture."""
    x, y = gradients(_ramp(3, -2))
    assert x[1:-1, 1:-1] == pytest.approx(3, rel=1e-5)
    assert y[1:-1, 1:-1] == pytest.approx(-2, rel=1e-5)


def test_the_structure_tensor_is_the_mean_product_of_gradients() -> None:
    """Of a ramp it is that of one direction: its determinant is 0."""
    xx, yy, xy = (plane[8:-8, 8:-8] for plane in structure_tensor(_ramp(3, -2), (5, 5)))
    assert (xx.mean(), yy.mean(), xy.mean()) == pytest.approx((9, 4, -6), rel=1e-4)
    assert xx * yy - xy**2 == pytest.approx(0, abs=1e-2)
