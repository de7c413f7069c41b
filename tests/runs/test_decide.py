"""What a run does next, one event at a time."""

from dataclasses import replace

import pytest

from lab.backends import Capabilities, Job, JobStatus
from lab.backends.contract import JobState
from lab.errors import AccountError, FetchError, NoSlot, ServiceError, SubmitUncertain
from lab.prompts import Prompt
from lab.runs.ledger import TakeRow, TakeState
from lab.runs.runner.decide import MAX_LOST_SUBMISSIONS, next_steps
from lab.runs.runner.events import (
    CheckStills,
    Fetch,
    FetchFailed,
    LookedUp,
    LookUp,
    Poll,
    Polled,
    PollFailed,
    Record,
    RunEvent,
    Started,
    StartTimer,
    StillsChecked,
    Submit,
    SubmitFailed,
    TimerEnded,
)
from lab.runs.runner.spend_guard import SpendGuard
from lab.runs.runner.state import MAX_FETCHES, Backoff, RunConstants, RunState, TakeStatus
from lab.shots import Shot
from lab.stills import Still
from lab.takes import Take

_STILL = Still("still.png", "0" * 64, 640, 480)  # type: ignore[arg-type]
CAN = Capabilities(
    duration_s=(1.0, 5.0),
    duration_step_s=None,
    aspect_ratios=("16:9",),
    resolutions=("720p",),
    fps=(24.0,),
    seed=False,
    concurrency=2,
    poll_every_s=10.0,
    outage_s=100.0,
    slot_wait_s=100.0,
    job_wait_s=1000.0,
    backoff_s=(1.0, 8.0),
)
CONSTANTS = RunConstants(
    CAN, "mine", "service", "abc", workers=1, resume_hint="run it again", seed=0
)


def take(number: int, state: TakeState = TakeState.PLANNED, **fields: object) -> TakeStatus:
    made = Take(Shot(_STILL, Prompt.from_text("push in")), "paid", number + 1)
    job = Job("paid", f"job-{number}", made.id) if state in _ACCEPTED else None
    row = TakeRow(made.id, number, 0, number + 1, {}, made, state=state, job=job)
    return TakeStatus(replace(row, **fields), accounts=("mine",) if job else ())  # type: ignore[arg-type]


_ACCEPTED = (TakeState.WAITING, TakeState.READY)


def state_of(*takes: TakeStatus, constants: RunConstants = CONSTANTS, **fields: object) -> RunState:
    """A run before its first step, with a cap of None."""
    planned = {s.row.take_id: s for s in takes if s.row.state is TakeState.PLANNED}
    opened = {s.row.take_id: s for s in takes if s.row.state is not TakeState.PLANNED}
    guard = SpendGuard.from_rows(None, [status.row for status in takes])
    backoff = Backoff(constants.capabilities.backoff_s[0])
    return RunState(constants, guard, backoff, planned, opened, **fields)  # type: ignore[arg-type]


def submitted(state: RunState, take_id: str) -> RunState:
    """The state in which a take's submission is under way."""
    state, commands = next_steps(state, Started(), 0)
    assert CheckStills(take_id) in commands
    state, commands = next_steps(state, StillsChecked(take_id), 0)
    assert [type(command) for command in commands] == [Record, Submit]
    return state


def test_the_intent_is_recorded_before_the_take_is_sent() -> None:
    """The ledger knows the account, the service and the key before the request leaves."""
    only = take(0)
    state, commands = next_steps(state_of(only), Started(), 0)
    assert commands == (CheckStills(only.row.take_id),)
    state, (record, submit) = next_steps(state, StillsChecked(only.row.take_id), 0)
    assert submit == Submit(only.row.take_id)
    assert isinstance(record, Record)
    assert (record.kind, record.data["account"], record.data["origin"]) == (
        "submitting",
        "mine",
        "service",
    )
    assert record.data["key"] == f"i2v-abc-{only.row.take_id}"


