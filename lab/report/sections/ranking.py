"""The best and the worst takes, with why."""

from collections.abc import Mapping

from lab.analysis import Verdict, leaders
from lab.analysis.matched import TOO_STILL
from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext

_REASONS = 3  # more would bury the verdict


def ranking(context: ReportContext) -> Section:
    """Which levels lead, in words; ranks at matched motion; takes too still to be ranked."""
    results, ranking = context.results, context.ranking
    blocks: list[Paragraph | Table] = [
        Paragraph(said, "lead", f"sentence {number} on what leads")
        for number, said in enumerate(leaders(results), start=1)
    ]
    if results.not_fresh:
        blocks.append(Paragraph(_not_fresh(results.not_fresh), verified_as="what was not measured"))
    if ranking.best:
        caution = "A rank does not say that a difference would be seen again."
        rows = [_row(context, verdict) for verdict in (*ranking.best, *reversed(ranking.worst))]
        blocks.append(Paragraph(f"{ranking.said} {caution}", verified_as="how takes are ranked"))
        blocks.append(
            Table(
                "Best and worst takes, and why",
                ("place", "take", "why", "id"),
                rows,
                verified_as="the ranking",
                take_ids=[row[-1].text for row in rows],
            )
        )
    else:
        said = "Too few takes have every headline score and enough motion to be ranked."
        blocks.append(Paragraph(said))
    if ranking.too_still:
        caption = f"Takes {TOO_STILL}, which are not ranked: a frozen clip would win"
        rows = [_still(context, take_id) for take_id in ranking.too_still]
        columns = ("take", "time held still", "id")
        held = "the takes too still"
        blocks.append(Table(caption, columns, rows, verified_as=held, take_ids=ranking.too_still))
    return Section("What came of it", blocks)


def _not_fresh(why_by_take: Mapping[str, str]) -> str:
    """How many clips lack numbers, and the reasons; the table of scores has each take's own."""
    reasons = list(dict.fromkeys(why_by_take.values()))
    more = f"; other reasons: {len(reasons) - _REASONS}" * (len(reasons) > _REASONS)
    count = f"Clips whose measurements cannot all be used: {len(why_by_take)}"
    return f"{count} ({'; '.join(reasons[:_REASONS])}{more})."


def _row(context: ReportContext, verdict: Verdict) -> tuple[Cell, ...]:
    return (
        Cell(f"{verdict.place} of {verdict.of}", float(verdict.place)),
        Cell(context.results.title(verdict.take_id)),
        Cell("; ".join(verdict.why)),
        Cell(verdict.take_id),
    )


def _still(context: ReportContext, take_id: str) -> tuple[Cell, ...]:
    scores = context.results.scores
    here = (scores["take_id"] == take_id) & (scores["metric"] == "motion.still")
    share = float(scores[here]["value"].iloc[0])
    return Cell(context.results.title(take_id)), Cell(f"{share:.0%}", share), Cell(take_id)
