"""The trials as a grid of posters: a column a still, a row what else was varied."""

from typing import Any
from urllib.parse import quote

from lab.analysis.matched import TOO_STILL
from lab.metrics import JUDGED
from lab.report.blocks import Grid, Paragraph, Section, Tile
from lab.report.context import ReportContext, TakeEntry
from lab.units import number_text, usd_text


def trials(context: ReportContext) -> Section:
    """A tile a take: the clip's first frame and its judged scores; press it to play it below."""
    results = context.results
    others = [name for name in results.varied if name != "still"]
    stills = {row["still"]: row for row in context.rows}
    wide, too_still = results.headlines(), results.too_still
    cells: dict[str, dict[str, list[Tile]]] = {}
    for row in context.rows:
        levels = dict(row.items())
        name = " · ".join(results.level(name, levels[name]) for name in others) or "all takes"
        line = cells.setdefault(name, {still: [] for still in stills})
        line[row["still"]].append(_tile(context, row, wide, too_still))
    grid = Grid(
        caption="Every take by still and by what was varied; a picture is the clip's first frame",
        corner=" · ".join(others) or "takes",
        columns=[_head(context, str(name), row) for name, row in stills.items()],
        rows=[(name, list(line.values())) for name, line in cells.items()],
    )
    said = "Press takes to see them side by side in the player below."
    return Section("Trials", [Paragraph(said), grid])


def _head(context: ReportContext, name: str, row: TakeEntry) -> tuple[str, str, str]:
    """A still's name, its picture, and the id by which the player finds that."""
    path = context.proxies.stills.get(row["still_path"])
    return name, context.still_uri(row), "" if path is None else context.element_address(path)[1:]


def _tile(context: ReportContext, row: TakeEntry, wide: Any, too_still: tuple[str, ...]) -> Tile:
    take_id = str(row["take_id"])
    poster = context.poster_uri(row)
    values = {name: float(wide.at[take_id, name]) for name in JUDGED}
    scores = [f"{name} {number_text(value)}" for name, value in values.items() if value == value]
    lines = {"scores": " · ".join(scores) or "not measured"} if row["clip"] else {}
    if row["state"] != "fetched":
        lines["state"] = str(row["state"])
    if take_id in too_still:
        lines["remark"] = TOO_STILL
    if row["cost_usd"] is not None and row["cost_usd"] > 0:
        lines["cost"] = usd_text(float(row["cost_usd"]))
    return Tile(
        take_id=take_id,
        title=context.title(row),
        poster=poster,
        lines=lines,
        link=_address(context.relative_path(context.clip_path(row))) if poster else "",
    )


def _address(link: str) -> str:
    """A path from the report as a relative address, whatever signs or bytes stand in it."""
    return quote(f"./{link}", errors="surrogateescape")
