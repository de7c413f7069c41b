"""Agreement with ratings: known answers, and one folder end to end."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.agreement import (
    Ratings,
    Sample,
    Scores,
    Values,
    agreement,
    auroc,
    ceiling,
    compare,
    generator_means,
    json_rows,
    lines,
    main,
    ordered_pairs,
    partial_spearman,
    quantile,
    ranks,
    read_ratings,
    resamples,
    score_clips,
    spearman,
)
from lab.calibration import statistics
from lab.calibration.agreement import ESTIMATES, RatedMaterial, load_agreement, save_agreement
from lab.errors import InputError, WeightsError
from lab.media import write_image
from lab.metrics import SPECS
from lab.vision import weight_path

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


@pytest.fixture
def embedding_weights() -> None:
    """Weights of the baseline's network; skips with the reason if they are unavailable."""
    try:
        weight_path("mobilenetv2")
    except WeightsError as error:
        pytest.skip(str(error))


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


def test_rows_are_signed_and_sorted(noise: np.random.Generator) -> None:
    """+ is agreement for both directions; metrics without data come last."""
    rating, motion = noise.normal(size=40), noise.lognormal(size=40)
    missing = np.full(40, math.nan)
    values = {"flicker": -rating, "drift": missing, "motion": motion, "ssim.temporal": rating * 1.5}
    values["flicker"][:2] = math.nan
    ratings = Ratings(
        tuple(Path(f"{index}.mp4") for index in range(40)),
        np.repeat([f"g{index}" for index in range(8)], 5),
        np.tile(["real", "a", "b", "c", "d"], 8),
        rating,
        np.empty((0, 40)),
        (None,) * 40,
        "stars",
    )
    reasons = {name: ["too short"] * 40 for name in values}
    table = compare(
        ratings, Scores(values, reasons, {}), controlled="motion", without=("real", "a")
    )
    rows = {row.name: row for row in table.rows}
    assert (table.among, table.clips, table.groups) == ("without real, a", 24, 8)
    assert rows["flicker"].agreement.rho.value == pytest.approx(1)
    assert (rows["ssim.temporal"].kind, rows["ssim.temporal"].direction) == (
        "literature",
        "higher",
    )
    assert table.rows[-1].name == "drift"
    assert rows["drift"].why == "too short"
    assert rows["drift"].left_out == pytest.approx(table.rating)
    less, motion_row = rows["less motion wins"].agreement, rows["motion"].agreement
    assert less.rho.value == pytest.approx(-motion_row.rho.value)
    text = "\n".join(lines(table, ratings))
    assert "stars" in text
    assert "missing, too short: drift" in text
    drift_row = next(row for row in json_rows(table) if row["name"] == "drift")
    assert drift_row["rho"] is drift_row["partial_low"] is None


def test_a_rating_of_a_flaw_is_turned(noise: np.random.Generator) -> None:
    """A flaw's rating gives what the same rating of quality gives; a copy of the baseline is no
    better than it; the generator's row stands beside it."""
    flaw, motion = noise.integers(1, 6, 40).astype(float), noise.lognormal(size=40)
    drift = flaw + noise.normal(size=40)
    scores = Scores(
        {"drift": drift, "flicker": noise.lognormal(size=40), "motion": motion},
        {"drift": [""] * 40, "flicker": [""] * 40, "motion": [""] * 40},
        {},
        whole_frame=drift,
    )

    def rows(rating: Values, split: tuple[float, float], *, lower: bool) -> list[dict[str, Any]]:
        ratings = Ratings(
            tuple(Path(f"{index}.mp4") for index in range(40)),
            np.repeat([f"g{index}" for index in range(8)], 5),
            np.tile(["a", "b", "c", "d"], 10),
            rating,
            np.stack([rating, rating + noise.normal(size=40) / 1000]),
            (None,) * 40,
            "drift",
            lower_is_better=lower,
        )
        return list(json_rows(compare(ratings, scores, controlled="motion", split=split)))

    turned, plain = rows(flaw, (2, 4), lower=True), rows(6 - flaw, (2, 4), lower=False)
    for one, other in zip(turned, plain, strict=True):
        if one["kind"] != "ceiling":
            assert one == pytest.approx(other, abs=1e-6)
    named = {row["name"]: row for row in turned}
    assert named["drift"]["rho"] > 0.5
    assert named["drift"]["auroc"] > 0.8
    assert named["drift"]["within"] > 0.5
    assert named["a rater, by the others"]["rho"] > 0.9
    ends = ("difference", "difference_low", "difference_high")
    assert [named["drift"][end] for end in ends] == [0, 0, 0]
    assert named["flicker"]["difference_low"] < named["flicker"]["difference"] < 0
    assert named["same generator's clips"]["clips"] == 40
    assert named["same generator's clips"]["within"] is None
    assert named["motion"]["ratio"] is named["motion"]["difference"] is None


