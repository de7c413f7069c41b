"""Peak memory of scoring the largest clip that a model makes: 15 s of 4K at 60 fps."""

import subprocess
import sys
from pathlib import Path

from benchmarks.clips import STILL, rendered_clip

_CHILD = """
import re, sys
from lab.metrics import METRICS, measure
from lab.stills import Still
measure(sys.argv[1], Still.open(sys.argv[2]), METRICS)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Peak resident size of a new process that scores the clip.

    It reads VmHWM, on Linux only: getrusage would include the memory of this process.
    """
    size, count = ("720p", 12) if smoke else ("4k", 900)
    clip = rendered_clip(folder, size, fps=60, frames=count, repeats=6)
    completed = subprocess.run(
        [sys.executable, "-c", _CHILD, str(clip), str(STILL)],
        capture_output=True,
        text=True,
        check=True,
    )
    peak_mb = int(completed.stdout) / 1000
    return [
        (f"{size} 60 fps {count / 60:g} s scoring, peak memory", f"{peak_mb:.0f} MB", "< 1000 MB")
    ]
