"""Wait for another thread or process. Only this module of the tests reads a clock."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Much longer than the slowest machine needs: only a test that hangs reaches it.
HANGS_S = 300.0


def until(condition: Callable[[], object], process: "subprocess.Popen[Any] | None" = None) -> None:
    """Return once the condition is true. Fails after HANGS_S, or if the process has ended."""
    pause = threading.Event()
    deadline_s = time.monotonic() + HANGS_S
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s, f"waited for {HANGS_S:g} s"
        pause.wait(0.01)


def until_it_sleeps(process: "subprocess.Popen[Any]") -> None:
    """Return once the process sleeps, so that a signal wakes it.

    A signal that arrives just before Python waits for a line does not wake it. Without /proc this
    cannot be seen, and the signal may come too early.
    """
    if sys.platform == "linux":
        stat = Path(f"/proc/{process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S", process)
