"""Bounds, weights and medians that a few outliers cannot turn."""

import numpy as np
import pytest

from lab.vision import biweight, robust_bound
from lab.vision.robust import weighted_median

SIZES = np.array([1.0, 2.0, 3.0, 4.0, 1000.0])


def test_a_bound_follows_the_middle_and_not_the_largest() -> None:
    """A multiple of the median, and a constant that keeps it above 0."""
    assert robust_bound(SIZES, times=4.0, least=0.5) == 12.5
    assert robust_bound(SIZES * (1, 1, 1, 1, 9), times=4.0, least=0.5) == 12.5


def test_an_outlier_has_no_weight_and_the_rest_nearly_all() -> None:
    """Weights fall from 1 at no residual to 0 beyond 4.685 times the scale."""
    weights = biweight(SIZES, least=0.1)
    assert weights[-1] == 0
    assert list(weights) == sorted(weights, reverse=True)
    assert weights[0] > 0.9
    assert list(biweight(np.zeros(5), least=0.1)) == [1] * 5


def test_a_residual_below_the_least_scale_is_no_outlier() -> None:
    """Where nearly all residuals are 0, one a little above is still trusted."""
    sizes = np.array([0.0, 0.0, 0.0, 0.0, 0.05])
    assert biweight(sizes, least=0.1)[-1] > 0.9


@pytest.mark.parametrize(
    ("weights", "median"), [(None, 3.0), (np.ones(5), 3.0), (np.array([0, 0, 0, 1.0, 0.1]), 4.0)]
)
def test_a_median_counts_values_by_their_weight(weights: np.ndarray | None, median: float) -> None:
    """Equal weights give the plain median."""
    assert weighted_median(SIZES, weights) == median
