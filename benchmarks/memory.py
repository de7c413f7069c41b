"""Peak memory of scoring the largest clip a model makes: 15 s of 4K at 60 frames a second."""

import subprocess
import sys
from pathlib import Path

from benchmarks.clips import STILL, rendered

_CHILD = """
import re, sys
from lab.metrics import METRICS, measure
from lab.stills import Still
measure(sys.argv[1], Still.open(sys.argv[2]), METRICS)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Largest resident size of a fresh process that scores the clip.

    Linux only: getrusage would also count what this process held before it started the other.
    """
    size, count = ("720p", 12) if smoke else ("4k", 900)
    clip = rendered(folder, size, fps=60, frames=count, held=6)
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(clip), str(STILL)],
        capture_output=True,
        text=True,
        check=True,
    )
    peak_mb = int(done.stdout) / 1000
    return [
        (f"{size} 60 fps {count / 60:g} s scoring, peak memory", f"{peak_mb:.0f} MB", "< 1000 MB")
    ]
