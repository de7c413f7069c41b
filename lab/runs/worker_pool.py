"""A process pool that survives the death of a worker and ends with its parent process."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import spawn
from queue import SimpleQueue
from typing import Any

from lab.errors import InputError, WorkerDied
from lab.settings import settings

_NO_WORKER_STARTS = (
    'no worker process can start: in a script, calls belong under `if __name__ == "__main__":`, '
    "and there must be memory for the process"
)


@dataclass(eq=False)
class _Task:
    """A submitted call. start: submits it to the process pool. future: what the caller holds.

    alone: no other task runs beside it.
    """

    start: Callable[[], Future[Any]]
    future: Future[Any]
    alone: bool = False


class WorkerPool(Executor):
    """Worker processes that ignore Ctrl-C, restart after a crash and never outlive their parent.

    When a worker process dies (killed, out of memory, a crash in a library), all processes are
    replaced. Each task that was running is tried once more, with no other task beside it. A task
    whose process dies again gets WorkerDied. All other tasks get their results.
    """

    def __init__(self, workers: int | None = None, *, fetch_weights: bool = True) -> None:
        """workers: the number of processes; by default the number in the settings.

        fetch_weights: False when the parent already failed to download model weights. Raises
        InputError in a script without a `__main__` guard.
        """
        _require_main_guard()
        self._workers = workers or settings().workers
        self._fetch_weights = fetch_weights
        self._context = multiprocessing.get_context("spawn")
        self._any_worker_started = self._context.RawValue("b", 0)
        self._fatal_error: WorkerDied | None = None  # set when no worker process can start
        self._pool: ProcessPoolExecutor | None = None
        # One thread owns the state below. Other threads send it events through this queue, because
        # callbacks of a broken pool run while that pool holds its locks and must never block.
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting: deque[_Task] = deque()
        self._suspects: deque[_Task] = deque()
        self._running: set[_Task] = set()
        self._closed = self._stopped = False
        self._lock = threading.Lock()  # makes closing and sending an event one step
        self._thread = threading.Thread(
            target=self._process_events, name="worker-pool", daemon=True
        )
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule a call. Raises RuntimeError after `shutdown`."""
        task = _Task(partial(self._submit_to_pool, fn, args, kwargs), Future())
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._events.put(lambda: self._waiting.append(task))
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls, and end the processes when the remaining calls are finished."""
        with self._lock:
            self._closed = True
            self._events.put(self._cancel_waiting if cancel_futures else lambda: None)
        if wait:
            self._thread.join()

    def stop(self) -> None:
        """Terminate the workers now. Calls that have not finished are cancelled."""
        self._stopped = True
        self.shutdown(wait=True, cancel_futures=True)

    def _process_events(self) -> None:
        """The thread that owns the state: starts tasks, handles results, ends the processes."""
        while True:
            self._events.get()()
            if self._stopped:
                break
            self._start_tasks()
            unfinished = self._waiting or self._suspects or self._running
            if self._closed and self._events.empty() and not unfinished:
                break
        if self._stopped:
            self._terminate()
        elif self._pool is not None:
            self._pool.shutdown()

    def _start_tasks(self) -> None:
        if self._fatal_error is not None:
            self._fail_waiting(self._fatal_error)
        while self._suspects or self._waiting:
            # A suspect runs alone, so that only this task can have caused the death of its process.
            alone = bool(self._suspects)
            limit = 1 if alone or any(task.alone for task in self._running) else self._workers
            if len(self._running) >= limit:
                return
            task = (self._suspects if alone else self._waiting).popleft()
            if not alone and not task.future.set_running_or_notify_cancel():
                continue
            task.alone = alone
            self._running.add(task)
            try:
                pool_future = task.start()
            except BrokenProcessPool:
                self._on_worker_death(task)
            except Exception as error:  # noqa: BLE001 - passed on to the task's future
                self._running.discard(task)
                task.future.set_exception(error)
            else:
                pool_future.add_done_callback(partial(self._on_done, task))

    def _submit_to_pool(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Future[Any]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=self._context,
                initializer=_start_worker,
                initargs=(self._fetch_weights, self._any_worker_started),
            )
        return self._pool.submit(_call, fn, args, kwargs)

    def _on_done(self, task: _Task, pool_future: Future[Any]) -> None:
        self._events.put(lambda: self._finish(task, pool_future))

    def _finish(self, task: _Task, pool_future: Future[Any]) -> None:
        error = pool_future.exception()
        if isinstance(error, BrokenProcessPool):
            self._on_worker_death(task)
            return
        self._running.discard(task)
        if error is not None:
            task.future.set_exception(error)
        else:
            task.future.set_result(pool_future.result())

    def _on_worker_death(self, task: _Task) -> None:
        """Handle a task of a broken pool: retry it alone, or fail it."""
        self._pool = None  # the old pool's other tasks all end before a new pool starts
        self._running.discard(task)
        if not self._any_worker_started.value:
            # Each further process would also fail and print a traceback.
            self._fatal_error = WorkerDied(_NO_WORKER_STARTS)
            task.future.set_exception(self._fatal_error)
            self._fail_waiting(self._fatal_error)
        elif task.alone:
            task.future.set_exception(
                WorkerDied(
                    "its worker process died twice, the second time with no other task running; "
                    "if memory ran out, free some or use a smaller input"
                )
            )
        else:
            self._suspects.append(task)

    def _fail_waiting(self, error: WorkerDied) -> None:
        for task in self._waiting:
            if task.future.set_running_or_notify_cancel():
                task.future.set_exception(error)
        self._waiting.clear()

    def _cancel_waiting(self) -> None:
        for task in self._waiting:
            task.future.cancel()
            task.future.set_running_or_notify_cancel()
        self._waiting.clear()

    def _terminate(self) -> None:
        """End the processes without waiting for their results."""
        while not self._events.empty():
            self._events.get()()
        self._cancel_waiting()
        for task in (*self._running, *self._suspects):
            task.future.set_exception(CancelledError())
        if self._pool is None:
            return
        # shutdown() forgets the processes. Python 3.14 has Executor.terminate_workers() for this.
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


class SingleThreadPool(ThreadPoolExecutor):
    """One thread of this process, with the interface of `WorkerPool`."""

    def __init__(self) -> None:
        super().__init__(1, thread_name_prefix="worker")

    def stop(self) -> None:
        """Cancel waiting calls and wait for the running one, since a thread cannot be ended."""
        self.shutdown(wait=True, cancel_futures=True)


def create_worker_pool(
    workers: int, *, fetch_weights: bool = True
) -> WorkerPool | SingleThreadPool:
    """A process pool, or one thread where this process must not start others.

    A child process is usually a worker of another pool (concurrent.futures, joblib, Dask), which
    already distributes the work. A daemonic process may not start any. A program read from standard
    input has no file that a worker could import. Raises InputError in a script without a
    `__main__` guard.
    """
    _require_main_guard()
    is_worker = multiprocessing.parent_process() is not None
    if is_worker or multiprocessing.current_process().daemon or _from_standard_input():
        return SingleThreadPool()
    return WorkerPool(workers, fetch_weights=fetch_weights)


def _from_standard_input() -> bool:
    file = getattr(sys.modules["__main__"], "__file__", None)
    return file is not None and os.path.basename(file) == "<stdin>"


def _require_main_guard() -> None:
    """Raise InputError when a worker has imported the script and repeats its calls."""
    try:
        spawn.get_preparation_data("worker")
    except RuntimeError:
        raise InputError(_NO_WORKER_STARTS) from None


def _call(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call a function in a worker. An error that cannot be pickled becomes a RuntimeError.

    Such an error would otherwise break the whole pool, as if the process had died.
    """
    try:
        return fn(*args, **kwargs)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        except Exception:  # noqa: BLE001 - the error's own code may raise anything
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise


def _start_worker(fetch_weights: bool, any_worker_started: Any) -> None:
    """Set up a worker process: ignore Ctrl-C, and exit when the parent exits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not fetch_weights:
        os.environ["I2VLAB_FETCH_WEIGHTS"] = "false"
    parent = multiprocessing.parent_process()
    assert parent is not None

    def exit_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()
    any_worker_started.value = 1
