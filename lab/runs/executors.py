"""Runs calls on any `concurrent.futures.Executor`, or on a process pool by default.

Workers take paths and plain data and return plain data. They never open the ledger.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from typing import Any

from lab.errors import LabError
from lab.runs.worker_pool import create_worker_pool
from lab.settings import settings


class _TrackingExecutor(Executor):
    """A caller's executor that remembers the futures submitted through it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._submitted: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = self._executor.submit(fn, *args, **kwargs)
        self._submitted.append(future)
        return future

    def cancel(self) -> None:
        """Cancel every call that has not started, so that closing the executor does not wait."""
        for future in self._submitted:
            future.cancel()


@contextmanager
def open_executor(executor: Executor | None, tasks: int) -> Iterator[Executor]:
    """The caller's executor, or a new process pool that ends with the block.

    After an error, calls that have not started are cancelled and the pool ends at once. tasks: the
    number of expected calls; the pool starts at most that many processes.
    """
    if executor is not None:
        tracking = _TrackingExecutor(executor)
        try:
            yield tracking
        except BaseException:
            tracking.cancel()
            raise
        return
    pool = create_worker_pool(max(1, min(tasks, settings().workers)))
    try:
        yield pool
    except BaseException:
        pool.stop()
        raise
    pool.shutdown()


def submit_to(
    executor: Executor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Future[Any]:
    """Like `executor.submit`, but a broken or closed executor gives a failed future."""
    try:
        return executor.submit(fn, *args, **kwargs)
    except RuntimeError as error:
        return failed_future(error)


def failed_future(error: Exception) -> Future[Any]:
    """A future that raises this error."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def failure_text(error: BaseException) -> str:
    """Why an item failed, in one line."""
    if isinstance(error, LabError):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = "memory ran out; run again with fewer workers (I2VLAB_WORKERS=1) or a smaller input"
    elif isinstance(error, BrokenExecutor):
        text = f"the given executor broke ({error}); run again with a new one"
    else:
        text = f"unexpected {type(error).__name__}: {error}"
    return " ".join(text.split())
