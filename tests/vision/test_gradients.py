"""Gradients and the structure tensor."""

import numpy as np
import pytest

from lab.vision import gradients, least_eigenvalue


def _ramp(across: float, down: float) -> np.ndarray:
    y, x = np.mgrid[:24, :32].astype(np.float32)
    return np.float32(across) * x + np.float32(down) * y


def test_a_gradient_is_in_code_values_per_pixel() -> None:
    """A ramp of 3 to the right and -2 downwards reads 3 and -2 inside the picture."""
    x, y = gradients(_ramp(3, -2))
    assert x[1:-1, 1:-1] == pytest.approx(3, rel=1e-5)
    assert y[1:-1, 1:-1] == pytest.approx(-2, rel=1e-5)


def test_the_weaker_direction_counts() -> None:
    """A ramp determines no shift along its level lines; a fold of two ramps does."""
    assert least_eigenvalue(_ramp(3, -2), (5, 5))[8:-8, 8:-8] == pytest.approx(0, abs=1e-3)
    fold = np.where(np.mgrid[:24, :32][1] < 16, _ramp(3, 0), _ramp(0, 3) + 48).astype(np.float32)
    assert least_eigenvalue(fold, (9, 9))[12, 16] > 1
