"""Compare a downloaded file with what the take asked for."""

from pathlib import Path
from typing import Any

from lab.backends.contract import FetchResult, Job
from lab.backends.kling.wire import MediaKind
from lab.media import probe
from lab.units import RATIOS

_DURATION_TOLERANCE_S = 0.5
_RATIO_TOLERANCE = 0.03
_FPS_TOLERANCE = 0.01


def check_fetched_file(job: Job, path: Path, *, kind: MediaKind) -> FetchResult:
    """The differences between the file and the take's settings, and the notes of the job.

    Reads the file itself and ignores the metadata in replies. It says nothing about the prompt's
    terms: only the metrics can tell whether those were honoured.
    """
    requested: dict[str, Any] = job.data.get("asked") or {}
    notes = tuple(str(note) for note in job.data.get("notes") or ())
    differences: list[tuple[str, str]] = []
    if requested.get("seed") is not None:
        reason = "the service does not support seeds; equal submissions give different clips"
        differences.append(("seed", reason))
    if kind == "clip":
        differences += _clip_differences(requested, path)
    return FetchResult(not_honoured=tuple(differences), notes=notes)


def _clip_differences(requested: dict[str, Any], path: Path) -> list[tuple[str, str]]:
    facts = probe(path)
    differences = []
    duration_s = requested.get("duration_s")
    if duration_s is not None and abs(facts.duration_s - duration_s) > _DURATION_TOLERANCE_S:
        reason = f"asked for {duration_s:g} s, the clip has {facts.duration_s:.2f} s"
        differences.append(("duration_s", reason))
    fps = requested.get("fps")
    if fps is not None and facts.fps and abs(facts.fps / fps - 1) > _FPS_TOLERANCE:
        differences.append(("fps", f"asked for {fps:g}, the clip has {facts.fps:g}"))
    if requested.get("sound") and not facts.has_audio:
        differences.append(("sound", "the clip has no sound track"))
    elif requested.get("sound") is False and facts.has_audio:
        differences.append(("sound", "the clip has a sound track"))
    ratio = RATIOS.get(str(requested.get("aspect_ratio")))
    if ratio is not None:
        clip_ratio = facts.width_px / facts.height_px
        if abs(clip_ratio / float(ratio) - 1) > _RATIO_TOLERANCE:
            size = f"{facts.width_px}x{facts.height_px}"
            reason = f"asked for {requested['aspect_ratio']}, the clip has {size} px"
            differences.append(("aspect_ratio", reason))
    return differences
