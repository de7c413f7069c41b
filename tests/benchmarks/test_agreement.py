"""Agreement with people: known answers, and one folder from end to end."""

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
    ceiling,
    compare,
    lines,
    main,
    ordered_pairs,
    partial_spearman,
    plain,
    ranks,
    read_ratings,
    resamples,
    scored,
    spearman,
)
from lab.errors import InputError
from lab.metrics import SPECS

SEEDS = st.integers(0, 10_000)
SMALL = st.lists(st.integers(0, 4), min_size=3, max_size=12)


def once(count: int) -> Values:
    """Every clip once."""
    return np.ones((1, count))


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def sample(noise: np.random.Generator) -> Sample:
    """60 clips in 12 groups of five."""
    return Sample(noise.lognormal(size=60), np.repeat(np.arange(12), 5), resamples(12))


@given(SMALL, SEEDS)
def test_weights_are_copies(values: list[int], seed: int) -> None:
    """A clip that is drawn k times counts as k clips, in ranks and in rho."""
    x = np.array(values, float)
    drawing = np.random.default_rng(seed)
    y, copies = drawing.integers(0, 4, x.size).astype(float), drawing.integers(0, 3, x.size)
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
def test_a_monotone_change_of_scale_leaves_every_number(seed: int) -> None:
    """Only the order of values counts: exp of a metric, the log of motion, a cubed rating."""
    drawing = np.random.default_rng(seed)
    x, y, motion = drawing.normal(size=(3, 20))
    group, drawn = np.repeat(np.arange(5), 4), resamples(5, 50)
    straight = agreement(x, y, Sample(np.exp(motion), group, drawn))
    assert agreement(np.exp(x), y**3, Sample(motion, group, drawn)) == straight


@given(SEEDS)
def test_less_is_the_opposite_of_more(seed: int) -> None:
    """Turned round, a metric has the opposite rho and gets every other pair right."""
    drawing = np.random.default_rng(seed)
    x, y, motion = drawing.normal(size=(3, 20))
    shared = Sample(motion, np.repeat(np.arange(5), 4), resamples(5, 10))
    more, less = agreement(x, y, shared), agreement(-x, y, shared)
    assert less.rho.value == pytest.approx(-more.rho.value)
    assert less.partial.value == pytest.approx(-more.partial.value)
    assert less.accuracy.value == pytest.approx(1 - more.accuracy.value)


def test_a_perfect_metric_agrees_fully(noise: np.random.Generator, sample: Sample) -> None:
    """The rating itself scores 1 with an interval of no width."""
    rating = noise.normal(size=60)
    found = agreement(np.exp(rating), rating, sample)
    for estimate in (found.rho, found.partial, found.accuracy):
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1, 1, 1))
    assert (found.clips, found.pairs) == (60, 12 * 10)


def test_a_metric_that_only_sees_motion_has_nothing_beyond_it(noise: np.random.Generator) -> None:
    """People who dislike motion lend it a rho, and no partial rho; motion itself has exactly 0."""
    motion = noise.lognormal(size=3000)
    rating = -np.log(motion) + noise.normal(size=3000)
    metric = -np.log(motion) + noise.normal(size=3000)
    assert spearman(metric, rating, once(3000))[0] > 0.4
    assert abs(partial_spearman(metric, rating, motion, once(3000))[0]) < 0.05
    assert partial_spearman(-motion, rating, motion, once(3000))[0] == 0


def test_the_partial_is_the_correlation_of_residuals(noise: np.random.Generator) -> None:
    """The closed form equals regressing the ranks of motion out of both by least squares."""
    x, y, motion = noise.normal(size=(3, 40))
    x, y = x + motion, y - motion
    line = np.stack([stats.rankdata(motion), np.ones(40)], axis=1)
    rest = [
        r - line @ np.linalg.lstsq(line, r, rcond=None)[0]
        for r in (stats.rankdata(x), stats.rankdata(y))
    ]
    known = np.corrcoef(*rest)[0, 1]
    assert partial_spearman(x, y, motion, once(40))[0] == pytest.approx(known)


def test_pairs_are_counted_within_groups() -> None:
    """A tie in the rating is no pair, a tie in the metric is half right, one clip has no pair."""
    x = np.array([1, 2, 2, 0, 9, 5.0])
    y = np.array([1, 2, 3, 3, 0, 7.0])
    group = np.array([0, 0, 0, 0, 1, 2])
    right, count = ordered_pairs(x, y, group, 3)
    assert (right.tolist(), count.tolist()) == ([2.5, 0, 0], [5, 0, 0])


