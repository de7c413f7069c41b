"""Draws figures of the tables; every number in a figure is also in a table."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lab.analysis.matched_motion import MATCHED, TOO_STILL
from lab.analysis.results import Results
from lab.errors import InputError, did_you_mean
from lab.metrics import HEADLINES, SPECS

# The palette of Okabe and Ito, which is safe for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", ":", "-.")
_MAX_LINES = 12  # more lines are hard to distinguish
GREY = "#666666"


def timelines(results: Results, metric: str, *, takes: Sequence[str] | None = None) -> Figure:
    """Plot a metric over time, one line per take, at most twelve takes.

    takes: ids to draw; all when None. Colour stands for the prompt, the dash pattern for the still.
    """
    rows = results.frames[results.frames["metric"] == metric]
    wanted = list(takes if takes is not None else dict.fromkeys(rows["take_id"]))[:_MAX_LINES]
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    axes = figure.subplots()
    stills, prompts = (list(dict.fromkeys(rows[name])) for name in ("still", "prompt"))
    for take_id in wanted:
        line = rows[rows["take_id"] == take_id].sort_values("frame")
        if line.empty:
            continue
        still, prompt = line["still"].iloc[0], line["prompt"].iloc[0]
        run = f"{label_text(line['run'].iloc[0])}: " if len(results.runs) > 1 else ""
        axes.plot(
            line["time_s"],
            line["value"],
            color=COLOURS[prompts.index(prompt) % len(COLOURS)],
            linestyle=_DASHES[stills.index(still) % len(_DASHES)],
            linewidth=1.3,
            alpha=0.8,
            marker="o" if len(line) < 12 else None,
            markersize=3,
            label=f"{run}{label_text(still)}: {label_text(prompt)}",
        )
    style_axes(axes)
    axes.set_xlabel("time in the clip (s)")
    axes.set_ylabel(f"{metric}\n({SPECS[metric].unit})")
    if wanted:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7, frameon=False)
    return figure


def by_factor(results: Results, factor: str) -> Figure:
    """Plot the headline scores by level of a factor: one dot per take, a bar at the median."""
    figure = Figure(figsize=(11, 0.5 * max(2, results.takes[factor].nunique()) + 1.6))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(HEADLINES), sharey=True)
    levels = [_label(level) for level in dict.fromkeys(results.takes[factor])]
    for axes, metric in zip(panels, HEADLINES, strict=True):
        rows = results.scores[results.scores["metric"] == metric]
        labels = rows[factor].map(_label)
        for position, level in enumerate(levels):
            values = rows["value"][labels == level].dropna()
            heights = [position] * len(values)
            axes.plot(values, heights, "o", color=COLOURS[0], alpha=0.6, markersize=5)
            if len(values):
                bar = [position - 0.3, position + 0.3]
                axes.plot([values.median()] * 2, bar, color=COLOURS[1], lw=2)
        style_axes(axes)
        axes.set_xlabel(f"{metric}\n({SPECS[metric].unit})", fontsize=8)
        axes.set_xlim(left=0)
    panels[0].set_yticks(range(len(levels)), [label_text(level) for level in levels], fontsize=8)
    panels[0].set_ylim(len(levels) - 0.5, -0.5)
    return figure


def metric_against_motion(results: Results, metric: str) -> Figure:
    """Plot a metric against motion, one dot per take, with the line fitted for motion matching.

    Hollow dots are takes too still to judge. metric: one of `MATCHED`, else InputError.
    """
    if metric not in MATCHED:
        raise InputError(f"{metric!r} is not matched; {did_you_mean(str(metric), MATCHED)}")
    spec, line = SPECS[metric], results.motion_lines[metric]
    wide = results.scores.pivot(index="take_id", columns="metric", values="value")
    wide = wide[["motion", metric]].dropna()
    too_still = wide.index.isin(results.too_still)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for rows, face, label in (
        (wide[~too_still], COLOURS[0], "a take"),
        (wide[too_still], "none", TOO_STILL),
    ):
        if len(rows):
            axes.plot(
                rows["motion"],
                rows[metric],
                "o",
                markersize=5,
                alpha=0.7,
                color=COLOURS[0],
                markerfacecolor=face,
                label=label,
                clip_on=False,
            )
    if not line.reason:
        motion = np.linspace(0, float(wide["motion"].max()), 200)[1:]
        label = "fit: grows with motion" if line.slope > 0 else "fit: no growth with motion"
        axes.plot(motion, line.predict(motion), color=COLOURS[1], linewidth=1.5, label=label)
        axes.axvline(
            line.median_motion, color=GREY, linewidth=0.8, linestyle=":", label="median motion"
        )
    if not math.isnan(spec.unnoticed):
        axes.axhline(
            spec.unnoticed, color=GREY, linewidth=0.8, linestyle="--", label="just noticeable"
        )
    style_axes(axes)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=min(0.0, float(wide[metric].min())) if len(wide) else 0.0)
    axes.set_xlabel(f"motion ({SPECS['motion'].unit})", fontsize=8)
    axes.set_ylabel(f"{metric}\n({spec.unit})", fontsize=8)
    axes.set_title(f"{line}" + (f": {line.reason}" * bool(line.reason)), fontsize=9, loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7, frameon=False)
    return figure


def _label(level: object) -> str:
    return "none" if level is None or level is pd.NA or level != level else str(level)


def label_text(text: str) -> str:
    """Text for a label: at most 40 characters, dollars escaped so that no mathtext is parsed."""
    text = text if len(text) <= 40 else text[:39].rstrip() + "…"
    return text.replace("$", r"\$")


def style_axes(axes: object) -> None:
    """Remove the upper and right spine, lighten the grid, shrink the tick labels."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)  # type: ignore[attr-defined]
    axes.grid(axis="both", alpha=0.25, linewidth=0.5)  # type: ignore[attr-defined]
    axes.tick_params(labelsize=8)  # type: ignore[attr-defined]
