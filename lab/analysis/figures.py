"""Pictures of the tables. Each takes numbers that stand in a table and only adds ink."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lab.analysis.matched import MATCHED, TOO_STILL
from lab.analysis.results import Results
from lab.errors import InputError, did_you_mean
from lab.metrics import HEADLINES, SPECS

# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", ":", "-.")
_MAX_LINES = 12
GREY = "#666666"


def timelines(results: Results, metric: str, *, takes: Sequence[str] | None = None) -> Figure:
    """A metric's value over the time of each clip, one line a take (at most twelve).

    takes: ids to draw; all when None. Colour tells the prompt, the dash pattern the still.
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
        run = f"{plain(line['run'].iloc[0])}: " if len(results.runs) > 1 else ""
        axes.plot(
            line["time_s"],
            line["value"],
            color=COLOURS[prompts.index(prompt) % len(COLOURS)],
            linestyle=_DASHES[stills.index(still) % len(_DASHES)],
            linewidth=1.3,
            alpha=0.8,
            marker="o" if len(line) < 12 else None,
            markersize=3,
            label=f"{run}{plain(still)}: {plain(prompt)}",
        )
    quiet(axes)
    axes.set_xlabel("time in the clip (s)")
    axes.set_ylabel(f"{metric}\n({SPECS[metric].unit})")
    if wanted:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7, frameon=False)
    return figure


def by_factor(results: Results, factor: str) -> Figure:
    """Every take's headline scores by the levels of a factor: a dot a take, a bar the median."""
    figure = Figure(figsize=(11, 0.5 * max(2, results.takes[factor].nunique()) + 1.6))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(HEADLINES), sharey=True)
    levels = [_label(level) for level in dict.fromkeys(results.takes[factor])]
    for axes, metric in zip(panels, HEADLINES, strict=True):
        rows = results.scores[results.scores["metric"] == metric]
        labels = rows[factor].map(_label)
        for place, level in enumerate(levels):
            values = rows["value"][labels == level].dropna()
            axes.plot(values, [place] * len(values), "o", color=COLOURS[0], alpha=0.6, markersize=5)
            if len(values):
                axes.plot([values.median()] * 2, [place - 0.3, place + 0.3], color=COLOURS[1], lw=2)
        quiet(axes)
        axes.set_xlabel(f"{metric}\n({SPECS[metric].unit})", fontsize=8)
        axes.set_xlim(left=0)
    panels[0].set_yticks(range(len(levels)), [plain(level) for level in levels], fontsize=8)
    panels[0].set_ylim(len(levels) - 0.5, -0.5)
    return figure


def motion_against(results: Results, metric: str) -> Figure:
    """A metric against motion, a dot a take, with the line by which values are matched.

    Hollow dots are too still to judge. metric: one of `MATCHED`. Raises InputError for any
    other.
    """
    if metric not in MATCHED:
        raise InputError(f"{metric!r} is not matched; {did_you_mean(str(metric), MATCHED)}")
    spec, line = SPECS[metric], results.lines[metric]
    wide = results.scores.pivot(index="take_id", columns="metric", values="value")
    wide = wide[["motion", metric]].dropna()
    still = wide.index.isin(results.too_still)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for rows, face, label in (
        (wide[~still], COLOURS[0], "a take"),
        (wide[still], "none", TOO_STILL),
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
        across = np.linspace(0, float(wide["motion"].max()), 200)[1:]
        label = "what motion explains" if line.slope > 0 else "no growth with motion"
        axes.plot(across, line.at(across), color=COLOURS[1], linewidth=1.5, label=label)
        axes.axvline(line.middle, color=GREY, linewidth=0.8, linestyle=":", label="median motion")
    if not math.isnan(spec.unnoticed):
        axes.axhline(
            spec.unnoticed, color=GREY, linewidth=0.8, linestyle="--", label="nobody would notice"
        )
    quiet(axes)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=min(0.0, float(wide[metric].min())) if len(wide) else 0.0)
    axes.set_xlabel(f"motion ({SPECS['motion'].unit})", fontsize=8)
    axes.set_ylabel(f"{metric}\n({spec.unit})", fontsize=8)
    axes.set_title(f"{line}" + (f": {line.reason}" * bool(line.reason)), fontsize=9, loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7, frameon=False)
    return figure


def _label(level: object) -> str:
    return "none" if level is None or level is pd.NA or level != level else str(level)


def plain(text: str) -> str:
    """Text that matplotlib will not read as mathematics, cut to a legend's length."""
    text = text if len(text) <= 40 else text[:39].rstrip() + "…"
    return text.replace("$", r"\$")


def quiet(axes: object) -> None:
    """Axes with little ink."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)  # type: ignore[attr-defined]
    axes.grid(axis="both", alpha=0.25, linewidth=0.5)  # type: ignore[attr-defined]
    axes.tick_params(labelsize=8)  # type: ignore[attr-defined]
