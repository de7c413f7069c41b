"""The table of trials: a row a take, its factors and its headline scores."""

import math
from typing import Any

from lab.analysis.matched import TOO_STILL
from lab.metrics import HEADLINES, SPECS
from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext
from lab.units import number_text


def scores(context: ReportContext) -> Section:
    """Sortable; a missing score says why, and takes too still to judge are flagged."""
    results = context.results
    table = results.table()
    reasons = {
        (str(row.take_id), str(row.metric)): str(row.reason)
        for row in results.scores.itertuples()
        if row.reason
    }
    apart = (*HEADLINES, "take_id", "remark")
    shown = [name for name in table.columns if name not in apart]
    remarks = [name for name in table.columns if name == "remark"]
    columns = [
        *shown,
        *(f"{name}{SPECS[name].arrow} ({SPECS[name].unit})" for name in HEADLINES),
        *remarks,
        "id",
    ]
    rows = []
    for row in table.to_dict("records"):
        take_id = str(row["take_id"])
        cells = [_factor(row[name]) for name in shown]
        for name in HEADLINES:
            value = float(row[name])
            if math.isnan(value):
                said = f"none: {reasons.get((take_id, name), 'unknown')}"
                cells.append(Cell(said))
            else:
                cells.append(Cell(number_text(value), value))
        rows.append([*cells, *(Cell(row[name]) for name in remarks), Cell(take_id)])
    said = f"Press a heading to sort. {_directions()}."
    if results.too_still:
        said += f" Low scores of a take {TOO_STILL} are no merit: nothing moved that could fail."
    shown_as = Table(
        "Every take and its scores",
        columns,
        rows,
        verified_as="the table",
        take_ids=list(table["take_id"]),
        column_names=[*shown, *HEADLINES, *remarks, "id"],
    )
    return Section("Scores", [Paragraph(said), shown_as])


def _directions() -> str:
    """What the arrows of the headings mean, and which headlines have none."""
    specs = [SPECS[name] for name in HEADLINES]
    arrows = (("lower", "↓ less is better"), ("higher", "↑ more is better"))
    said = [text for which, text in arrows if any(spec.direction == which for spec in specs)]
    neither = [spec.name for spec in specs if spec.direction == "none"]
    return "; ".join([*said, *(f"{name} is neither good nor bad" for name in neither)])


def _factor(value: Any) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell("" if value != value else f"{value:g}", float(value))
    return Cell("" if value is None else str(value))
