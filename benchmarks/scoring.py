"""Scoring all headline metrics beside merely decoding the same clip."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import av

from benchmarks.clips import STILL, rendered
from lab.metrics import METRICS
from lab.metrics import measure as score
from lab.stills import Still

_ROUNDS = 5


def _decode(path: Path) -> None:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for _ in container.decode(video=0):
            pass


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(folder: Path) -> list[tuple[str, str, str]]:
    """Median of the ratio over alternating rounds, after a warm-up."""
    clip = rendered(folder, "1080p", fps=24, frames=120)
    still = Still.open(STILL)

    def both() -> float:
        return _seconds(lambda: score(clip, still, METRICS)) / _seconds(lambda: _decode(clip))

    both()
    ratio = statistics.median(both() for _ in range(_ROUNDS))
    return [("1080p scoring / decoding", f"{ratio:.2f}", "<= 4")]
