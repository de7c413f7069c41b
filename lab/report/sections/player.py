"""The chosen takes side by side, in step, with their measures below."""

from pathlib import Path
from typing import Any

from lab.player.session import LINES, MOST_CLIPS, clip_entry, metric_entries
from lab.report.blocks import Block, Player, Prose, Section, in_page
from lab.report.source import Source


def player(source: Source) -> Section | None:
    """The player with the best and the worst take in it; nothing where there is no clip."""
    rows = [row for row in source.rows if str(row["take_id"]) in source.copies.posters]
    if not rows:
        return None
    posters = {poster: take_id for take_id, poster in source.copies.posters.items()}
    places = {
        **{path: f"#{name}" for path, name in source.films.items()},
        **{path: f"#poster-{take_id}" for path, take_id in posters.items()},
        **{path: f"#still-{place}" for place, path in enumerate(_pictures(source))},
    }
    clips = [clip_entry(source.results, row, source.copies, places.__getitem__) for row in rows]
    for clip in clips:
        heat = source.heat.get(clip["id"], {})
        clip["heat"] = {metric: places[film] for metric, film in heat.items()}
    data: dict[str, Any] = {
        "clips": clips,
        "metrics": metric_entries(),
        "lines": LINES,
        "most": MOST_CLIPS,
    }
    said = (
        "The films are small copies; the originals lie beside the run. Space plays, arrow keys "
        "step one frame, a click on a spike goes there. A clip that is over shows its last frame."
    )
    blocks: list[Block] = [Prose(f"{source.fallback}.", "warning")] if source.fallback else []
    return Section("Player", [*blocks, Prose(said), Player(in_page(data), source.opening)])


def _pictures(source: Source) -> list[Path]:
    """The stills in the order of the grid's columns."""
    stills = {row["still"]: row["still_path"] for row in source.rows}
    return [source.copies.stills.get(path, Path()) for path in stills.values()]