def test_an_interrupted_submission_is_looked_up() -> None:
    """A take between its intent and its answer is looked up, and not submitted."""
    only = take(0, TakeState.SUBMITTING)
    _, commands = next_steps(state_of(only), Started(), 0)
    assert commands == (LookUp(only.row.take_id),)


def test_a_lost_answer_is_looked_up_and_absence_allows_another_submission() -> None:
    """After a broken request the take is looked up; absent, it is sent again after a pause."""
    take_id = take(0).row.take_id
    state = submitted(state_of(take(0)), take_id)
    state, commands = next_steps(state, SubmitFailed(take_id, SubmitUncertain("broke")), 1)
    assert commands == (LookUp(take_id),)
    state, (record, timer) = next_steps(state, LookedUp(take_id, "absent"), 2)
    assert isinstance(record, Record)
    assert record.kind == "not_submitted"
    assert isinstance(timer, StartTimer)
    assert 0.5 <= timer.seconds <= 1
    state, commands = next_steps(state, TimerEnded(), 3)
    assert commands == (CheckStills(take_id),)


def test_submissions_that_never_arrive_end_the_submitting() -> None:
    """After three lost submissions of one take the run submits nothing more, and says why."""
    take_id, now_s = take(0).row.take_id, 0.0
    state, commands = next_steps(state_of(take(0)), Started(), now_s)
    for _ in range(MAX_LOST_SUBMISSIONS):
        assert CheckStills(take_id) in commands
        state, _ = next_steps(state, StillsChecked(take_id), now_s)
        state, _ = next_steps(state, SubmitFailed(take_id, SubmitUncertain("broke")), now_s)
        state, commands = next_steps(state, LookedUp(take_id, "absent"), now_s)
        now_s += 100
        state, commands = next_steps(state, TimerEnded(), now_s)
    assert commands == ()
    assert "no submission reached the service" in state.unsent_reason


def test_the_pause_between_full_slots_doubles_up_to_a_limit() -> None:
    """Each refusal for want of a slot doubles the pause, with jitter, up to the longest one."""
    take_id, now_s, pauses = take(0).row.take_id, 0.0, []
    state = submitted(state_of(take(0)), take_id)
    for _ in range(6):
        state, commands = next_steps(state, SubmitFailed(take_id, NoSlot("full")), now_s)
        (timer,) = [command for command in commands if isinstance(command, StartTimer)]
        pauses.append(timer.seconds)
        now_s += timer.seconds
        state, _ = next_steps(state, TimerEnded(), now_s)
        state, _ = next_steps(state, StillsChecked(take_id), now_s)
    for pause, longest in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(pauses)) == len(pauses)
    state, _ = next_steps(state, SubmitFailed(take_id, NoSlot("full")), 200)
    assert state.unsent_reason.startswith("no free slot within")


def test_a_rejected_account_ends_the_submitting_at_once() -> None:
    """Nothing more is sent, and the reason is the account's."""
    take_id = take(0).row.take_id
    state = submitted(state_of(take(0), take(1)), take_id)
    state, commands = next_steps(state, SubmitFailed(take_id, AccountError("in arrears")), 1)
    assert not [command for command in commands if isinstance(command, CheckStills | Submit)]
    assert state.unsent_reason.startswith("in arrears; 2 takes were not sent")


def test_a_take_that_comes_back_is_the_next_to_be_sent() -> None:
    """A take that was turned away goes before takes of blocks that were not started."""
    first, second, third = take(0), take(1), take(2)
    state = submitted(state_of(first, second, third), first.row.take_id)
    state, _ = next_steps(state, StillsChecked(second.row.take_id), 0)
    state, _ = next_steps(state, SubmitFailed(second.row.take_id, NoSlot("full")), 0)
    assert list(state.planned) == [second.row.take_id, third.row.take_id]


