"""Wait for what another thread or process does; nowhere else do tests read a clock."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Far beyond what the slowest machine needs: it tells a test that hangs, and nothing else.
HANGS_S = 300.0


def until(true: Callable[[], object], process: "subprocess.Popen[Any] | None" = None) -> None:
    """Return as soon as it is true. Fails if it hangs, or if the process has ended before."""
    pause = threading.Event()
    latest_s = time.monotonic() + HANGS_S
    while not true():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < latest_s, f"waited for {HANGS_S:g} s"
        pause.wait(0.01)


def until_it_sleeps(process: "subprocess.Popen[Any]") -> None:
    """Return once the process sleeps, so that a signal wakes it.

    A signal that arrives just before Python waits for a line does not wake it. Without /proc this
    cannot be seen, and the signal may come too early.
    """
    if sys.platform == "linux":
        stat = Path(f"/proc/{process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S", process)
