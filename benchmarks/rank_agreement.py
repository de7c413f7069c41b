"""How well numbers order clips as ratings do, with 95 % intervals that resample whole groups.

Every function works on weighted samples at once: weights are (samples, n), where a weight k counts
a clip as k clips. The first sample is the original one.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.calibration.agreement import ESTIMATES, Agreement, Estimate

Values = NDArray[np.float64]

RESAMPLES = 2000
MIN_OF_GENERATOR = 5  # a rank correlation of fewer clips is mostly noise
_SEED = 0
_NO_VARIANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Sample:
    """Data that all metrics of a table share, over its n clips.

    motion: (n,), NaN where unknown. group: index of the group, (n,). counts: from `resamples`.
    generators: for each generator, a mask (n,) of its clips. split: clips with a rating of at most
    the first are bad, of at least the second good, if higher is better; None for no detection.
    """

    motion: Values
    group: NDArray[np.intp]
    counts: Values
    generators: tuple[NDArray[np.bool_], ...] = ()
    split: tuple[float, float] | None = None


def resamples(groups: int, count: int = RESAMPLES, *, seed: int = _SEED) -> Values:
    """Number of times each resample contains each group, (1 + count, groups).

    The first row is the original sample.
    """
    counts = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), count)
    return np.vstack([np.ones(groups), counts])


def ranks(values: Values, weights: Values) -> Values:
    """Mid-ranks of values (n,) in weighted samples; weights (samples, n) count repetitions."""
    order = np.argsort(values, kind="stable")
    cumulative = np.pad(np.cumsum(weights[:, order], axis=1), ((0, 0), (1, 0)))
    ordered = values[order]
    below = cumulative[:, np.searchsorted(ordered, values, "left")]
    up_to = cumulative[:, np.searchsorted(ordered, values, "right")]
    return (below + up_to + 1) / 2


def correlation(x: Values, y: Values, weights: Values) -> Values:
    """Pearson's r of x and y, both (samples, n), for each sample; NaN if either is constant."""
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = x - (weights * x).sum(axis=1, keepdims=True) / total
        y = y - (weights * y).sum(axis=1, keepdims=True) / total
        variance = (weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1)
        r = (weights * x * y).sum(axis=1) / np.sqrt(np.where(variance > _NO_VARIANCE, variance, 0))
    return np.where(np.isfinite(r), np.clip(r, -1, 1), np.nan)


def spearman(x: Values, y: Values, weights: Values) -> Values:
    """Spearman's rho of x and y (n,) in each sample, with mid-ranks for ties."""
    return correlation(ranks(x, weights), ranks(y, weights), weights)


def partial_spearman(x: Values, y: Values, controlled: Values, weights: Values) -> Values:
    """Spearman's rho of x and y (n,) after regressing the ranks of `controlled` out of both.

    A monotone transform of `controlled`, such as the logarithm, changes nothing. The result is 0
    where `controlled` explains x or y completely.
    """
    xy, xh, yh = (spearman(a, b, weights) for a, b in ((x, y), (x, controlled), (y, controlled)))
    residual = (1 - xh**2) * (1 - yh**2)
    none = residual < _NO_VARIANCE
    return np.where(none, 0.0, (xy - xh * yh) / np.sqrt(np.where(none, 1.0, residual)))


def ordered_pairs(x: Values, y: Values, group: NDArray[np.intp], groups: int) -> NDArray[Any]:
    """Pairs with different y within each group: ordered alike by x, and in total; (2, groups).

    A tie in x counts as half.
    """
    tally = np.zeros((2, groups))
    for index in range(groups):
        members = np.flatnonzero(group == index)
        first, second = members[np.array(np.triu_indices(members.size, 1))]
        alike = np.sign(x[first] - x[second]) * np.sign(y[first] - y[second])
        counted = y[first] != y[second]
        tally[:, index] = ((alike[counted] + 1) / 2).sum(), counted.sum()
    return tally


