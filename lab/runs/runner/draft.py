"""Collects the changes that one event makes to the state, and the commands that follow."""

from dataclasses import replace
from typing import Any

from lab.runs.ledger import EventKind, apply_event
from lab.runs.runner.events import Command, Record, StartTimer
from lab.runs.runner.state import NO_REASON, Activity, RunState, TakeStatus


class Draft:
    """The state and the commands so far, while one event is handled."""

    def __init__(self, state: RunState, now_s: float) -> None:
        """now_s: seconds on any clock that never goes back."""
        self.state = state
        self.commands: list[Command] = []
        self.now_s = now_s
        self.capabilities = state.constants.capabilities

    def update(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.state = replace(self.state, **changes)

    def put(self, status: TakeStatus) -> None:
        """Change the status of one take."""
        self.state = self.state.with_status(status)

    def without_activity(self, take_id: str) -> TakeStatus:
        """The status of a take after its activity has ended."""
        return replace(self.state.status(take_id), activity=None)

    def start(self, status: TakeStatus, activity: Activity, command: Command) -> None:
        """Start an activity for one take."""
        self.put(replace(status, activity=activity))
        self.commands.append(command)

    def record(self, status: TakeStatus, kind: EventKind, **data: Any) -> TakeStatus:
        """Append an event of one take to the ledger, and return the take's new status."""
        before = status.row
        status = replace(status, row=apply_event(before, kind, data))
        self.commands.append(Record(before.take_id, kind, data))
        self.update(guard=self.state.guard.updated(before, status.row))
        self.put(status)
        return status

    def finish(self, status: TakeStatus, problem: str | None = None) -> None:
        """Finish a take: nothing is left to do for it.

        problem: why the take has no result or no scores; "" if it has both; None means the
        backend's message.
        """
        problem = (status.row.message or NO_REASON) if problem is None else problem
        self.state = self.state.with_status(replace(status, problem=problem), finished=True)

    def defer(self, status: TakeStatus, reason: str) -> None:
        """Leave the rest of a take to the next run."""
        self.put(replace(status, deferred=f"{reason}; {self.state.constants.resume_hint}"))

    def takes_with_job(self) -> list[TakeStatus]:
        """The open takes that the backend has accepted."""
        return [status for status in self.state.open.values() if status.row.job is not None]

    def start_timer(self, seconds: float) -> None:
        """Wait before the next poll or the next submission."""
        self.update(timer=True)
        self.commands.append(StartTimer(seconds))

    def draw(self) -> float:
        """A random number from 0 to 1."""
        drawn = self.state.jitter()
        self.update(draws=self.state.draws + 1)
        return drawn

    @property
    def backoff_left_s(self) -> float:
        """Seconds until the next submission is allowed."""
        return max(0.0, self.state.backoff.until_s - self.now_s)

    def back_off(self) -> float:
        """Wait before the next submission; return how long the service has refused submissions."""
        longest_s = self.capabilities.backoff_s[1]
        backoff = self.state.backoff.longer(self.now_s, self.draw(), longest_s)
        self.update(backoff=backoff)
        return backoff.waited_s(self.now_s)

    def reset_backoff(self) -> None:
        """Reset the delay, because a submission was accepted or a slot became free."""
        self.update(
            backoff=replace(
                self.state.backoff, next_s=self.capabilities.backoff_s[0], since_s=None, until_s=0.0
            )
        )

    @property
    def submission_blocked(self) -> bool:
        """True when no take may be submitted now."""
        return self.state.paused or self.gave_up or self.backoff_left_s > 0

    @property
    def gave_up(self) -> bool:
        """True when no take may be submitted any more in this run."""
        return self.state.submit_error is not None or self.state.poll_error is not None
