"""Debounces calls: runs only the latest one, after a delay and in a thread."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class Debounced:
    """Runs the latest of several calls in a thread, so that the kernel stays responsive.

    A call starts after `delay_s` seconds. A newer call cancels it, or discards its result if it is
    running already. Only one call runs at a time.
    """

    def __init__(self, delay_s: float = 0.3) -> None:
        self._delay_s = delay_s
        self._lock = threading.Lock()
        self._run_lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._latest = 0

    def call(self, work: Callable[[], Result], on_result: Callable[[Result], None]) -> None:
        """Run `work` after the delay and pass its result to `on_result`."""
        with self._lock:
            self._latest += 1
            number = self._latest
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._delay_s, self._run, (number, work, on_result))
            self._timer.daemon = True
            self._timer.start()

    def _run(
        self, number: int, work: Callable[[], Result], on_result: Callable[[Result], None]
    ) -> None:
        with self._run_lock:
            if number != self._latest:
                return
            result = work()
            if number == self._latest:
                on_result(result)

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until the latest call is finished, at most `timeout_s` seconds."""
        timer = self._timer
        if timer is not None:
            timer.join(timeout_s)
