"""Statistics of detection: known answers and missing data."""

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
    kind_auroc,
    median_by_group,
    median_slope,
    rank_correlation,
)

Values = NDArray[np.float64]
# Few whole values, so that ties are common.
values = arrays(np.float64, some.integers(1, 12), elements=some.integers(-4, 4).map(float))


def table(groups: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(group, value) for group, values in groups.items() for value in values]
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
    """It equals the comparison of all positives with all negatives; ties count half."""
    won = [(p > n) + 0.5 * (p == n) for p, n in itertools.product(up, down)]
    assert auroc(up, down) == pytest.approx(np.mean(won))


@given(up=values, down=values)
def test_auroc_is_symmetric(up: Values, down: Values) -> None:
    """Swapping the sides, or negating the values, gives one minus the value."""
    assert auroc(up, down) + auroc(down, up) == pytest.approx(1)
    assert auroc(-up, -down) == pytest.approx(auroc(down, up))


@given(same=values)
def test_auroc_of_equal_sides_is_a_half(same: Values) -> None:
    """Equal values cannot be separated."""
    assert auroc(same, same) == pytest.approx(0.5)


@given(up=values, down=values)
def test_auroc_depends_only_on_order(up: Values, down: Values) -> None:
    """An increasing function of the values does not change it."""
    assert auroc(np.exp(up) * 7 - 1, np.exp(down) * 7 - 1) == auroc(up, down)


def test_auroc_of_nothing_is_nan() -> None:
    """It is undefined without positives or without negatives."""
    none, one = np.zeros(0), np.ones(1)
    assert all(math.isnan(auroc(*sides)) for sides in ((none, one), (one, none), (none, none)))


def test_perfect_separation_has_a_narrow_interval() -> None:
    """In every resample all positives exceed all negatives."""
    up, down = table({"a": [3, 4], "b": [5, 6]}), table({"a": [0, 1], "b": [1, 2]})
    assert detection_auroc(up, down, "value") == (1, 1, 1)


def test_groups_are_resampled_as_wholes() -> None:
    """Ten copies of each row do not narrow the interval; groups that disagree widen it."""
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


def test_the_interval_contains_the_estimate() -> None:
    """It nearly always contains the estimate, and the truth as often as stated."""
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


def test_detection_ignores_missing_values() -> None:
    """NaN counts on neither side; only NaN gives NaN."""
    up, down = table({"a": [3, math.nan], "b": [4]}), table({"a": [1], "b": [2, math.nan]})
    assert detection_auroc(up, down, "value") == (1, 1, 1)
    lost = table({"a": [math.nan], "b": [math.nan]})
    for sides in ((lost, down), (up, lost), (up.iloc[:0], down)):
        assert all(map(math.isnan, detection_auroc(*sides, "value")))


def test_a_missing_value_can_count_as_a_wrong_order() -> None:
    """Each pair in which either side is missing counts 0, whatever the other side is."""
    up, down = table({"a": [3, math.nan], "b": [4]}), table({"a": [1], "b": [2, math.nan]})
    assert detection_auroc(up, down, "value", missing_is_wrong=True)[0] == pytest.approx(4 / 9)
    lost = table({"a": [math.nan], "b": [math.nan]})
    for sides in ((lost, down), (up, lost)):
        assert detection_auroc(*sides, "value", missing_is_wrong=True)[0] == 0
    for sides in ((lost, lost), (up.iloc[:0], down), (lost, down.iloc[:0])):
        assert math.isnan(detection_auroc(*sides, "value", missing_is_wrong=True)[0])


def kinds_table(kinds: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(kind.split("+"), value) for kind, values in kinds.items() for value in values]
    return pd.DataFrame(rows, columns=["base_kinds", "value"])


def test_a_kind_is_judged_by_the_pairs_that_it_is_in() -> None:
    """A kind whose clean clips read high loses against the others' defects, not against its own."""
    up, down = kinds_table({"pan": [2, 2], "walk": [9]}), kinds_table({"pan": [1, 1], "walk": [8]})
    # walk: 9 beats 1, 1 and 8; 2 and 2 lose against 8. pan: 2, 2 beat 1, 1; 9 beats 1, 1; lost two.
    assert kind_auroc(up, down, "value", "walk") == pytest.approx(3 / 5)
    assert kind_auroc(up, down, "value", "pan") == pytest.approx(6 / 8)
    assert math.isnan(kind_auroc(up, down, "value", "near"))


def test_a_missing_value_counts_against_its_own_kind_only() -> None:
    """Other kinds are judged without the clip."""
    up = kinds_table({"pan": [2], "walk+plain ground": [math.nan]})
    down = kinds_table({"pan": [1], "walk+plain ground": [1]})
    assert kind_auroc(up, down, "value", "pan") == 1
    for kind in ("walk", "plain ground"):
        assert kind_auroc(up, down, "value", kind) == pytest.approx(1 / 3)
    lost = kinds_table({"pan": [math.nan]})
    assert math.isnan(kind_auroc(lost, lost, "value", "pan"))


def test_median_by_group_is_the_median() -> None:
    """It uses the known values of all groups; the interval covers the groups."""
    known = table({"a": [1, 1, math.nan], "b": [5, 5], "c": [2]})
    value, low, high = median_by_group(known, "value")
    assert value == 2
    assert (low, high) == (1, 5)
    assert median_by_group(table({"a": [4], "b": [4, 4]}), "value") == (4, 4, 4)


def test_median_by_group_of_nothing_is_nan() -> None:
    """There are no rows, or no known values."""
    for nothing in (table({}), table({"a": [math.nan]})):
        assert all(map(math.isnan, median_by_group(nothing, "value")))


def test_resampling_is_reproducible() -> None:
    """Two calls give the same interval."""
    groups = np.array(list("abcde"), object)
    size = {name: float(index) for index, name in enumerate(groups)}

    def mean(drawn: NDArray[np.object_]) -> float:
        return float(np.mean([size[name] for name in drawn]))

    assert bootstrap(groups, mean) == bootstrap(groups, mean)


@given(values=arrays(np.float64, 5, elements=some.integers(-9, 9).map(float)))
def test_rank_correlation_is_in_range(values: Values) -> None:
    """It is in -1..1, changes sign with the values, and is NaN for constant ones."""
    strengths = np.array([0.5, 1, 2, 4, 8])
    value = rank_correlation(strengths, values)
    if np.ptp(values) == 0:
        assert math.isnan(value)
    else:
        assert -1 <= value <= 1
        assert rank_correlation(strengths, -values) == pytest.approx(-value)


def test_rank_correlation_needs_three_known_values() -> None:
    """A rise is 1 and a fall is -1; NaN is ignored."""
    strengths = np.array([1.0, 2, 4, 8])
    assert rank_correlation(strengths, np.array([0, 1, 9, 10.0])) == pytest.approx(1)
    assert rank_correlation(strengths, np.array([3, 2, math.nan, 0])) == pytest.approx(-1)
    assert math.isnan(rank_correlation(strengths, np.array([3, 2, math.nan, math.nan])))


def test_slope_is_the_median_between_neighbours() -> None:
    """A step that saturates does not change it; an unknown value is skipped."""
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