def test_the_literature_is_scored_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its metrics are included, whatever the order of the results."""

    def fake(
        clips: Sequence[Path], still: None, *, literature: bool, **_: object
    ) -> Iterator[dict[str, Any]]:
        yield {"clip": str(clips[1]), "error": "b.mp4: not a video"}
        scores = {"motion": 2.0, "ssim.temporal": 0.9}
        yield {"clip": str(clips[0]), "scores": scores, "reasons": {}}
        assert literature

    monkeypatch.setattr("benchmarks.agreement.score", fake)
    result = score_clips([Path("a.mp4"), Path("b.mp4")], [None, None], quiet=True)
    assert list(result.values) == [*SPECS, "ssim.temporal"]
    assert result.values["ssim.temporal"] == pytest.approx([0.9, math.nan], nan_ok=True)
    assert result.reasons["ssim.temporal"][1] == "b.mp4: not a video"
    assert result.failed == {Path("b.mp4"): "b.mp4: not a video"}


def write_ratings(folder: Path, rows: list[dict[str, object]]) -> Path:
    """Write a ratings CSV and an empty file for each of its clips."""
    with (folder / "ratings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        (folder / str(row["clip"])).touch()
    return folder / "ratings.csv"


def ratings_with(**changed: object) -> list[dict[str, object]]:
    """Four valid lines, with the second one changed."""
    good = [{"clip": f"{n}.mp4", "stars": n % 3, "group": f"g{n // 2}"} for n in range(4)]
    good[1] |= changed
    return good


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clip": "0.mp4"}, "line 3: '0.mp4' is in line 2 already"),
        ({"stars": "good"}, "line 3: stars is 'good'; write a number or leave it empty"),
        ({"stars": "inf"}, "write a number"),
        ({"group": " "}, "line 3: has no group"),
    ],
)
def test_an_invalid_line_is_named(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    """The error names the line and says what to write."""
    path = write_ratings(tmp_path, ratings_with(**changed))
    with pytest.raises(InputError, match=message):
        read_ratings(path, tmp_path, column="stars")


def test_an_unusable_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing file or column, foreign clip, invalid CSV, too few clips, unknown generator."""
    folder = tmp_path / "clips"
    folder.mkdir()
    (tmp_path / "out.mp4").touch()

    def refused(*options: str) -> str:
        assert main([str(folder), "--column", "stars", *options]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        return captured.err

    assert "--ratings" in refused()
    path = write_ratings(folder, ratings_with())
    assert "'looks'" in refused("--column", "looks")
    assert "'sora'" in refused("--without", "sora")
    assert "'speed'" in refused("--motion", "speed")
    path.write_text(path.read_text() + "../out.mp4,3,g1\n")
    assert "'../out.mp4' is not a file in" in refused()
    path.write_text("clip,stars,group\n0.mp4,1\n")
    assert "line 2: the header has 3 columns, this line has not" in refused()
    path.write_text("clip,stars,group\n0.mp4,1,g\n")
    assert "3 clips or more" in refused()
    path.write_bytes(b"clip,stars,group\n\xff")
    assert "is not a CSV in UTF-8" in refused()
    write_ratings(folder, [row | {"generator": "real"} for row in ratings_with()])
    assert "exclude fewer" in refused("--without", "real")
    assert "'drift_a'" in refused("--raters", "drift_a,drift_b")
    assert "'model'" in refused("--generator", "model")
    assert "leave --stills out" in refused("--stills", ".")
    assert "2 clips are rated 0 or less, 0 9 or more" in refused("--split", "0", "9")
    assert "--material" in refused("--card", "card.json")
    card = ("--card", str(tmp_path / "out.mp4"), "--material", "these")
    assert "does not hold agreement" in refused(*card)
    card = ("--card", str(tmp_path / "out.mp4" / "card.json"), "--material", "these")
    assert "cannot write here" in refused(*card)
    write_ratings(folder, [row | {"still": "gone.png"} for row in ratings_with()])
    assert "'gone.png' is not a file in" in refused()
    write_ratings(folder, [row | {"still": "0.mp4"} for row in ratings_with()])
    assert "0.mp4" in refused()


def test_raters_form_the_rating(tmp_path: Path) -> None:
    """Their mean over those who rated, unless a column is named; a still is a group by default."""
    rows: list[dict[str, object]] = [
        {"clip": f"{n}.mp4", "still": f"{n // 2}.png", "a": n, "b": 4 if n else "", "model": "x"}
        for n in range(4)
    ]
    path = write_ratings(tmp_path, rows)
    (tmp_path / "stills").mkdir()
    for n in range(2):
        write_image(tmp_path / "stills" / f"{n}.png", np.full((64, 64, 3), n, np.uint8))
    options: dict[str, Any] = {"stills": tmp_path / "stills", "generator": "model"}
    ratings = read_ratings(path, tmp_path, raters=["a", "b"], lower_is_better=True, **options)
    assert ratings.rating.tolist() == [0, 2.5, 3, 3.5]
    assert ratings.described == "mean of a, b, lower is better"
    assert ratings.group.tolist() == ["0.png", "0.png", "1.png", "1.png"]
    assert ratings.generator.tolist() == ["x"] * 4
    assert [still and still.name for still in ratings.stills] == ["0", "0", "1", "1"]
    named = read_ratings(path, tmp_path, column="a", raters=["a", "b"], **options)
    assert (named.rating.tolist(), named.raters.shape) == ([0, 1, 2, 3], (2, 4))
    (tmp_path / "ratings.csv").write_text("clip,group,still,a\n0.mp4,g,,1\n1.mp4,g,,1\n2.mp4,g,,1")
    assert read_ratings(path, tmp_path, column="a").stills == (None, None, None)


def test_an_empty_field_is_not_rated(tmp_path: Path) -> None:
    """An empty rating is NaN; a byte order mark is skipped."""
    rows = [
        row | {"rater_1": n or "", "rater_2": 3} for n, row in enumerate(ratings_with(stars=""))
    ]
    path = write_ratings(tmp_path, rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    ratings = read_ratings(path, tmp_path, column="stars")
    assert np.isnan(ratings.rating).tolist() == [False, True, False, False]
    assert ratings.raters.shape == (2, 4)
    assert np.isnan(ratings.raters).sum() == 1
    assert [clip.name for clip in ratings.clips] == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]


def test_a_folder_of_clips_end_to_end(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pan_clip: Callable[..., Path],
    embedding_weights: None,
) -> None:
    """With one broken clip of five, every metric has a row, the clip is named and exit is 1.

    Two clips have a still, so there is a baseline; the card's older entry is replaced.
    """
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (12, 24, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    rows: list[dict[str, object]] = []
    for index, group in enumerate("aabb"):
        path = tmp_path / f"{index}.mp4"
        pan_clip(path, picture, count=6, step_px=1 + index % 2)
        made_by = {"model": "real" if index == 0 else "other", "one": index, "two": min(index, 2)}
        still = "still.png" if group == "a" else ""
        rows.append({"clip": path.name, "group": group, "still": still, **made_by})
    rows.append({**rows[0], "clip": "broken.mp4"})
    write_ratings(tmp_path, rows)
    (tmp_path / "broken.mp4").write_text("words")
    write_image(tmp_path / "still.png", 255 - picture)
    card = tmp_path / "card.json"
    rating = "mean of one, two, lower is better"
    older = [RatedMaterial(name, rating, 9, 3, 0, None, {}, ()) for name in ("these", "those")]
    save_agreement(card, older)

    options = ["--raters", "one,two", "--lower-is-better", "--generator", "model", "--json"]
    detect = ["--split", "1", "2", "--card", str(card), "--material", "these"]
    assert main([str(tmp_path), *options, *detect]) == 1
    captured = capsys.readouterr()
    assert "not a video" in captured.err
    records = [json.loads(line) for line in captured.out.splitlines()]
    all_clips = {row["name"]: row for row in records if row["among"] == "all clips"}
    baselines = {"less motion wins", "whole-frame embedding", "same generator's clips"}
    assert all_clips.keys() >= {*SPECS, *baselines, "a rater, by the others"}
    assert all_clips["motion"]["clips"] == 4
    assert all_clips["motion"]["among_clips"] == 4
    assert all_clips["drift.onset"]["why"]
    # The clips with a still of inverted colours are the two that are rated best.
    assert all_clips["whole-frame embedding"]["auroc"] == 0
    assert {row["among"] for row in records} == {"all clips", "without real"}

    these, those = load_agreement(card)
    assert (these.material, these.rating, these.clips, these.generators) == ("these", rating, 4, 2)
    assert (these.split, these.stale, those) == ((1, 2), (), older[1])
    judged = {name for name, spec in SPECS.items() if spec.judged}
    assert {row.name for row in these.rows} == judged | baselines | {"a rater, by the others"}
