"""Work beside the kernel: it answers while something is computed, and typing is not chased."""

import threading
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


class Later:
    """Runs the latest of several calls, a moment after the last one, in a thread of its own.

    What was asked before and overtaken is not told. One of them works at a time.
    """

    def __init__(self, delay_s: float = 0.3) -> None:
        self._delay_s = delay_s
        self._lock = threading.Lock()
        self._working = threading.Lock()
        self._timer: threading.Timer | None = None
        self._asked = 0

    def call(self, work: Callable[[], Answer], told: Callable[[Answer], None]) -> None:
        """Run `work` soon and hand its result to `told`, unless another call comes before."""
        with self._lock:
            self._asked += 1
            mine = self._asked
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._delay_s, self._run, (mine, work, told))
            self._timer.daemon = True
            self._timer.start()

    def _run(self, mine: int, work: Callable[[], Answer], told: Callable[[Answer], None]) -> None:
        with self._working:
            if mine != self._asked:
                return
            answer = work()
            if mine == self._asked:
                told(answer)

    def join(self, most_s: float | None = None) -> None:
        """Wait until nothing is pending, at most that many seconds."""
        timer = self._timer
        if timer is not None:
            timer.join(most_s)
