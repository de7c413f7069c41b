"""Comparing takes by factor in Python."""

from pathlib import Path

import pytest

from lab.analysis import Results, compare
from lab.errors import InputError
from lab.metrics import HEADLINES


def test_every_varied_factor_has_a_table_of_medians(results: Results, run_folder: Path) -> None:
    """There is one row a level, from results and from the folder, as text and as plain data."""
    comparison = compare(results)
    assert tuple(comparison.medians) == results.varied
    rows = comparison.to_json()
    assert [row["level"] for row in rows if row["factor"] == "prompt"] == sorted(
        results.takes["prompt"].unique()
    )
    assert all(set(HEADLINES) <= set(row) for row in rows)
    assert compare(run_folder).to_json() == rows
    assert "make it move" in str(comparison)
    assert "make it move" in comparison._repr_html_()
    assert "Results" in repr(comparison)


def test_one_factor_may_be_named(results: Results) -> None:
    """The factor need not be varied. A misspelt name gets the nearest one as a hint."""
    assert list(compare(results, by="fps").medians) == ["fps"]
    with pytest.raises(InputError, match="did you mean 'prompt'"):
        compare(results, by="promt")


def test_raw_scores_include_takes_too_still_to_judge(results: Results) -> None:
    """The notes say which scale was used and name the takes too still to judge."""
    raw, matched = compare(results, raw=True), compare(results)
    assert raw.notes[0] == "As measured."
    assert any("but counted" in note for note in raw.notes)
    assert any("counted only in the median of motion" in note for note in matched.notes)
    assert not raw.matched


def test_the_camera_alone_is_compared_by_take(results: Results) -> None:
    """There is one row a take and requested camera term, with the recognised move."""
    comparison = compare(results, camera=True)
    assert comparison.medians == {}
    assert {row["term"] for row in comparison.to_json()} == {"lock_off", "pan_left"}
    assert "fast pan left" in str(comparison)
    assert comparison.legend


def test_level_names_are_escaped(results: Results) -> None:
    """Markup in the name of a level is shown as text in a notebook."""
    takes = results.takes.assign(prompt="<img src=x onerror=alert(1)>")
    hostile = Results(
        results.runs, takes, results.scores, results.frames, results.factors, results.varied
    )
    html = compare(hostile, by="prompt")._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html
