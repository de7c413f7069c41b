"""How far the numbers can be believed."""

from lab.calibration import in_words, load_card
from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext

_TRIALS = {
    "tried": "tried on",
    "detection": "told its own defects",
    "order": "held to their strength",
    "harmless": "held still under harmless changes",
    "others": "beside others' defects",
    "moves": "held to drawn camera moves",
}


def validity(context: ReportContext) -> Section:
    """The validity card that the toolkit's own calibration left, beside the metrics it is about."""
    card = load_card()
    photographs = card.facts["photographs"]
    said = (
        f"What follows was found on {card.facts['clips']} clips made from "
        f"{sum(map(len, photographs.values()))} photographs under moving cameras: clean, "
        "harmlessly changed, or spoiled on purpose by a known amount. AUROC is the chance that a "
        "spoiled clip scores above a clean or harmlessly changed one: 0.5 is guessing, 1 never "
        "errs. The "
        f"figures are those of {len(photographs['final'])} photographs that were not looked at "
        "while the definitions were chosen; in brackets the 95 % interval over photographs. None "
        "of this says what people see."
    )
    tried = card.tried()
    blocks: list[Paragraph | Table] = [
        Paragraph(said),
        *(Paragraph(line) for line in in_words(tried)),
    ]
    if card.facts["footage"]:
        said = (
            f"The column footage is for {len(card.facts['footage'])} small real clips in which "
            "people move, turn and leave, and whose own flaws count as clean: there, whatever "
            "changes the subject or its place is told from them less well."
        )
        blocks.append(Paragraph(said))
    if card.stale:
        changed = ", ".join(card.stale)
        blocks.append(Paragraph(f"Measured before the definition of {changed} changed.", "warning"))
    table = card.summary()
    names = [name for name in table.columns if name != "AUROC develop"]
    rows = [[Cell(str(row[name])) for name in names] for row in table.to_dict("records")]
    blocks.append(Table("How well each defect is told by its own metric", names, rows))
    columns = ("number", *_TRIALS)
    rows = [[Cell(_cell(row[name])) for name in columns] for row in tried.to_dict("records")]
    headings = ["number", *_TRIALS.values()]
    blocks.append(Table("How each number was tried", headings, rows, collapsed=True))
    missed = card.shortfalls()
    if missed:
        blocks.append(Paragraph("Falls short of its goal: " + "; ".join(missed) + "."))
    return Section("How far the numbers can be believed", blocks)


def _cell(value: str | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else value or "none"
