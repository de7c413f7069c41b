"""What each number means."""

from lab.metrics import SPECS
from lab.report.blocks import Cell, Section, Table
from lab.report.source import Source


def definitions(source: Source) -> Section:
    """Unit, direction, meaning, what must not move it, and the source of every metric."""
    rows = [
        tuple(
            Cell(text)
            for text in (
                spec.name,
                spec.unit,
                {"lower": "less is better", "higher": "more is better", "none": "neither"}[
                    spec.direction
                ],
                spec.says,
                spec.ignores,
                spec.reference,
                f"{spec.version}",
            )
        )
        for spec in SPECS.values()
    ]
    columns = (
        "metric",
        "unit",
        "direction",
        "what it says",
        "what must not move it",
        "source",
        "version",
    )
    return Section("What the numbers mean", [Table("Definitions of the metrics", columns, rows)])
