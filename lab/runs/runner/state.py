"""The state of a run while it is running: every take, what is under way, and what stopped it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from lab.backends import Capabilities
from lab.errors import AccountError, LabError, RunFolderError
from lab.runs.ledger import TakeRow, TakeState
from lab.runs.runner.spend_guard import SpendGuard, cap_text

MAX_FETCHES = 3
"""Attempts to fetch one clip in one run. Fetching is free, but a broken clip stays broken."""

NO_REASON = "no reason given"
"""Replaces the message of a backend that gave none."""


class Activity(StrEnum):
    """What can be under way for one take."""

    CHECK_STILLS = "check stills"
    SUBMIT = "submit"
    LOOK_UP = "look up"
    FETCH = "fetch"
    MEASURE = "measure"


@dataclass(frozen=True)
class TakeStatus:
    """One take during a run.

    row: the take as the ledger has it. activity: what is under way for it. accounts: the account of
    every submission, oldest first. deferred: why this run does no more for it; "" if it may.
    problem: why a finished take has no result, or no scores; "" if it has both. remark: a line on a
    damaged clip. waiting_since_s: time of the first poll of its job. unlisted_since_s: time of the
    first poll whose answer lacked its job. lost_answer: why the answer to its last submission was
    lost; "" if it was not. lost_submissions: how many submissions never reached the service.
    """

    row: TakeRow
    activity: Activity | None = None
    accounts: tuple[str, ...] = ()
    deferred: str = ""
    problem: str = ""
    remark: str = ""
    waiting_since_s: float | None = None
    unlisted_since_s: float | None = None
    lost_answer: str = ""
    lost_submissions: int = 0

    @property
    def idle(self) -> bool:
        """True when nothing is under way and this run may do more."""
        return self.activity is None and not self.deferred

    @property
    def fetchable(self) -> bool:
        """True when the take's file can be fetched."""
        return (
            self.idle
            and self.row.state is TakeState.READY
            and self.row.failed_fetches < MAX_FETCHES
        )


@dataclass(frozen=True)
class Backoff:
    """The growing pause between submissions while the service accepts none.

    next_s: length of the next pause. since_s: time of the first rejection since the last accepted
    submission; None if that was the latest. until_s: time before which nothing is submitted.
    """

    next_s: float
    since_s: float | None = None
    until_s: float = 0.0

    def longer(self, now_s: float, jitter: float, longest_s: float) -> "Backoff":
        """The backoff after another rejection.

        jitter: 0 makes the pause half of `next_s`, 1 all of it. longest_s: limits `next_s`.
        """
        since_s = now_s if self.since_s is None else self.since_s
        if now_s < self.until_s:
            # Of several takes that were rejected together, only the first one counts.
            return replace(self, since_s=since_s)
        return Backoff(
            next_s=min(2 * self.next_s, longest_s),
            since_s=since_s,
            until_s=now_s + self.next_s * (0.5 + 0.5 * jitter),
        )

    def waited_s(self, now_s: float) -> float:
        """For how long every submission has been rejected."""
        return 0.0 if self.since_s is None else now_s - self.since_s


@dataclass(frozen=True)
class RunConstants:
    """What does not change during a run.

    account: the backend's account, as submissions record it. origin: the backend's origin. run_id:
    the run's name at the service. workers: how many takes are rendered or measured at once; as many
    again may be queued. resume_hint: how to continue, in words. seed: for the random jitter of
    waits.
    """

    capabilities: Capabilities
    account: str
    origin: str
    run_id: str
    workers: int
    resume_hint: str
    seed: int


