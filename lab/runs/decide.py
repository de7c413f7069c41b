"""What next? A pure function from what is known to what may be done; effects live in the runner."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lab.runs.take_row import TakeRow, TakeState

MAX_FETCHES = 3


class Action(StrEnum):
    """What may be done for a take. `LOOK_UP` never costs anything; `SUBMIT` may."""

    LOOK_UP = "look up"
    SUBMIT = "submit"
    POLL = "poll"
    FETCH = "fetch"


@dataclass(frozen=True)
class Step:
    """One thing to do for one take."""

    action: Action
    take_id: str


def next_steps(rows: Iterable[TakeRow], *, concurrency: int) -> tuple[Step, ...]:
    """Everything that may be done now, in the order of the design.

    A take found `submitting` was interrupted between its intent and the answer: it is looked up,
    never submitted again. rows need not be all takes: the planned ones may end after the first
    `concurrency`. At most `concurrency` takes are in flight at once. A clip that could not
    be fetched three times is left for the next run.
    """
    rows = list(rows)
    free = concurrency - sum(row.state in (TakeState.SUBMITTING, TakeState.WAITING) for row in rows)
    steps = []
    for row in rows:
        if row.state is TakeState.SUBMITTING:
            steps.append(Step(Action.LOOK_UP, row.take_id))
        elif row.state is TakeState.PLANNED and free > 0:
            free -= 1
            steps.append(Step(Action.SUBMIT, row.take_id))
        elif row.state is TakeState.WAITING:
            steps.append(Step(Action.POLL, row.take_id))
        elif row.state is TakeState.READY and row.fetches < MAX_FETCHES:
            steps.append(Step(Action.FETCH, row.take_id))
    return tuple(steps)
