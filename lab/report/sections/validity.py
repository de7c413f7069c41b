"""The reliability of the metrics: the results of their calibration."""

from lab.calibration import describe_coverage, load_card
from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext

_CALIBRATION_COLUMNS = {
    "tried": "tested on",
    "detection": "own defects tested",
    "order": "compared with their strength",
    "harmless": "tested under harmless changes",
    "others": "tested on other defects",
    "moves": "compared with rendered camera moves",
}


_KINDS = (
    "For each kind of clip, the share of pairs in the right order. A pair is a clip with the "
    "defect at its middle strength and one without it, of which at least one is of the kind. In "
    "brackets the share of the clips of the kind on which the metric has no value; their pairs "
    "count as wrong."
)


def validity(context: ReportContext) -> Section:
    """The validity card, which `lab calibrate` made."""
    card = load_card()
    photographs = card.facts["photographs"]
    footage = card.facts["footage"]
    and_footage = f", and from {len(footage)} real clips" if footage else ""
    kinds = card.kind_table()
    and_subjects = ", by moving cut-out subjects over grounds" if len(kinds.columns) > 1 else ""
    text = (
        f"These results come from {card.facts['clips']} clips, which were made by moving a "
        f"simulated camera over {sum(map(len, photographs.values()))} photographs{and_subjects}"
        f"{and_footage}. "
        "A clip is clean, changed in a harmless way, or has a defect of known strength. AUROC is "
        "the probability that a clip with the defect scores above one without it: 0.5 is guessing, "
        f"1 is perfect. The values come from {len(photographs['final'])} photographs that were not "
        "used to choose the definitions. The 95 % interval over photographs is in brackets. These "
        "results do not show what people notice."
    )
    coverage = card.coverage()
    blocks: list[Paragraph | Table] = [
        Paragraph(text),
        *(Paragraph(line) for line in describe_coverage(coverage)),
    ]
    if footage:
        text = (
            f"The column “footage” has the values for {len(footage)} small real "
            "clips, in which people move, turn and leave the picture. They count as clean although "
            "they have flaws of their own, so defects of the subject or its position are harder to "
            "detect there."
        )
        blocks.append(Paragraph(text))
    if card.stale:
        changed = ", ".join(card.stale)
        blocks.append(Paragraph(f"Measured before the definition of {changed} changed.", "warning"))
    table = card.summary()
    names = [name for name in table.columns if name != "AUROC develop"]
    rows = [[Cell(str(row[name])) for name in names] for row in table.to_dict("records")]
    blocks.append(Table("How well each metric detects its own defect", names, rows))
    if not kinds.empty:
        rows = [
            [Cell(str(cell)) for cell in (name, *row.values())]
            for name, row in kinds.to_dict("index").items()
        ]
        blocks.append(Paragraph(_KINDS))
        blocks.append(Table("Detection by kind of clip", ["defect", *kinds.columns], rows))
    columns = ("number", *_CALIBRATION_COLUMNS)
    rows = [
        [Cell(_cell_text(row[name])) for name in columns] for row in coverage.to_dict("records")
    ]
    headings = ["number", *_CALIBRATION_COLUMNS.values()]
    blocks.append(Table("How each number was tested", headings, rows, collapsed=True))
    shortfalls = card.shortfalls()
    if shortfalls:
        blocks.append(Paragraph("Below the goal: " + "; ".join(shortfalls) + "."))
    return Section("How reliable the numbers are", blocks)


def _cell_text(value: str | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else value or "none"
