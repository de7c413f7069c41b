"""The trials as a grid of posters.

Each still has a column. Each combination of the other factors has a row.
"""

from typing import Any
from urllib.parse import quote

from lab.analysis.matched_motion import TOO_STILL
from lab.metrics import JUDGED
from lab.report.blocks import Grid, Paragraph, Section, Tile
from lab.report.context import ReportContext, TakeEntry
from lab.units import number_text, usd_text


def trials(context: ReportContext) -> Section:
    """A tile for each take: its clip's first frame and the scores by which takes are ranked.

    A click plays the clip.
    """
    results = context.results
    other_factors = [name for name in results.varied if name != "still"]
    stills = {row["still"]: row for row in context.rows}
    headlines, too_still = results.headlines(), results.too_still
    cells: dict[str, dict[str, list[Tile]]] = {}
    for row in context.rows:
        levels = dict(row.items())
        texts = [results.level_text(name, levels[name]) for name in other_factors]
        by_still = cells.setdefault(" · ".join(texts) or "all takes", {s: [] for s in stills})
        by_still[row["still"]].append(_tile(context, row, headlines, too_still))
    grid = Grid(
        caption="Every take by still and varied factors; a picture is the first frame of a clip",
        corner=" · ".join(other_factors) or "takes",
        columns=[_column(context, str(name), row) for name, row in stills.items()],
        rows=[(name, list(by_still.values())) for name, by_still in cells.items()],
    )
    text = "Click takes to see them side by side in the player below."
    return Section("Trials", [Paragraph(text), grid])


def _column(context: ReportContext, name: str, row: TakeEntry) -> tuple[str, str, str]:
    """The name of a still, its picture, and the picture's HTML id; both "" without a picture."""
    path = context.proxies.stills.get(row["still_path"])
    return name, context.still_uri(row), "" if path is None else context.anchor_url(path)[1:]


def _tile(
    context: ReportContext, row: TakeEntry, headlines: Any, too_still: tuple[str, ...]
) -> Tile:
    take_id = str(row["take_id"])
    poster = context.poster_uri(row)
    values = {name: float(headlines.at[take_id, name]) for name in JUDGED}
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
        link=_relative_url(context.relative_path(context.clip_path(row))) if poster else "",
    )


def _relative_url(path: str) -> str:
    """A relative path as a URL. Special characters and undecodable bytes are escaped."""
    return quote(f"./{path}", errors="surrogateescape")
