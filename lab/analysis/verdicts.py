"""Which takes are best and worst, and why, in words."""

from dataclasses import dataclass

import pandas as pd

from lab.analysis.matched import MOTION, in_words, unmeasured
from lab.analysis.results import Results
from lab.metrics import JUDGED, SPECS


@dataclass(frozen=True)
class Verdict:
    """A take's place among the others. place: 1 is best. why: clauses, the weightiest first."""

    take_id: str
    place: int
    of: int
    why: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """The best takes, best first, and the worst, worst first.

    too_still, unscored: ids of takes that are not ranked because they hardly move, or lack a
    number. said: by what was ranked, in words.
    """

    best: tuple[Verdict, ...]
    worst: tuple[Verdict, ...]
    too_still: tuple[str, ...]
    unscored: tuple[str, ...]
    said: str


def best_and_worst(results: Results, count: int = 3, *, matched: bool = True) -> Ranking:
    """The best and the worst takes by their mean rank over the judged metrics.

    matched: rank the values at matched motion, as far as the run allows it. Takes that lack one of
    them, are too still to judge, or whose motion was not measured, are not ranked: a frozen
    clip would win. A rank is a description of these takes, not a test of a difference.
    """
    names = list(JUDGED)
    measured = results.headlines()[names]
    wide = results.headlines(matched=matched)[names]
    still = wide.index.isin(results.too_still)
    judged = wide[~still & ~wide.index.isin(unmeasured(results.scores, MOTION))].dropna()
    flaws = judged.apply(lambda scores: scores.map(SPECS[str(scores.name)].flaw))
    order = flaws.rank().mean(axis=1).sort_values(kind="stable").index
    medians = judged.median()
    ranked = [
        Verdict(
            take_id, place, len(order), _why(judged.loc[take_id], measured.loc[take_id], medians)
        )
        for place, take_id in enumerate(order, start=1)
    ]
    count = min(count, len(ranked) // 2)
    said = f"Ranked by the mean rank of {', '.join(names[:-1])} and {names[-1]}. "
    return Ranking(
        best=tuple(ranked[:count]),
        worst=tuple(ranked[len(ranked) - count :][::-1]),
        too_still=results.too_still,
        unscored=tuple(wide.index[~still & ~wide.index.isin(order)]),
        said=said + (in_words(results.lines) if matched else "As measured."),
    )


def leaders(results: Results) -> tuple[str, ...]:
    """Which level of each varied factor has the best medians at matched motion, in sentences.

    What was seen in these takes, not a test: the last sentence says so.
    """
    said = []
    for factor in results.varied:
        medians = results.summary(factor, matched=True).set_index(factor)
        clauses = []
        for name in JUDGED:
            spec = SPECS[name]
            known = medians[name].dropna().sort_values(key=lambda scores: scores.map(spec.flaw))
            if len(known) > 1:
                best, worst = (results.level(factor, known.index[place]) for place in (0, -1))
                ends = ("lowest", "highest")
                first, last = ends if spec.direction == "lower" else ends[::-1]
                clauses.append(
                    f"{name} is {first} for “{best}” ({known.iloc[0]:.2g} {spec.unit}) and "
                    f"{last} for “{worst}” ({known.iloc[-1]:.2g})"
                )
        if clauses:
            said.append(f"By {factor}: {'; '.join(clauses)}.")
    if said:
        scored = int(results.headlines()[list(JUDGED)].notna().all(axis=1).sum())
        said.append(
            f"These are medians over {scored} scored takes. Whether the differences would be seen "
            "again was not tested."
        )
    return tuple(said)


def _why(
    row: "pd.Series[float]", measured: "pd.Series[float]", medians: "pd.Series[float]"
) -> tuple[str, ...]:
    ratios = {name: row[name] / medians[name] if medians[name] > 0 else 1.0 for name in JUDGED}
    far_first = sorted(JUDGED, key=lambda name: -abs(ratios[name] - 1))
    return tuple(
        f"{name} {_valued(row[name], measured[name], SPECS[name].unit)}, {_compared(ratios[name])}"
        for name in far_first
    )


def _valued(value: float, measured: float, unit: str) -> str:
    shown, before = f"{value:.2g}", f"{measured:.2g}"
    return f"{shown} {unit}" + ("" if shown == before else f" ({before} as measured)")


def _compared(ratio: float) -> str:
    if 0.95 <= ratio <= 1.05:
        return "as the median take"
    return f"{ratio:.2g}x the median"
