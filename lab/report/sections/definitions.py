"""What each number means."""

import math

from lab.metrics import SPECS
from lab.report.blocks import Cell, Section, Table
from lab.report.source import Source

_DIRECTIONS = {"lower": "less is better", "higher": "more is better", "none": "neither"}


def definitions(source: Source) -> Section:
    """Unit, direction, the level nobody notices, meaning, and the source of every metric."""
    rows = [
        (
            Cell(spec.name),
            Cell(spec.unit),
            Cell(_DIRECTIONS[spec.direction]),
            _level(spec.unnoticed),
            Cell(spec.says),
            Cell(spec.ignores),
            Cell(spec.reference),
            Cell(f"{spec.version}"),
        )
        for spec in SPECS.values()
    ]
    columns = (
        "metric",
        "unit",
        "direction",
        "nobody would notice up to",
        "what it says",
        "what must not move it",
        "source",
        "version",
    )
    return Section("What the numbers mean", [Table("Definitions of the metrics", columns, rows)])


def _level(value: float) -> Cell:
    return Cell("") if math.isnan(value) else Cell(f"{value:g}", value)
