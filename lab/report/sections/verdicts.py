"""The best and the worst takes, with why."""

from lab.analysis import Verdict, best_and_worst
from lab.report.blocks import Cell, Prose, Section, Table
from lab.report.source import Source


def verdicts(source: Source) -> Section:
    """Ranks by the mean rank of the headline metrics, in words."""
    best, worst = best_and_worst(source.results)
    if not best:
        said = "Too few takes have every headline score and enough motion to be ranked."
        return Section("Best and worst takes", [Prose(said)])
    titles = {take["take_id"]: source.title(take) for take in source.rows()}

    def row(verdict: Verdict) -> tuple[Cell, ...]:
        return (
            Cell(f"{verdict.place} of {verdict.of}", float(verdict.place)),
            Cell(titles[verdict.take_id]),
            Cell("; ".join(verdict.why)),
            Cell(verdict.take_id),
        )

    said = (
        "Ranked by the mean rank of flicker, drift and warp; takes that hardly move are left out. "
        "A rank describes these takes. It does not say that a difference would be seen again."
    )
    rows = [row(verdict) for verdict in (*best, *reversed(worst))]
    table = Table("Best and worst takes, and why", ("place", "take", "why", "id"), rows)
    return Section("Best and worst takes", [Prose(said), table])
