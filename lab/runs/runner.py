"""The effects of a run, each written to the ledger before it counts.

Only this thread decides and writes. What takes time (requests, renders, measurements) runs in
threads or processes that take plain data and give plain data back.
"""

import random
import shutil
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

from lab.backends import Backend, Job, JobStatus, Quote, open_backend
from lab.backends.contract import JobState, Lookup
from lab.clips import Clip
from lab.errors import (
    AccountError,
    InputError,
    Interrupted,
    LabError,
    NoSlot,
    Refusal,
    RunFolderError,
    ServiceError,
    StillError,
    WeightsError,
    WorkerDied,
)
from lab.files import atomic_write
from lab.measures import Measure, MeasureState
from lab.runs.control import Control
from lab.runs.decide import Action, Step, next_steps
from lab.runs.executors import failure_text, submit_to
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.runs.measuring import damage_text, start_measuring
from lab.runs.progress import Progress
from lab.runs.purchases import Purchase, PurchaseIndex, utc_timestamp
from lab.runs.purse import Purse, cap_text
from lab.runs.take_row import UNKNOWN_ACCOUNT, TakeRow, TakeState
from lab.runs.worker_pool import SingleThreadPool, WorkerPool, create_worker_pool
from lab.settings import settings
from lab.stills import Still
from lab.units import bytes_text, escape_line, seconds_text
from lab.vision import WEIGHTS, weight_path
from lab.vision.weights import cached_path

_THREADS = 8
_HOLD_S = (1.0, 60.0)
_GATHER_S = 1.0
_UNHEARD_S = 300.0
_MOST_ABSENCES = 3


def job_key(run_id: str, take_id: str) -> str:
    """Our own name for a take at a service: the same for every attempt to send it, so that a
    service which holds names unique cannot make it twice."""
    return f"i2v-{run_id}-{take_id}"


def fetch_clip(backend_name: str, job: dict[str, Any], path: str) -> dict[str, Any]:
    """Worker: render one clip; plain data in, plain data out."""
    backend = open_backend(backend_name)
    try:
        return _fetched(backend, Job.from_json(job), Path(path))
    finally:
        backend.close()


def _fetched(backend: Backend, job: Job, path: Path) -> dict[str, Any]:
    fetched = backend.fetch(job, path).to_json()
    made = Still.open(path) if path.suffix == ".png" else Clip.open(path)
    return {"sha256": made.sha256, "bytes": path.stat().st_size, **fetched}


