"""Pictures of where a clip's scores come from, frame by frame over the clip itself."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.files import file_name
from lab.media import Frame, frames, write_clip
from lab.metrics.contract import Field, Metric
from lab.metrics.measure import ClipScores, measure
from lab.metrics.reference import ANALYSIS_SIDE_PX
from lab.stills import Still

_KEPT_SIDE_PX = 64
_FULL_COLOUR = 10.0  # times the level that nobody would notice
_PERCENTILE = 99.0  # where there is no such level


def measure_with_heatmaps(
    clip: str | Path, still: Still | None, metrics: Sequence[Metric], folder: Path
) -> tuple[ClipScores, list[Path]]:
    """Score a clip and write one film a headline into a folder; returns the scores and the films.

    A film is the clip in grey, reduced to a shorter side of 256 px, with the headline's field over
    it from transparent to full colour (ten times the level that nobody would notice, the same for
    every clip; the clip's own 99th percentile where there is no such level). It has the clip's
    frames, one for one; a frame without a field of its own shows the latest one. Raises ClipError
    and RunFolderError.
    """
    kept: dict[str, dict[int, NDArray[np.float16]]] = {}

    def keep(name: str, field: Field) -> None:
        kept.setdefault(name, {})[field.index] = _reduced(field.values)

    scores = measure(clip, still, metrics, keep=keep)
    specs = {metric.specs[0].name: metric.specs[0] for metric in metrics}
    films = []
    for name, fields in kept.items():
        every = np.concatenate([values[np.isfinite(values)] for values in fields.values()])
        full = specs[name].flaw(specs[name].unnoticed) * _FULL_COLOUR
        if math.isnan(full):
            full = float(np.percentile(every, _PERCENTILE)) if every.size else 1.0
        ending = f"-{scores.clip.sha256[:8]}.{name}.mp4"
        film = folder / file_name(scores.clip.path.stem, ending)
        fps = scores.clip.facts.fps or 25.0
        drawn = _drawn(scores.clip.path, fields, max(full, 1e-6))
        write_clip(film, drawn, fps=fps, crf=26, keyframe_interval=round(fps / 2) or 1)
        films.append(film)
    return scores, films


def _reduced(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Small enough to keep one a frame."""
    scale = min(1.0, _KEPT_SIDE_PX / min(values.shape))
    small = cv2.resize(values, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    return np.asarray(small, np.float16)


def _drawn(clip: Path, fields: dict[int, NDArray[np.float16]], full: float) -> Iterator[Frame]:
    latest: NDArray[np.float16] | None = None
    for frame in frames(clip, ANALYSIS_SIDE_PX):
        latest = fields.get(frame.index, latest)
        height, width = (side // 2 * 2 for side in frame.rgb.shape[:2])
        grey = cv2.cvtColor(frame.rgb[:height, :width], cv2.COLOR_RGB2GRAY) // 2 + 30
        shown = cv2.merge([grey] * 3)
        if latest is not None:
            level = np.nan_to_num(latest.astype(np.float32) / full, nan=0.0)
            wide = np.clip(cv2.resize(level, (width, height)), 0, 1)
            heat = cv2.applyColorMap((wide * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
            share = np.sqrt(wide)[..., None]
            shown = (shown * (1 - share) + heat * share).astype(np.uint8)
        yield replace(frame, rgb=np.ascontiguousarray(shown))
