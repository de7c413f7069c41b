"""Perform the commands of a run: write the ledger, send requests, render, fetch and measure.

Requests run in threads; renders and measurements run in worker processes. The end of each is an
event.
"""

import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, assert_never

from lab.backends import Backend, Job, open_backend
from lab.clips import Clip
from lab.errors import AccountError, RunFolderError, ServiceError, StillError, WeightsError
from lab.measures import Measure
from lab.runs.executors import submit_to
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, TakeRow, job_key
from lab.runs.measuring import damage_text, start_measuring
from lab.runs.progress import Progress
from lab.runs.purchases import Purchase, PurchaseIndex
from lab.runs.runner.events import (
    AddPurchase,
    CheckStills,
    Command,
    Fetch,
    Fetched,
    FetchFailed,
    LookedUp,
    LookUp,
    LookupFailed,
    MeasureClip,
    Measured,
    MeasureFailed,
    Poll,
    Polled,
    PollFailed,
    Record,
    RunEvent,
    ShowStatus,
    StartTimer,
    StillChanged,
    StillsChecked,
    Submit,
    SubmitFailed,
    Submitted,
    TimerEnded,
)
from lab.runs.runner.state import RunState
from lab.runs.timestamps import utc_timestamp
from lab.runs.worker_pool import SingleThreadPool, WorkerPool, create_worker_pool
from lab.settings import settings
from lab.stills import Still
from lab.takes import Take
from lab.units import bytes_text, escape_line
from lab.vision import WEIGHTS, weight_path
from lab.vision.weights import cached_path

_THREADS = 8
"""The limit of simultaneous requests, and of simultaneous downloads.

No account has more slots for new jobs.
"""
_DRAIN_S = 1.0
"""How long an interrupted run waits for answers to submissions. The next run looks up the rest."""


def fetch_clip(backend_name: str, job: dict[str, Any], path: str) -> dict[str, Any]:
    """Worker: fetch one clip, which renders it. Takes and returns plain data."""
    backend = open_backend(backend_name)
    try:
        return _fetch(backend, Job.from_json(job), Path(path))
    finally:
        backend.close()


def _fetch(backend: Backend, job: Job, path: Path) -> dict[str, Any]:
    """Fetch a result; return its hash and size, and which terms the backend honoured."""
    result = backend.fetch(job, path).to_json()
    file = Still.open(path) if path.suffix == ".png" else Clip.open(path)
    return {"sha256": file.sha256, "bytes": path.stat().st_size, **result}


