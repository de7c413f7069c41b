"""A hand on a run that is under way in another thread."""

import threading
from concurrent.futures import Future


class Control:
    """Pauses, resumes and stops the run it was given to. Safe to call from any thread.

    A paused run sends nothing new; what is under way is still fetched and measured. A stopped run
    ends as with Ctrl-C: nothing is lost, and the same run can be called again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paused = self._stopped = False
        self._changed: Future[None] = Future()

    @property
    def paused(self) -> bool:
        """True while nothing new shall be sent."""
        return self._paused

    @property
    def stopped(self) -> bool:
        """True once the run shall end."""
        return self._stopped

    @property
    def changed(self) -> "Future[None]":
        """Done at the next pause, resume or stop; then there is another one."""
        with self._lock:
            return self._changed

    def pause(self) -> None:
        """Send nothing new."""
        self._set(paused=True)

    def resume(self) -> None:
        """Go on sending."""
        self._set(paused=False)

    def stop(self) -> None:
        """End soon, as with Ctrl-C."""
        self._set(stopped=True)

    def _set(self, *, paused: bool | None = None, stopped: bool = False) -> None:
        with self._lock:
            self._paused = self._paused if paused is None else paused
            self._stopped = self._stopped or stopped
            before, self._changed = self._changed, Future()
        before.set_result(None)