@dataclass(frozen=True)
class RunState:
    """Everything that a decision depends on.

    Every take is in exactly one of three mappings, by take id. planned: not submitted, in the order
    of submission. open: submitted or fetched, with work left. finished: nothing is left to do.

    polling, timer: a poll or a timer is running. silent_since_s: time of the first poll without
    an answer. capped: the cap does not allow the next take. submit_error, poll_error: why nothing
    more is submitted or polled. folder_error: why nothing at all is started. draws: how many random
    numbers were used.
    """

    constants: RunConstants
    guard: SpendGuard
    backoff: Backoff
    planned: Mapping[str, TakeStatus] = field(default_factory=dict)
    open: Mapping[str, TakeStatus] = field(default_factory=dict)
    finished: Mapping[str, TakeStatus] = field(default_factory=dict)
    paused: bool = False
    interrupted: bool = False
    polling: bool = False
    timer: bool = False
    silent_since_s: float | None = None
    capped: bool = False
    submit_error: LabError | None = None
    poll_error: LabError | None = None
    folder_error: RunFolderError | None = None
    draws: int = 0

    def status(self, take_id: str) -> TakeStatus:
        """One take. Raises KeyError for a take of another run."""
        for takes in (self.open, self.planned, self.finished):
            if take_id in takes:
                return takes[take_id]
        raise KeyError(take_id)

    def with_status(self, status: TakeStatus, *, finished: bool = False) -> "RunState":
        """The state after one take has changed. The take moves to the mapping where it belongs."""
        take_id = status.row.take_id
        planned, opened, done = self.planned, self.open, self.finished
        if finished:
            done = {**done, take_id: status}
        elif status.row.state is not TakeState.PLANNED:
            opened = {**opened, take_id: status}
        elif take_id in planned:
            planned = {**planned, take_id: status}
        else:
            # A take that becomes planned again goes first, to complete its block (see `block_of`).
            planned = {take_id: status, **planned}
        if planned is self.planned:
            planned = _without(planned, take_id)
        if opened is self.open:
            opened = _without(opened, take_id)
        return replace(self, planned=planned, open=opened, finished=done)

    def jitter(self) -> float:
        """The random number from 0 to 1 that belongs to this state."""
        return random.Random(f"{self.constants.seed}-{self.draws}").random()  # noqa: S311 - no secret

    @property
    def closing(self) -> bool:
        """True when nothing new may start at all."""
        return self.interrupted or self.folder_error is not None

    @property
    def waits_for_resume(self) -> bool:
        """True when only a pause keeps this run from continuing."""
        if not self.paused or self.closing:
            return False
        if self.planned and self.submit_error is None and self.poll_error is None:
            return True
        renders = self.constants.capabilities.renders_locally
        return renders and any(status.fetchable for status in self.open.values())

    @property
    def scored(self) -> int:
        """How many takes have their result, with scores if the result is a clip."""
        return sum(not status.problem for status in self.finished.values())

    @property
    def account_error(self) -> AccountError | None:
        """The backend's reason when it rejected the account before it accepted any take."""
        error = self.submit_error
        return (
            error if isinstance(error, AccountError) and not (self.open or self.finished) else None
        )

    @property
    def unsent_reason(self) -> str:
        """Why takes were not sent; "" if all were."""
        if not self.planned:
            return ""
        count = f"{len(self.planned)} takes were not sent"
        error = self.submit_error or self.poll_error
        if error is not None:
            return f"{error}; {count}; {self.constants.resume_hint}"
        if self.capped:
            return cap_text(self.guard.cap_usd or 0, len(self.planned))
        return (
            f"takes that are still at the service hold every slot; {count}; "
            f"{self.constants.resume_hint}"
        )

    def problems(self) -> list[str]:
        """One line for each take that was sent and has no scored clip, in the design's order."""
        lines = []
        for status in self._sent():
            row, problem = status.row, status.problem
            if row.take_id in self.open:
                problem = status.deferred or row.message or "not finished"
            if problem:
                lines.append(f"take {row.take_id} ({row.state}): {problem}")
        return lines

    def remarks(self) -> list[str]:
        """One line for each take that was scored although its clip is damaged."""
        return [status.remark for status in self._sent() if status.remark]

    def _sent(self) -> list[TakeStatus]:
        takes = (*self.open.values(), *self.finished.values())
        return sorted(takes, key=lambda status: status.row.position)


def _without(takes: Mapping[str, TakeStatus], take_id: str) -> Mapping[str, TakeStatus]:
    if take_id not in takes:
        return takes
    return {name: status for name, status in takes.items() if name != take_id}