def auroc(bad: Values, good: Values, bad_weights: Values, good_weights: Values) -> Values:
    """Probability that a good clip has a higher value than a bad one, in each weighted sample.

    bad, good: (n,) and (m,); their weights are (samples, n) and (samples, m). A tie counts as half.
    """
    above = (np.sign(good[None] - bad[:, None]) + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        total = bad_weights.sum(axis=1) * good_weights.sum(axis=1)
        result: Values = ((bad_weights @ above) * good_weights).sum(axis=1) / total
    return result


def quantile(values: Values, weights: Values, share: float) -> Values:
    """A quantile of values (n,) in weighted samples, (samples,); linear, like NumPy's."""
    order = np.argsort(values, kind="stable")
    ordered, cumulative = values[order], np.cumsum(weights[:, order], axis=1)
    place = share * (cumulative[:, -1] - 1)
    below = np.floor(place)
    low, high = (
        ordered[(cumulative > whole[:, None]).argmax(axis=1)] for whole in (below, np.ceil(place))
    )
    result: Values = np.where(cumulative[:, -1] > 0, low + (place - below) * (high - low), np.nan)
    return result


def agreement(x: Values, y: Values, sample: Sample, *, best: float = math.nan) -> Agreement:
    """Agreement of x with the rating y, both (n,), higher is better, without clips that are NaN.

    best: the x of a clip without a flaw, which a missing value counts as where all clips count; NaN
    if there is none. The partial correlation also skips clips without motion.
    """
    return summary(*resampled(x, y, sample, best))


def ceiling(raters: Values, sample: Sample) -> Agreement | None:
    """Mean agreement of each rater with the mean of the other raters; raters is (raters, n).

    None if no two raters share a clip. clips and pairs are totals over the raters.
    """
    rated = np.isfinite(raters)
    filled = np.where(rated, raters, 0)
    others = rated.sum(axis=0) - rated
    with np.errstate(invalid="ignore"):
        rest = np.where(others > 0, (filled.sum(axis=0) - filled) / others, np.nan)
    each = [
        resampled(one, mean, sample)
        for one, mean in zip(raters, rest, strict=True)
        if np.isfinite(one + mean).any()
    ]
    if not each:
        return None
    clips, pairs, results = zip(*each, strict=True)
    mean = {name: known_mean([result[name] for result in results]) for name in ESTIMATES}
    return summary(sum(clips), sum(pairs), mean)


def generator_means(y: Values, generator: NDArray[np.str_], group: NDArray[np.intp]) -> Values:
    """Mean rating of the clips by the same generator in other groups, (n,); NaN without any.

    A mean with the clip itself would follow the rating even if all generators were alike.
    """
    others = (generator[:, None] == generator) & (group[:, None] != group)
    others[generator == ""] = False
    count = others.sum(axis=1)
    return np.where(count > 0, (others @ y) / np.maximum(count, 1), np.nan)


def resampled(
    x: Values, y: Values, sample: Sample, best: float = math.nan
) -> tuple[int, int, dict[str, Values]]:
    """As `agreement`: numbers of clips and pairs, and each estimate in every sample, by name."""
    group, counts = sample.group, sample.counts
    weights = counts[:, group]
    valid = np.isfinite(x) & np.isfinite(y)
    with_motion = valid & np.isfinite(sample.motion)
    # A number that no clip has says nothing, so its missing values stay missing.
    filled = np.where(np.isnan(x), best, x) if valid.any() else x
    complete = np.isfinite(filled) & np.isfinite(y)
    right, pairs = ordered_pairs(x[valid], y[valid], group[valid], counts.shape[1])
    with np.errstate(invalid="ignore"):
        accuracy = (counts @ right) / (counts @ pairs)
    rho = spearman(x[valid], y[valid], weights[:, valid])
    within = [
        spearman(x[own], y[own], weights[:, own])
        for own in (valid & members for members in sample.generators)
        if own.sum() >= MIN_OF_GENERATOR
    ]
    unknown = np.full(len(counts), np.nan)
    results = {
        "rho": rho,
        "rho_filled": rho
        if (valid == complete).all()
        else spearman(filled[complete], y[complete], weights[:, complete]),
        "partial": partial_spearman(
            x[with_motion], y[with_motion], sample.motion[with_motion], weights[:, with_motion]
        ),
        "within": known_mean(within) if within else unknown,
        "accuracy": accuracy,
        "auroc": unknown,
        "ratio": unknown,
    }
    if sample.split is not None:
        bad, good = complete & (y <= sample.split[0]), complete & (y >= sample.split[1])
        if bad.any() and good.any():
            results["auroc"] = auroc(filled[bad], filled[good], weights[:, bad], weights[:, good])
            high = quantile(best - filled[good], weights[:, good], 0.9)
            middle = quantile(best - filled[bad], weights[:, bad], 0.5)
            with np.errstate(invalid="ignore", divide="ignore"):
                results["ratio"] = np.where(middle > 0, high / middle, np.nan)
    of_known = ("rho", "partial", "within", "accuracy")
    for name, samples in results.items():
        if np.unique(group[valid if name in of_known else complete]).size < 2:
            samples[1:] = np.nan  # resampling a single group gives no interval
    return int(valid.sum()), int(pairs.sum()), results


def known_mean(each: list[Values]) -> Values:
    """Mean in each sample over those that are not NaN."""
    mean: Values = np.ma.masked_invalid(np.stack(each)).mean(axis=0).filled(np.nan)
    return mean


def summary(clips: int, pairs: int, results: dict[str, Values]) -> Agreement:
    """The estimates and their intervals, of results from `resampled`."""
    estimates = {name: estimate(samples) for name, samples in results.items()}
    return Agreement(clips, pairs, **estimates)


def estimate(samples: Values) -> Estimate:
    """The first sample is the estimate; the finite others give its interval."""
    others = samples[1:][np.isfinite(samples[1:])]
    low, high = np.percentile(others, [2.5, 97.5]) if others.size else (math.nan, math.nan)
    return Estimate(float(samples[0]), float(low), float(high))
