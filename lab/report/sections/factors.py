"""The scores by each varied factor: medians and plots."""

from lab.analysis import by_factor
from lab.analysis.matched_motion import TOO_STILL
from lab.metrics import HEADLINES, SPECS
from lab.report.blocks import Cell, Paragraph, Picture, Section, Table, picture
from lab.report.context import ReportContext
from lab.units import number_text


def factors(context: ReportContext) -> Section | None:
    """A table of medians and a plot for each varied factor; None if no factor was varied."""
    varied = context.results.varied
    if not varied:
        return None
    blocks: list[Paragraph | Table | Picture] = [
        Paragraph("These values are descriptive. No difference is tested here.")
    ]
    for name in varied:
        blocks.append(_medians(context, name))
        if context.pictures:
            blocks.append(
                picture(
                    by_factor(context.results, name),
                    alt=f"Dots: {', '.join(HEADLINES)} of every take by {name}; bars: medians.",
                    caption=f"By {name}. A dot is a take. The bar is the median.",
                )
            )
    return Section("By factor", blocks)


def _medians(context: ReportContext, factor: str) -> Table:
    """The medians that are bars in the plot."""
    rows = [
        (
            Cell(_level(context, factor, row[factor])),
            Cell(str(row["takes"]), float(row["takes"])),
            Cell(str(row["too_still"]), float(row["too_still"])),
            *(_median(float(row[name])) for name in HEADLINES),
        )
        for row in context.results.summary(factor).to_dict("records")
    ]
    headings = [f"{name}{SPECS[name].arrow} ({SPECS[name].unit})" for name in HEADLINES]
    return Table(
        f"Medians by {factor}, as measured",
        (factor, "takes", TOO_STILL, *headings),
        rows,
        verify_name=f"the medians by {factor}",
        column_names=(factor, "takes", TOO_STILL, *HEADLINES),
    )


def _level(context: ReportContext, factor: str, value: object) -> str:
    return "none" if value is None or value != value else context.results.level_text(factor, value)


def _median(value: float) -> Cell:
    return Cell("none") if value != value else Cell(number_text(value), value)
