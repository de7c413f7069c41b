"""Scoring by every metric beside decoding the same clip, and beside VBench's flicker formula."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.clips import STILL, rendered
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
    """Only the formula of VBench's temporal flickering, on frames decoded at native size."""
    before: np.ndarray | None = None
    total, count = 0.0, 0
    for frame in frames(path):
        if before is not None:
            total += float(cv2.mean(cv2.mean(cv2.absdiff(frame.rgb, before))[:3])[0])
            count += 1
        before = frame.rgb
    return (255 - total / count) / 255


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Median of the ratio over alternating rounds, after a warm-up."""
    size, count = ("720p", 8) if smoke else ("1080p", 120)
    clip = rendered(folder, size, fps=24, frames=count)
    still = Still.open(STILL)

    def round_of_three() -> tuple[float, float]:
        ours = _seconds(lambda: score(clip, still, METRICS))
        bare = _seconds(lambda: _decode(clip))
        return ours / bare, ours / _seconds(lambda: _vbench_flicker(clip))

    round_of_three()
    rounds = [round_of_three() for _ in range(1 if smoke else _ROUNDS)]
    to_decode, to_vbench = (statistics.median(ratios) for ratios in zip(*rounds, strict=True))
    return [
        (f"{size} scoring / decoding", f"{to_decode:.2f}", "<= 2"),
        (f"{size} scoring / VBench's temporal flickering alone", f"{to_vbench:.2f}", "-"),
    ]
