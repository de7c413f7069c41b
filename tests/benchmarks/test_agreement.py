"""Agreement with ratings: the table's rows, what is refused, and one folder end to end."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.agreement import Scores, compare, json_rows, lines, main, score_clips
from benchmarks.rank_agreement import Values
from benchmarks.ratings import Ratings
from lab.calibration.agreement import RatedMaterial, load_agreement, save_agreement
from lab.errors import WeightsError
from lab.media import write_image
from lab.metrics import SPECS
from lab.vision import weight_path
from tests.benchmarks.rated_folder import ratings_with, write_ratings


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def embedding_weights() -> None:
    """Weights of the baseline's network; skips with the reason if they are unavailable."""
    try:
        weight_path("mobilenetv2")
    except WeightsError as error:
        pytest.skip(str(error))


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
