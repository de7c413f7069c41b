"""How long `import lab` takes, beside starting Python at all."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

_RUNS = 7


def _median_s(code: str) -> float:
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(folder: Path) -> list[tuple[str, str, str]]:
    """Median of several fresh processes."""
    extra = _median_s("import lab") - _median_s("pass")
    return [("import lab, beyond an empty Python", f"{extra:.3f} s", "< 0.3 s")]
