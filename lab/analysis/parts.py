"""A picture of one clip: a metric over time, what it is made of, and its worst moments."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lab.analysis.figures import COLOURS, GREY, plain, quiet
from lab.errors import InputError, did_you_mean
from lab.metrics import HEADLINES, SPECS, Worst, explain
from lab.metrics.explain import where

# All in inches, so that it is known how much room a label has.
_WIDTH, _LEFT, _RIGHT, _BOTTOM, _GAP = 6.4, 1.3, 2.0, 0.5, 0.18
_TALL, _LOW = 2.4, 0.8
_LINE, _LETTER = 0.14, 0.056
_TEXT_PT = 7.5

Series = tuple[list[float], list[float]]


def parts(record: Mapping[str, Any], metric: str) -> Figure:
    """One clip's metric over time with its parts, and the worst moments of the headline.

    record: what `lab.score` yields, or `Results.record`. metric: a headline. A panel a unit, a line
    a part with the clip's score behind its name; dashed, the level up to which nobody would notice.
    Rings mark the worst moments, with their times and places. Raises InputError for a metric that
    is no headline or a record of a clip that could not be read.
    """
    if metric not in HEADLINES:
        raise InputError(f"{metric!r} is no headline; {did_you_mean(str(metric), HEADLINES)}")
    if "error" in record:
        raise InputError(str(record["error"]))
    panels = _panels(record, metric)
    marks = _marks(explain(record, metric) if SPECS[metric].judged else (), record["duration_s"])
    heights = [_TALL] + [_LOW] * (len(panels) - 1)
    head = 0.35 + _LINE * (1 + max((mark.row for mark in marks), default=-1))
    wide = _LEFT + _WIDTH + _RIGHT
    tall = head + sum(heights) + _GAP * (len(panels) - 1) + _BOTTOM
    figure = Figure(figsize=(wide, tall))
    bottom = tall - head + _GAP
    every: list[Axes] = []
    for height, (unit, drawn) in zip(heights, panels.items(), strict=True):
        bottom -= _GAP + height
        axes = figure.add_axes(
            (_LEFT / wide, bottom / tall, _WIDTH / wide, height / tall),
            sharex=every[0] if every else None,
        )
        _draw(axes, record, drawn, height)
        axes.text(
            -0.8 / _WIDTH,
            0.5,
            textwrap.fill(unit.replace(" per s", "\u00a0per\u00a0s"), 14),
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=_TEXT_PT,
        )
        axes.tick_params(labelbottom=False)
        every.append(axes)
    first, last = every[0], every[-1]
    last.tick_params(labelbottom=True)
    last.set_xlabel("time in the clip (s)", fontsize=8)
    last.set_xlim(0, max(record["duration_s"], 1e-3))
    for mark in marks:
        _ring(first, mark)
    figure.text(_LEFT / wide, 1 - 0.2 / tall, _title(record, metric), fontsize=9)
    if not any(panels.values()):
        why = record["reasons"].get(metric) or "; ".join(record["notes"]) or "no value"
        first.set_yticks([])
        first.text(0.5, 0.5, why, transform=first.transAxes, ha="center", fontsize=8, color=GREY)
    return figure


def _panels(record: Mapping[str, Any], metric: str) -> dict[str, dict[str, Series]]:
    """Series by name by unit, the headline's unit first."""
    panels: dict[str, dict[str, Series]] = {record["units"][metric]: {}}
    for name in SPECS:
        series = record["series"].get(name, {})
        if name.partition(".")[0] != metric:
            continue
        found = sorted((int(frame), value) for frame, value in series.items() if value is not None)
        if found:
            times = [record["times_s"][frame] for frame, _ in found]
            drawn = panels.setdefault(record["units"][name], {})
            drawn[name] = (times, [value for _, value in found])
    return panels


def _title(record: Mapping[str, Any], metric: str) -> str:
    value = record["scores"][metric]
    shown = "none" if value is None else f"{value:.3g} {record['units'][metric]}"
    return f"{plain(str(record['clip']).rpartition('/')[2])}: {metric} {shown}"


def _draw(
    axes: Axes, record: Mapping[str, Any], drawn: Mapping[str, Series], height: float
) -> None:
    """Lines of one unit, each named at its end."""
    labels = []
    colours = iter(COLOURS)
    for name, (times, values) in drawn.items():
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
    first = SPECS[next(iter(drawn))].unnoticed if drawn else math.nan
    values = [0.0, *(value for _, line in drawn.values() for value in line)]
    values += [] if math.isnan(first) else [first]
    low, high = min(values), max(values)
    room = 0.08 * (high - low or 1.0)
    axes.set_ylim(low - room * (low < 0), high + room)
    for level, names in _levels(drawn).items():
        if level > high:
            continue
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
        of = "" if level == first else f" ({', '.join(names)})"
        labels.append((level, f"nobody would notice {level:g}{of}", GREY))
    axes.yaxis.set_major_locator(MaxNLocator(5 if height == _TALL else 2))
    quiet(axes)
    _name(axes, labels, height)


def _levels(drawn: Iterable[str]) -> dict[float, list[str]]:
    """Levels up to which nobody would notice, and the parts that each is of."""
    levels: dict[float, list[str]] = {}
    for name in drawn:
        level = SPECS[name].unnoticed
        if not math.isnan(level):
            levels.setdefault(level, []).append(name.rpartition(".")[2])
    return levels


def _name(axes: Axes, labels: Sequence[tuple[float, str, str]], height: float) -> None:
    """Names beside the right edge, each at the height of its line, moved apart where they meet."""
    low, high = axes.get_ylim()
    ordered = sorted(labels)
    wanted = [(value - low) / (high - low) for value, _, _ in ordered]
    for (_, text, colour), place in zip(ordered, moved_apart(wanted, _LINE / height), strict=True):
        axes.annotate(
            text,
            (1, place),
            xytext=(7, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=_TEXT_PT,
            color=colour,
            annotation_clip=False,
        )


def moved_apart(places: Sequence[float], gap: float) -> list[float]:
    """Rising places, each at least a gap above the one before; those at the top give way downwards.

    Where all fit, none leaves 0..1 that was inside.
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    top = max(1.0, *places[-1:], gap * (len(moved) - 1)) if moved else 1.0
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], top)
        top = moved[index] - gap
    return moved


@dataclass(frozen=True)
class _Mark:
    """A worst moment, its label, and the row above the panel in which that stands."""

    moment: Worst
    text: str
    row: int


def _marks(worst: Sequence[Worst], duration_s: float) -> list[_Mark]:
    """Labels that begin at their moment, each above those which begin within its length."""
    marks: list[_Mark] = []
    for moment in sorted(worst, key=lambda one: -one.time_s):
        place = "" if moment.box is None else f", {where(moment.box)}"
        text = f"{moment.time_s:.2f} s{place}"
        end_s = moment.time_s + (len(text) + 2) * _LETTER / _WIDTH * duration_s
        below = [mark.row for mark in marks if mark.moment.time_s <= end_s]
        marks.append(_Mark(moment, text, max(below, default=-1) + 1))
    return marks


def _ring(axes: Axes, mark: _Mark) -> None:
    """A ring on a worst moment, and its label above the panel."""
    at = (mark.moment.time_s, mark.moment.value)
    axes.plot(*at, "o", markersize=8, color=COLOURS[-1], markerfacecolor="none", zorder=4)
    axes.annotate(
        " " + mark.text,
        at,
        xytext=(at[0], 1 + _LINE * (mark.row + 0.15) / _TALL),
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
