"""The player: takes side by side and in sync, with their scores over time below."""

from lab.player.session import LINE_STYLES, MAX_CLIPS, clip_entry, metric_entries
from lab.report.blocks import Block, Paragraph, Player, Section, json_for_page
from lab.report.context import ReportContext


def player(context: ReportContext) -> Section | None:
    """The player, opened with the best take and one of the worst; None if there is no clip."""
    rows = [row for row in context.rows if str(row["take_id"]) in context.proxies.posters]
    if not rows:
        return None
    clips = [
        clip_entry(
            context.results,
            row,
            context.proxies,
            context.anchor_url,
            heatmaps=context.heatmaps.get(str(row["take_id"]), {}),
        )
        for row in rows
    ]
    data = {
        "clips": clips,
        "metrics": metric_entries(),
        "line_styles": LINE_STYLES,
        "max_clips": MAX_CLIPS,
    }
    text = (
        "The videos are small copies; the originals are in the run folder. Space plays, arrow keys "
        "step one frame, and a click on a peak goes there. A clip that has ended shows its last "
        "frame."
    )
    blocks: list[Block] = (
        [Paragraph(f"{context.size_note}.", "warning")] if context.size_note else []
    )
    return Section(
        "Player", [*blocks, Paragraph(text), Player(json_for_page(data), context.initial_takes)]
    )
