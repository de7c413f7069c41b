"""The takes without a clip: failed, refused, or not made yet."""

from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext


def missing_clips(context: ReportContext) -> Section:
    """State and reason of each take that has no clip, or whose clip cannot be shown."""
    problems = context.proxies.problems
    rows = [
        tuple(
            Cell(text)
            for text in (
                context.title(row),
                str(row["state"]),
                problems.get(str(row["take_id"])) or str(row["message"] or "not made yet"),
                str(row["prompt_text"]),
                str(row["take_id"]),
            )
        )
        for row in context.rows
        if not row["clip"] or str(row["take_id"]) in problems
    ]
    title = "Takes without a clip"
    if not rows:
        return Section(title, [Paragraph("None: every take has its clip.")])
    columns = ("take", "state", "reason", "prompt", "id")
    return Section(title, [Table("Failed, refused or not made", columns, rows)])
