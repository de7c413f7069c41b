"""The definitions of the metrics."""

import math

from lab.metrics import SPECS, MetricSpec
from lab.report.blocks import Cell, Section, Table
from lab.report.context import ReportContext

_BETTER = {"lower": "less", "higher": "more", "none": "neither"}


def definitions(context: ReportContext) -> Section:
    """Unit, direction, noticeability threshold, meaning and source of every metric."""
    columns = (
        *("metric", "unit", "better", "not noticeable", "meaning"),
        *("not affected by", "source", "version"),
    )
    headlines, parts = (
        [_row(spec) for spec in SPECS.values() if spec.headline is is_headline]
        for is_headline in (True, False)
    )
    return Section(
        "What the numbers mean",
        [
            Table("Definitions of the metrics", columns, headlines),
            Table("Definitions of their parts", columns, parts, collapsed=True),
        ],
    )


def _row(spec: MetricSpec) -> tuple[Cell, ...]:
    return (
        Cell(spec.name),
        Cell(spec.unit),
        Cell(_BETTER[spec.direction]),
        _threshold(spec),
        Cell(spec.says),
        Cell(spec.ignores),
        Cell(spec.reference),
        Cell(f"{spec.version}"),
    )


def _threshold(spec: MetricSpec) -> Cell:
    if math.isnan(spec.unnoticed):
        return Cell("")
    bound = "from" if spec.direction == "higher" else "up to"
    return Cell(f"{bound} {spec.unnoticed:g}", spec.unnoticed)
