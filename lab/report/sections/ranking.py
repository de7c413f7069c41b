"""The main result: the leading levels, and the best and worst takes with the reasons."""

from collections.abc import Mapping

from lab.analysis import RankedTake, describe_levels
from lab.analysis.matched_motion import TOO_STILL
from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext

_MAX_REASONS = 3  # more would distract from the main result


def ranking(context: ReportContext) -> Section:
    """The leading levels in sentences, the ranking, and the takes too still to be ranked."""
    results, ranking = context.results, context.ranking
    blocks: list[Paragraph | Table] = [
        Paragraph(sentence, "lead", f"sentence {number} on what leads")
        for number, sentence in enumerate(describe_levels(results), start=1)
    ]
    if results.not_fresh:
        blocks.append(
            Paragraph(_not_fresh_text(results.not_fresh), verify_name="what was not measured")
        )
    if ranking.best:
        caution = "A rank does not show that a difference is reproducible."
        rows = [
            _ranked_row(context, ranked) for ranked in (*ranking.best, *reversed(ranking.worst))
        ]
        blocks.append(Paragraph(f"{ranking.method} {caution}", verify_name="how takes are ranked"))
        blocks.append(
            Table(
                "Best and worst takes, and why",
                ("place", "take", "why", "id"),
                rows,
                verify_name="the ranking",
                take_ids=[row[-1].text for row in rows],
            )
        )
    else:
        text = "Too few takes have every headline score and enough motion to be ranked."
        blocks.append(Paragraph(text))
    if ranking.too_still:
        caption = f"Takes {TOO_STILL}, which are not ranked: a frozen clip would win"
        blocks.append(
            Table(
                caption,
                ("take", "time held still", "id"),
                [_too_still_row(context, take_id) for take_id in ranking.too_still],
                verify_name="the takes too still",
                take_ids=ranking.too_still,
            )
        )
    return Section("Main result", blocks)


def _not_fresh_text(reason_by_take: Mapping[str, str]) -> str:
    """How many clips lack usable measurements, and why. The scores section gives each reason."""
    reasons = list(dict.fromkeys(reason_by_take.values()))
    more = f"; other reasons: {len(reasons) - _MAX_REASONS}" * (len(reasons) > _MAX_REASONS)
    count = f"Clips whose measurements cannot all be used: {len(reason_by_take)}"
    return f"{count} ({'; '.join(reasons[:_MAX_REASONS])}{more})."


def _ranked_row(context: ReportContext, ranked: RankedTake) -> tuple[Cell, ...]:
    return (
        Cell(f"{ranked.rank} of {ranked.ranked_count}", float(ranked.rank)),
        Cell(context.results.title(ranked.take_id)),
        Cell("; ".join(ranked.reasons)),
        Cell(ranked.take_id),
    )


def _too_still_row(context: ReportContext, take_id: str) -> tuple[Cell, ...]:
    scores = context.results.scores
    row = scores[(scores["take_id"] == take_id) & (scores["metric"] == "motion.still")]
    share = float(row["value"].iloc[0])
    return Cell(context.results.title(take_id)), Cell(f"{share:.0%}", share), Cell(take_id)
