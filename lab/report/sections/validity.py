"""How far the numbers can be believed."""

from lab.calibration import load_card
from lab.report.blocks import Cell, Prose, Section, Table
from lab.report.source import Source


def validity(source: Source) -> Section:
    """The validity card that the toolkit's own calibration left, beside the metrics it is about."""
    card = load_card()
    photographs = card.facts["photographs"]
    said = (
        f"Every metric was tried on {card.facts['clips']} clips made from "
        f"{sum(map(len, photographs.values()))} photographs under moving cameras: clean, "
        "harmlessly changed, or spoiled on purpose by a known amount. AUROC is the chance that a "
        "spoiled clip scores above a clean or harmlessly changed one: 0.5 is guessing, 1 never "
        "errs. The "
        f"figures are those of {len(photographs['final'])} photographs that were not looked at "
        "while the definitions were chosen; in brackets the 95 % interval over photographs. None "
        "of this says what people see."
    )
    blocks: list[Prose | Table] = [Prose(said)]
    if card.facts["footage"]:
        said = (
            f"The column footage is for {len(card.facts['footage'])} small real clips in which "
            "people move, turn and leave, and whose own flaws count as clean: there, whatever "
            "changes the subject or its place is told from them less well."
        )
        blocks.append(Prose(said))
    if card.stale:
        changed = ", ".join(card.stale)
        blocks.append(Prose(f"Measured before the definition of {changed} changed.", "warning"))
    table = card.summary()
    names = [name for name in table.columns if name != "AUROC develop"]
    rows = [[Cell(str(row[name])) for name in names] for row in table.to_dict("records")]
    blocks.append(Table("How well each defect is told by its own metric", names, rows))
    missed = card.shortfalls()
    if missed:
        blocks.append(Prose("Falls short of its goal: " + "; ".join(missed) + "."))
    return Section("How far the numbers can be believed", blocks)
