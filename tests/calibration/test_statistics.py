"""How well a metric tells: known answers, and what no data gives."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lab.calibration.statistics import (
    auroc,
    bootstrap,
    detection_auroc,
    median_by_group,
    median_slope,
    rank_correlation,
)

Values = NDArray[np.float64]
# Few whole values, so that ties are common.
values = arrays(np.float64, some.integers(1, 12), elements=some.integers(-4, 4).map(float))


def table(groups: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(group, value) for group, found in groups.items() for value in found]
    return pd.DataFrame(rows, columns=["group", "value"])


@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        ([2, 3], [0, 1], 1),
        ([0, 1], [2, 3], 0),
        ([1], [1], 0.5),
        ([1, 3], [2], 0.5),
        ([2], [1, 2], 0.75),
    ],
)
def test_auroc_of_a_few_values(up: list[float], down: list[float], expected: float) -> None:
    """All above, all below, a tie, one of each, and a win with a tie."""
    assert auroc(np.array(up, float), np.array(down, float)) == expected


@given(up=values, down=values)
def test_auroc_is_the_share_of_pairs_won(up: Values, down: Values) -> None:
    """What comparing every positive with every negative gives; ties count half."""
    won = [(p > n) + 0.5 * (p == n) for p, n in itertools.product(up, down)]
    assert auroc(up, down) == pytest.approx(np.mean(won))


@given(up=values, down=values)
def test_auroc_is_symmetric(up: Values, down: Values) -> None:
    """Swapping the sides mirrors it at a half; so does turning the values round."""
    assert auroc(up, down) + auroc(down, up) == pytest.approx(1)
    assert auroc(-up, -down) == pytest.approx(auroc(down, up))


@given(same=values)
def test_auroc_of_equal_sides_is_a_half(same: Values) -> None:
    """Nothing to tell apart."""
    assert auroc(same, same) == pytest.approx(0.5)


@given(up=values, down=values)
def test_auroc_asks_only_for_order(up: Values, down: Values) -> None:
    """Any rising map of the values leaves it."""
    assert auroc(np.exp(up) * 7 - 1, np.exp(down) * 7 - 1) == auroc(up, down)


def test_auroc_of_nothing_is_nan() -> None:
    """Without positives or without negatives there is no chance to speak of."""
    none, one = np.zeros(0), np.ones(1)
    assert all(math.isnan(auroc(*sides)) for sides in ((none, one), (one, none), (none, none)))


def test_two_groups_told_without_a_miss_leave_no_doubt() -> None:
    """However groups are drawn, every positive is above every negative."""
    up, down = table({"a": [3, 4], "b": [5, 6]}), table({"a": [0, 1], "b": [1, 2]})
    assert detection_auroc(up, down, "value") == (1, 1, 1)


def test_groups_are_drawn_as_wholes() -> None:
    """Ten copies of every row say no more than one, and groups that disagree leave it open."""
    rng = np.random.default_rng(1)
    up = table({name: list(rng.normal(1, 1, 4)) for name in "abcdef"})
    down = table({name: list(rng.normal(0, 1, 6)) for name in "abcdef"})
    once = detection_auroc(up, down, "value")
    assert once[1] < once[0] < once[2]
    copies = detection_auroc(pd.concat([up] * 10), pd.concat([down] * 10), "value")
    assert copies == pytest.approx(once)
    # Within a, positives are above; within b, below: a draw of one of them alone tells 1 or 0.
    up, down = table({"a": [3, 3], "b": [1, 1]}), table({"a": [2, 2], "b": [2, 2]})
    assert detection_auroc(up, down, "value") == (0.5, 0, 1)


def test_the_interval_holds_the_estimate() -> None:
    """Whatever the data, but for a rare one; and the truth, about as often as it says."""
    rng = np.random.default_rng(2)
    truth = 0.5 * (1 + math.erf(0.5))  # of two normals whose means are one deviation apart
    estimate_in, truth_in = 0, 0
    for _ in range(40):
        up = table({str(group): list(rng.normal(1, 1, 3)) for group in range(12)})
        down = table({str(group): list(rng.normal(0, 1, 3)) for group in range(12)})
        value, low, high = detection_auroc(up, down, "value")
        estimate_in += low <= value <= high
        truth_in += low <= truth <= high
    assert estimate_in >= 39
    assert truth_in >= 33


def test_detection_leaves_out_what_could_not_be_measured() -> None:
    """A NaN is neither a hit nor a miss; nothing but NaN is no estimate."""
    up, down = table({"a": [3, math.nan], "b": [4]}), table({"a": [1], "b": [2, math.nan]})
    assert detection_auroc(up, down, "value") == (1, 1, 1)
    lost = table({"a": [math.nan], "b": [math.nan]})
    for sides in ((lost, down), (up, lost), (up.iloc[:0], down)):
        assert all(map(math.isnan, detection_auroc(*sides, "value")))


def test_per_base_is_the_median() -> None:
    """Over all known values of all groups; the interval spans what groups say."""
    known = table({"a": [1, 1, math.nan], "b": [5, 5], "c": [2]})
    value, low, high = median_by_group(known, "value")
    assert value == 2
    assert (low, high) == (1, 5)
    assert median_by_group(table({"a": [4], "b": [4, 4]}), "value") == (4, 4, 4)


def test_per_base_of_nothing_is_nan() -> None:
    """No rows, or none that is known."""
    for nothing in (table({}), table({"a": [math.nan]})):
        assert all(map(math.isnan, median_by_group(nothing, "value")))


def test_resampling_is_the_same_every_time() -> None:
    """Two calls give the same interval: nobody's luck is in a card."""
    groups = np.array(list("abcde"), object)
    size = {name: float(place) for place, name in enumerate(groups)}

    def mean(drawn: NDArray[np.object_]) -> float:
        return float(np.mean([size[name] for name in drawn]))

    assert bootstrap(groups, mean) == bootstrap(groups, mean)


