"""Run a sweep: small effects around a pure decision, each written to the ledger before it counts.

Kill it anywhere and call it again: takes already bought are looked up, not bought; clips already
here are not fetched; clips already measured are not measured.
"""

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from lab.backends import Backend, Job, open_backend
from lab.backends.contract import JobState
from lab.clips import Clip
from lab.errors import (
    BackendError,
    Interrupted,
    LabError,
    Refusal,
    RunFolderError,
    StillError,
    SubmitUncertain,
    WeightsError,
)
from lab.files import as_path, write_json
from lab.prompts import Prompt
from lab.runs.decide import Action, Step, next_steps
from lab.runs.executors import WorkerPool
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, TakeRow, TakeState
from lab.runs.progress import Progress
from lab.runs.provenance import provenance
from lab.runs.scoring import kept_measure, measure_clip, worker_died
from lab.settings import settings
from lab.stills import Still
from lab.sweeps import Sweep, plan
from lab.takes import Take
from lab.units import bytes_text
from lab.vision import WEIGHTS, weight_path
from lab.vision.weights import cached_path

_DOWNLOADS = 8


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended. problems: one line for each take that has no scored clip, and why."""

    folder: Path
    takes: int
    scored: int
    spent_usd: float
    problems: tuple[str, ...]

    def __str__(self) -> str:
        said = f"{self.scored} of {self.takes} takes have a scored clip in {self.folder}"
        return "\n".join([said, *self.problems])


def fetch_clip(backend_name: str, job: dict[str, Any], path: str) -> dict[str, Any]:
    """Worker: bring or render one clip; plain data in, plain data out."""
    backend = open_backend(backend_name)
    try:
        fetched = backend.fetch(Job.from_json(job), Path(path))
    finally:
        backend.close()
    clip = Clip.open(path)
    return {"sha256": clip.sha256, "bytes": clip.facts.bytes, **fetched.to_json()}


def run(
    sweep: Sweep | str | Path,
    out: str | Path,
    *,
    backend: str | None = None,
    budget_usd: float | None = None,
    executor: Executor | None = None,
    quiet: bool = False,
    grow: bool = False,
) -> RunOutcome:
    """Make and score every take of a sweep in a run folder; call it again to go on.

    sweep: a `Sweep` or the path of a sweep file, whose backend and budget the two arguments
    replace. executor: where clips are rendered and measured; a process pool when None. grow: add
    the takes to whatever the folder holds, without asking that it be the same sweep.

    Raises SweepError, BackendError, MoneyError or RunFolderError before anything is bought,
    BusyError when another runner holds the folder, and Interrupted on Ctrl-C.
    """
    if not isinstance(sweep, Sweep):
        sweep = Sweep.load(sweep, backend=backend, budget_usd=budget_usd)
    else:
        sweep = replace(
            sweep,
            backend=backend or sweep.backend,
            budget_usd=sweep.budget_usd if budget_usd is None else budget_usd,
        )
    folder = RunFolder(out)
    priced = plan(sweep, done=_settled(folder))
    priced.check()
    folder.make()
    folder.check_space(priced.bytes)
    with folder.held(), Ledger.write(folder.ledger) as ledger:
        rows = _adopted(sweep, folder, ledger, grow=grow)
        with _Runner(sweep, folder, ledger, executor=executor, quiet=quiet) as runner:
            runner.run([row.take_id for row in rows])
        return runner.outcome([row.take_id for row in rows])


def shoot(
    still: str | Path | Still,
    prompt: str | Prompt,
    *,
    out: str | Path = "runs/shots",
    backend: str = "offline",
    budget_usd: float | None = None,
    quiet: bool = False,
    **settings_: Any,
) -> Clip:
    """One take of one shot, through the same ledger as a sweep; the same call costs nothing again.

    settings_: duration_s, aspect_ratio, resolution, fps, seed, and the backend's own. Raises as
    `run`, and RunFolderError naming the reason when the take has no clip.
    """
    text = prompt.text if isinstance(prompt, Prompt) else Prompt.written(prompt).text
    path = still.path if isinstance(still, Still) else as_path(still, StillError)
    sweep = Sweep.of(
        stills=[path.resolve()],
        prompts=[text],
        settings=settings_,
        backend=backend,
        budget_usd=budget_usd,
        name="shots",
    )
    outcome = run(sweep, out, quiet=quiet, grow=True)
    if outcome.problems:
        raise RunFolderError(outcome.problems[0])
    ((_, take),) = sweep.takes()
    return Clip.open(RunFolder(out).clip(take.id))


def _settled(folder: RunFolder) -> set[str]:
    """Ids of takes that an earlier run brought to an end."""
    if not folder.exists:
        return set()
    with Ledger.read(folder.ledger) as ledger:
        return {take_id for take_id, state in ledger.states().items() if state.settled}


def _adopted(sweep: Sweep, folder: RunFolder, ledger: Ledger, *, grow: bool) -> list[TakeRow]:
    """Put the sweep's takes into the ledger; refuse where the folder holds another experiment."""
    pairs = sweep.takes()
    known = ledger.states()
    wanted = {take.id for _, take in pairs}
    missing = [take_id for take_id in known if take_id not in wanted]
    if missing and not grow:
        raise RunFolderError(
            f"{folder.path}: holds another sweep ({_difference(ledger.fact('sweep'), sweep)}); "
            "name another folder, or only add to the sweep"
        )
    kept = {
        still.sha256: folder.keep(still)
        for still in sweep.levels["still"]
        if isinstance(still, Still)
    }
    rows = [
        TakeRow(
            take_id=take.id,
            position=len(known) + place,
            trial=trial.index,
            repeat=take.repeat,
            factors=trial.factors,
            take=replace(take, shot=replace(take.shot, still=kept[take.shot.still.sha256])),
        )
        for place, (trial, take) in enumerate(pairs)
    ]
    ledger.add(rows)
    ledger.set_fact("sweep", sweep.to_json())
    ledger.set_fact("provenance", provenance())
    return rows


