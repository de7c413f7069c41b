"""What came, held against what was asked for; a reply's word is not taken for it."""

from pathlib import Path
from typing import Any, Literal

from lab.backends.contract import FetchResult, Job
from lab.media import probe
from lab.units import RATIOS

_DURATION_TOLERANCE_S = 0.5
_RATIO_TOLERANCE = 0.03
_FPS_TOLERANCE = 0.01


def compared(job: Job, path: Path, *, made: Literal["clip", "still"]) -> FetchResult:
    """Remarks on a file that has just come: what was done to its still, and where it differs.

    Whether a prompt's terms were played is for the metrics to say; none counts as honoured here.
    """
    asked: dict[str, Any] = job.data.get("asked") or {}
    notes = tuple(str(note) for note in job.data.get("notes") or ())
    refused: list[tuple[str, str]] = []
    if asked.get("seed") is not None:
        refused.append(("seed", "the service takes none; equal orders give different clips"))
    if made == "still":
        return FetchResult(not_honoured=tuple(refused), notes=notes)
    facts = probe(path)
    length = asked.get("duration_s")
    if length is not None and abs(facts.duration_s - length) > _DURATION_TOLERANCE_S:
        refused.append(
            ("duration_s", f"asked for {length:g} s, came with {facts.duration_s:.2f} s")
        )
    fps = asked.get("fps")
    if fps is not None and facts.fps and abs(facts.fps / fps - 1) > _FPS_TOLERANCE:
        refused.append(("fps", f"asked for {fps:g}, came with {facts.fps:g}"))
    if asked.get("sound") and not facts.has_audio:
        refused.append(("sound", "the clip came without a sound track"))
    elif asked.get("sound") is False and facts.has_audio:
        refused.append(("sound", "the clip came with a sound track"))
    ratio = RATIOS.get(str(asked.get("aspect_ratio")))
    if ratio is not None:
        found = facts.width_px / facts.height_px
        if abs(found / float(ratio) - 1) > _RATIO_TOLERANCE:
            size = f"{facts.width_px}x{facts.height_px}"
            refused.append(
                ("aspect_ratio", f"asked for {asked['aspect_ratio']}, came as {size} px")
            )
    return FetchResult(not_honoured=tuple(refused), notes=notes)
