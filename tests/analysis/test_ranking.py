"""Best and worst takes, with reasons."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.analysis import Results, best_and_worst

Ranked = Callable[..., Results]


def _judged(size: float) -> dict[str, float]:
    """Judged scores that are all equal."""
    return {"flicker": size, "drift": size, "warp": size}


def test_the_best_has_the_lowest_mean_rank(ranked: Ranked) -> None:
    """Ranks combine the judged metrics and count only ranked takes."""
    ranking = best_and_worst(ranked(_judged(3), _judged(1), _judged(4), _judged(2)), count=2)
    best = [(v.take_id, v.rank, v.ranked_count) for v in ranking.best]
    assert best == [("t1", 1, 4), ("t3", 2, 4)]
    assert [(v.take_id, v.rank) for v in ranking.worst] == [("t2", 4), ("t0", 3)]


def test_no_take_is_both_best_and_worst(ranked: Ranked) -> None:
    """Of three takes one is best and one is worst; a single take is neither."""
    ranking = best_and_worst(ranked(_judged(1), _judged(2), _judged(3)), count=3)
    assert [v.take_id for v in ranking.best] == ["t0"]
    assert [v.take_id for v in ranking.worst] == ["t2"]
    alone = best_and_worst(ranked(_judged(1)))
    assert alone.best == alone.worst == ()


@pytest.mark.parametrize("matched", [True, False])
def test_a_frozen_clip_cannot_win(ranked: Ranked, matched: bool) -> None:
    """A take that hardly moves is listed but not ranked."""
    frozen = {**_judged(0), "motion": 0.0, "motion.still": 1.0}
    moving = [{**_judged(size), "motion": size} for size in range(1, 9)]
    ranking = best_and_worst(ranked(frozen, *moving), matched=matched)
    assert ranking.too_still == ("t0",)
    assert "t0" not in {v.take_id for v in (*ranking.best, *ranking.worst)}
    assert {v.ranked_count for v in (*ranking.best, *ranking.worst)} == {8}


def test_a_take_without_a_score_is_listed_but_not_ranked(ranked: Ranked) -> None:
    """A take that lacks a headline is neither best nor worst."""
    ranking = best_and_worst(ranked({"drift": float("nan")}, _judged(2), _judged(3)))
    assert {v.take_id for v in (*ranking.best, *ranking.worst)} == {"t1", "t2"}
    assert (ranking.unscored, ranking.too_still) == (("t0",), ())


def test_moving_less_wins_nothing(ranked: Ranked) -> None:
    """A take that is good for its motion beats takes that only move less."""
    takes = [{**_judged(speed), "motion": speed} for speed in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)]
    takes[5] = {**_judged(4.5), "motion": 6.0}
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
    """Five takes are too few for a line, and the method says so."""
    takes = [{**_judged(speed), "motion": speed} for speed in (1.0, 2.0, 3.0, 4.0, 5.0)]
    ranking = best_and_worst(ranked(*takes))
    assert [v.take_id for v in ranking.best] == ["t0", "t1"]
    assert "As measured, not at matched motion: flicker, drift" in ranking.method
    assert "needs 6 takes that differ in motion by a tenth, and there are 5" in ranking.method


def test_reasons_begin_with_the_largest_difference(ranked: Ranked) -> None:
    """The metric farthest from the median comes first, with unit and ratio."""
    odd = {"flicker": 1.0, "drift": 1.5, "warp": 6.0}
    (worst,) = best_and_worst(ranked({}, {}, odd), count=1).worst
    assert worst.take_id == "t2"
    assert worst.reasons[0] == "warp 6 ‰ of the diagonal, 6x the median"
    assert worst.reasons[2] == "flicker 1 8-bit code values, as the median take"


def test_motion_alone_does_not_change_ranks(ranked: Ranked) -> None:
    """Different motion with equal scores gives the same ranks."""
    plain = best_and_worst(ranked(_judged(1), _judged(2)))
    moved = best_and_worst(ranked({**_judged(1), "motion": 90}, {**_judged(2), "motion": 2}))
    assert (plain.best, plain.worst) == (moved.best, moved.worst)


def test_a_real_run_is_ranked(results: Results) -> None:
    """The lock-off that hardly moves is listed and not ranked."""
    ranking = best_and_worst(results)
    assert {v.take_id for v in (*ranking.best, *ranking.worst)} == set(results.takes["take_id"][1:])
    assert ranking.too_still == (results.takes["take_id"][0],)


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
    assert "t0" not in {v.take_id for v in (*ranking.best, *ranking.worst)}
    even = replace(results, scores=scores).matched()
    assert even[even["take_id"] == "t0"]["value"].isna().all()
