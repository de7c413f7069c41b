"""Plots of each headline metric over the time of the clips."""

from lab.analysis import timelines as timeline_figure
from lab.metrics import HEADLINES, SPECS
from lab.report.blocks import Paragraph, Section, picture
from lab.report.context import ReportContext

_MAX_TAKES = 12


def timelines(context: ReportContext) -> Section | None:
    """A plot for each headline. If there are many takes, only those with the worst values."""
    frames = context.results.frames
    if frames.empty:
        return None
    blocks = []
    for metric in HEADLINES:
        rows = frames[frames["metric"] == metric]
        flaws = rows.assign(value=rows["value"].map(SPECS[metric].flaw))
        worst = flaws.groupby("take_id", sort=False)["value"].max().sort_values(ascending=False)
        chosen = list(worst.index[:_MAX_TAKES])
        blocks.append(
            picture(
                timeline_figure(context.results, metric, takes=chosen),
                alt=f"Lines: {metric} in {SPECS[metric].unit} over time, one line per take.",
                caption=f"{metric}: {SPECS[metric].says}.",
            )
        )
    total = context.results.takes["take_id"].nunique()
    text = (
        f"The {_MAX_TAKES} takes with the worst peaks, of {total}."
        if total > _MAX_TAKES
        else "Every take."
    )
    return Section("Timelines", [Paragraph(text), *blocks])
