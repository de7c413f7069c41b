"""How well a metric tells defects from clean clips: plain functions of rows, with intervals."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_RESAMPLES = 400

Interval = tuple[float, float, float]
"""A value and the 95 % interval around it; NaN where there is no data."""


def auroc(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> float:
    """The chance that a positive's value is above a negative's; ties count half. NaN if empty."""
    if not len(positives) or not len(negatives):
        return math.nan
    ranked = np.sort(negatives)
    below = np.searchsorted(ranked, positives, "left") + np.searchsorted(ranked, positives, "right")
    return float(below.sum() / 2 / len(positives) / len(negatives))


def detection(positives: pd.DataFrame, negatives: pd.DataFrame, metric: str) -> Interval:
    """AUROC of a metric; the interval resamples photographs (and clips of footage) as wholes."""
    by_group = [_by_group(rows, metric) for rows in (positives, negatives)]

    def value(groups: NDArray[np.object_]) -> float:
        sides = [
            np.concatenate([side[group] for group in groups if group in side] or [np.zeros(0)])
            for side in by_group
        ]
        return auroc(sides[0], sides[1])

    return resampled(np.array([str(group) for group in positives["group"].unique()], object), value)


def per_base(values: pd.DataFrame, column: str) -> Interval:
    """Median of a column over bases; the interval resamples their groups."""
    by_group = _by_group(values, column)

    def value(groups: NDArray[np.object_]) -> float:
        return float(np.median(np.concatenate([by_group[group] for group in groups])))

    return resampled(np.array(list(by_group), object), value)


def _by_group(rows: pd.DataFrame, column: str) -> dict[str, NDArray[np.float64]]:
    """The known values of a column, by group in alphabetical order."""
    values = rows[column].to_numpy(np.float64)
    groups = rows["group"].to_numpy(object)
    known = ~np.isnan(values)
    return {group: values[known & (groups == group)] for group in sorted(set(groups[known]))}


def resampled(
    groups: NDArray[np.object_], value: Callable[[NDArray[np.object_]], float]
) -> Interval:
    """A value over groups, and its 95 % percentile interval when groups are drawn anew."""
    if not len(groups):
        return math.nan, math.nan, math.nan
    luck = np.random.default_rng(0)
    drawn = [value(luck.choice(groups, len(groups))) for _ in range(_RESAMPLES)]
    known = np.array([one for one in drawn if not math.isnan(one)])
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (math.nan, math.nan)
    return value(groups), float(low), float(high)


def ordering(strengths: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Spearman's correlation of value and strength within one base; NaN where it is undefined."""
    known = ~np.isnan(values)
    if known.sum() < 3 or np.ptp(values[known]) == 0:
        return math.nan
    from scipy.stats import spearmanr  # here, for it takes long to load

    return float(spearmanr(strengths[known], values[known]).statistic)


def slope(strengths: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Median of the slopes between neighbouring known strengths, value's unit per strength.

    NaN with fewer than two known values.
    """
    known = ~np.isnan(values)
    if known.sum() < 2:
        return math.nan
    return float(np.median(np.diff(values[known]) / np.diff(strengths[known])))
