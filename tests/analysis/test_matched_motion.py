"""Scores at matched motion."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.analysis import Results
from lab.analysis.matched_motion import MATCHED, fit_line
from lab.metrics import JUDGED, SPECS

Ranked = Callable[..., Results]
Values = NDArray[np.float64]

sizes = st.floats(0.1, 100)
motions = st.lists(st.integers(0, 60), min_size=8, max_size=20, unique=True).map(
    lambda steps: 0.5 * 1.1 ** np.array(steps, np.float64)
)
# Well above the floor and inside the range of flicker at every slope and motion.
levels = st.floats(0.5, 1.0)


def _line(motion: Values, level: float, slope: float) -> Values:
    return level * (motion / 12.0) ** slope


@given(motions, levels, st.floats(0, 0.5))
def test_scores_that_only_follow_motion_are_equal_at_matched_motion(
    motion: Values, level: float, slope: float
) -> None:
    """Scores that are a power of motion all get the line's value at the median motion."""
    score = _line(motion, level, slope)
    line = fit_line("flicker", score, motion)
    assert line.slope == pytest.approx(slope, abs=1e-6)
    assert line.median_motion == pytest.approx(np.median(motion))
    assert line.adjust(score, motion) == pytest.approx([line.flaw_at_median] * len(motion))
    assert line.predict(motion) == pytest.approx(score)


@pytest.mark.parametrize("metric", JUDGED)
def test_a_flaw_proportional_to_motion_is_taken_at_the_median(metric: str) -> None:
    """Takes whose flaw is proportional to motion all get the score at the median motion."""
    spec, motion = SPECS[metric], np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    score = spec.flaw(spec.flaw(spec.unnoticed) * motion / 8)
    line = fit_line(metric, score, motion)
    assert (line.takes, line.slope, line.median_motion) == (7, pytest.approx(1), pytest.approx(8))
    assert line.adjust(score, motion) == pytest.approx([spec.unnoticed] * 7)
    assert line.predict(motion) == pytest.approx(score)