@given(found=arrays(np.float64, 5, elements=some.integers(-9, 9).map(float)))
def test_ordering_is_a_rank_correlation(found: Values) -> None:
    """Between -1 and 1, the other way round for values turned round, NaN for constant ones."""
    strengths = np.array([0.5, 1, 2, 4, 8])
    value = rank_correlation(strengths, found)
    if np.ptp(found) == 0:
        assert math.isnan(value)
    else:
        assert -1 <= value <= 1
        assert rank_correlation(strengths, -found) == pytest.approx(-value)


def test_ordering_asks_for_three_known_values() -> None:
    """A rise is 1, a fall is -1; NaN are left out, and two values have no order to speak of."""
    strengths = np.array([1.0, 2, 4, 8])
    assert rank_correlation(strengths, np.array([0, 1, 9, 10.0])) == pytest.approx(1)
    assert rank_correlation(strengths, np.array([3, 2, math.nan, 0])) == pytest.approx(-1)
    assert math.isnan(rank_correlation(strengths, np.array([3, 2, math.nan, math.nan])))


def test_slope_is_the_median_between_neighbours() -> None:
    """One step that saturates does not change it; an unknown value is stepped over."""
    strengths = np.array([1.0, 2, 4, 8])
    assert median_slope(strengths, 3 * strengths + 1) == pytest.approx(3)
    assert median_slope(strengths, np.array([3, 6, 12, 12.0])) == pytest.approx(3)
    assert median_slope(strengths, np.array([3, math.nan, 12, 24])) == pytest.approx(3)


def test_slope_of_nothing_is_nan() -> None:
    """One known value, or none, has no slope."""
    strengths = np.array([1.0, 2, 4])
    for unknown in ([math.nan] * 3, [math.nan, 2, math.nan]):
        assert math.isnan(median_slope(strengths, np.array(unknown)))
    assert math.isnan(median_slope(strengths[:1], np.ones(1)))
