"""The worker pool survives the death of its workers."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from pathlib import Path

import pytest

from lab.errors import LabError, WorkerDied
from lab.runs.executors import failure_text, open_executor, submit_to
from lab.runs.worker_pool import WorkerPool
from tests.waiting import HANGS_S


def _work(number: int, deadly: tuple[int, ...]) -> int:
    """Squares a number; some numbers kill the process as the kernel does without memory."""
    if number in deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def _once(number: int, marker: str) -> int:
    """Kills its process on the first try only."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _fail() -> None:
    raise ValueError("as written")


# The quick tier has a clip that kills its worker: tests/runs/test_scoring.py.
@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_task_that_kills_its_worker_is_named(workers: int) -> None:
    """Two tasks kill their workers; every other task gets its result."""
    deadly = (2, 5)
    with WorkerPool(workers) as pool:
        futures = [pool.submit(_work, number, deadly) for number in range(8)]
    for number, future in enumerate(futures):
        if number in deadly:
            assert isinstance(future.exception(), WorkerDied)
        else:
            assert future.result() == number * number


def test_a_task_that_died_once_is_tried_again(tmp_path: Path) -> None:
    """A worker that was killed from outside loses no result."""
    with WorkerPool(1) as pool:
        assert pool.submit(_once, 7, str(tmp_path / "marker")).result() == 7


def test_errors_of_tasks_are_their_own() -> None:
    """An exception reaches the caller, and the pool continues."""
    with WorkerPool(1) as pool:
        failed, fine = pool.submit(_fail), pool.submit(_work, 3, ())
        assert isinstance(failed.exception(), ValueError)
        assert fine.result() == 9
        unpicklable = pool.submit(lambda: 1)
        assert unpicklable.exception() is not None
        assert pool.submit(_work, 2, ()).result() == 4


def test_stop_ends_at_once() -> None:
    """Running tasks are abandoned, waiting tasks are cancelled, and nothing hangs."""
    pool = WorkerPool(1)
    first, second = pool.submit(signal.pause), pool.submit(signal.pause)
    pool.stop()
    assert second.cancelled()
    assert first.cancelled() or first.exception() is not None
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(_work, 1, ())


def test_a_closed_pool_finishes_what_it_has() -> None:
    """Leaving the block waits for every result; with cancel_futures only for what is running."""
    pool = WorkerPool(1)
    futures = [pool.submit(_work, number, ()) for number in range(4)]
    pool.shutdown()
    assert [future.result() for future in futures] == [0, 1, 4, 9]


def test_a_script_without_a_guard_is_refused(tmp_path: Path) -> None:
    """A script without a `__main__` guard gets a message that says what to write."""
    script = tmp_path / "script.py"
    script.write_text("import lab\nprint(list(lab.score(['a.mp4'] * 9, quiet=True)))\n")
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        env={**os.environ, "I2VLAB_WORKERS": "1"},
    )
    assert done.stdout.count("__main__") == 9
    assert done.stdout.count("[{") == 1
    assert done.stderr.count("Traceback") == 1  # not one a clip


@pytest.mark.parametrize("pool", ["spawned", "forked", "daemonic"])
def test_inside_a_worker_the_work_is_done_there(pool: str) -> None:
    """A worker of another pool starts no processes and does the work itself."""
    if pool == "spawned":
        with WorkerPool(1) as processes:
            worker, done_by = processes.submit(_done_inside).result()
    elif pool == "forked":
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as processes:
            worker, done_by = processes.submit(_done_inside).result()
    else:
        with multiprocessing.get_context("spawn").Pool(1) as processes:
            worker, done_by = processes.apply(_done_inside)
    assert worker == done_by != os.getpid()


def test_a_program_from_standard_input_works() -> None:
    """`python - <<EOF` has no file that a worker could import, so it does the work itself."""
    program = (
        "from lab.runs.executors import open_executor\n"
        "with open_executor(None, 2) as pool: print(pool.submit(abs, -7).result())\n"
    )
    done = subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, timeout=HANGS_S
    )
    assert (done.stdout, done.stderr) == ("7\n", "")


def _done_inside() -> tuple[int, int]:
    with open_executor(None, 2) as pool:
        return os.getpid(), pool.submit(os.getpid).result()


def test_a_broken_executor_answers_through_the_future() -> None:
    """A broken executor gives failed futures and does not end the caller."""
    with ProcessPoolExecutor(1) as given:
        with pytest.raises(BrokenExecutor):
            given.submit(_work, 1, (1,)).result()
        late = submit_to(given, _work, 2, ())
        assert "given executor broke" in failure_text(late.exception() or Exception())
    assert submit_to(given, _work, 3, ()).exception() is not None  # shut down by now


def test_an_interrupt_leaves_a_given_executor_free() -> None:
    """Calls that have not started are cancelled on Ctrl-C, so closing the executor is fast."""
    release = threading.Event()
    futures: list[Future[bool]] = []

    def interrupted(given: Executor) -> None:
        with open_executor(given, 9) as pool:
            futures.extend(pool.submit(release.wait) for _ in range(9))
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as given:
        with pytest.raises(KeyboardInterrupt):
            interrupted(given)
        release.set()
    assert sum(future.cancelled() for future in futures) >= 8


class _TwoPartError(Exception):
    """An error that cannot be unpickled, as some libraries raise."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what)


def _fail_oddly() -> None:
    raise _TwoPartError("a codec", "no reason")


def test_an_error_that_cannot_be_pickled_is_reported() -> None:
    """An error that cannot be pickled is reported by name, and the worker continues."""
    with WorkerPool(1) as pool:
        failed = pool.submit(_fail_oddly)
        assert "_TwoPartError: a codec" in str(failed.exception())
        assert not isinstance(failed.exception(), WorkerDied)


def test_a_failure_is_one_line() -> None:
    """Every failure is one line; for lack of memory it says what helps."""
    assert failure_text(LabError("two\nlines")) == "two lines"
    assert "I2VLAB_WORKERS=1" in failure_text(MemoryError())
    assert failure_text(ValueError("x")) == "unexpected ValueError: x"