class Runner:
    """Makes takes until nothing more can be done for them. Use it in a `with` block, once."""

    def __init__(
        self,
        backend: Backend,
        folder: RunFolder,
        ledger: Ledger,
        *,
        cap_usd: float | None,
        index: PurchaseIndex | None,
        reuse: bool,
        executor: Executor | None,
        quiet: bool,
        control: Control,
    ) -> None:
        """index: where bought takes are noted, and looked for if `reuse`; None for free ones."""
        self._backend = backend
        self._can = backend.capabilities
        self._folder = folder
        self._ledger = ledger
        self._cap_usd = cap_usd
        self._index = index
        self._wants_reuse = reuse
        self._given = executor
        self._quiet = quiet
        self._control = control
        self._run_id = str(ledger.fact("run_id"))
        self._again = f"run the same again to go on (`lab resume {folder.path}`)"
        self._open: dict[str, TakeRow] = {}
        self._planned: dict[str, TakeRow] = {}
        self._to_measure: deque[str] = deque()
        self._ended: dict[str, tuple[TakeState, str]] = {}
        self._left: dict[str, str] = {}
        self._since: dict[str, float] = {}
        self._unheard: dict[str, float] = {}
        self._broken_off: dict[str, str] = {}
        self._damage: dict[str, str] = {}
        self._absences: dict[str, int] = {}
        self._silent_since: float | None = None
        self._capped = False
        self._busy: dict[Future[Any], tuple[str, str]] = {}
        self._full: RunFolderError | None = None
        self._no_submits: LabError | None = None
        self._no_polls: LabError | None = None
        self._hold = _Hold()
        self.reused = 0
        self._pool: WorkerPool | SingleThreadPool | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="requests")
        self._downloads = ThreadPoolExecutor(_THREADS, thread_name_prefix="downloads")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._backend.close()
        for threads in (self._threads, self._downloads):
            threads.shutdown(wait=kind is None, cancel_futures=True)
        if self._pool is not None:
            self._pool.shutdown() if kind is None else self._pool.stop()

    def run(
        self, take_ids: list[str], quotes: Mapping[str, Quote], *, doing: str = "takes scored"
    ) -> None:
        """Until nothing more can be done for any of these takes.

        quotes: today's prices by take id, for those not bought yet. doing: what progress says.
        """
        self._sort_out(take_ids, quotes)
        if len(self._ended) == len(take_ids):
            return
        try:
            with Progress(len(take_ids), doing, quiet=self._quiet) as self._progress:
                for _ in range(len(self._ended)):
                    self._progress.advance()
                self._reuse()
                self._loop()
        except KeyboardInterrupt:
            self._gather()
            raise Interrupted(
                f"interrupted with {len(self._ended)} of {len(take_ids)} takes done; {self._again}"
            ) from None
        if self._full is not None:
            raise self._full

    @property
    def scored(self) -> int:
        """How many takes have their result, and its scores if it is a clip."""
        return sum(not why for _, why in self._ended.values())

    @property
    def turned_away(self) -> AccountError | None:
        """Set when the account was refused before anything at all was sent."""
        none_sent = not self._ended and not self._open
        found = self._no_submits
        return found if none_sent and isinstance(found, AccountError) else None

    def _gather(self) -> None:
        """Write down the answers to orders that come in the next moment; the rest is looked up."""
        orders = [future for future, (kind, _) in self._busy.items() if kind == "submit"]
        done, _ = wait(orders, timeout=_GATHER_S)
        for future in done:
            self._collect(future, *self._busy.pop(future))

    def problems(self, take_ids: list[str]) -> list[str]:
        """One line for each take that was sent and has no scored clip."""
        lines = []
        for take_id in take_ids:
            state, why = self._ended.get(take_id, (None, ""))
            if take_id in self._open:
                row = self._open[take_id]
                state, why = row.state, self._left.get(take_id) or row.message or "not finished"
            if state is not None and why:
                lines.append(f"take {take_id} ({state}): {why}")
        return lines

    def remarks(self, take_ids: list[str]) -> list[str]:
        """One line for each take that was scored although its clip is damaged."""
        return [self._damage[take_id] for take_id in take_ids if take_id in self._damage]

    @property
    def stopped(self) -> str:
        """Why takes were not sent at all; "" when every one was."""
        if not self._planned:
            return ""
        count = f"{len(self._planned)} takes were not sent"
        if self._no_submits is not None:
            return f"{self._no_submits}; {count}; {self._again}"
        if self._no_polls is not None:
            return f"{self._no_polls}; {count}; {self._again}"
        if self._capped:
            return cap_text(self._cap_usd or 0, len(self._planned))
        return f"takes that are still at the service hold every slot; {count}; {self._again}"

    def _sort_out(self, take_ids: list[str], quotes: Mapping[str, Quote]) -> None:
        """Where each take stands, from the ledger and the files that are here."""
        self._quotes = quotes
        wanted = set(take_ids)
        elsewhere = 0.0
        mine: list[TakeRow] = []
        for row in self._ledger.takes():
            if row.take_id not in wanted:
                elsewhere += row.committed_usd
                continue
            gone = (
                row.state is TakeState.FETCHED and not self._folder.result_path(row.take).is_file()
            )
            if gone and row.job is None:
                # After a recovery this may be all that was left of a take bought by this run.
                bought = UNKNOWN_ACCOUNT in self._ledger.submission_accounts(row.take_id)
                row = self._ledger.record(
                    row.take_id,
                    "uncertain" if bought else "not_submitted",
                    message="the clip that was reused is gone",
                )
            mine.append(self._priced(row))
        self._purse = Purse(self._cap_usd, mine, elsewhere_usd=elsewhere)
        for row in mine:
            if row.state is TakeState.PLANNED:
                self._planned[row.take_id] = row
            elif row.state is TakeState.FETCHED:
                self._open[row.take_id] = row
                if not self._folder.result_path(row.take).is_file():
                    # Fetching again costs nothing.
                    self._record(row, "ready", message="its clip was gone and is fetched again")
                elif self._needs_measuring(row):
                    self._to_measure.append(row.take_id)
            elif row.state in (TakeState.FAILED, TakeState.REFUSED):
                self._ended[row.take_id] = (row.state, row.message or "no reason given")
            else:
                self._open[row.take_id] = row
                if row.state is TakeState.READY:
                    self._open[row.take_id] = replace(row, fetches=0)
                elif row.state is TakeState.UNCERTAIN:
                    # Asking once more is free, and the service may know by now.
                    self._open[row.take_id] = replace(row, state=TakeState.SUBMITTING)

    def _needs_measuring(self, row: TakeRow) -> bool:
        """Whether a fetched take's clip is to be measured; otherwise its end is noted."""
        why = ""
        if row.take.shot.makes == "clip":
            stored = self._folder.stored_measure(row)
            if stored.state is not MeasureState.FRESH and not stored.clip_replaced:
                return True
            why = stored.reason
            self._note_damage(row.take_id, stored.measure)
        else:
            why = self._folder.outside_error(self._folder.result_path(row.take))
        del self._open[row.take_id]
        self._ended[row.take_id] = (row.state, why)
        return False

    def _note_damage(self, take_id: str, measure: Measure | None) -> None:
        if text := damage_text(take_id, measure):
            self._damage[take_id] = text

    def _priced(self, row: TakeRow) -> TakeRow:
        """A take that may be bought carries today's price."""
        if row.state is not TakeState.PLANNED:
            return row
        quote = self._quotes[row.take_id]
        return replace(row, low_usd=quote.low_usd, high_usd=quote.high_usd)

    def _reuse(self) -> None:
        """Take over what an older run bought of the very same takes."""
        if self._index is None or not self._wants_reuse:
            return
        for row in list(self._planned.values()):
            found = self._index.find(row.take_id, self._backend.origin)
            if found is None:
                continue
            result = self._folder.result_path(row.take)
            with atomic_write(result) as part:
                shutil.copyfile(found.file, part)
            facts = {"sha256": found.sha256, "bytes": result.stat().st_size}
            clip = {**facts, "honoured": [], "not_honoured": [], "notes": [f"reused: {found}"]}
            self._record(row, "reused", clip=clip, cost_usd=0.0, message=f"reused: {found}")
            self.reused += 1
            self._landed(self._open[row.take_id])

    def _loop(self) -> None:
        while True:
            changed = self._control.changed  # taken before it is asked, so that nothing is missed
            if self._control.stopped:
                raise KeyboardInterrupt
            if self._full is None:
                self._start_what_may_start()
                self._start_measuring()
            if not self._busy and not self._held:
                return
            finished, _ = wait([*self._busy, changed], return_when=FIRST_COMPLETED)
            for future in finished - {changed}:
                self._collect(future, *self._busy.pop(future))

    @property
    def _held(self) -> bool:
        """True when only a pause keeps this run from going on."""
        if not self._control.paused or self._full or self._no_submits or self._no_polls:
            return False
        to_render = self._can.renders_locally and any(
            row.state is TakeState.READY and row.take_id not in self._left
            for row in self._open.values()
        )
        return bool(self._planned) or to_render

    def _start_what_may_start(self) -> None:
        under_way = {take_id for _, take_id in self._busy.values()}
        concurrency, self._capped = self._can.concurrency, False
        held_s = self._hold.remaining_s
        paused = self._control.paused
        closed = paused or self._no_submits or self._no_polls or held_s > 0
        offered = () if closed else islice(self._planned.values(), concurrency)
        waiting: list[TakeRow] = []
        rows = chain(self._open.values(), offered)
        making = sum(kind == "fetch" for kind, _ in self._busy.values())
        for step in next_steps(rows, concurrency=concurrency):
            if step.take_id in under_way or step.take_id in self._left:
                continue
            if step.action is Action.FETCH and self._can.renders_locally:
                # Here, to fetch is to make; a pause must find most of it not begun.
                if paused or making >= 2 * settings().workers:
                    continue
                making += 1
            if step.action is Action.POLL:
                waiting.append(self._open[step.take_id])
            elif step.action is not Action.SUBMIT:
                self._start(step)
            elif self._purse.admits(self._planned[step.take_id]):
                self._submit(self._planned[step.take_id])
            else:
                self._capped = True
                break
        self._watch(waiting, held_s)

    def _watch(self, waiting: list[TakeRow], held_s: float) -> None:
        """One poll for all waiting jobs, a pause, the next poll."""
        kinds = {kind for kind, _ in self._busy.values()}
        if kinds & {"poll", "pause"}:
            return
        jobs = []
        now = time.monotonic()
        for row in waiting:
            if now - self._since.setdefault(row.take_id, now) > self._can.job_wait_s:
                self._leave(row, f"still waiting after {seconds_text(self._can.job_wait_s)}")
            elif row.job is not None:
                jobs.append(row.job)
        if jobs and self._no_polls is None:
            self._busy[self._threads.submit(self._backend.poll, jobs)] = ("poll", "")
        elif held_s > 0 and self._planned and not self._no_submits:
            self._pause(held_s)

    def _pause(self, seconds: float) -> None:
        self._busy[self._threads.submit(self._backend.pause, seconds)] = ("pause", "")

    def _start(self, step: Step) -> None:
        row = self._open[step.take_id]
        located = row.take.relocated(self._folder.locate)
        key = job_key(self._run_id, row.take_id)
        if step.action is Action.LOOK_UP:
            future: Future[Any] = self._threads.submit(self._backend.lookup, located, key)
            self._busy[future] = ("look up", row.take_id)
            return
        job, path = row.job, self._folder.result_path(row.take)
        if self._can.renders_locally:
            # A local job names files of this machine; the folder may have been moved since.
            found = self._backend.lookup(located, key)
            job = found if isinstance(found, Job) else job
            assert job is not None
            future = submit_to(self._workers(), fetch_clip, job.backend, job.to_json(), str(path))
        else:
            assert job is not None
            future = self._downloads.submit(_fetched, self._backend, job, path)
        self._busy[future] = ("fetch", row.take_id)

    def _submit(self, row: TakeRow) -> None:
        shot = row.take.shot
        for still in (shot.still, shot.end_still):
            if still and (trouble := self._folder.still_error(still.path, still.sha256)):
                self._no_submits = StillError(trouble)  # never a clip of another picture
                return
        self._record(
            row,
            "submitting",
            low_usd=row.low_usd,
            high_usd=row.high_usd,
            account=self._backend.account,
            # Said again with each sending, so that a lost fact does not make it untraceable.
            origin=self._backend.origin,
            key=job_key(self._run_id, row.take_id),
        )
        located = row.take.relocated(self._folder.locate)
        key = job_key(self._run_id, row.take_id)
        self._busy[self._threads.submit(self._backend.submit, located, key)] = (
            "submit",
            row.take_id,
        )

    def _collect(self, future: Future[Any], kind: str, take_id: str) -> None:
        if kind == "pause":
            return
        if kind == "poll":
            self._polled(future)
        elif kind == "submit":
            self._submitted(self._open[take_id], future)
        elif kind == "look up":
            self._looked_up(self._open[take_id], future)
        else:
            self._brought(kind, self._open[take_id], future)

    def _submitted(self, row: TakeRow, future: Future[Job]) -> None:
        try:
            job = future.result()
        except NoSlot as error:
            self._record(row, "not_submitted", message=str(error))
            waited = self._hold.close()
            if waited > self._can.slot_wait_s:
                self._no_submits = ServiceError(
                    f"no free slot within {seconds_text(self._can.slot_wait_s)} ({error})"
                )
        except AccountError as error:
            self._record(row, "not_submitted", message=str(error))
            self._no_submits = error
        except ServiceError as error:
            self._record(row, "not_submitted", message=str(error))
            if self._hold.close() > self._can.outage_s:
                self._no_submits = error
        except Refusal as error:
            self._settle(row, "refused", error)
        except InputError as error:
            if len(self._ledger.submission_accounts(row.take_id)) > 1:
                # An earlier sending may have arrived; the service may be turning down its double.
                self._doubt(row, f"it was sent before, and now: {error}")
            else:
                self._settle(row, "failed", error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may have been sent
            # Still `submitting`: the next step looks it up.
            self._broken_off[row.take_id] = failure_text(error)
        else:
            self._hold.open()
            self._record(row, "submitted", job=job.to_json())

    def _looked_up(self, row: TakeRow, future: Future[Lookup]) -> None:
        try:
            found = future.result()
        except (AccountError, ServiceError) as error:
            self._no_submits = self._no_submits or error
            self._leave(row, f"it is unknown whether this take was bought, because {error}")
            return
        if isinstance(found, Job):
            self._record(row, "submitted", job=found.to_json())
        elif found == "absent" and set(self._ledger.submission_accounts(row.take_id)) == {
            self._backend.account
        }:
            self._record(row, "not_submitted", message="the backend never got it")
            self._count_absence(row.take_id)
        elif found == "absent":
            self._doubt(row, "it may have been sent with another key, which alone could find it")
        else:
            self._doubt(row, "the service cannot say")

    def _doubt(self, row: TakeRow, why: str) -> None:
        """Leave it to a person whether this take was bought."""
        said = f"it is unknown whether this take was bought: {why}; `lab reconcile` settles it"
        self._end(self._record(row, "uncertain", message=said).take_id, said)

    def _count_absence(self, take_id: str) -> None:
        """Slow down, and stop, when orders break off again and again without arriving."""
        why = self._broken_off.pop(take_id, "")
        if not why:
            return  # a sending of an earlier run
        self._hold.close()
        self._absences[take_id] = self._absences.get(take_id, 0) + 1
        if self._absences[take_id] >= _MOST_ABSENCES:
            self._no_submits = ServiceError(f"orders break off and never arrive ({why})")

    def _polled(self, future: Future[Mapping[str, JobStatus]]) -> None:
        by_job = {row.job.id: row for row in self._open.values() if row.job is not None}
        try:
            statuses = future.result()
        except (AccountError, ServiceError) as error:
            self._unanswered(error, by_job.values())
            return
        self._silent_since = None
        self._note_unheard(by_job, statuses)
        for job_id, status in statuses.items():
            row = by_job[job_id]
            if row.state is not TakeState.WAITING or status.state is JobState.WAITING:
                continue
            self._hold.open()
            self._since.pop(row.take_id, None)
            kind = "ready" if status.state is JobState.DONE else status.state.value
            row = self._record(row, kind, message=status.message, cost_usd=status.cost_usd)
            if row.state.settled:
                self._end(row.take_id, row.message or "no reason given")
        waiting = sum(row.state is TakeState.WAITING for row in self._open.values())
        if waiting and self._can.poll_every_s:
            self._progress.set_status(f"{waiting} at the backend")
        if waiting:
            self._pause(self._can.poll_every_s * random.uniform(0.9, 1.1))  # noqa: S311 - jitter

    def _unanswered(self, error: LabError, rows: Iterable[TakeRow]) -> None:
        """Nobody answered a poll: ask again for a while, then leave the jobs to the next run."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        silent_s = now - self._silent_since
        if isinstance(error, ServiceError) and silent_s <= self._can.outage_s:
            self._progress.set_status(f"no answer for {seconds_text(silent_s)}")
            self._pause(min(max(silent_s, self._can.poll_every_s), _HOLD_S[1]))
            return
        self._no_polls = error
        for row in rows:
            if row.state is TakeState.WAITING:
                self._leave(row, str(error))

    def _note_unheard(
        self, by_job: Mapping[str, TakeRow], statuses: Mapping[str, JobStatus]
    ) -> None:
        """Leave jobs that the service does not speak of while it speaks of others, or of none."""
        now = time.monotonic()
        for job_id, row in by_job.items():
            if job_id in statuses:
                self._unheard.pop(row.take_id, None)
            elif row.state is TakeState.WAITING and row.take_id not in self._left:
                since = self._unheard.setdefault(row.take_id, now)
                if now - since > _UNHEARD_S:
                    self._leave(row, f"the service says nothing of job {job_id}")

    def _brought(self, kind: str, row: TakeRow, future: Future[dict[str, Any]]) -> None:
        """Collect a fetched clip or a measurement."""
        try:
            result = future.result()
            if kind == "fetch":
                row = self._record(row, "fetched", clip=result)
                self._note_purchase(row)
                self._landed(row)
            else:
                whole = self._folder.save_measure(row, Measure.from_json(result))
                self._note_damage(row.take_id, whole)
                self._end(row.take_id, "")
        except RunFolderError as error:
            # The disk is full or gone: finish what is under way, start nothing more.
            self._full = error
        except Exception as error:  # noqa: BLE001 - one broken take must not end the others
            said = failure_text(error)
            if kind == "fetch":
                row = self._record(row, "fetch_failed", message=said)
                hopeless = isinstance(error, WorkerDied | BrokenExecutor)
                if hopeless or not next_steps([row], concurrency=1):
                    self._leave(row, said)
            else:
                self._end(row.take_id, said)

    def _landed(self, row: TakeRow) -> None:
        if row.take.shot.makes == "still":
            self._end(row.take_id, "")
        else:
            self._to_measure.append(row.take_id)

    def _start_measuring(self) -> None:
        measuring = sum(kind == "measure" for kind, _ in self._busy.values())
        while self._to_measure and measuring < 2 * settings().workers:
            row = self._open[self._to_measure.popleft()]
            future = start_measuring(
                self._workers(), self._folder, row, self._folder.stored_measure(row)
            )
            self._busy[future] = ("measure", row.take_id)
            measuring += 1

    def _note_purchase(self, row: TakeRow) -> None:
        if self._index is None or row.clip is None:
            return
        file = self._folder.result_path(row.take)
        purchase = Purchase(row.take_id, file, row.clip["sha256"], utc_timestamp(), row.cost_usd)
        try:
            self._index.add(purchase, self._backend.origin)
        except (sqlite3.Error, RunFolderError) as error:
            # The index only saves money later; what was bought is in the ledger.
            self._index = None
            if not self._quiet:
                said = f"the index of bought takes cannot be written ({error})"
                sys.stderr.write(f"{escape_line(said)}\n")

    def _record(self, row: TakeRow, kind: str, **data: Any) -> TakeRow:
        after = self._ledger.record(row.take_id, kind, **data)
        after = self._priced(replace(after, low_usd=row.low_usd, high_usd=row.high_usd))
        self._purse.moved(row, after)
        planned = after.state is TakeState.PLANNED
        self._open.pop(row.take_id, None)
        self._planned.pop(row.take_id, None)
        if planned:
            # Back to the front, where its block is.
            self._planned = {row.take_id: after, **self._planned}
        else:
            self._open[row.take_id] = after
        return after

    def _settle(self, row: TakeRow, kind: str, error: LabError) -> None:
        row = self._record(row, kind, message=str(error))
        self._end(row.take_id, row.message)

    def _end(self, take_id: str, why: str) -> None:
        """Nothing more to do for this take; why: what is wrong with it, "" when it is scored."""
        row = self._open.pop(take_id)
        self._ended[take_id] = (row.state, why)
        self._progress.advance()

    def _leave(self, row: TakeRow, why: str) -> None:
        """To the next run; this one does no more for it."""
        self._left[row.take_id] = f"{why}; {self._again}"

    def _workers(self) -> Executor:
        if self._given is not None:
            return self._given
        if self._pool is None:
            self._pool = create_worker_pool(
                min(settings().workers, len(self._open) + len(self._planned)),
                fetch_weights=self._weights_ready(),
            )
        return self._pool

    def _weights_ready(self) -> bool:
        """Fetch the weights once, before many workers would each try."""
        say = print if not self._quiet else (lambda *_, **__: None)
        missing = [weight for weight in WEIGHTS.values() if not cached_path(weight.name).is_file()]
        if settings().fetch_weights and missing:
            size = bytes_text(sum(weight.bytes for weight in missing))
            names = " and ".join(weight.name for weight in missing)
            say(f"fetching the weights {names} once ({size})", file=sys.stderr)
        ready = True
        for weight in WEIGHTS.values():
            try:
                weight_path(weight.name)
            except WeightsError as error:
                say(escape_line(f"{error}; {weight.without}"), file=sys.stderr)
                ready = False
        return ready


class _Hold:
    """Keeps submissions back while the account has no free slot: longer each time, with jitter."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._until = 0.0
        self._next_s = _HOLD_S[0]

    @property
    def remaining_s(self) -> float:
        """Seconds until it opens by itself; nothing should be sent before."""
        return max(0.0, self._until - time.monotonic())

    def close(self) -> float:
        """Hold back for a while; return for how many seconds there has been no slot by now."""
        now = time.monotonic()
        self._first = now if self._first is None else self._first
        if now < self._until:
            return now - self._first  # of several turned away at once, the first counts
        self._until = now + self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._next_s = min(2 * self._next_s, _HOLD_S[1])
        return now - self._first

    def open(self) -> None:
        """A slot was got, or one of our jobs ended and left one."""
        self._first, self._until, self._next_s = None, 0.0, _HOLD_S[0]
