"""Pause, resume or stop a run from another thread."""

import threading
from concurrent.futures import Future


class Control:
    """Pauses, resumes and stops the run that it is passed to. Every method is thread-safe.

    A paused run submits nothing new, but still fetches and measures what it has submitted. A
    stopped run ends as after Ctrl-C: nothing is lost, and the same call continues it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paused = self._stopped = False
        self._next_change: Future[None] = Future()

    @property
    def paused(self) -> bool:
        """True while the run must submit nothing new."""
        return self._paused

    @property
    def stopped(self) -> bool:
        """True once the run has to end."""
        return self._stopped

    @property
    def next_change(self) -> "Future[None]":
        """A future that ends at the next pause, resume or stop. Then read this property again."""
        with self._lock:
            return self._next_change

    def pause(self) -> None:
        """Submit nothing new from now on."""
        self._set(paused=True)

    def resume(self) -> None:
        """Continue after a pause."""
        self._set(paused=False)

    def stop(self) -> None:
        """End the run, as Ctrl-C does."""
        self._set(stopped=True)

    def _set(self, *, paused: bool | None = None, stopped: bool = False) -> None:
        with self._lock:
            self._paused = self._paused if paused is None else paused
            self._stopped = self._stopped or stopped
            previous, self._next_change = self._next_change, Future()
        previous.set_result(None)
