"""Time to score a clip by every metric, relative to decoding and to VBench's flicker formula."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.clips import STILL, rendered_clip
from lab.media import frames
from lab.metrics import METRICS
from lab.metrics import measure as score
from lab.stills import Still

_ROUNDS = 5


def _decode(path: Path) -> None:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for _ in container.decode(video=0):
            pass


def _vbench_flicker(path: Path) -> float:
    """VBench's temporal flickering on frames of native size."""
    previous: np.ndarray | None = None
    total, count = 0.0, 0
    for frame in frames(path):
        if previous is not None:
            total += float(cv2.mean(cv2.mean(cv2.absdiff(frame.rgb, previous))[:3])[0])
            count += 1
        previous = frame.rgb
    return (255 - total / count) / 255


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Median ratios over alternating rounds, after a warm-up."""
    size, count = ("720p", 8) if smoke else ("1080p", 120)
    clip = rendered_clip(folder, size, fps=24, frames=count)
    still = Still.open(STILL)

    def ratios_of_a_round() -> tuple[float, float]:
        scoring = _seconds(lambda: score(clip, still, METRICS))
        decoding = _seconds(lambda: _decode(clip))
        return scoring / decoding, scoring / _seconds(lambda: _vbench_flicker(clip))

    ratios_of_a_round()
    rounds = [ratios_of_a_round() for _ in range(1 if smoke else _ROUNDS)]
    to_decode, to_vbench = (statistics.median(ratios) for ratios in zip(*rounds, strict=True))
    return [
        (f"{size} scoring / decoding", f"{to_decode:.2f}", "<= 2"),
        (f"{size} scoring / VBench's temporal flickering alone", f"{to_vbench:.2f}", "-"),
    ]
