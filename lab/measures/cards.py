"""Formats the scores of one clip as text and as the plain data of `lab score --json`."""

from collections.abc import Iterator
from typing import Any

from lab.measures.record import ClipRecord
from lab.metrics import HEADLINES, LITERATURE, LOW_CONFIDENCE, SPECS, explain
from lab.metrics.motion import TOO_STILL_SHARE
from lab.units import escape_line

_FIELDS = (
    *("clip", "still", "width_px", "height_px", "fps", "frames", "duration_s"),
    *("scores", "units", "reasons", "confidence", "notes", "simulated"),
)


def headline_text(record: ClipRecord, name: str) -> str:
    """A headline's value with its unit and a low confidence, or the reason why it is missing.

    record: what `lab.score` yields.
    """
    value = record["scores"][name]
    if value is None:
        return f"none: {record['reasons'][name]}"
    calm = " (hardly noticeable)" if SPECS[name].visibility(value) <= 1 else ""
    confidence = record["confidence"].get(name, 1.0)
    unsure = f" (confidence {confidence:.2f})" if confidence < LOW_CONFIDENCE else ""
    return f"{value:.3g} {record['units'][name]}{calm}{unsure}"


def is_too_still(record: ClipRecord) -> bool:
    """True for a clip with too little motion for its other scores to mean anything."""
    return bool((record["scores"]["motion.still"] or 0) >= TOO_STILL_SHARE)


def score_card(record: ClipRecord, *, why: bool = False) -> str:
    """The headlines of a clip as text, one per line, and the notes on them.

    record: what `lab.score` yields. why: add every part metric and the worst frames.
    """
    facts = f"{record['width_px']}x{record['height_px']}, {record['frames']} frames"
    lines = [f"{escape_line(record['clip'])} ({facts}, {record['duration_s']:.2f} s)"]
    for name in HEADLINES:
        lines.append(f"  {name:<8} {headline_text(record, name)}")
        if why and record["scores"][name] is not None:
            lines += _parts(record, name)
    lines += _published(record)
    lines += [f"  heatmap: {film}" for film in record.get("heatmaps", ())]
    if is_too_still(record):
        lines.append("  note: too still to judge: a clip that hardly moves scores well on all else")
    lines += [f"  note: {note}" for note in record["notes"]]
    if record["simulated"]:
        lines.append("  note: simulated, rendered locally without a model")
    return "\n".join(lines)


def score_json(record: ClipRecord, *, why: bool = False) -> dict[str, Any]:
    """The record without its series. why: add the worst frames of each headline."""
    facts = dict(record.items())
    plain = {name: facts[name] for name in _FIELDS}
    if "heatmaps" in record:
        plain["heatmaps"] = record["heatmaps"]
    if why:
        plain["worst"] = {
            name: [worst.to_json() for worst in explain(record, name)] for name in HEADLINES
        }
    return plain


def _parts(record: ClipRecord, headline: str) -> Iterator[str]:
    for name in SPECS:
        if name.startswith(f"{headline}."):
            value = record["scores"][name]
            text = f"none: {record['reasons'][name]}" if value is None else f"{value:.3g}"
            yield f"    {name.partition('.')[2]:<12} {text} {SPECS[name].unit}"
    most = "worst" if SPECS[headline].judged else "most"
    for worst in explain(record, headline):
        yield f"    at its {most} {worst}"


def _published(record: ClipRecord) -> Iterator[str]:
    names = [name for name in LITERATURE if name in record["scores"]]
    if names:
        yield "  as published, at native size:"
    for name in names:
        value = record["scores"][name]
        text = f"none: {record['reasons'][name]}" if value is None else f"{value:.4g}"
        yield f"    {name:<26} {text}"
