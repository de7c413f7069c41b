"""Time of `import lab`, beyond the start of Python."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

_RUNS = 7


def _median_s(code: str, runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Median over several new processes."""
    runs = 1 if smoke else _RUNS
    extra = _median_s("import lab", runs) - _median_s("pass", runs)
    return [("import lab, beyond an empty Python", f"{extra:.3f} s", "< 0.3 s")]
