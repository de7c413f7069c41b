"""Agreement with ratings: known answers, from other libraries or by construction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.rank_agreement import (
    Sample,
    Values,
    agreement,
    auroc,
    ceiling,
    generator_means,
    ordered_pairs,
    partial_spearman,
    quantile,
    ranks,
    resamples,
    spearman,
)
from lab.calibration import statistics
from lab.calibration.agreement import ESTIMATES

SEEDS = st.integers(0, 10_000)
SMALL = st.lists(st.integers(0, 4), min_size=3, max_size=12)


def once(count: int) -> Values:
    """Weights that count every clip once."""
    return np.ones((1, count))


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def sample(noise: np.random.Generator) -> Sample:
    """60 clips in 12 groups of five."""
    return Sample(noise.lognormal(size=60), np.repeat(np.arange(12), 5), resamples(12))


@given(SMALL, SEEDS)
def test_weights_count_as_copies(values: list[int], seed: int) -> None:
    """A clip with weight k counts as k clips, in ranks and in rho."""
    x = np.array(values, float)
    rng = np.random.default_rng(seed)
    y, copies = rng.integers(0, 4, x.size).astype(float), rng.integers(0, 3, x.size)
    copies[0] += 3
    weights = copies[None].astype(float)
    many_x, many_y = np.repeat(x, copies), np.repeat(y, copies)
    assert np.repeat(ranks(x, weights)[0], copies) == pytest.approx(stats.rankdata(many_x))
    if np.ptp(many_x) and np.ptp(many_y):
        known = stats.spearmanr(many_x, many_y).statistic
        assert spearman(x, y, weights)[0] == pytest.approx(known)
    else:
        assert math.isnan(spearman(x, y, weights)[0])


@given(SEEDS)
def test_monotone_transforms_change_nothing(seed: int) -> None:
    """Only ranks count: exp of a metric, log of motion, cube of a rating."""
    rng = np.random.default_rng(seed)
    x, y, motion = rng.normal(size=(3, 20))
    group, counts = np.repeat(np.arange(5), 4), resamples(5, 50)
    shared = group, counts, (np.arange(20) < 9, np.arange(20) >= 9)
    reference = agreement(x, y, Sample(np.exp(motion), *shared, (0, 0)))
    result = agreement(np.exp(x), y**3, Sample(motion, *shared, (0, 0)))
    for name in set(ESTIMATES) - {"ratio"}:
        assert getattr(result, name) == getattr(reference, name)


@given(SEEDS)
def test_the_opposite_metric_has_the_opposite_agreement(seed: int) -> None:
    """A negated metric has the opposite rho and the complementary accuracy."""
    rng = np.random.default_rng(seed)
    x, y, motion = rng.normal(size=(3, 20))
    shared = Sample(motion, np.repeat(np.arange(5), 4), resamples(5, 10))
    more, less = agreement(x, y, shared), agreement(-x, y, shared)
    assert less.rho.value == pytest.approx(-more.rho.value)
    assert less.partial.value == pytest.approx(-more.partial.value)
    assert less.accuracy.value == pytest.approx(1 - more.accuracy.value)


def test_a_perfect_metric_agrees_fully(noise: np.random.Generator, sample: Sample) -> None:
    """The rating itself has agreement 1 with an interval of width 0."""
    rating = noise.normal(size=60)
    result = agreement(np.exp(rating), rating, sample)
    for estimate in (result.rho, result.partial, result.accuracy):
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1, 1, 1))
    assert (result.clips, result.pairs) == (60, 12 * 10)


def test_a_metric_of_motion_has_no_partial_correlation(noise: np.random.Generator) -> None:
    """If raters dislike motion, it has a rho but no partial rho; motion itself has exactly 0."""
    motion = noise.lognormal(size=3000)
    rating = -np.log(motion) + noise.normal(size=3000)
    metric = -np.log(motion) + noise.normal(size=3000)
    assert spearman(metric, rating, once(3000))[0] > 0.4
    assert abs(partial_spearman(metric, rating, motion, once(3000))[0]) < 0.05
    assert partial_spearman(-motion, rating, motion, once(3000))[0] == 0


def test_the_partial_is_the_correlation_of_residuals(noise: np.random.Generator) -> None:
    """The closed form equals a least-squares regression on the ranks of motion."""
    x, y, motion = noise.normal(size=(3, 40))
    x, y = x + motion, y - motion
    design = np.stack([stats.rankdata(motion), np.ones(40)], axis=1)
    residuals = [
        r - design @ np.linalg.lstsq(design, r, rcond=None)[0]
        for r in (stats.rankdata(x), stats.rankdata(y))
    ]
    known = np.corrcoef(*residuals)[0, 1]
    assert partial_spearman(x, y, motion, once(40))[0] == pytest.approx(known)


def test_pairs_are_counted_within_groups() -> None:
    """Ties of the rating do not count; ties of the metric count half; one clip has no pair."""
    x = np.array([1, 2, 2, 0, 9, 5.0])
    y = np.array([1, 2, 3, 3, 0, 7.0])
    group = np.array([0, 0, 0, 0, 1, 2])
    right, count = ordered_pairs(x, y, group, 3)
    assert (right.tolist(), count.tolist()) == ([2.5, 0, 0], [5, 0, 0])


def test_without_pairs_only_the_accuracy_is_unknown(noise: np.random.Generator) -> None:
    """Groups of one clip still give a rho with an interval."""
    x, y, motion = noise.normal(size=(3, 9))
    result = agreement(x, y, Sample(motion, np.arange(9), resamples(9)))
    assert result.pairs == 0
    assert math.isnan(result.accuracy.value)
    assert math.isnan(result.accuracy.low)
    assert result.rho.low < result.rho.value < result.rho.high


def test_one_group_has_no_interval(noise: np.random.Generator) -> None:
    """A single group gives estimates without intervals."""
    x, y, motion = noise.normal(size=(3, 9))
    group = np.array([0] * 8 + [1])
    x[-1] = math.nan
    result = agreement(x, y, Sample(motion, group, resamples(2)))
    assert math.isfinite(result.rho.value)
    assert math.isfinite(result.accuracy.value)
    assert math.isnan(result.rho.low)
    assert math.isnan(result.accuracy.high)


def test_clips_without_data_are_skipped(noise: np.random.Generator, sample: Sample) -> None:
    """A clip with NaN in the metric or the rating does not count."""
    x, y = noise.normal(size=(2, 60))
    x[:4], y[10] = math.nan, math.nan
    result = agreement(x, y, sample)
    valid = np.isfinite(x + y)
    assert result.clips == 55
    assert result.rho.value == pytest.approx(stats.spearmanr(x[valid], y[valid]).statistic)
    assert agreement(np.full(60, math.nan), y, sample).clips == 0
    assert math.isnan(agreement(np.full(60, math.nan), y, sample).rho.value)
    assert math.isnan(agreement(np.ones(60), y, sample).rho.value)


def test_a_missing_value_can_count_as_no_flaw(noise: np.random.Generator, sample: Sample) -> None:
    """rho_filled ranks it best; rho and the number of clips leave it out."""
    x, y = -np.abs(noise.normal(size=60)), noise.normal(size=60)
    x[:6] = math.nan
    result = agreement(x, y, sample, best=0.0)
    assert result.clips == 54
    assert result.rho.value == pytest.approx(stats.spearmanr(x[6:], y[6:]).statistic)
    known = stats.spearmanr(np.nan_to_num(x, nan=0.0), y).statistic
    assert result.rho_filled.value == pytest.approx(known)
    assert result.rho_filled.low < known < result.rho_filled.high
    without_best = agreement(x, y, sample)
    assert without_best.rho_filled == without_best.rho


def test_generators_count_alike_within(noise: np.random.Generator, sample: Sample) -> None:
    """The plain mean of rho over the generators that have five clips or more."""
    x, y = noise.normal(size=(2, 60))
    place = np.arange(60)
    generators = place < 40, (place >= 40) & (place < 56), place >= 56
    y[generators[0]] += 100
    result = agreement(x, y, Sample(sample.motion, sample.group, sample.counts, generators))
    known = [stats.spearmanr(x[own], y[own]).statistic for own in generators[:2]]
    assert result.within.value == pytest.approx(np.mean(known))
    assert result.within.low < result.within.value < result.within.high


def test_a_generator_is_judged_by_its_other_clips(noise: np.random.Generator) -> None:
    """Clips of its own group have no part in it; no mean is known without others."""
    generator = np.array(["a", "b", "a", "a", "", "c", "b", ""])
    group = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    y = np.array([1, 2, 4, 7, 5, 5, 3, 5.0])
    nan = math.nan
    assert generator_means(y, generator, group) == pytest.approx(
        [7, 3, 7, 2.5, nan, nan, 2, nan], nan_ok=True
    )
    alike, ratings = np.repeat([f"{n}" for n in range(500)], 4), noise.normal(size=2000)
    means = generator_means(ratings, alike, np.arange(2000))
    assert abs(spearman(means, ratings, once(2000))[0]) < 0.1


@given(st.lists(st.integers(0, 6), min_size=4, max_size=12), SEEDS)
def test_detection_counts_weights_as_copies(values: list[int], seed: int) -> None:
    """AUROC and quantiles of a weighted sample are those of the sample with copies."""
    x = np.array(values, float)
    copies = np.random.default_rng(seed).integers(0, 3, x.size)
    copies[[0, 2]] += 1
    bad, good = slice(None, 2), slice(2, None)
    weights = copies[None].astype(float)
    many_bad, many_good = (np.repeat(x[side], copies[side]) for side in (bad, good))
    detected = auroc(x[bad], x[good], weights[:, bad], weights[:, good])
    assert detected[0] == pytest.approx(statistics.auroc(many_good, many_bad))
    for share in (0.5, 0.9):
        known = np.quantile(np.repeat(x, copies), share)
        assert quantile(x, weights, share)[0] == pytest.approx(known)
    assert math.isnan(quantile(x, 0 * weights, 0.5)[0])


def test_bad_clips_are_detected(noise: np.random.Generator, sample: Sample) -> None:
    """Only clips beyond the split count, and a missing value among them counts as no flaw."""
    y = np.tile([1.0, 2.0, 3.0, 3.0, 1.0], 12)
    flaw = np.where(y <= 1, 8.0, np.where(y >= 3, 2.0, 99.0))
    split = Sample(sample.motion, sample.group, sample.counts, split=(1.5, 3))
    result = agreement(-flaw, y, split, best=0.0)
    assert (result.auroc.value, result.auroc.low, result.ratio.value) == (1, 1, 0.25)
    flaw[np.flatnonzero(y <= 1)[:6]] = math.nan
    result = agreement(-flaw, y, split, best=0.0)
    assert result.auroc.value == pytest.approx(18 / 24)
    assert result.auroc.low < result.auroc.value < result.auroc.high
    assert math.isnan(agreement(-flaw, y, sample, best=0.0).auroc.value)
    assert math.isnan(agreement(flaw * math.nan, y, split, best=0.0).auroc.value)


@pytest.mark.parametrize("noise_size", [0.3, 1, 3])
def test_an_interval_contains_its_estimate(
    noise: np.random.Generator, sample: Sample, noise_size: float
) -> None:
    """The interval contains the estimate and stays within the possible range."""
    y = noise.normal(size=60)
    result = agreement(y + noise_size * noise.normal(size=60), y, sample)
    for estimate, least in ((result.rho, -1), (result.partial, -1), (result.accuracy, 0)):
        assert least <= estimate.low <= estimate.value <= estimate.high <= 1
        assert 0 < estimate.high - estimate.low < 1


def test_groups_are_resampled_as_a_whole(noise: np.random.Generator) -> None:
    """Ten equal clips per prompt give the interval of one clip per prompt."""
    x, y, motion = noise.normal(size=(3, 12))
    alone = agreement(x, y, Sample(motion, np.arange(12), resamples(12)))
    ten = [np.repeat(values, 10) for values in (x, y, motion)]
    together = agreement(*ten[:2], Sample(ten[2], np.repeat(np.arange(12), 10), resamples(12)))
    assert (together.rho.low, together.rho.high) == pytest.approx((alone.rho.low, alone.rho.high))


def test_the_ceiling_leaves_one_rater_out(noise: np.random.Generator, sample: Sample) -> None:
    """Equal raters reach 1; otherwise it is the mean agreement of each with the others."""
    rating = noise.normal(size=60)
    agreed = ceiling(np.stack([rating, rating]), sample)
    assert agreed is not None
    assert agreed.rho.value == pytest.approx(1)
    raters = rating + noise.normal(size=(3, 60))
    raters[0, :7] = math.nan
    result = ceiling(raters, sample)
    assert result is not None
    known = []
    for index in range(3):
        rest = np.nanmean(np.delete(raters, index, axis=0), axis=0)
        seen = np.isfinite(raters[index])
        known.append(stats.spearmanr(raters[index][seen], rest[seen]).statistic)
    assert result.rho.value == pytest.approx(np.mean(known))
    assert result.clips == 60 + 60 + 53
    assert ceiling(raters[:1], sample) is None
    assert ceiling(raters[:0], sample) is None
