"""Measures how well a metric detects defects, with bootstrap confidence intervals."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_RESAMPLES = 400
_WRONG_POSITIVE, _WRONG_NEGATIVE = -math.inf, math.inf  # lose against every value of the other side

Interval = tuple[float, float, float]
"""An estimate and the ends of its 95 % interval; NaN without data."""


def auroc(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> float:
    """The probability that a positive exceeds a negative; ties count half. NaN without data."""
    if not len(positives) or not len(negatives):
        return math.nan
    ranked = np.sort(negatives)
    below = np.searchsorted(ranked, positives, "left") + np.searchsorted(ranked, positives, "right")
    return float(below.sum() / 2 / len(positives) / len(negatives))


def detection_auroc(
    positives: pd.DataFrame, negatives: pd.DataFrame, metric: str, *, missing_is_wrong: bool = False
) -> Interval:
    """The AUROC of a metric; its interval resamples whole groups (photographs or footage clips).

    missing_is_wrong: a pair in which either clip has no value counts as 0, so that a metric cannot
    win by having no value on difficult clips. Otherwise clips without a value are left out. NaN if
    no clip has a value.
    """
    if not _any_value(positives, negatives, metric):
        return math.nan, math.nan, math.nan
    if missing_is_wrong:
        positives, negatives = (
            rows[["group", metric]].fillna({metric: wrong})
            for rows, wrong in ((positives, _WRONG_POSITIVE), (negatives, _WRONG_NEGATIVE))
        )
    by_group = [_by_group(rows, metric) for rows in (positives, negatives)]

    def statistic(groups: NDArray[np.object_]) -> float:
        sides = [
            np.concatenate([side[group] for group in groups if group in side] or [np.zeros(0)])
            for side in by_group
        ]
        return auroc(sides[0], sides[1])

    groups = np.array([str(group) for group in positives["group"].unique()], object)
    return bootstrap(groups, statistic)


def kind_auroc(
    positives: pd.DataFrame, negatives: pd.DataFrame, metric: str, base_kind: str
) -> float:
    """The share of pairs in the right order, of those with at least one clip of a base kind.

    Unlike an AUROC within the kind, it also shows that clean clips of the kind read higher than
    defects elsewhere. A clip of the kind without a value makes its pairs wrong; other clips without
    a value are left out. NaN without such pairs, or if no clip has a value. The rows have a column
    base_kinds.
    """
    if not _any_value(positives, negatives, metric):
        return math.nan
    own, others = [], []
    for rows, wrong in ((positives, _WRONG_POSITIVE), (negatives, _WRONG_NEGATIVE)):
        of_kind = np.array([base_kind in kinds for kinds in rows["base_kinds"]], bool)
        values = rows[metric].to_numpy(np.float64)
        own.append(np.where(np.isnan(values), wrong, values)[of_kind])
        others.append(values[~of_kind & ~np.isnan(values)])
    pairs = [(own[0], np.concatenate([own[1], others[1]])), (others[0], own[1])]
    counts = np.array([len(up) * len(down) for up, down in pairs])
    if not counts.any():
        return math.nan
    shares = [
        auroc(up, down) if count else 0.0 for (up, down), count in zip(pairs, counts, strict=True)
    ]
    return float(np.average(shares, weights=counts))


def _any_value(positives: pd.DataFrame, negatives: pd.DataFrame, metric: str) -> bool:
    return bool(positives[metric].notna().any() or negatives[metric].notna().any())


def median_by_group(values: pd.DataFrame, column: str) -> Interval:
    """The median of a column; its interval resamples whole groups."""
    by_group = _by_group(values, column)

    def statistic(groups: NDArray[np.object_]) -> float:
        return float(np.median(np.concatenate([by_group[group] for group in groups])))

    return bootstrap(np.array(list(by_group), object), statistic)


def _by_group(rows: pd.DataFrame, column: str) -> dict[str, NDArray[np.float64]]:
    """The values of a column that are not NaN, by group in alphabetical order."""
    values = rows[column].to_numpy(np.float64)
    groups = rows["group"].to_numpy(object)
    known = ~np.isnan(values)
    return {group: values[known & (groups == group)] for group in sorted(set(groups[known]))}


def bootstrap(
    groups: NDArray[np.object_], statistic: Callable[[NDArray[np.object_]], float]
) -> Interval:
    """A statistic of groups and its 95 % percentile bootstrap interval over groups."""
    if not len(groups):
        return math.nan, math.nan, math.nan
    rng = np.random.default_rng(0)
    resamples = [statistic(rng.choice(groups, len(groups))) for _ in range(_RESAMPLES)]
    known = np.array([one for one in resamples if not math.isnan(one)])
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (math.nan, math.nan)
    return statistic(groups), float(low), float(high)


def rank_correlation(strengths: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Spearman's correlation of value and strength within one clean clip; NaN if undefined."""
    known = ~np.isnan(values)
    if known.sum() < 3 or np.ptp(values[known]) == 0:
        return math.nan
    from scipy.stats import spearmanr  # imported late: it is slow to load

    return float(spearmanr(strengths[known], values[known]).statistic)


def median_slope(strengths: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The median slope between neighbouring strengths, in units of the value per strength.

    NaN for fewer than two values.
    """
    known = ~np.isnan(values)
    if known.sum() < 2:
        return math.nan
    return float(np.median(np.diff(values[known]) / np.diff(strengths[known])))