class Effects:
    """Performs commands one after another. Use it in a `with` block; it closes the backend."""

    def __init__(
        self,
        backend: Backend,
        folder: RunFolder,
        ledger: Ledger,
        *,
        index: PurchaseIndex | None,
        executor: Executor | None,
        quiet: bool,
    ) -> None:
        """index: where purchases are added; None for free takes.

        executor: for renders and measurements; None for a process pool that `close` ends.
        """
        self._backend = backend
        self._folder = folder
        self._ledger = ledger
        self._index = index
        self._executor = executor
        self._quiet = quiet
        self._pool: WorkerPool | SingleThreadPool | None = None
        self._requests = ThreadPoolExecutor(_THREADS, thread_name_prefix="requests")
        self._downloads = ThreadPoolExecutor(_THREADS, thread_name_prefix="downloads")
        self._submits: set[Future[Any]] = set()
        self.pending: dict[Future[Any], Callable[[Future[Any]], RunEvent]] = {}
        """What is under way. Each future has the function that turns its result into an event."""

    def close(self, *, wait_for_requests: bool) -> None:
        """End the threads, the processes and the backend."""
        self._backend.close()
        for threads in (self._requests, self._downloads):
            threads.shutdown(wait=wait_for_requests, cancel_futures=True)
        if self._pool is not None:
            self._pool.shutdown() if wait_for_requests else self._pool.stop()

    def perform(self, command: Command, state: RunState, progress: Progress) -> RunEvent | None:
        """Perform or start a command; return its event if it has ended already.

        Raises RunFolderError when the folder or the ledger cannot be written.
        """
        match command:
            case Record():
                self._ledger.record(command.take_id, command.kind, **command.data)
            case CheckStills():
                return self._check_stills(state.status(command.take_id).row)
            case Submit():
                self._submit(state.status(command.take_id).row, state)
            case LookUp():
                self._look_up(state.status(command.take_id).row, state)
            case Poll():
                self._start(self._requests.submit(self._backend.poll, command.jobs), _polled)
            case Fetch():
                self._fetch(state.status(command.take_id).row, state)
            case MeasureClip():
                self._measure(state.status(command.take_id).row, state)
            case StartTimer():
                future = self._requests.submit(self._backend.pause, command.seconds)
                self._start(future, _timer_ended)
            case AddPurchase():
                self._add_purchase(state.status(command.take_id).row)
            case ShowStatus():
                progress.set_status(command.text)
            case _:
                assert_never(command)
        return None

    def result(self, future: Future[Any]) -> RunEvent:
        """The event of a pending future that is done."""
        self._submits.discard(future)
        return self.pending.pop(future)(future)

    def drain(self) -> list[RunEvent]:
        """The events of the submissions that are answered within _DRAIN_S."""
        done, _ = wait(self._submits, timeout=_DRAIN_S)
        return [self.result(future) for future in done]

    def _start(self, future: Future[Any], as_event: Callable[[Future[Any]], RunEvent]) -> None:
        self.pending[future] = as_event

    def _take_and_key(self, row: TakeRow, state: RunState) -> tuple[Take, str]:
        """The take with the current paths of its stills, and our id of its job."""
        take = row.take.relocated(self._folder.locate)
        return take, job_key(state.constants.run_id, row.take_id)

    def _check_stills(self, row: TakeRow) -> RunEvent:
        shot = row.take.shot
        for still in (shot.still, shot.end_still):
            if still and (error := self._folder.still_error(still.path, still.sha256)):
                return StillChanged(row.take_id, StillError(error))
        return StillsChecked(row.take_id)

    def _submit(self, row: TakeRow, state: RunState) -> None:
        take, key = self._take_and_key(row, state)
        future = self._requests.submit(self._backend.submit, take, key)
        self._submits.add(future)

        def as_event(future: Future[Job]) -> RunEvent:
            try:
                return Submitted(row.take_id, future.result())
            except Exception as error:  # noqa: BLE001 - the runner decides what each error means
                return SubmitFailed(row.take_id, error)

        self._start(future, as_event)

    def _look_up(self, row: TakeRow, state: RunState) -> None:
        take, key = self._take_and_key(row, state)

        def as_event(future: Future[Any]) -> RunEvent:
            try:
                return LookedUp(row.take_id, future.result())
            except (AccountError, ServiceError) as error:
                return LookupFailed(row.take_id, error)

        self._start(self._requests.submit(self._backend.lookup, take, key), as_event)

    def _fetch(self, row: TakeRow, state: RunState) -> None:
        job, path = row.job, self._folder.result_path(row.take)
        if state.constants.capabilities.renders_locally:
            # A local job contains absolute paths, and the run folder may have been moved.
            answer = self._backend.lookup(*self._take_and_key(row, state))
            job = answer if isinstance(answer, Job) else job
        assert job is not None
        if state.constants.capabilities.renders_locally:
            workers = self._workers(state)
            future = submit_to(workers, fetch_clip, job.backend, job.to_json(), str(path))
        else:
            future = self._downloads.submit(_fetch, self._backend, job, path)

        def as_event(future: Future[dict[str, Any]]) -> RunEvent:
            try:
                return Fetched(row.take_id, future.result())
            except Exception as error:  # noqa: BLE001 - one broken take must not end the others
                return FetchFailed(row.take_id, error)

        self._start(future, as_event)

    def _measure(self, row: TakeRow, state: RunState) -> None:
        stored = self._folder.stored_measure(row)
        future = start_measuring(self._workers(state), self._folder, row, stored)

        def as_event(future: Future[dict[str, Any]]) -> RunEvent:
            try:
                measure = self._folder.save_measure(row, Measure.from_json(future.result()))
                return Measured(row.take_id, damage_text(row.take_id, measure))
            except Exception as error:  # noqa: BLE001 - one broken take must not end the others
                return MeasureFailed(row.take_id, error)

        self._start(future, as_event)

    def _add_purchase(self, row: TakeRow) -> None:
        if self._index is None or row.clip is None:
            return
        file = self._folder.result_path(row.take)
        purchase = Purchase(row.take_id, file, row.clip["sha256"], utc_timestamp(), row.cost_usd)
        try:
            self._index.add(purchase, self._backend.origin)
        except (sqlite3.Error, RunFolderError) as error:
            # The index only saves money later. The ledger records what was bought.
            self._index = None
            self._print(f"the purchase index cannot be written ({error})")

    def _workers(self, state: RunState) -> Executor:
        if self._executor is not None:
            return self._executor
        if self._pool is None:
            self._pool = create_worker_pool(
                min(state.constants.workers, len(state.open) + len(state.planned)),
                fetch_weights=self._download_weights(),
            )
        return self._pool

    def _download_weights(self) -> bool:
        """Download missing weights before the workers need them. True if all weights are there."""
        missing = [weight for weight in WEIGHTS.values() if not cached_path(weight.name).is_file()]
        if settings().fetch_weights and missing:
            size = bytes_text(sum(weight.bytes for weight in missing))
            names = " and ".join(weight.name for weight in missing)
            self._print(f"fetching the weights {names} once ({size})")
        complete = True
        for weight in WEIGHTS.values():
            try:
                weight_path(weight.name)
            except WeightsError as error:
                self._print(f"{error}; {weight.without}")
                complete = False
        return complete

    def _print(self, text: str) -> None:
        if not self._quiet:
            sys.stderr.write(f"{escape_line(text)}\n")


def _polled(future: Future[Any]) -> RunEvent:
    try:
        return Polled(future.result())
    except (AccountError, ServiceError) as error:
        return PollFailed(error)


def _timer_ended(future: Future[Any]) -> RunEvent:
    future.result()
    return TimerEnded()
