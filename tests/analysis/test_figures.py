"""Figures show the numbers of the tables."""

import io
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lab.analysis import Results, by_factor, metric_against_motion, timelines
from lab.errors import InputError
from lab.metrics import HEADLINES, SPECS


def _svg(figure: object) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")  # type: ignore[attr-defined]
    return buffer.getvalue()


@pytest.mark.parametrize("metric", HEADLINES)
def test_a_timeline_draws_the_frames_table(results: Results, metric: str) -> None:
    """There is one line a take with the points of the table, and the axis has the unit."""
    (axes,) = timelines(results, metric).axes
    rows = results.frames[results.frames["metric"] == metric]
    assert len(axes.lines) == rows["take_id"].nunique() == 3
    for line, (_, drawn) in zip(axes.lines, rows.groupby("take_id", sort=False), strict=True):
        assert np.array_equal(line.get_xdata(), drawn["time_s"])
        assert np.array_equal(line.get_ydata(), drawn["value"])
    assert SPECS[metric].unit in axes.get_ylabel()
    assert axes.get_legend() is not None


def test_a_timeline_draws_only_the_takes_asked_for(results: Results) -> None:
    """Named takes are drawn in the given order; unknown ones are ignored."""
    wanted = list(results.takes["take_id"][[2, 0]])
    (axes,) = timelines(results, "flicker", takes=[*wanted, "nobody"]).axes
    labels = [line.get_label() for line in axes.lines]
    assert labels == ["coffee: make it move", "coffee: static lock-off, cinematic"]


def test_a_run_without_scores_draws_empty_axes(without: Callable[..., Results]) -> None:
    """No scores means no lines and no error."""
    results = without(0, 1, 2)
    (axes,) = timelines(results, "flicker").axes
    assert axes.lines[:] == []
    assert _svg(by_factor(results, "prompt"))


def test_a_factor_is_drawn_by_level(results: Results) -> None:
    """There is one panel a headline, one row a level and one dot a take."""
    figure = by_factor(results, "prompt")
    assert len(figure.axes) == len(HEADLINES)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == list(results.takes["prompt"])
    dots = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    wanted = results.table()["flicker"]
    assert dots == pytest.approx(list(wanted))


def test_a_factor_without_a_value_is_drawn(results: Results) -> None:
    """A factor that was not set has one level, "none"."""
    takes, scores = results.takes.copy(), results.scores.copy()
    takes["seed"], scores["seed"] = None, None
    figure = by_factor(replace(results, takes=takes, scores=scores), "seed")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["none"]
    assert sum(line.get_marker() == "o" for line in figure.axes[0].lines) >= 1


def test_dollars_are_not_mathtext(results: Results) -> None:
    """A prompt with dollar signs is drawn as written and shortened for the legend."""
    frames = results.frames.copy()
    frames["prompt"] = r"pay $\frac{1}{$ to " + "see " * 20
    (axes,) = timelines(replace(results, frames=frames), "flicker").axes
    figure = axes.figure
    shown = re.sub(r"\s+", " ", _svg(figure))
    assert shown.startswith("<?xml")
    assert all(len(line.get_label()) < 60 for line in axes.lines)


def _takes(*speeds: float) -> list[dict[str, float]]:
    """Scores of takes whose flicker equals their motion."""
    return [{"flicker": speed, "motion": speed} for speed in speeds]


def test_metric_against_motion_draws_takes_and_their_line(ranked: Callable[..., Results]) -> None:
    """There is one dot a take, hollow if too still to judge, and the fitted line."""
    still = {"flicker": 0.1, "motion": 0.2, "motion.still": 0.9}
    results = ranked(*_takes(1, 2, 3, 4, 5, 6, 7), still)
    (axes,) = metric_against_motion(results, "flicker").axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["a take"].get_ydata()) == [1, 2, 3, 4, 5, 6, 7]
    assert lines["too still to judge"].get_markerfacecolor() == "none"
    assert list(lines["too still to judge"].get_xdata()) == [0.2]
    line = lines["fit: grows with motion"]
    assert line.get_ydata() == pytest.approx(line.get_xdata())
    assert list(lines["median motion"].get_xdata()) == [4, 4]
    assert lines["just noticeable"].get_ydata()[0] == SPECS["flicker"].unnoticed
    assert axes.get_title(loc="left") == "flicker grows as motion to the power 1"
    assert SPECS["motion"].unit in axes.get_xlabel()
    assert SPECS["flicker"].unit in axes.get_ylabel()


def test_metric_against_motion_says_why_there_is_no_line(ranked: Callable[..., Results]) -> None:
    """With too few takes only the dots are drawn, under the reason."""
    (axes,) = metric_against_motion(ranked(*_takes(1, 2)), "flicker").axes
    assert [line.get_label() for line in axes.lines] == ["a take", "just noticeable"]
    assert "needs 6 takes that differ in motion" in axes.get_title(loc="left")


def test_metric_against_motion_draws_parts_and_empty_runs(without: Callable[..., Results]) -> None:
    """Any metric in MATCHED can be drawn, also before anything is measured."""
    results = without(0, 1, 2)
    assert _svg(metric_against_motion(results, "warp.strain"))
    with pytest.raises(InputError, match="did you mean 'flicker'"):
        metric_against_motion(results, "flikker")
    with pytest.raises(InputError, match="'motion' is not matched"):
        metric_against_motion(results, "motion")
