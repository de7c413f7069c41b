"""Best and worst takes, and why."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from lab.analysis import Results, best_and_worst
from lab.metrics import SPECS


@pytest.fixture
def ranked(results: Results) -> Callable[..., Results]:
    """A run whose takes have these scores by metric; what is not named is 1, and moving."""

    def build(*takes: dict[str, float]) -> Results:
        rows = [
            {
                "take_id": f"t{number}",
                "metric": name,
                "value": take.get(name, 0.0 if name == "motion.still" else 1.0),
            }
            for number, take in enumerate(takes)
            for name in SPECS
        ]
        return replace(results, scores=pd.DataFrame(rows))

    return build


def _bad(size: float) -> dict[str, float]:
    return {"flicker": size, "drift": size, "warp": size}


def test_the_best_has_the_lowest_mean_rank(ranked: Callable[..., Results]) -> None:
    """Places follow flicker, drift and warp together, and count only those ranked."""
    best, worst = best_and_worst(ranked(_bad(3), _bad(1), _bad(4), _bad(2)), count=2)
    assert [(v.take_id, v.place, v.of) for v in best] == [("t1", 1, 4), ("t3", 2, 4)]
    assert [(v.take_id, v.place) for v in worst] == [("t2", 4), ("t0", 3)]


def test_no_take_is_both_best_and_worst(ranked: Callable[..., Results]) -> None:
    """Of three takes one is best and one is worst; of one there is neither."""
    best, worst = best_and_worst(ranked(_bad(1), _bad(2), _bad(3)), count=3)
    assert [v.take_id for v in best] == ["t0"]
    assert [v.take_id for v in worst] == ["t2"]
    assert best_and_worst(ranked(_bad(1))) == ([], [])


def test_a_frozen_clip_cannot_win(ranked: Callable[..., Results]) -> None:
    """A take that holds still for most of the time is not ranked."""
    best, worst = best_and_worst(ranked({**_bad(0), "motion.still": 1.0}, _bad(2), _bad(3)))
    assert [v.take_id for v in best] == ["t1"]
    assert {v.of for v in (*best, *worst)} == {2}


def test_a_take_without_a_score_is_not_ranked(ranked: Callable[..., Results]) -> None:
    """What lacks a headline is left out, neither best nor worst."""
    best, worst = best_and_worst(ranked({"drift": float("nan")}, _bad(2), _bad(3)))
    assert {v.take_id for v in (*best, *worst)} == {"t1", "t2"}


def test_why_leads_with_what_differs_most(ranked: Callable[..., Results]) -> None:
    """The clause of the number farthest from the median comes first, with unit and factor."""
    odd = {"flicker": 1.0, "drift": 1.5, "warp": 6.0}
    _, (worst,) = best_and_worst(ranked({}, {}, odd), count=1)
    assert worst.take_id == "t2"
    assert worst.why[0] == "warp 6 ‰ of the diagonal, 6x the median"
    assert worst.why[2] == "flicker 1 8-bit code values, as the median take"


def test_motion_is_no_merit(ranked: Callable[..., Results]) -> None:
    """How much a take moves changes no place."""
    plain = best_and_worst(ranked(_bad(1), _bad(2)))
    moved = best_and_worst(ranked({**_bad(1), "motion": 90}, {**_bad(2), "motion": 2}))
    assert plain == moved


def test_a_real_run_is_ranked(results: Results) -> None:
    """Of real takes, the lock-off that holds still is not among the ranked."""
    best, worst = best_and_worst(results)
    assert {v.take_id for v in (*best, *worst)} == set(results.takes["take_id"][1:])
