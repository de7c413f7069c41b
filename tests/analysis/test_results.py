"""The tables of a run."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lab.analysis import Results, load
from lab.errors import InputError, RunFolderError
from lab.metrics import HEADLINES, SPECS

Without = Callable[..., Results]
Ranked = Callable[..., Results]


def test_there_is_a_row_for_every_take(results: Results) -> None:
    """A row has the factors, state, cost, and the honoured and ignored settings."""
    takes = results.takes
    assert list(takes["prompt"]) == ["static lock-off, cinematic", "fast pan left", "make it move"]
    assert set(takes["state"]) == {"fetched"}
    assert takes["take_id"].is_unique
    assert list(takes["cost_usd"]) == [0, 0, 0]
    assert takes["simulated"].all()
    assert takes["requested"][0] == "lock_off; cinematic"
    assert takes["honoured"][0] == "lock_off"
    assert takes["not_honoured"][0].startswith("cinematic: ")
    assert takes["not_honoured"][1] == ""


def test_there_is_a_row_for_every_score(results: Results) -> None:
    """Each take has each metric once, with unit, direction, and a reason if it is NaN."""
    scores = results.scores
    assert len(scores) == 3 * len(SPECS)
    assert not scores.duplicated(["take_id", "metric"]).any()
    assert (scores["value"].isna() == (scores["reason"] != "")).all()
    assert set(scores[scores["headline"]]["metric"]) == set(HEADLINES)
    for row in scores.itertuples():
        assert (row.unit, row.direction) == (SPECS[row.metric].unit, SPECS[row.metric].direction)


def test_there_is_a_row_for_every_frame(results: Results) -> None:
    """Series have ascending times within the clip."""
    frames = results.frames
    for _, rows in frames.groupby(["take_id", "metric"]):
        assert rows["frame"].is_monotonic_increasing
    assert set(HEADLINES) <= set(frames["metric"])
    assert frames["frame"].between(0, 6).all()
    assert ((frames["time_s"] - frames["frame"] / 24).abs() < 1e-4).all()
    assert frames["value"].notna().all()
    assert set(frames["take_id"]) == set(results.takes["take_id"])


def test_the_tables_hold_the_stored_measures(results: Results) -> None:
    """A value in the table equals the stored one."""
    take_id = results.takes["take_id"][2]
    stored = json.loads(results.folder.measures.path(take_id).read_text())["numbers"]
    rows = results.scores[results.scores["take_id"] == take_id].set_index("metric")["value"]
    assert rows["flicker"] == stored["flicker"]["value"]
    assert rows["motion.still"] == stored["motion.still"]["value"]


def test_the_table_has_varied_factors_and_headlines(results: Results) -> None:
    """The table has the prompt without its terms, and the headlines."""
    assert results.varied == ("prompt",)
    assert list(results.table().columns) == ["take_id", "prompt", *HEADLINES, "remark"]
    assert len(results.table()) == 3


def test_the_table_flags_takes_too_still_to_judge(results: Results, ranked: Ranked) -> None:
    """Such takes have a remark; without them there is no column for remarks."""
    assert list(results.table()["remark"]) == ["too still to judge", "", ""]
    assert "too still to judge" in results._repr_html_()
    assert list(ranked({}, {}).table().columns) == ["take_id", "prompt", *HEADLINES]


def test_a_take_without_scores_keeps_its_row(without: Without) -> None:
    """An unmeasured clip has NaN with a reason for each metric."""
    results = without(1)
    assert len(results.takes) == len(results.table()) == 3
    lost = results.scores[results.scores["take_id"] == results.takes["take_id"][1]]
    assert len(lost) == len(SPECS)
    assert lost["value"].isna().all()
    assert lost["reason"].str.startswith("not measured yet").all()


def test_a_run_without_any_score_still_loads(without: Without) -> None:
    """Before anything is measured, all scores are NaN and there are no frames."""
    results = without(0, 1, 2)
    assert len(results.scores) == 3 * len(SPECS)
    assert results.scores["value"].isna().all()
    assert results.frames.empty
    assert results.table()[list(HEADLINES)].isna().all(axis=None)


def test_a_score_of_another_version_does_not_count(without: Without, run_folder: Path) -> None:
    """A score of another version of its metric is NaN; the other scores stay."""
    results = without()
    take_id = results.takes["take_id"][0]
    path = results.folder.measures.path(take_id)
    stored = json.loads(path.read_text())
    stored["numbers"]["flicker"]["version"] += 1
    path.write_text(json.dumps(stored))
    again = load(results.folder.path)
    before, after = (
        table[table["take_id"] == take_id].set_index("metric")["value"]
        for table in (results.scores, again.scores)
    )
    assert math.isnan(after["flicker"])
    pd.testing.assert_series_equal(after.drop("flicker"), before.drop("flicker"))
    assert set(again.not_fresh) == {take_id}
    assert again.table()["remark"][0].endswith(again.not_fresh[take_id])


def test_a_damaged_measure_does_not_affect_the_others(without: Without) -> None:
    """A truncated file of scores counts as missing."""
    results = without()
    results.folder.measures.path(results.takes["take_id"][0]).write_text('{"scores": {')
    again = load(results.folder.path)
    missing = again.scores.groupby("take_id", sort=False)["value"].apply(lambda v: v.isna().all())
    assert list(missing) == [True, False, False]


def test_a_summary_has_medians_and_counts(results: Results, without: Without) -> None:
    """Each level has the median of each headline and the number of takes."""
    summary = results.summary("fps")
    assert list(summary.columns) == ["fps", *HEADLINES, "takes", "too_still"]
    assert list(summary["takes"]) == [3]
    assert list(summary["too_still"]) == [1]
    wide = results.table()
    assert summary["warp"][0] == pytest.approx(wide["warp"].median())
    by_prompt = without(1).summary("prompt").set_index("prompt")
    assert by_prompt["flicker"].isna().sum() == 1
    assert by_prompt.loc["fast pan left"].isna()["flicker"]
    assert set(by_prompt["takes"]) == {1}


def test_a_summary_at_matched_motion_omits_takes_too_still(ranked: Ranked) -> None:
    """Scores that only follow motion have the same median at each level; motion is as measured."""
    takes = [{"flicker": speed, "motion": speed} for speed in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)]
    still = {"flicker": 0.0, "motion": 0.0, "motion.still": 1.0}
    results = ranked(*takes, still)
    even = results.summary("prompt", matched=True).set_index("prompt")
    raw = results.summary("prompt").set_index("prompt")
    assert list(even["flicker"]) == pytest.approx([4.0, 4.0])
    assert list(raw["flicker"]) == pytest.approx([3.0, 4.0])
    assert list(even["motion"]) == list(raw["motion"])
    assert dict(even["too_still"]) == {"pan": 0, "orbit": 1}


def test_a_title_has_the_varied_levels(results: Results) -> None:
    """The repeat is part of the title only if there are several."""
    take_id = results.takes["take_id"][1]
    assert results.title(take_id) == "fast pan left"
    several = replace(results, takes=results.takes.assign(repeat=[1, 2, 1]))
    assert several.title(take_id) == "fast pan left · repeat 2"
    assert replace(results, varied=()).title(take_id) == "coffee"


def test_a_record_is_what_was_measured(results: Results, without: Without) -> None:
    """A scored take has the whole record; other takes raise an error with the reason."""
    take_id = results.takes["take_id"][2]
    assert results.record(take_id)["scores"]["motion"] == results.headlines()["motion"][take_id]
    with pytest.raises(InputError, match="no such take"):
        results.record("nobody")
    with pytest.raises(InputError, match="has no scores: not measured yet"):
        without(2).record(take_id)


def test_tables_are_saved_as_parquet(without: Without) -> None:
    """Saved tables read back the same, and nothing else is written."""
    results = without(2)
    for path, table in zip(
        results.save(), (results.takes, results.scores, results.frames), strict=True
    ):
        read = pd.read_parquet(path)
        pd.testing.assert_frame_equal(read, table, check_dtype=False)
    assert not list(results.folder.path.glob(".*"))


def test_a_simulated_run_says_so_in_a_notebook(results: Results) -> None:
    """The table in a notebook begins with the warning."""
    assert results.simulated
    assert results._repr_html_().startswith("<p><b>Simulated")
    assert "3 takes" in repr(results)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """The error names the folder and how to make a run."""
    with pytest.raises(RunFolderError, match="holds no run; make one with"):
        load(tmp_path)
    assert list(tmp_path.iterdir()) == []
