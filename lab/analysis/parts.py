"""Draws one clip's metric over time, the parts of the metric, and its worst moments."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lab.analysis.figures import COLOURS, GREY, label_text, style_axes
from lab.errors import InputError, did_you_mean
from lab.metrics import HEADLINES, SPECS, Worst, explain
from lab.metrics.explain import where

# The layout is in inches, because text has a fixed size in inches and must not overlap.
_PANEL_WIDTH, _LEFT, _RIGHT, _BOTTOM, _GAP = 6.4, 1.3, 2.0, 0.5, 0.18
_HEADLINE_HEIGHT, _PART_HEIGHT = 2.4, 0.8
_LINE_HEIGHT, _LETTER_WIDTH = 0.14, 0.056
_TEXT_PT = 7.5

Series = tuple[list[float], list[float]]
"""Times in seconds and values."""


def parts(record: Mapping[str, Any], metric: str) -> Figure:
    """A figure with one panel per unit and one line per part of the metric.

    record: what `lab.score` yields, or `Results.record`. metric: a headline. Each line is labelled
    with its name and the clip's score. A dashed line marks the noticeability threshold. Rings mark
    the worst moments of a judged headline, labelled with time and region. Raises InputError for a
    metric that is not a headline and for a clip that could not be read.
    """
    if metric not in HEADLINES:
        raise InputError(f"{metric!r} is not a headline; {did_you_mean(str(metric), HEADLINES)}")
    if "error" in record:
        raise InputError(str(record["error"]))
    panels = _panels(record, metric)
    marks = _marks(explain(record, metric) if SPECS[metric].judged else (), record["duration_s"])
    heights = [_HEADLINE_HEIGHT] + [_PART_HEIGHT] * (len(panels) - 1)
    header = 0.35 + _LINE_HEIGHT * (1 + max((mark.row for mark in marks), default=-1))
    figure_width = _LEFT + _PANEL_WIDTH + _RIGHT
    figure_height = header + sum(heights) + _GAP * (len(panels) - 1) + _BOTTOM
    figure = Figure(figsize=(figure_width, figure_height))
    bottom = figure_height - header + _GAP
    panel_axes: list[Axes] = []
    for height, (unit, lines) in zip(heights, panels.items(), strict=True):
        bottom -= _GAP + height
        axes = figure.add_axes(
            (
                _LEFT / figure_width,
                bottom / figure_height,
                _PANEL_WIDTH / figure_width,
                height / figure_height,
            ),
            sharex=panel_axes[0] if panel_axes else None,
        )
        _draw_panel(axes, record, lines, height)
        axes.text(
            -0.8 / _PANEL_WIDTH,
            0.5,
            textwrap.fill(unit.replace(" per s", "\u00a0per\u00a0s"), 14),
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=_TEXT_PT,
        )
        axes.tick_params(labelbottom=False)
        panel_axes.append(axes)
    first, last = panel_axes[0], panel_axes[-1]
    last.tick_params(labelbottom=True)
    last.set_xlabel("time in the clip (s)", fontsize=8)
    last.set_xlim(0, max(record["duration_s"], 1e-3))
    for mark in marks:
        _draw_mark(first, mark)
    figure.text(_LEFT / figure_width, 1 - 0.2 / figure_height, _title(record, metric), fontsize=9)
    if not any(panels.values()):
        reason = record["reasons"].get(metric) or "; ".join(record["notes"]) or "no value"
        first.set_yticks([])
        first.text(0.5, 0.5, reason, transform=first.transAxes, ha="center", fontsize=8, color=GREY)
    return figure


def _panels(record: Mapping[str, Any], metric: str) -> dict[str, dict[str, Series]]:
    """The metric's series by unit and name, the headline's unit first."""
    panels: dict[str, dict[str, Series]] = {record["units"][metric]: {}}
    for name in SPECS:
        series = record["series"].get(name, {})
        if name.partition(".")[0] != metric:
            continue
        values = sorted((int(frame), value) for frame, value in series.items() if value is not None)
        if values:
            times = [record["times_s"][frame] for frame, _ in values]
            panel = panels.setdefault(record["units"][name], {})
            panel[name] = (times, [value for _, value in values])
    return panels


def _title(record: Mapping[str, Any], metric: str) -> str:
    value = record["scores"][metric]
    shown = "none" if value is None else f"{value:.3g} {record['units'][metric]}"
    return f"{label_text(str(record['clip']).rpartition('/')[2])}: {metric} {shown}"


def _draw_panel(
    axes: Axes, record: Mapping[str, Any], lines: Mapping[str, Series], height: float
) -> None:
    """Draw the lines of one unit, each labelled at its right end. height: in inches."""
    labels = []
    colours = iter(COLOURS)
    for name, (times, values) in lines.items():
        headline = SPECS[name].headline
        colour = COLOURS[-1] if headline else next(colours)
        axes.plot(
            times,
            values,
            color=colour,
            linewidth=1.8 if headline else 0.9,
            marker="o" if len(times) < 12 else None,
            markersize=3,
            zorder=3 if headline else 2,
        )
        score = record["scores"][name]
        shown = "" if score is None else f" {score:.2g}".replace("-", "−")
        labels.append((values[-1], f"{name.rpartition('.')[2]}{shown}", colour))
    main_threshold = SPECS[next(iter(lines))].unnoticed if lines else math.nan
    values = [0.0, *(value for _, line in lines.values() for value in line)]
    values += [] if math.isnan(main_threshold) else [main_threshold]
    low, high = min(values), max(values)
    margin = 0.08 * (high - low or 1.0)
    axes.set_ylim(low - margin * (low < 0), high + margin)
    for threshold, names in _thresholds(lines).items():
        if threshold > high:
            continue
        axes.axhline(threshold, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
        suffix = "" if threshold == main_threshold else f" ({', '.join(names)})"
        labels.append((threshold, f"just noticeable {threshold:g}{suffix}", GREY))
    axes.yaxis.set_major_locator(MaxNLocator(5 if height == _HEADLINE_HEIGHT else 2))
    style_axes(axes)
    _draw_labels(axes, labels, height)


def _thresholds(names: Iterable[str]) -> dict[float, list[str]]:
    """The distinct noticeability thresholds, each with the parts that have it."""
    thresholds: dict[float, list[str]] = {}
    for name in names:
        threshold = SPECS[name].unnoticed
        if not math.isnan(threshold):
            thresholds.setdefault(threshold, []).append(name.rpartition(".")[2])
    return thresholds


def _draw_labels(axes: Axes, labels: Sequence[tuple[float, str, str]], height: float) -> None:
    """Write labels at the right edge without overlap. labels: value, text and colour of each."""
    low, high = axes.get_ylim()
    ordered = sorted(labels)
    wanted = [(value - low) / (high - low) for value, _, _ in ordered]
    positions = spread(wanted, _LINE_HEIGHT / height)
    for (_, text, colour), position in zip(ordered, positions, strict=True):
        axes.annotate(
            text,
            (1, position),
            xytext=(7, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=_TEXT_PT,
            color=colour,
            annotation_clip=False,
        )


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Move ascending positions so that neighbours are at least `gap` apart.

    Positions in 0..1 stay in 0..1 if there is room for all.
    """
    spread_out: list[float] = []
    for position in positions:
        spread_out.append(max(position, spread_out[-1] + gap) if spread_out else position)
    top = max(1.0, *positions[-1:], gap * (len(spread_out) - 1)) if spread_out else 1.0
    for index in reversed(range(len(spread_out))):
        spread_out[index] = min(spread_out[index], top)
        top = spread_out[index] - gap
    return spread_out


