"""The validity card as a picture."""

import math

from matplotlib.figure import Figure

from lab.analysis.figures import COLOURS, quiet
from lab.calibration.card import DETECTED, Card
from lab.calibration.defects import DEFECTS

_COLUMNS = 4


def detection_curves(card: Card) -> Figure:
    """How well each defect is told from clean clips, by its strength; a panel a defect.

    Thick with its 95 % band: the photographs kept for this figure; thin: those looked at while the
    definitions were chosen; dashed: the goal for the middle strength, which is ringed.
    """
    rows = math.ceil(len(DEFECTS) / _COLUMNS)
    figure = Figure(figsize=(11, 2.1 * rows + 0.3), layout="constrained")
    panels = list(figure.subplots(rows, _COLUMNS, sharey=True).flat)
    for axes, defect in zip(panels, DEFECTS, strict=False):
        found = card.detection[card.detection["defect"] == defect.name]
        for half, width in (("develop", 0.8), ("final", 2.0)):
            here = found[found["half"] == half].sort_values("strength")
            axes.plot(here["strength"], here["value"], color=COLOURS[0], linewidth=width)
            if half == "final":
                axes.fill_between(
                    here["strength"], here["low"], here["high"], color=COLOURS[0], alpha=0.2, lw=0
                )
                middle = here[here["place"] == 2]
                axes.plot(middle["strength"], middle["value"], "o", mfc="none", color=COLOURS[1])
        axes.axhline(DETECTED, color="0.4", linestyle="--", linewidth=0.8)
        quiet(axes)
        axes.set_xscale("log", base=2)
        axes.set_xticks(defect.strengths, [f"{strength:g}" for strength in defect.strengths])
        axes.set_ylim(0.4, 1.02)
        axes.set_title(f"{defect.name} by {defect.metric}", fontsize=8.5)
        axes.set_xlabel(defect.unit, fontsize=7.5)
    for axes in panels[len(DEFECTS) :]:
        axes.set_visible(False)
    figure.supylabel("AUROC against clean clips", fontsize=8.5)
    return figure
