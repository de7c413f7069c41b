"""Did the camera do what the prompts asked?"""

import math

from lab.analysis import by_term, compliance
from lab.analysis.compliance import COMPLIED
from lab.calibration import load_moves
from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext


def camera(context: ReportContext) -> Section | None:
    """Compliance by camera term, and the takes that did something else; None without a term."""
    table = compliance(context.results)
    if table.empty:
        return None
    summary = load_moves().summary()
    final = summary[summary["half"] == "final"]
    right = (final["seen right"] * final["clips"]).sum() / final["clips"].sum()
    said = (
        "The camera's course is measured on the ground and on the subject, and set beside what "
        "each term should do to the picture: 1 is that and nothing else, 0 none of it or its "
        "opposite. "
        "Speed is a multiple of what the vocabulary expects at the prompt's pace and strength. On "
        f"{final['clips'].sum():.0f} rendered clips of every move this told the right one in "
        f"{right:.0%}."
    )
    rows = [
        (
            Cell(str(row["term"])),
            Cell(str(row["takes"]), float(row["takes"])),
            _number(row["compliance"], ".2f"),
            _number(row["speed"], ".2g"),
            Cell(str(row["seen most"])),
        )
        for row in by_term(table).to_dict("records")
    ]
    columns = ("camera term", "takes", "compliance (median)", "speed (median)", "mostly seen")
    terms = Table("Asked and done, by term", columns, rows, verified_as="the camera's terms")
    blocks: list[Paragraph | Table] = [Paragraph(said), terms]
    missed = table[(table["compliance"] < COMPLIED) | table["compliance"].isna()]
    if len(missed):
        takes = [
            (
                Cell(context.results.title(str(row["take_id"]))),
                Cell(str(row["term"])),
                _number(row["compliance"], ".2f"),
                Cell(str(row["seen"])),
                Cell(str(row["reason"] or row["says"])),
                Cell(str(row["take_id"])),
            )
            for row in missed.to_dict("records")
        ]
        shown = ("take", "asked", "compliance", "seen", "measured", "id")
        caption = f"Takes below {COMPLIED:g}, or not to be judged"
        ids = [row[-1].text for row in takes]
        blocks.append(Table(caption, shown, takes, verified_as="the camera's takes", take_ids=ids))
    return Section("What the camera did", blocks)


def _number(value: float, form: str) -> Cell:
    return Cell("none") if math.isnan(value) else Cell(f"{value:{form}}", float(value))