@dataclass(frozen=True)
class _Mark:
    """A worst moment with its label. row: the label's row above the panel, 0 the lowest."""

    moment: Worst
    text: str
    row: int


def _marks(worst: Sequence[Worst], duration_s: float) -> list[_Mark]:
    """The worst moments with labels that start at their moment, in rows without overlap."""
    marks: list[_Mark] = []
    for moment in sorted(worst, key=lambda one: -one.time_s):
        region = "" if moment.box is None else f", {where(moment.box)}"
        text = f"{moment.time_s:.2f} s{region}"
        end_s = moment.time_s + (len(text) + 2) * _LETTER_WIDTH / _PANEL_WIDTH * duration_s
        overlapped_rows = [mark.row for mark in marks if mark.moment.time_s <= end_s]
        marks.append(_Mark(moment, text, max(overlapped_rows, default=-1) + 1))
    return marks


def _draw_mark(axes: Axes, mark: _Mark) -> None:
    """Draw a ring on a worst moment and its label above the panel."""
    point = (mark.moment.time_s, mark.moment.value)
    axes.plot(*point, "o", markersize=8, color=COLOURS[-1], markerfacecolor="none", zorder=4)
    axes.annotate(
        " " + mark.text,
        point,
        xytext=(point[0], 1 + _LINE_HEIGHT * (mark.row + 0.15) / _HEADLINE_HEIGHT),
        textcoords=axes.get_xaxis_transform(),
        va="bottom",
        fontsize=_TEXT_PT,
        arrowprops={
            "arrowstyle": "-",
            "color": GREY,
            "linewidth": 0.6,
            "relpos": (0, 1),
            "shrinkA": 0,
            "shrinkB": 4.5,
        },
    )
