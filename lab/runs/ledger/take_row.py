"""The state of a take in a run, and how each event changes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from lab.backends import Job
from lab.takes import Take

UNKNOWN_ACCOUNT = "unknown"
"""The account of submissions that a damaged ledger lost. No real account has this name."""


class Event(NamedTuple):
    """Something that happened to a take. timestamp: in ISO 8601. data depends on the kind."""

    timestamp: str
    take_id: str
    kind: str
    data: dict[str, Any]


class TakeState(StrEnum):
    """The state of a take.

    planned: not submitted. submitting: the intent is recorded; the request may or may not have
    been sent. waiting: the backend accepted the take. ready: its clip can be fetched. fetched: the
    clip is in the run folder. failed, refused: the backend's final answer. uncertain: the take may
    have been bought, and a person decides.
    """

    PLANNED = "planned"
    SUBMITTING = "submitting"
    WAITING = "waiting"
    READY = "ready"
    FETCHED = "fetched"
    FAILED = "failed"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"

    @property
    def settled(self) -> bool:
        """True when a run sends no more requests for this take."""
        return self in (self.FETCHED, self.FAILED, self.REFUSED, self.UNCERTAIN)

    @property
    def billable(self) -> bool:
        """True when a take in this state costs money, or may."""
        return self not in (self.PLANNED, self.FAILED, self.REFUSED)


class EventKind(StrEnum):
    """What can happen to a take. The values are stored in ledgers and never change."""

    SUBMITTING = "submitting"
    NOT_SUBMITTED = "not_submitted"
    SUBMITTED = "submitted"
    UNCERTAIN = "uncertain"
    REFUSED = "refused"
    FAILED = "failed"
    READY = "ready"
    FETCH_FAILED = "fetch_failed"
    FETCHED = "fetched"
    REUSED = "reused"
    RECOVERED = "recovered"


_STATE_AFTER: dict[str, TakeState] = {
    EventKind.SUBMITTING: TakeState.SUBMITTING,
    EventKind.NOT_SUBMITTED: TakeState.PLANNED,
    EventKind.SUBMITTED: TakeState.WAITING,
    EventKind.UNCERTAIN: TakeState.UNCERTAIN,
    EventKind.REFUSED: TakeState.REFUSED,
    EventKind.FAILED: TakeState.FAILED,
    EventKind.READY: TakeState.READY,
    EventKind.FETCH_FAILED: TakeState.READY,
    EventKind.FETCHED: TakeState.FETCHED,
    EventKind.REUSED: TakeState.FETCHED,
}


@dataclass(frozen=True)
class TakeRow:
    """A take with its current state in a run.

    take: the paths of its stills are relative to the run folder. position: its index in the order
    of the design. message: the last reason given. cost_usd: what the backend reported. clip: a
    fetched clip's hash and size, and which terms and settings it follows. low_usd, high_usd: the
    last estimate.
    """

    take_id: str
    position: int
    trial: int
    repeat: int
    factors: Mapping[str, Any]
    take: Take
    state: TakeState = TakeState.PLANNED
    job: Job | None = None
    message: str = ""
    cost_usd: float | None = None
    failed_fetches: int = 0
    clip: Mapping[str, Any] | None = None
    low_usd: float | None = None
    high_usd: float | None = None

    @property
    def committed_usd(self) -> float:
        """What this take cost, or the most that it may cost."""
        if self.cost_usd is not None:
            return self.cost_usd
        return (self.high_usd or 0.0) if self.state.billable else 0.0


def as_planned(row: TakeRow) -> TakeRow:
    """The row before any event, but with the last estimate."""
    return replace(
        row,
        state=TakeState.PLANNED,
        job=None,
        message="",
        cost_usd=None,
        failed_fetches=0,
        clip=None,
    )


def apply_event(row: TakeRow, kind: str, data: Mapping[str, Any]) -> TakeRow:
    """The row after an event. Raises KeyError for an unknown kind.

    A "recovered" event replaces events that were lost. Its data is a snapshot of the whole state.
    """
    if kind == EventKind.RECOVERED:
        return _restore_snapshot(row, data)
    row = replace(row, state=_STATE_AFTER[kind], message=str(data.get("message", "")))
    if kind == EventKind.NOT_SUBMITTED:
        row = replace(row, cost_usd=None)
    if kind == EventKind.SUBMITTED:
        row = replace(row, job=Job.from_json(data["job"]))
    if kind == EventKind.FETCH_FAILED:
        row = replace(row, failed_fetches=row.failed_fetches + 1)
    if kind in (EventKind.FETCHED, EventKind.REUSED):
        row = replace(row, clip=data["clip"])
    if data.get("cost_usd") is not None:
        row = replace(row, cost_usd=float(data["cost_usd"]))
    if "high_usd" in data:
        row = replace(row, low_usd=data["low_usd"], high_usd=data["high_usd"])
    return row


def replay(row: TakeRow, events: Iterable[Event]) -> TakeRow:
    """The row after all events of its take, starting from planned."""
    row = as_planned(row)
    for event in events:
        row = apply_event(row, event.kind, event.data)
    return row


def snapshot(row: TakeRow) -> dict[str, Any]:
    """Everything that events change in a row, as the data of a "recovered" event."""
    state = {
        "state": row.state.value,
        "job": None if row.job is None else row.job.to_json(),
        "message": row.message,
        "cost_usd": row.cost_usd,
        "fetches": row.failed_fetches,
        "clip": row.clip,
    }
    estimate = {"low_usd": row.low_usd, "high_usd": row.high_usd}
    return state | (estimate if row.high_usd is not None else {})


def _restore_snapshot(row: TakeRow, data: Mapping[str, Any]) -> TakeRow:
    """The row with the state of a snapshot. Inverse of `snapshot`."""
    return replace(
        row,
        state=TakeState(data["state"]),
        job=None if data["job"] is None else Job.from_json(data["job"]),
        message=data["message"],
        cost_usd=data["cost_usd"],
        failed_fetches=data["fetches"],
        clip=data["clip"],
        low_usd=data.get("low_usd", row.low_usd),
        high_usd=data.get("high_usd", row.high_usd),
    )


def job_key(run_id: str, take_id: str) -> str:
    """Our own name for a take at a service.

    Every submission of a take uses the same key, so a service that accepts each key only once makes
    the take only once.
    """
    return f"i2v-{run_id}-{take_id}"
