"""Requests and memory of a run of many takes at a paid service.

The service is the emulator in a child process, with jobs that finish at once. Clips are fetched but
not scored; scoring has its own benchmark.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

from benchmarks.clips import STILL
from benchmarks.unscored import Unscored
from lab.runs import run
from lab.sweeps import Sweep

TAKES = int(os.environ.get("I2VLAB_BENCH_TAKES", "10000"))
_SERVICE = """
import json, sys
from lab.emulator import Emulator, TaskTiming, serving
with serving(Emulator(timing=TaskTiming.instant(), short_side_px=16)) as running:
    print(json.dumps(running.environment), flush=True)
    sys.stdin.read()
"""


def measure(folder: Path, *, smoke: bool = False) -> list[tuple[str, str, str]]:
    """Requests besides submission and download, and memory at the end relative to the start."""
    count = 20 if smoke else TAKES
    service = subprocess.Popen(
        [sys.executable, "-c", _SERVICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert service.stdout is not None
    environment = json.loads(service.stdout.readline())
    os.environ.update(environment, KLING_POLL_S="0.05", I2VLAB_DATA_DIR=str(folder / "data"))
    sweep = Sweep.of(
        stills=[STILL],
        prompts=[f"push in, variant {number}" for number in range(10)],
        settings={"duration_s": 3, "aspect_ratio": "1:1"},
        repeats=count // 10,
        backend="kling",
    )
    out = folder / "takes"
    sizes: list[float] = []
    done = Event()
    watcher = Thread(target=_watch, args=(out / "clips", sizes, done))
    watcher.start()
    start = perf_counter()
    try:
        outcome = run(sweep, out, executor=Unscored(), confirmed=True)
        seconds = perf_counter() - start
        with urllib.request.urlopen(f"{environment['KLING_URL']}/emulator/state") as reply:
            state = json.load(reply)
    finally:
        done.set()
        watcher.join()
        assert service.stdin is not None
        service.stdin.close()
        service.wait()
    assert outcome.complete, str(outcome)[:500]
    polls = sum(
        times for request, times in state["requests"].items() if request.startswith("GET /tasks")
    )
    early, late = sizes[len(sizes) // 10], sizes[-1]
    return [
        (f"{count} takes, jobs charged / takes", f"{state['charged_jobs'] / count:.4f}", "1"),
        (f"{count} takes, requests besides submit and download", f"{polls / count:.2f}", "<= 1.2"),
        (f"{count} takes, memory at the end / at a tenth", f"{late / early:.2f}", "about 1"),
        (f"{count} takes, time", f"{seconds:.0f} s", "-"),
    ]


def _watch(clips: Path, sizes: list[float], done: Event) -> None:
    """Record this process's resident size every 0.5 s from the first clip to the end, in MB."""
    ended = False
    while not ended:
        ended = done.wait(0.5)
        if clips.is_dir():
            status = Path("/proc/self/status").read_text()
            match = re.search(r"VmRSS:\s+(\d+)", status)
            sizes.append(float(match[1]) / 1000 if match else 0.0)
