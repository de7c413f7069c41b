"""What may be done next."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.prompts import Prompt
from lab.runs.decide import MAX_FETCHES, Action, next_steps
from lab.runs.take_row import TakeRow, TakeState
from lab.shots import Shot
from lab.stills import Still
from lab.takes import Take

_STILL = Still("still.png", "0" * 64, 640, 480)  # type: ignore[arg-type]


def row(place: int, state: TakeState, fetches: int = 0) -> TakeRow:
    take = Take(Shot(_STILL, Prompt.written("push in")), "offline", place + 1)
    return TakeRow(take.id, place, 0, place + 1, {}, take, state=state, fetches=fetches)


rows = st.lists(
    st.tuples(st.sampled_from(TakeState), st.integers(0, MAX_FETCHES + 1)), max_size=12
).map(lambda pairs: [row(place, state, fetches) for place, (state, fetches) in enumerate(pairs)])


@given(rows, st.integers(1, 5))
def test_never_more_in_flight_than_allowed(takes: list[TakeRow], concurrency: int) -> None:
    """Submitting what it says never puts more takes in flight than the backend allows."""
    steps = next_steps(takes, concurrency=concurrency)
    flying = sum(take.state in (TakeState.SUBMITTING, TakeState.WAITING) for take in takes)
    submits = sum(step.action is Action.SUBMIT for step in steps)
    assert submits == 0 or flying + submits <= concurrency


@given(rows, st.integers(1, 5))
def test_only_planned_takes_are_submitted(takes: list[TakeRow], concurrency: int) -> None:
    """Nothing that was ever sent is sent again by itself."""
    states = {take.take_id: take.state for take in takes}
    for step in next_steps(takes, concurrency=concurrency):
        if step.action is Action.SUBMIT:
            assert states[step.take_id] is TakeState.PLANNED


@pytest.mark.parametrize("state", [state for state in TakeState if state.settled])
def test_settled_takes_are_left_alone(state: TakeState) -> None:
    """Fetched, failed, refused and uncertain takes ask for nothing."""
    assert next_steps([row(0, state)], concurrency=1) == ()


def test_an_interrupted_submission_is_looked_up() -> None:
    """A take left between intent and answer is looked up, not bought."""
    (step,) = next_steps([row(0, TakeState.SUBMITTING)], concurrency=5)
    assert step.action is Action.LOOK_UP


def test_a_stubborn_clip_is_left_for_the_next_run() -> None:
    """After three failed fetches a clip is not asked for again in this run."""
    take = row(0, TakeState.READY, fetches=MAX_FETCHES)
    assert next_steps([take], concurrency=1) == ()
    assert next_steps([replace(take, fetches=0)], concurrency=1)[0].action is Action.FETCH
