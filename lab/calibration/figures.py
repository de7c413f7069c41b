"""Draws figures of the calibration results."""

import math

import numpy as np
from matplotlib.figure import Figure

from lab.analysis.figures import COLOURS, style_axes
from lab.calibration.card import DETECTED, Card
from lab.calibration.defects import DEFECTS
from lab.calibration.moves import Moves

_COLUMNS = 4


def detection_curves(card: Card) -> Figure:
    """Plot AUROC against strength, one panel for each defect that the card has figures for.

    The thick line with its 95 % band is the final half, the thin line the half that was used to
    choose definitions. The dashed line is the goal for the middle strength, which has a ring.
    """
    measured = set(zip(card.detection["defect"], card.detection["metric"], strict=True))
    defects = [defect for defect in DEFECTS if (defect.name, defect.metric) in measured]
    rows = max(1, math.ceil(len(defects) / _COLUMNS))
    figure = Figure(figsize=(11, 2.1 * rows + 0.3), layout="constrained")
    panels = list(figure.subplots(rows, _COLUMNS, sharey=True).flat)
    for axes, defect in zip(panels, defects, strict=False):
        own = (card.detection["defect"] == defect.name) & (
            card.detection["metric"] == defect.metric
        )
        detection = card.detection[own]
        for half, width in (("develop", 0.8), ("final", 2.0)):
            curve = detection[detection["half"] == half].sort_values("strength")
            axes.plot(curve["strength"], curve["value"], color=COLOURS[0], linewidth=width)
            if half == "final":
                axes.fill_between(
                    curve["strength"],
                    curve["low"],
                    curve["high"],
                    color=COLOURS[0],
                    alpha=0.2,
                    lw=0,
                )
                middle = curve[curve["place"] == 2]
                axes.plot(middle["strength"], middle["value"], "o", mfc="none", color=COLOURS[1])
        axes.axhline(DETECTED, color="0.4", linestyle="--", linewidth=0.8)
        style_axes(axes)
        axes.set_xscale("log", base=2)
        axes.set_xticks(defect.strengths, [f"{strength:g}" for strength in defect.strengths])
        axes.set_ylim(0.4, 1.02)
        axes.set_title(f"{defect.name} by {defect.metric}", fontsize=8.5)
        axes.set_xlabel(defect.unit, fontsize=7.5)
    for axes in panels[len(defects) :]:
        axes.set_visible(False)
    figure.supylabel("AUROC against clean clips", fontsize=8.5)
    return figure


def confusion(moves: Moves) -> Figure:
    """Plot requested camera moves (rows) against recognised ones (columns).

    Numbers are shares of a row's clips, over the final half and all strengths.
    """
    table = moves.confusion()
    shares = table.to_numpy(float) / table.to_numpy(float).sum(axis=1, keepdims=True)
    rows, columns = shares.shape
    figure = Figure(figsize=(2.2 + 0.3 * columns, 1.8 + 0.24 * rows), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(shares), strict=True):
        share = shares[row, column]
        colour = "white" if share > 0.6 else "black"
        text = f"{share:.2f}".lstrip("0") if share < 1 else "1"
        axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
    axes.set_xticks(range(columns), [_label(name) for name in table.columns], rotation=90)
    axes.set_yticks(range(rows), [_label(name) for name in table.index])
    axes.tick_params(labelsize=7.5, length=0)
    axes.set_xlabel("recognised", fontsize=8.5)
    axes.set_ylabel("requested", fontsize=8.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _label(name: str) -> str:
    return str(name).replace("_", " ")
