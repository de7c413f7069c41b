"""Which takes are best and worst, and why, in words."""

from dataclasses import dataclass

import pandas as pd

from lab.analysis.results import Results
from lab.metrics import HEADLINES, SPECS

_JUDGED = tuple(name for name in HEADLINES if SPECS[name].direction == "lower")
_TOO_STILL = 0.8


@dataclass(frozen=True)
class Verdict:
    """A take's place among the others. place: 1 is best. why: clauses, the weightiest first."""

    take_id: str
    place: int
    of: int
    why: tuple[str, ...]


def best_and_worst(results: Results, count: int = 3) -> tuple[list[Verdict], list[Verdict]]:
    """The best and the worst takes by the mean rank of flicker, drift and warp.

    Takes that lack one of the three, or hold still for most of the time, are not ranked: a frozen
    clip would win. A rank is a description of these takes, not a test of a difference.
    """
    wide = results.scores.pivot(index="take_id", columns="metric", values="value")
    if wide.empty:
        return [], []
    judged = wide.dropna(subset=list(_JUDGED))
    judged = judged[judged["motion.still"].fillna(0) < _TOO_STILL]
    order = judged[list(_JUDGED)].rank().mean(axis=1).sort_values(kind="stable").index
    medians = wide[list(_JUDGED)].median()
    ranked = [
        Verdict(take_id, place, len(order), _why(judged.loc[take_id], medians))
        for place, take_id in enumerate(order, start=1)
    ]
    count = min(count, len(ranked) // 2)
    return ranked[:count], ranked[len(ranked) - count :][::-1]


def _why(row: "pd.Series[float]", medians: "pd.Series[float]") -> tuple[str, ...]:
    ratios = {name: row[name] / medians[name] if medians[name] > 0 else 1.0 for name in _JUDGED}
    far_first = sorted(_JUDGED, key=lambda name: -abs(ratios[name] - 1))
    return tuple(
        f"{name} {row[name]:.2g} {SPECS[name].unit}, {_compared(ratios[name])}"
        for name in far_first
    )


def _compared(ratio: float) -> str:
    if 0.95 <= ratio <= 1.05:
        return "as the median take"
    return f"{ratio:.2g}x the median"
