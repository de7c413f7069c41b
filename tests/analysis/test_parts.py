"""The figure of one clip: its numbers and readable labels."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from lab.analysis import Results, parts
from lab.analysis.parts import spread
from lab.errors import InputError
from lab.metrics import HEADLINES, SPECS, explain

positions = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(sorted)


@pytest.fixture(scope="module")
def record(results: Results) -> dict[str, Any]:
    """The record of a take that moves."""
    return results.record(results.takes["take_id"][1])


@pytest.fixture
def crowded(record: dict[str, Any]) -> dict[str, Any]:
    """A record of 30 s in which all lines end at the same value and worst moments are close."""
    count = 720
    values = {frame: 0.5 + 5.0 * (frame in (600, 614, 628)) for frame in range(count)}
    return {
        **record,
        "clip": "runs/a $1 clip.mp4",
        "duration_s": 30.0,
        "times_s": [frame / 24 for frame in range(count)],
        "series": {
            name: {str(frame): value for frame, value in values.items()}
            for name in SPECS
            if name in record["series"]
        },
        "scores": {**dict.fromkeys(record["scores"], 0.51), "drift.slope": -1.5},
        "boxes": {name: {str(frame): (0, 0, 1, 1) for frame in values} for name in HEADLINES},
    }


def _texts(figure: Figure) -> list[str]:
    """All texts in the panels of a figure."""
    return [text.get_text().strip() for axes in figure.axes for text in axes.texts]


def _series_of(axes: Axes, count: int) -> list[list[float]]:
    return [list(line.get_ydata()) for line in axes.lines if len(line.get_ydata()) == count]


@pytest.mark.parametrize("metric", HEADLINES)
def test_every_series_of_the_metric_is_drawn(record: dict[str, Any], metric: str) -> None:
    """Each series is a line at the times of its frames, labelled with the clip's score."""
    figure = parts(record, metric)
    drawn = [tuple(line.get_ydata()) for axes in figure.axes for line in axes.lines]
    names = [name for name in record["series"] if name.partition(".")[0] == metric]
    drawn_names = [name for name in names if record["series"][name]]
    assert drawn_names
    for name in drawn_names:
        assert tuple(record["series"][name].values()) in drawn
        label = f"{name.rpartition('.')[2]} {record['scores'][name]:.2g}".replace("-", "−")
        assert label in _texts(figure)
    assert len(figure.axes) == len({record["units"][name] for name in [metric, *drawn_names]})
    assert figure.axes[-1].get_xlabel() == "time in the clip (s)"
    headline = figure.axes[0].lines[0]
    frames = map(int, record["series"][metric])
    assert list(headline.get_xdata()) == [record["times_s"][frame] for frame in frames]


def test_the_noticeability_threshold_is_dashed(record: dict[str, Any]) -> None:
    """It is visible for the headline even if the clip stays far below it."""
    axes = parts(record, "flicker").axes[0]
    level = SPECS["flicker"].unnoticed
    (line,) = [one for one in axes.lines if list(one.get_ydata()) == [level, level]]
    assert line.get_linestyle() == "--"
    assert axes.get_ylim()[1] > level
    assert f"just noticeable {level:g}" in _texts(axes.figure)


def test_the_worst_moments_are_marked_with_their_times(crowded: dict[str, Any]) -> None:
    """Each has a ring, and a label with time and region above the panel."""
    figure = parts(crowded, "warp")
    rings = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    marked = {(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings}
    assert marked == {(worst.time_s, worst.value) for worst in explain(crowded, "warp")}
    for time_s in ("25.00 s", "25.58 s", "26.17 s"):
        assert f"{time_s}, nearly everywhere" in _texts(figure)


def test_motion_has_no_worst_moment(record: dict[str, Any]) -> None:
    """Motion is not judged, so it has no rings."""
    assert not any(
        line.get_markerfacecolor() == "none"
        for axes in parts(record, "motion").axes
        for line in axes.lines
    )


@pytest.mark.parametrize("metric", HEADLINES)
def test_labels_do_not_overlap(crowded: dict[str, Any], metric: str) -> None:
    """Labels stay readable if lines end together and worst moments are close."""
    figure = parts(crowded, metric)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    words = [
        text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()
    ]
    # The extent of the words alone, without the line that leads to them.
    boxes = [Text.get_window_extent(text).padded(-1) for text in words]
    page = figure.bbox.padded(1)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    assert all(page.contains(*corner) for box in boxes for corner in (box.p0, box.p1))


def test_a_clip_without_a_value_says_why(record: dict[str, Any]) -> None:
    """The panel is empty except for the reason."""
    why = "needs at least 3 different frames"
    names = ("scores", "reasons")
    none, reasons = ({name: what for name in SPECS} for what in (None, why))
    bare = {**record, **dict(zip(names, (none, reasons), strict=True)), "series": {}, "boxes": {}}
    figure = parts(bare, "warp")
    assert why in _texts(figure)
    assert "warp none" in figure.texts[0].get_text()
    assert figure.axes[0].lines[:] == []


def test_what_cannot_be_drawn_is_refused(record: dict[str, Any]) -> None:
    """A part, a misspelt headline and an unreadable clip raise InputError."""
    with pytest.raises(InputError, match="did you mean 'flicker'"):
        parts(record, "flickr")
    with pytest.raises(InputError, match="is not a headline"):
        parts(record, "flicker.global")
    with pytest.raises(InputError, match="not a video"):
        parts({"clip": "a.mp4", "error": "a.mp4: not a video"}, "flicker")


@given(positions, st.floats(0.01, 0.14))
def test_labels_are_spread_in_order(wanted: list[float], gap: float) -> None:
    """Labels are at least a gap apart, inside the panel if all fit."""
    moved = spread(wanted, gap)
    assert len(moved) == len(wanted)
    assert all(np.diff(moved) >= gap - 1e-9)
    assert -1e-9 <= min(moved) <= max(moved) <= 1 + 1e-9


@given(positions)
def test_labels_far_apart_do_not_move(wanted: list[float]) -> None:
    """Labels that do not overlap stay."""
    gap = min(np.diff(wanted), default=1.0)
    assert spread(wanted, gap) == pytest.approx(wanted)
