"""The section on how reliable the numbers are."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lab.analysis import Results
from lab.calibration import load_card
from lab.report.blocks import Table
from lab.report.context import ReportContext
from lab.report.sections.validity import validity

KINDS = [
    ("final", "camera move", "colour drift", "drift", 6, 0.98),
    ("final", "walk", "colour drift", "drift", 1, 0.5),
    ("develop", "near", "colour drift", "drift", 1, 0.5),
]
MISSING = [("final", "walk", "drift", 40, 0.25)]


def test_detection_is_shown_for_each_kind_of_clip(
    hostile_results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row a defect and a column a kind of the final half, with the share without a value."""
    card = load_card()
    measured = replace(
        card,
        kinds=pd.DataFrame(KINDS, columns=list(card.kinds.columns)),
        missing=pd.DataFrame(MISSING, columns=list(card.missing.columns)),
    )
    monkeypatch.setattr("lab.calibration.card._shipped_card", lambda: measured)
    shown = validity(ReportContext(hostile_results, tmp_path / "r.html", 0, pictures=False))
    (table,) = (
        block
        for block in shown.blocks
        if isinstance(block, Table) and block.caption == "Detection by kind of clip"
    )
    assert tuple(table.columns) == ("defect", "camera move", "walk")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["colour drift", "0.98", "0.50 (25%)"]
    ]
