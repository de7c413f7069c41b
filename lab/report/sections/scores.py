"""The table of scores: one row per take, with its factors and its headline scores."""

import math
from typing import Any

from lab.analysis.matched_motion import TOO_STILL
from lab.metrics import HEADLINES, SPECS
from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext
from lab.units import number_text


def scores(context: ReportContext) -> Section:
    """A sortable table. It shows why a score is missing, and marks takes too still to judge."""
    results = context.results
    table = results.table()
    reasons = {
        (str(row.take_id), str(row.metric)): str(row.reason)
        for row in results.scores.itertuples()
        if row.reason
    }
    other_columns = (*HEADLINES, "take_id", "remark")
    factors = [name for name in table.columns if name not in other_columns]
    remark_columns = ["remark"] if "remark" in table.columns else []
    columns = [
        *factors,
        *(f"{name}{SPECS[name].arrow} ({SPECS[name].unit})" for name in HEADLINES),
        *remark_columns,
        "id",
    ]
    rows = []
    for row in table.to_dict("records"):
        take_id = str(row["take_id"])
        cells = [_level_cell(row[name]) for name in factors]
        for name in HEADLINES:
            value = float(row[name])
            if math.isnan(value):
                cells.append(Cell(f"none: {reasons.get((take_id, name), 'unknown')}"))
            else:
                cells.append(Cell(number_text(value), value))
        rows.append([*cells, *(Cell(row[name]) for name in remark_columns), Cell(take_id)])
    text = f"Click a heading to sort. {_directions_text()}."
    if results.too_still:
        text += f" A take {TOO_STILL} has good scores only because nothing in it moves."
    scores_table = Table(
        "Every take and its scores",
        columns,
        rows,
        verify_name="the scores",
        take_ids=list(table["take_id"]),
        column_names=[*factors, *HEADLINES, *remark_columns, "id"],
    )
    return Section("Scores", [Paragraph(text), scores_table])


def _directions_text() -> str:
    """Explain the arrows in the headings, and name the metrics without an arrow."""
    specs = [SPECS[name] for name in HEADLINES]
    arrows = (("lower", "↓ less is better"), ("higher", "↑ more is better"))
    used = {spec.direction for spec in specs}
    texts = [text for direction, text in arrows if direction in used]
    neither = [spec.name for spec in specs if spec.direction == "none"]
    return "; ".join([*texts, *(f"{name} is neither good nor bad" for name in neither)])


def _level_cell(value: Any) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell("" if math.isnan(value) else f"{value:g}", float(value))
    return Cell("" if value is None else str(value))