def test_moving_less_is_not_rewarded_where_more_is_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The distance to the best value grows with motion, and the description says so."""
    lower = SPECS["flicker"]
    steady = replace(lower, name="steady", direction="higher", high=1.0, unnoticed=0.9)
    monkeypatch.setitem(SPECS, "steady", steady)
    motion = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    line = fit_line("steady", 1 - 0.05 * motion, motion)
    assert line.adjust(1 - 0.05 * motion, motion) == pytest.approx([0.8] * 7)
    assert str(line) == "1 - steady grows as motion to the power 1"
    level = fit_line("steady", 0.5 + 0.05 * motion, motion)
    assert level.slope == 0
    assert list(level.adjust(0.5 + 0.05 * motion, motion)) == list(0.5 + 0.05 * motion)


def test_an_outlier_does_not_turn_the_line() -> None:
    """A take fifty times worse than the others stays fifty times worse, and they stay equal."""
    motion = 1.3 ** np.arange(12)
    score = motion.copy()
    score[0] *= 50
    line = fit_line("flicker", score, motion)
    matched = line.adjust(score, motion)
    assert line.slope == pytest.approx(1)
    assert matched[0] / matched[1] == pytest.approx(50)
    assert matched[1:] == pytest.approx([line.flaw_at_median] * 11)


@given(st.lists(sizes, min_size=1, max_size=20), sizes)
def test_equal_motion_changes_nothing(score: list[float], motion: float) -> None:
    """If all takes have the same motion, there is no line but a reason, and scores stay."""
    values = np.array(score)
    line = fit_line("flicker", values, np.full(len(score), motion))
    assert "needs 6 takes" in line.reason
    assert line.slope == 0
    assert np.array_equal(line.adjust(values, np.full(len(score), motion)), values)


@given(motions, st.lists(sizes, min_size=20, max_size=20))
def test_matching_keeps_zero_and_the_range(motion: Values, drawn: list[float]) -> None:
    """0 stays 0, no value leaves the range, and takes of equal motion keep their order."""
    score = np.array(drawn[: len(motion)])
    line = fit_line("flicker", score, motion)
    assert line.slope >= 0
    assert line.adjust(np.zeros(1), motion[:1]) == 0
    assert line.adjust(np.array([250.0]), motion[:1]) <= SPECS["flicker"].high
    low, high = line.adjust(np.array([1.0, 2.0]), motion[[0, 0]])
    assert low <= high


def test_moving_less_is_never_rewarded() -> None:
    """If slow takes score worse, the slope is 0 and they keep their scores."""
    motion = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    line = fit_line("warp", 10 / motion, motion)
    assert (line.slope, line.reason) == (0, "")
    assert line.adjust(10 / motion, motion) == pytest.approx(10 / motion)
    assert str(line) == "warp does not grow with motion"


@pytest.mark.parametrize(
    ("motion", "count"),
    [
        ([1, 2, 3, 4, 5], 5),
        ([1, 2, 3, 4, 5, 5.2], 5),
        ([1, 2, 3, 4, 5, math.nan], 5),
        ([1, 2, 3, 4, 5, 0], 5),
        ([], 0),
    ],
)
def test_fewer_than_six_distinct_takes_stay_as_measured(motion: list[float], count: int) -> None:
    """Takes count once for each tenth of motion; the reason has the count."""
    speeds = np.array(motion, np.float64)
    score = np.arange(len(motion)) + 1.0
    line = fit_line("drift", score, speeds)
    assert line.reason.endswith(f"and there are {count}")
    assert np.array_equal(line.adjust(score, speeds), score)
    assert math.isnan(line.flaw_at_median)


def test_missing_values_stay_missing() -> None:
    """A take without score or motion is not fitted and gets no matched value."""
    motion = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, math.nan, 64.0])
    score = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 5.0, math.nan])
    line = fit_line("flicker", score, motion)
    assert (line.takes, line.slope) == (6, pytest.approx(1))
    assert line.median_motion == 8
    assert np.isnan(line.adjust(score, motion)).tolist() == [False] * 6 + [True] * 2


def test_unnoticeable_differences_do_not_affect_the_line() -> None:
    """Scores below a tenth of the noticeability threshold count as equal."""
    motion = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    assert fit_line("flicker", motion * 1e-6, motion).slope == 0


def _moving(*speeds: float) -> list[dict[str, float]]:
    """Scores of takes whose flicker equals their motion."""
    return [{"flicker": speed, "motion": speed} for speed in speeds]


def test_matched_scores_come_with_the_measured_ones(ranked: Ranked) -> None:
    """Each row has the matched value, the raw value and the motion."""
    results = ranked(*_moving(1, 2, 3, 4, 5, 6, 7))
    rows = results.matched()
    assert set(rows["metric"]) == set(MATCHED)
    assert len(rows) == 7 * len(MATCHED)
    flicker = rows[rows["metric"] == "flicker"]
    assert list(flicker["value"]) == pytest.approx([4.0] * 7)
    assert list(flicker["raw"]) == list(flicker["motion"]) == [1, 2, 3, 4, 5, 6, 7]
    assert list(results.headlines()["flicker"]) == [1, 2, 3, 4, 5, 6, 7]
    assert list(results.headlines(matched=True)["flicker"]) == pytest.approx([4.0] * 7)


def test_a_take_too_still_is_neither_matched_nor_fitted(ranked: Ranked) -> None:
    """Its value is NaN with a reason, and the line does not change."""
    still = {"flicker": 0.0, "motion": 0.01, "motion.still": 0.8}
    moving = _moving(1, 2, 3, 4, 5, 6, 7)
    results = ranked(*moving, still)
    assert results.too_still == ("t7",)
    assert results.motion_lines == ranked(*moving).motion_lines
    rows = results.matched()
    last = rows[rows["take_id"] == "t7"]
    assert last["value"].isna().all()
    assert set(last["reason"]) == {"too still to judge"}
    assert ranked(*moving, {**still, "motion.still": 0.79}).too_still == ()


def test_a_take_too_still_has_no_score_even_without_a_line(ranked: Ranked) -> None:
    """With too few takes the others stay as measured, and the take too still has no value."""
    results = ranked({"flicker": 2.0}, {"flicker": 0.0, "motion.still": 1.0})
    assert list(results.headlines(matched=True)["flicker"].isna()) == [False, True]
    assert results.headlines(matched=True)["flicker"]["t0"] == 2


def test_a_take_of_unknown_motion_says_so(ranked: Ranked) -> None:
    """It has no matched value, with the reason."""
    lost = {"flicker": 3.0, "motion": math.nan, "motion.still": math.nan}
    rows = ranked(*_moving(1, 2, 3, 4, 5, 6, 7), lost).matched()
    row = rows[(rows["take_id"] == "t7") & (rows["metric"] == "flicker")].iloc[0]
    assert math.isnan(row["value"])
    assert (row["raw"], row["reason"]) == (3.0, "its motion is unknown")
