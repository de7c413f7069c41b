"""The clips, playing beside their stills."""

from pathlib import Path

from lab.media import data_uri
from lab.report.blocks import ClipCard, Clips, Prose, Section
from lab.report.source import Source


def clips(source: Source) -> Section:
    """A card for each take: the still, a small copy of the clip, its prompt, the original."""
    cards = [_card(source, take) for take in source.rows()]
    said = (
        "Small copies are inside this page. The originals lie beside the run; the link works while "
        "this page stays where it was written."
    )
    return Section("Clips", [Prose(said), Clips(cards)])


def _card(source: Source, take: dict[str, object]) -> ClipCard:
    lines = [str(take["prompt_text"])]
    if take["not_honoured"]:
        lines.append(f"Not done: {take['not_honoured']}")
    video = poster = link = ""
    if take["clip"] and source.clip_path(take).is_file():
        proxy: Path = source.proxy(take)
        video = data_uri(proxy.read_bytes(), ".mp4")
        poster = source.poster_uri(take)
        link = source.link(source.clip_path(take))
    else:
        lines.append(f"No clip ({take['state']}): {take['message'] or 'not made yet'}")
    return ClipCard(
        title=source.title(take),
        still=source.still_uri(take),
        video=video,
        poster=poster,
        link=link,
        sha256=str(take["clip_sha256"]),
        lines=lines,
        anchor=f"take-{take['take_id']}",
    )
