"""Where the heavy work runs: any `concurrent.futures.Executor`; a process pool by default.

Workers take paths and plain data and return plain data. They never touch the ledger.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import spawn
from queue import SimpleQueue
from typing import Any

from lab.errors import InputError, LabError, WorkerDied
from lab.settings import settings

_UNGUARDED = (
    'no worker process can start: in a script, calls belong under `if __name__ == "__main__":`, '
    "and there must be memory for the process"
)


@dataclass(eq=False)
class _Task:
    """A submitted call: how to start it, the caller's future, and whether it runs alone."""

    start: Callable[[], Future[Any]]
    future: Future[Any]
    alone: bool = False


class WorkerPool(Executor):
    """Processes that start clean, leave Ctrl-C to their parent, and never outlive it.

    When a worker process dies (killed, out of memory, a crash in a library), the processes are
    started anew. Each task that was running is tried once more, alone. A task whose process dies
    again gets WorkerDied; all others get their results.
    """

    def __init__(self, workers: int | None = None, *, fetch_weights: bool = True) -> None:
        """workers: how many processes; the settings' number when None.

        fetch_weights False spares the workers from trying what their parent could not do. Raises
        InputError in a script whose calls are not guarded.
        """
        _refuse_unguarded()
        self._workers = workers or settings().workers
        self._fetch_weights = fetch_weights
        self._context = multiprocessing.get_context("spawn")
        self._started = self._context.RawValue("b", 0)  # 1 once a worker was ready
        self._refusal: WorkerDied | None = None  # why no task is started any more
        self._pool: ProcessPoolExecutor | None = None
        # One thread owns the state below and is told what happened through this queue: callbacks of
        # a broken pool run while it holds its own locks, so they must not wait for anything.
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting: deque[_Task] = deque()
        self._suspects: deque[_Task] = deque()
        self._running: set[_Task] = set()
        self._closed = self._stopped = False
        self._lock = threading.Lock()  # holds `_closed` and what is put after it together
        self._thread = threading.Thread(target=self._work, name="worker-pool", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule a call. Raises RuntimeError after `shutdown`."""
        task = _Task(partial(self._send, fn, args, kwargs), Future())
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._events.put(lambda: self._waiting.append(task))
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; end the processes once the calls that are left are answered."""
        with self._lock:
            self._closed = True
            self._events.put(self._cancel_waiting if cancel_futures else lambda: None)
        if wait:
            self._thread.join()

    def stop(self) -> None:
        """End the workers now. Only what they were writing under temporary names is lost."""
        self._stopped = True
        self.shutdown(wait=True, cancel_futures=True)

    def _work(self) -> None:
        """The thread that owns the state: starts tasks, takes their answers, ends the processes."""
        while True:
            self._events.get()()
            if self._stopped:
                break
            self._start_tasks()
            left = self._waiting or self._suspects or self._running
            if self._closed and self._events.empty() and not left:
                break
        if self._stopped:
            self._abandon()
        elif self._pool is not None:
            self._pool.shutdown()

    def _start_tasks(self) -> None:
        if self._refusal is not None:
            self._refuse_waiting(self._refusal)
        while self._suspects or self._waiting:
            # A suspect runs alone, so that a process that dies names it.
            alone = bool(self._suspects)
            most = 1 if alone or any(task.alone for task in self._running) else self._workers
            if len(self._running) >= most:
                return
            task = (self._suspects if alone else self._waiting).popleft()
            if not alone and not task.future.set_running_or_notify_cancel():
                continue
            task.alone = alone
            self._running.add(task)
            try:
                inner = task.start()
            except BrokenProcessPool:
                self._died(task)
            except Exception as error:  # noqa: BLE001 - handed to whoever waits for the task
                self._running.discard(task)
                task.future.set_exception(error)
            else:
                inner.add_done_callback(partial(self._tell_answer, task))

    def _send(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Future[Any]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=self._context,
                initializer=_start_worker,
                initargs=(self._fetch_weights, self._started),
            )
        return self._pool.submit(_call, fn, args, kwargs)

    def _tell_answer(self, task: _Task, inner: Future[Any]) -> None:
        self._events.put(lambda: self._answered(task, inner))

    def _answered(self, task: _Task, inner: Future[Any]) -> None:
        error = inner.exception()
        if isinstance(error, BrokenProcessPool):
            self._died(task)
            return
        self._running.discard(task)
        if error is not None:
            task.future.set_exception(error)
        else:
            task.future.set_result(inner.result())

    def _died(self, task: _Task) -> None:
        """The pool that ran this task is broken: try the task alone, or give it up."""
        self._pool = None  # every other task of the broken pool ends before a new one is started
        self._running.discard(task)
        if not self._started.value:
            # The next ones would fail as well, each with a process and its traceback.
            self._refusal = WorkerDied(_UNGUARDED)
            task.future.set_exception(self._refusal)
            self._refuse_waiting(self._refusal)
        elif task.alone:
            task.future.set_exception(
                WorkerDied(
                    "its worker process died twice, the second time with nothing running beside "
                    "it; if memory ran out, free some or use a smaller input"
                )
            )
        else:
            self._suspects.append(task)

    def _refuse_waiting(self, error: WorkerDied) -> None:
        for task in self._waiting:
            if task.future.set_running_or_notify_cancel():
                task.future.set_exception(error)
        self._waiting.clear()

    def _cancel_waiting(self) -> None:
        for task in self._waiting:
            task.future.cancel()
            task.future.set_running_or_notify_cancel()
        self._waiting.clear()

    def _abandon(self) -> None:
        """End the processes without their answers."""
        while not self._events.empty():
            self._events.get()()
        self._cancel_waiting()
        for task in (*self._running, *self._suspects):
            task.future.set_exception(CancelledError())
        if self._pool is None:
            return
        # Kept before shutdown forgets them. Executor.terminate_workers does the same from 3.14 on.
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


class SingleThreadPool(ThreadPoolExecutor):
    """One thread of this process, where no processes are to be started."""

    def __init__(self) -> None:
        super().__init__(1, thread_name_prefix="worker")

    def stop(self) -> None:
        """Give up what has not begun, and wait for what has: a thread cannot be ended."""
        self.shutdown(wait=True, cancel_futures=True)


def create_worker_pool(
    workers: int, *, fetch_weights: bool = True
) -> WorkerPool | SingleThreadPool:
    """Processes for heavy work, or this process where it is to start none.

    A process that another one started is a worker of somebody's pool (concurrent.futures, joblib,
    Dask), which spreads the work already, and a daemonic one may not start any. A program that
    Python reads from standard input has no file that workers could import. Raises InputError in a
    script whose calls are not guarded.
    """
    _refuse_unguarded()
    is_worker = multiprocessing.parent_process() is not None
    if is_worker or multiprocessing.current_process().daemon or _from_standard_input():
        return SingleThreadPool()
    return WorkerPool(workers, fetch_weights=fetch_weights)


def _from_standard_input() -> bool:
    file = getattr(sys.modules["__main__"], "__file__", None)
    return file is not None and os.path.basename(file) == "<stdin>"


def _refuse_unguarded() -> None:
    try:
        spawn.get_preparation_data("worker")
    except RuntimeError:
        # A worker imports the script that started it, and has come to this call again.
        raise InputError(_UNGUARDED) from None


class _Tracked(Executor):
    """Somebody else's executor, and what was submitted to it here."""

    def __init__(self, given: Executor) -> None:
        self._given = given
        self._submitted: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = self._given.submit(fn, *args, **kwargs)
        self._submitted.append(future)
        return future

    def cancel(self) -> None:
        """Cancel what has not begun, so that whoever leaves the executor need not wait for it."""
        for future in self._submitted:
            future.cancel()


@contextmanager
def worker_pool(given: Executor | None, tasks: int) -> Iterator[Executor]:
    """The executor that was given, or a pool that ends with the block: at once after an error.

    tasks: how many there are to do; no more processes are started than that.
    """
    if given is not None:
        tracked = _Tracked(given)
        try:
            yield tracked
        except BaseException:
            tracked.cancel()
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
    """Like `executor.submit`; an executor that takes no more calls says so through the future."""
    try:
        return executor.submit(fn, *args, **kwargs)
    except RuntimeError as error:  # broken, or shut down
        return failed_future(error)


def failed_future(error: Exception) -> Future[Any]:
    """A future that has failed already."""
    failed: Future[Any] = Future()
    failed.set_exception(error)
    return failed


def failure_text(error: BaseException) -> str:
    """Why an item failed, in one line."""
    if isinstance(error, LabError):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = "memory ran out; run again with fewer workers (I2VLAB_WORKERS=1) or a smaller input"
    elif isinstance(error, BrokenExecutor):
        text = f"the executor that was given broke ({error}); run again with a new one"
    else:
        text = f"unexpected {type(error).__name__}: {error}"
    return " ".join(text.split())


def _call(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Worker: the call, with an error that survives the way back.

    One that does not would break the whole pool, and look like a process that died.
    """
    try:
        return fn(*args, **kwargs)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        except Exception:  # noqa: BLE001 - whatever its own code raises
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise


def _start_worker(fetch_weights: bool, started: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not fetch_weights:
        os.environ["I2VLAB_FETCH_WEIGHTS"] = "false"
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()
    started.value = 1
