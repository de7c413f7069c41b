"""Wait for what another thread or process does; nowhere else do tests read a clock."""

import subprocess
import threading
import time
from collections.abc import Callable
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