def test_without_pairs_only_the_accuracy_is_unknown(noise: np.random.Generator) -> None:
    """Groups of one clip each still give a rho and its interval."""
    x, y, motion = noise.normal(size=(3, 9))
    found = agreement(x, y, Sample(motion, np.arange(9), resamples(9)))
    assert found.pairs == 0
    assert math.isnan(found.accuracy.value)
    assert math.isnan(found.accuracy.low)
    assert found.rho.low < found.rho.value < found.rho.high


def test_one_group_has_no_interval(noise: np.random.Generator) -> None:
    """One prompt says nothing about other prompts."""
    x, y, motion = noise.normal(size=(3, 9))
    group = np.array([0] * 8 + [1])
    x[-1] = math.nan
    found = agreement(x, y, Sample(motion, group, resamples(2)))
    assert math.isfinite(found.rho.value)
    assert math.isfinite(found.accuracy.value)
    assert math.isnan(found.rho.low)
    assert math.isnan(found.accuracy.high)


def test_clips_without_data_are_left_out(noise: np.random.Generator, sample: Sample) -> None:
    """NaN in the metric or the rating is as if the clip were not there, and is counted."""
    x, y = noise.normal(size=(2, 60))
    x[:4], y[10] = math.nan, math.nan
    found = agreement(x, y, sample)
    seen = np.isfinite(x + y)
    assert found.clips == 55
    assert found.rho.value == pytest.approx(stats.spearmanr(x[seen], y[seen]).statistic)
    assert agreement(np.full(60, math.nan), y, sample).clips == 0
    assert math.isnan(agreement(np.full(60, math.nan), y, sample).rho.value)
    assert math.isnan(agreement(np.ones(60), y, sample).rho.value)


@pytest.mark.parametrize("noise_size", [0.3, 1, 3])
def test_an_interval_holds_its_estimate(
    noise: np.random.Generator, sample: Sample, noise_size: float
) -> None:
    """The estimate lies inside, and the ends inside what the number can be."""
    y = noise.normal(size=60)
    found = agreement(y + noise_size * noise.normal(size=60), y, sample)
    for estimate, least in ((found.rho, -1), (found.partial, -1), (found.accuracy, 0)):
        assert least <= estimate.low <= estimate.value <= estimate.high <= 1
        assert 0 < estimate.high - estimate.low < 1


def test_clips_of_a_group_are_drawn_together(noise: np.random.Generator) -> None:
    """Ten equal clips of a prompt are worth one: the interval is that of the prompts alone."""
    x, y, motion = noise.normal(size=(3, 12))
    alone = agreement(x, y, Sample(motion, np.arange(12), resamples(12)))
    ten = [np.repeat(values, 10) for values in (x, y, motion)]
    together = agreement(*ten[:2], Sample(ten[2], np.repeat(np.arange(12), 10), resamples(12)))
    assert (together.rho.low, together.rho.high) == pytest.approx((alone.rho.low, alone.rho.high))


def test_the_ceiling_leaves_one_rater_out(noise: np.random.Generator, sample: Sample) -> None:
    """Raters who agree reach 1; otherwise it is the mean over raters against the rest."""
    rating = noise.normal(size=60)
    agreed = ceiling(np.stack([rating, rating]), sample)
    assert agreed is not None
    assert agreed.rho.value == pytest.approx(1)
    raters = rating + noise.normal(size=(3, 60))
    raters[0, :7] = math.nan
    found = ceiling(raters, sample)
    assert found is not None
    known = []
    for index in range(3):
        rest = np.nanmean(np.delete(raters, index, axis=0), axis=0)
        seen = np.isfinite(raters[index])
        known.append(stats.spearmanr(raters[index][seen], rest[seen]).statistic)
    assert found.rho.value == pytest.approx(np.mean(known))
    assert found.clips == 60 + 60 + 53
    assert ceiling(raters[:1], sample) is None
    assert ceiling(raters[:0], sample) is None


def test_rows_are_signed_and_sorted(noise: np.random.Generator) -> None:
    """+ is agreement for metrics of either direction, and what has no data comes last."""
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
    )
    reasons = {name: ["too short"] * 40 for name in values}
    table = compare(ratings, Scores(values, reasons, ()), held="motion", without=("real", "a"))
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
    text = "\n".join(lines(table, "stars"))
    assert "stars" in text
    assert "left out, too short: drift" in text
    plain_drift = next(row for row in plain(table) if row["name"] == "drift")
    assert plain_drift["rho"] is plain_drift["partial_low"] is None