def test_waiting_jobs_are_polled_together_with_pauses_between() -> None:
    """One request asks for all jobs; the next one is made after the backend's pause."""
    takes = [take(number, TakeState.WAITING) for number in range(3)]
    state, (poll,) = next_steps(state_of(*takes), Started(), 0)
    assert poll == Poll(tuple(status.row.job for status in takes))  # type: ignore[arg-type]
    jobs = {status.row.job.id: JobStatus(JobState.WAITING) for status in takes if status.row.job}
    state, commands = next_steps(state, Polled(jobs), 1)
    (timer,) = [command for command in commands if isinstance(command, StartTimer)]
    assert 9 <= timer.seconds <= 11
    assert not [command for command in commands if isinstance(command, Poll)]
    _, (poll,) = next_steps(state, TimerEnded(), 11)
    assert isinstance(poll, Poll)


def test_a_silent_service_is_waited_for_but_not_for_ever() -> None:
    """Polls go on for the length of an outage; then the jobs are left to the next run."""
    state, _ = next_steps(state_of(take(0, TakeState.WAITING)), Started(), 0)
    state, commands = next_steps(state, PollFailed(ServiceError("no answer")), 1)
    assert [type(command) for command in commands][-1] is StartTimer
    state, _ = next_steps(state, TimerEnded(), 90)
    state, commands = next_steps(state, PollFailed(ServiceError("no answer")), 102)
    assert commands == ()
    assert "no answer; run it again" in state.problems()[0]


def test_a_job_that_is_found_after_the_last_poll_is_left_to_the_next_run() -> None:
    """A lookup may end after the service fell silent; the reason is given for its take, too."""
    waiting, sending = take(0, TakeState.WAITING), take(1, TakeState.SUBMITTING)
    state, commands = next_steps(state_of(waiting, sending), Started(), 0)
    assert LookUp(sending.row.take_id) in commands
    state, _ = next_steps(state, PollFailed(ServiceError("no answer")), 1)
    state, _ = next_steps(state, TimerEnded(), 90)
    state, _ = next_steps(state, PollFailed(ServiceError("no answer")), 102)
    found = Job("paid", "job-1", sending.row.take_id)
    state, commands = next_steps(state, LookedUp(sending.row.take_id, found), 103)
    assert [type(command) for command in commands] == [Record]
    assert ["no answer; run it again" in line for line in state.problems()] == [True, True]


def test_a_job_that_polls_leave_out_is_left_to_the_next_run() -> None:
    """A job that the service never lists does not keep a run from its end."""
    state, _ = next_steps(state_of(take(0, TakeState.WAITING)), Started(), 0)
    state, _ = next_steps(state, Polled({}), 1)
    state, _ = next_steps(state, TimerEnded(), CAN.unlisted_s)
    state, _ = next_steps(state, Polled({}), CAN.unlisted_s + 2)
    assert "the service does not report job job-0" in state.problems()[0]


def test_a_broken_clip_is_left_to_the_next_run() -> None:
    """After three failed downloads this run does not ask again."""
    only = take(0, TakeState.READY)
    state, commands = next_steps(state_of(only), Started(), 0)
    event: RunEvent = FetchFailed(only.row.take_id, FetchError("cut off"))
    for _ in range(MAX_FETCHES):
        assert commands == (Fetch(only.row.take_id),) or commands[-1] == Fetch(only.row.take_id)
        state, commands = next_steps(state, event, 0)
    assert [type(command) for command in commands] == [Record]
    assert "cut off; run it again" in state.problems()[0]


@pytest.mark.parametrize("paused", [False, True])
def test_a_pause_stops_local_renders(paused: bool) -> None:
    """Where a fetch is a render, a paused run starts none, and waits."""
    constants = replace(CONSTANTS, capabilities=replace(CAN, renders_locally=True))
    only = take(0, TakeState.READY)
    state, commands = next_steps(state_of(only, constants=constants, paused=paused), Started(), 0)
    assert commands == (() if paused else (Fetch(only.row.take_id),))
    assert state.waits_for_resume is paused
