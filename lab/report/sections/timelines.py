"""Each headline metric over the time of the clips."""

from lab.analysis import timelines as draw
from lab.metrics import HEADLINES, SPECS
from lab.report.blocks import Paragraph, Section, picture
from lab.report.context import ReportContext

_MOST = 12


def timelines(context: ReportContext) -> Section | None:
    """A plot per headline; only the takes with the worst values when there are many."""
    frames = context.results.frames
    if frames.empty:
        return None
    blocks = []
    for metric in HEADLINES:
        rows = frames[frames["metric"] == metric]
        flaws = rows.assign(value=rows["value"].map(SPECS[metric].flaw))
        worst = flaws.groupby("take_id", sort=False)["value"].max().sort_values(ascending=False)
        chosen = list(worst.index[:_MOST])
        blocks.append(
            picture(
                draw(context.results, metric, takes=chosen),
                alt=f"Lines: {metric} in {SPECS[metric].unit} over time, one line a take.",
                caption=f"{metric}: {SPECS[metric].says}.",
            )
        )
    total = context.results.takes["take_id"].nunique()
    said = (
        f"The {_MOST} takes with the worst peaks, of {total}." if total > _MOST else "Every take."
    )
    return Section("Timelines", [Paragraph(said), *blocks])