def test_the_literature_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers stand beside the metrics', whichever order the clips come back in."""

    def fake(
        clips: Sequence[Path], *, quiet: bool, literature: bool = False
    ) -> Iterator[dict[str, Any]]:
        yield {"clip": str(clips[1]), "error": "b.mp4: not a video"}
        scores = {"motion": 2.0, "ssim.temporal": 0.9}
        yield {"clip": str(clips[0]), "scores": scores, "reasons": {}}
        assert literature

    monkeypatch.setattr("benchmarks.agreement.score", fake)
    found = scored([Path("a.mp4"), Path("b.mp4")], quiet=True)
    assert list(found.values) == [*SPECS, "ssim.temporal"]
    assert found.values["ssim.temporal"] == pytest.approx([0.9, math.nan], nan_ok=True)
    assert found.reasons["ssim.temporal"][1] == "b.mp4: not a video"
    assert found.failed == ("b.mp4: not a video",)


def written(folder: Path, rows: list[dict[str, object]]) -> Path:
    """A ratings CSV, and an empty file for each clip it names."""
    with (folder / "ratings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        (folder / str(row["clip"])).touch()
    return folder / "ratings.csv"


def some(**changed: object) -> list[dict[str, object]]:
    """Four good lines, the second one changed."""
    good = [{"clip": f"{n}.mp4", "stars": n % 3, "group": f"g{n // 2}"} for n in range(4)]
    good[1] |= changed
    return good


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"clip": "0.mp4"}, "line 3: '0.mp4' is in line 2 already"),
        ({"stars": "good"}, "line 3: stars is 'good'; write a number or nothing"),
        ({"stars": "inf"}, "write a number"),
        ({"group": " "}, "line 3: has no group"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    """One line says which line, and what to write."""
    path = written(tmp_path, some(**changed))
    with pytest.raises(InputError, match=said):
        read_ratings(path, tmp_path, "stars")


def test_a_file_that_will_not_do_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing there, no such column, a clip elsewhere, no CSV, too few, an unknown generator."""
    folder = tmp_path / "clips"
    folder.mkdir()
    (tmp_path / "out.mp4").touch()

    def refused(*how: str) -> str:
        assert main([str(folder), "--column", "stars", *how]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        return told.err

    assert "--ratings" in refused()
    path = written(folder, some())
    assert "'looks'" in refused("--column", "looks")
    assert "'sora'" in refused("--without", "sora")
    assert "'speed'" in refused("--motion", "speed")
    path.write_text(path.read_text() + "../out.mp4,3,g1\n")
    assert "'../out.mp4' is no file in" in refused()
    path.write_text("clip,stars,group\n0.mp4,1\n")
    assert "line 2: has not the header's 3 columns" in refused()
    path.write_text("clip,stars,group\n0.mp4,1,g\n")
    assert "3 clips or more" in refused()
    path.write_bytes(b"clip,stars,group\n\xff")
    assert "is no CSV in UTF-8" in refused()
    written(folder, [row | {"generator": "real"} for row in some()])
    assert "leave out fewer" in refused("--without", "real")


def test_blank_is_not_rated(tmp_path: Path) -> None:
    """An empty rating, of all or of one rater, is NaN; a byte order mark is no part of a name."""
    rows = [row | {"rater_1": n or "", "rater_2": 3} for n, row in enumerate(some(stars=""))]
    path = written(tmp_path, rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    ratings = read_ratings(path, tmp_path, "stars")
    assert np.isnan(ratings.rating).tolist() == [False, True, False, False]
    assert ratings.raters.shape == (2, 4)
    assert np.isnan(ratings.raters).sum() == 1
    assert [clip.name for clip in ratings.clips] == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]


def test_a_folder_of_clips_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pan_clip: Callable[..., Path]
) -> None:
    """Five clips, one of them broken: a row for every metric, and exit 1 with the clip named."""
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (12, 24, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    rows: list[dict[str, object]] = []
    for index, group in enumerate("aabb"):
        path = tmp_path / f"{index}.mp4"
        pan_clip(path, picture, count=6, step_px=1 + index % 2)
        made_by = {"generator": "real" if index == 0 else "model", "rater_1": index, "rater_2": 4}
        rows.append({"clip": path.name, "temporal_1to5": index, "group": group, **made_by})
    rows.append({**rows[0], "clip": "broken.mp4"})
    written(tmp_path, rows)
    (tmp_path / "broken.mp4").write_text("words")

    assert main([str(tmp_path), "--json"]) == 1
    told = capsys.readouterr()
    assert "not a video" in told.err
    records = [json.loads(line) for line in told.out.splitlines()]
    everyone = {row["name"]: row for row in records if row["among"] == "all clips"}
    assert everyone.keys() >= {*SPECS, "less motion wins", "a rater, by the others"}
    assert everyone["motion"]["clips"] == 4
    assert everyone["motion"]["among_clips"] == 5
    assert everyone["motion"]["left_out_rating"] == 0
    assert everyone["drift.onset"]["why"]
    assert {row["among"] for row in records} == {"all clips", "without real"}
