"""Best and worst takes, and why."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.analysis import Results, best_and_worst

Ranked = Callable[..., Results]


def _bad(size: float) -> dict[str, float]:
    return {"flicker": size, "drift": size, "warp": size}


def test_the_best_has_the_lowest_mean_rank(ranked: Ranked) -> None:
    """Places follow flicker, drift and warp together, and count only those ranked."""
    found = best_and_worst(ranked(_bad(3), _bad(1), _bad(4), _bad(2)), count=2)
    assert [(v.take_id, v.rank, v.ranked) for v in found.best] == [("t1", 1, 4), ("t3", 2, 4)]
    assert [(v.take_id, v.rank) for v in found.worst] == [("t2", 4), ("t0", 3)]


def test_no_take_is_both_best_and_worst(ranked: Ranked) -> None:
    """Of three takes one is best and one is worst; of one there is neither."""
    found = best_and_worst(ranked(_bad(1), _bad(2), _bad(3)), count=3)
    assert [v.take_id for v in found.best] == ["t0"]
    assert [v.take_id for v in found.worst] == ["t2"]
    alone = best_and_worst(ranked(_bad(1)))
    assert alone.best == alone.worst == ()


@pytest.mark.parametrize("matched", [True, False])
def test_a_frozen_clip_cannot_win(ranked: Ranked, matched: bool) -> None:
    """A take that holds still for most of the time is not ranked but named."""
    frozen = {**_bad(0), "motion": 0.0, "motion.still": 1.0}
    moving = [{**_bad(size), "motion": size} for size in range(1, 9)]
    found = best_and_worst(ranked(frozen, *moving), matched=matched)
    assert found.too_still == ("t0",)
    assert "t0" not in {v.take_id for v in (*found.best, *found.worst)}
    assert {v.ranked for v in (*found.best, *found.worst)} == {8}


def test_a_take_without_a_score_is_not_ranked_but_named(ranked: Ranked) -> None:
    """What lacks a headline is left out, neither best nor worst."""
    found = best_and_worst(ranked({"drift": float("nan")}, _bad(2), _bad(3)))
    assert {v.take_id for v in (*found.best, *found.worst)} == {"t1", "t2"}
    assert (found.unscored, found.too_still) == (("t0",), ())


def test_moving_less_wins_nothing(ranked: Ranked) -> None:
    """A take that is good for how much it moves beats those that only move less."""
    takes = [{**_bad(speed), "motion": speed} for speed in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)]
    takes[5] = {**_bad(4.5), "motion": 6.0}
    matched, raw = (best_and_worst(ranked(*takes), 1, matched=how) for how in (True, False))
    assert [v.take_id for v in matched.best] == ["t5"]
    assert [v.take_id for v in raw.best] == ["t0"]
    assert "At matched motion" in matched.method
    assert "4 % of the diagonal per s" in matched.method
    assert "As measured." in raw.method
    assert (
        matched.best[0]
        .reasons[0]
        .startswith("flicker 3 8-bit code values (4.5 as measured), 0.75x")
    )


def test_too_few_takes_are_ranked_as_measured(ranked: Ranked) -> None:
    """Nothing is matched by a line through five takes, and the words say so."""
    takes = [{**_bad(speed), "motion": speed} for speed in (1.0, 2.0, 3.0, 4.0, 5.0)]
    found = best_and_worst(ranked(*takes))
    assert [v.take_id for v in found.best] == ["t0", "t1"]
    assert "As measured, not at matched motion: flicker, drift" in found.method
    assert "needs 6 takes that differ in motion by a tenth, and there are 5" in found.method


def test_why_leads_with_what_differs_most(ranked: Ranked) -> None:
    """The clause of the number farthest from the median comes first, with unit and factor."""
    odd = {"flicker": 1.0, "drift": 1.5, "warp": 6.0}
    (worst,) = best_and_worst(ranked({}, {}, odd), count=1).worst
    assert worst.take_id == "t2"
    assert worst.reasons[0] == "warp 6 ‰ of the diagonal, 6x the median"
    assert worst.reasons[2] == "flicker 1 8-bit code values, as the median take"


def test_motion_is_no_merit(ranked: Ranked) -> None:
    """How much a take moves by itself changes no place."""
    plain = best_and_worst(ranked(_bad(1), _bad(2)))
    moved = best_and_worst(ranked({**_bad(1), "motion": 90}, {**_bad(2), "motion": 2}))
    assert (plain.best, plain.worst) == (moved.best, moved.worst)


def test_a_real_run_is_ranked(results: Results) -> None:
    """Of real takes, the lock-off that holds still is named and not ranked."""
    found = best_and_worst(results)
    assert {v.take_id for v in (*found.best, *found.worst)} == set(results.takes["take_id"][1:])
    assert found.too_still == (results.takes["take_id"][0],)


def test_a_take_whose_motion_is_stale_is_not_ranked(ranked: Callable[..., Results]) -> None:
    """It may be frozen, and a frozen clip would win."""
    results = ranked(*({"flicker": value} for value in (0.1, 2.0, 3.0, 4.0, 5.0)))
    stale = (results.scores["take_id"] == "t0") & results.scores["metric"].str.startswith("motion")
    scores = results.scores.assign(
        value=results.scores["value"].mask(stale),
        version=results.scores["version"].where(~stale, 0),
    )
    ranking = best_and_worst(replace(results, scores=scores))
    assert "t0" in ranking.unscored
    assert "t0" not in {verdict.take_id for verdict in (*ranking.best, *ranking.worst)}
    even = replace(results, scores=scores).matched()
    assert even[even["take_id"] == "t0"]["value"].isna().all()