def _difference(old: Mapping[str, Any], new: Sweep) -> str:
    """In words, what an existing run has that a changed sweep no longer asks for."""
    now = new.to_json()
    parts = [
        f"{field} was {old[field]!r} and is {now[field]!r}"
        for field in ("backend", "repeats", "zip")
        if old[field] != now[field]
    ]
    for name in sorted({*old["levels"], *now["levels"]}):
        gone = [
            level["name"] or level.get("text", "") if isinstance(level, dict) else level
            for level in old["levels"].get(name, [])
            if level not in now["levels"].get(name, [])
        ]
        if gone:
            parts.append(f"{name} {', '.join(repr(level) for level in gone)} is gone")
    return "; ".join(parts) or "its levels were combined differently"


class _Runner:
    """The effects. Holds what only lives while a run does: connections, workers, progress."""

    def __init__(
        self,
        sweep: Sweep,
        folder: RunFolder,
        ledger: Ledger,
        *,
        executor: Executor | None,
        quiet: bool,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sweep = sweep
        self._folder = folder
        self._ledger = ledger
        self._given = executor
        self._quiet = quiet
        self._sleep = sleep
        self._backend: Backend = open_backend(sweep.backend)
        self._rows: dict[str, TakeRow] = {}
        self._busy: dict[Future[dict[str, Any]], tuple[str, str]] = {}
        self._measured: set[str] = set()
        self._problems: dict[str, str] = {}
        self._full: RunFolderError | None = None
        self._pool: WorkerPool | None = None
        self._downloads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._backend.close()
        if self._downloads is not None:
            self._downloads.shutdown(wait=kind is None, cancel_futures=True)
        if self._pool is not None:
            self._pool.shutdown() if kind is None else self._pool.stop()

    def run(self, take_ids: list[str]) -> None:
        """Until nothing more can be done for any of these takes."""
        self._rows = {
            row.take_id: row for row in self._ledger.takes() if row.take_id in set(take_ids)
        }
        self._forget_lost_clips()
        todo = [take_id for take_id in take_ids if not self._finished(take_id)]
        if not todo:
            return
        try:
            with Progress(len(take_ids), "takes scored", quiet=self._quiet) as self._progress:
                for _ in range(len(take_ids) - len(todo)):
                    self._progress.advance()
                self._loop()
        except KeyboardInterrupt:
            done = sum(self._finished(take_id) for take_id in take_ids)
            raise Interrupted(
                f"interrupted with {done} of {len(take_ids)} takes done; "
                "run the same again to go on"
            ) from None
        except BrokenProcessPool:
            raise worker_died() from None
        if self._full is not None:
            raise self._full

    def outcome(self, take_ids: list[str]) -> RunOutcome:
        """What came of it."""
        problems = []
        for take_id in take_ids:
            row = self._rows[take_id]
            if take_id not in self._measured:
                why = self._problems.get(take_id) or row.message or "no reason given"
                problems.append(f"take {take_id} ({row.state}): {why}")
        return RunOutcome(
            folder=self._folder.path,
            takes=len(take_ids),
            scored=len(take_ids) - len(problems),
            spent_usd=self._ledger.spent_usd(),
            problems=tuple(problems),
        )

    def _loop(self) -> None:
        while True:
            for row in self._rows.values():
                if row.state is TakeState.FETCHED:
                    self._start_measure(row)
            stopping = self._full is not None
            steps = () if stopping else self._steps()
            polled = False
            for step in steps:
                if step.action is Action.POLL:
                    polled = True
                else:
                    self._take_step(step)
            if polled:
                self._poll()
            waiting = any(row.state is TakeState.WAITING for row in self._rows.values())
            if self._busy:
                pause = self._backend.capabilities.poll_every_s if waiting else None
                finished, _ = wait(self._busy, timeout=pause, return_when=FIRST_COMPLETED)
                for future in finished:
                    self._collect(future)
            elif waiting and not stopping:
                self._sleep(self._backend.capabilities.poll_every_s)
            elif stopping or not self._steps():
                return

    def _steps(self) -> tuple[Step, ...]:
        under_way = {take_id for _, take_id in self._busy.values()}
        steps = next_steps(self._rows.values(), concurrency=self._backend.capabilities.concurrency)
        return tuple(step for step in steps if step.take_id not in under_way)

    def _take_step(self, step: Step) -> None:
        row = self._rows[step.take_id]
        if step.action is Action.LOOK_UP:
            self._look_up(row)
        elif step.action is Action.SUBMIT:
            self._submit(row)
        elif step.action is Action.FETCH:
            job = row.job
            local = self._backend.capabilities.renders_locally
            if local:
                # A local job names files of this machine; the folder may have been moved since.
                found = self._backend.lookup(self._located(row))
                job = found if isinstance(found, Job) else job
            assert job is not None
            arguments = (job.backend, job.to_json(), str(self._folder.clip(row.take_id)))
            executor = self._workers() if local else self._download_threads()
            self._busy[executor.submit(fetch_clip, *arguments)] = ("fetch", row.take_id)

    def _submit(self, row: TakeRow) -> None:
        self._record(row, "submitting")
        try:
            job = self._backend.submit(self._located(row))
        except Refusal as error:
            self._settled(row, "refused", error)
        except BackendError as error:
            self._settled(row, "failed", error)
        except SubmitUncertain:
            self._look_up(self._rows[row.take_id])
        else:
            self._record(row, "submitted", job=job.to_json())

    def _located(self, row: TakeRow) -> Take:
        """The take with its still where it lies now."""
        still = self._folder.locate(row.take.shot.still)
        return replace(row.take, shot=replace(row.take.shot, still=still))

    def _look_up(self, row: TakeRow) -> None:
        found = self._backend.lookup(self._located(row))
        if isinstance(found, Job):
            self._record(row, "submitted", job=found.to_json())
        elif found == "absent":
            self._record(row, "not_submitted", message="the backend never got it")
        else:
            self._record(row, "uncertain", message="it is unknown whether this take was bought")
            self._progress.advance()

    def _poll(self) -> None:
        jobs = {
            row.job.id: row
            for row in self._rows.values()
            if row.state is TakeState.WAITING and row.job is not None
        }
        statuses = self._backend.poll([row.job for row in jobs.values() if row.job is not None])
        for job_id, status in statuses.items():
            row = jobs[job_id]
            if status.state is JobState.DONE:
                self._record(row, "ready", message=status.message, cost_usd=status.cost_usd)
            elif status.state is not JobState.WAITING:
                self._record(row, status.state, message=status.message, cost_usd=status.cost_usd)
                self._progress.advance()

    def _start_measure(self, row: TakeRow) -> None:
        take_id = row.take_id
        under_way = {busy for _, busy in self._busy.values()}
        if take_id in self._measured | under_way or take_id in self._problems or self._full:
            return
        if kept_measure(self._folder.measure(take_id)) is not None:
            self._measured.add(take_id)
            return
        still = self._folder.locate(row.take.shot.still)
        future = self._workers().submit(
            measure_clip, str(self._folder.clip(take_id)), still.to_json()
        )
        self._busy[future] = ("measure", take_id)

    def _collect(self, future: Future[dict[str, Any]]) -> None:
        what, take_id = self._busy.pop(future)
        row = self._rows[take_id]
        try:
            result = future.result()
            if what == "fetch":
                self._record(row, "fetched", clip=result)
            else:
                write_json(self._folder.measure(take_id), result)
                self._measured.add(take_id)
                self._progress.advance()
        except BrokenProcessPool:
            raise
        except RunFolderError as error:
            # The disk is full or gone: finish what is under way, start nothing more.
            self._full = error
        except Exception as error:  # noqa: BLE001 - one broken take must not end the others
            said = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
            said = " ".join(said.split())
            if what == "fetch":
                row = self._record(row, "fetch_failed", message=said)
                if not self._steps_left(row):
                    self._progress.advance()
            else:
                self._problems[take_id] = said
                self._progress.advance()

    @staticmethod
    def _steps_left(row: TakeRow) -> bool:
        return bool(next_steps([row], concurrency=1))

    def _record(self, row: TakeRow, kind: str, **data: Any) -> TakeRow:
        after = self._ledger.record(row.take_id, kind, **data)
        self._rows[row.take_id] = after
        return after

    def _settled(self, row: TakeRow, kind: str, error: LabError) -> None:
        self._record(row, kind, message=str(error))
        self._progress.advance()

    def _finished(self, take_id: str) -> bool:
        row = self._rows[take_id]
        if row.state is not TakeState.FETCHED:
            return row.state.settled
        if take_id not in self._measured and kept_measure(self._folder.measure(take_id)):
            self._measured.add(take_id)
        return take_id in self._measured

    def _forget_lost_clips(self) -> None:
        """A clip that was deleted is fetched again; that costs nothing."""
        for row in list(self._rows.values()):
            gone = row.state is TakeState.FETCHED and not self._folder.clip(row.take_id).is_file()
            if gone:
                self._record(row, "ready", message="its clip was gone and is fetched again")
                with suppress(FileNotFoundError):
                    self._folder.measure(row.take_id).unlink()
            elif row.state is TakeState.READY and row.fetches:
                self._rows[row.take_id] = replace(row, fetches=0)

    def _workers(self) -> Executor:
        if self._given is not None:
            return self._given
        if self._pool is None:
            self._pool = WorkerPool(
                min(settings().workers, len(self._rows)), fetch_weights=self._weights_ready()
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
                say(f"{error}; {weight.without}", file=sys.stderr)
                ready = False
        return ready

    def _download_threads(self) -> Executor:
        if self._downloads is None:
            self._downloads = ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="download")
        return self._downloads
