"""Ranks takes and explains in words which are best and worst."""

from dataclasses import dataclass

import pandas as pd

from lab.analysis.matched_motion import MOTION, describe_motion_lines, unmeasured
from lab.analysis.results import Results
from lab.metrics import JUDGED, SPECS


@dataclass(frozen=True)
class RankedTake:
    """The rank of a take. rank: 1 is best. ranked_count: how many takes are ranked.

    reasons: one clause per judged metric, the largest difference from the median first.
    """

    take_id: str
    rank: int
    ranked_count: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """The best takes, best first, and the worst takes, worst first.

    too_still: ids of takes that hardly move. unscored: ids of takes that lack a score. Neither are
    ranked. method: how the takes were ranked, in words.
    """

    best: tuple[RankedTake, ...]
    worst: tuple[RankedTake, ...]
    too_still: tuple[str, ...]
    unscored: tuple[str, ...]
    method: str


def best_and_worst(results: Results, count: int = 3, *, matched: bool = True) -> Ranking:
    """Rank takes by the mean of their ranks in the judged metrics.

    count: how many best and worst takes to return. matched: rank values at matched motion where the
    run allows it. A take is not ranked if it lacks a judged metric, is too still to judge or has
    unknown motion; otherwise a frozen clip would win. Ranks only describe these takes; no
    difference is tested.
    """
    names = list(JUDGED)
    measured = results.headlines()[names]
    wide = results.headlines(matched=matched)[names]
    too_still = wide.index.isin(results.too_still)
    judged = wide[~too_still & ~wide.index.isin(unmeasured(results.scores, MOTION))].dropna()
    flaws = judged.apply(lambda scores: scores.map(SPECS[str(scores.name)].flaw))
    order = flaws.rank().mean(axis=1).sort_values(kind="stable").index
    medians = judged.median()
    ranked = [
        RankedTake(
            take_id, rank, len(order), _reasons(judged.loc[take_id], measured.loc[take_id], medians)
        )
        for rank, take_id in enumerate(order, start=1)
    ]
    count = min(count, len(ranked) // 2)
    motion_note = describe_motion_lines(results.motion_lines) if matched else "As measured."
    method = f"Ranked by the mean rank of {', '.join(names[:-1])} and {names[-1]}. {motion_note}"
    return Ranking(
        best=tuple(ranked[:count]),
        worst=tuple(ranked[len(ranked) - count :][::-1]),
        too_still=results.too_still,
        unscored=tuple(wide.index[~too_still & ~wide.index.isin(order)]),
        method=method,
    )


def describe_levels(results: Results) -> tuple[str, ...]:
    """Sentences that name the best and the worst level of each varied factor.

    Levels are compared by their medians at matched motion. The last sentence says that this
    describes the takes and tests no difference.
    """
    sentences = []
    for factor in results.varied:
        medians = results.summary(factor, matched=True).set_index(factor)
        clauses = []
        for name in JUDGED:
            spec = SPECS[name]
            known = medians[name].dropna().sort_values(key=lambda scores: scores.map(spec.flaw))
            if len(known) > 1:
                best, worst = (results.level_text(factor, known.index[end]) for end in (0, -1))
                adjectives = ("lowest", "highest")
                first, last = adjectives if spec.direction == "lower" else adjectives[::-1]
                clauses.append(
                    f"{name} is {first} for “{best}” ({known.iloc[0]:.2g} {spec.unit}) and "
                    f"{last} for “{worst}” ({known.iloc[-1]:.2g})"
                )
        if clauses:
            sentences.append(f"By {factor}: {'; '.join(clauses)}.")
    if sentences:
        scored = int(results.headlines()[list(JUDGED)].notna().all(axis=1).sum())
        sentences.append(
            f"These are medians over {scored} scored takes. Whether the differences would be seen "
            "again was not tested."
        )
    return tuple(sentences)


def _reasons(
    row: "pd.Series[float]", measured: "pd.Series[float]", medians: "pd.Series[float]"
) -> tuple[str, ...]:
    ratios = {name: row[name] / medians[name] if medians[name] > 0 else 1.0 for name in JUDGED}
    largest_first = sorted(JUDGED, key=lambda name: -abs(ratios[name] - 1))
    return tuple(
        f"{name} {_value_text(row[name], measured[name], SPECS[name].unit)}, "
        f"{_ratio_text(ratios[name])}"
        for name in largest_first
    )


def _value_text(value: float, measured: float, unit: str) -> str:
    text, raw_text = f"{value:.2g}", f"{measured:.2g}"
    return f"{text} {unit}" + ("" if text == raw_text else f" ({raw_text} as measured)")


def _ratio_text(ratio: float) -> str:
    if 0.95 <= ratio <= 1.05:
        return "as the median take"
    return f"{ratio:.2g}x the median"
