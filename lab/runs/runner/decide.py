"""Decide what a run does next. A pure function: it reads no clock and no file, and sends nothing.

`next_steps` takes the state, an event and the time, and returns the new state and the commands to
perform, in order. `lab.runs.runner.runner` performs them.
"""

from concurrent.futures import BrokenExecutor
from dataclasses import replace
from itertools import islice
from typing import assert_never

from lab.backends import Job, JobStatus
from lab.backends.contract import JobState
from lab.errors import (
    AccountError,
    InputError,
    LabError,
    NoSlot,
    Refusal,
    RunFolderError,
    ServiceError,
    WorkerDied,
)
from lab.runs.executors import failure_text
from lab.runs.ledger import EventKind, TakeState, job_key
from lab.runs.runner.draft import Draft
from lab.runs.runner.events import (
    AddPurchase,
    CheckStills,
    Command,
    Fetch,
    Fetched,
    FetchFailed,
    FolderFailed,
    InterruptReceived,
    LookedUp,
    LookUp,
    LookupFailed,
    MeasureClip,
    Measured,
    MeasureFailed,
    PauseChanged,
    Poll,
    Polled,
    PollFailed,
    RunEvent,
    ShowStatus,
    Started,
    StillChanged,
    StillsChecked,
    Submit,
    SubmitFailed,
    Submitted,
    TimerEnded,
)
from lab.runs.runner.state import MAX_FETCHES, Activity, RunState, TakeStatus
from lab.units import seconds_text

MAX_LOST_SUBMISSIONS = 3
"""The run stops submitting when this many submissions of one take are lost before they arrive."""


def next_steps(
    state: RunState, event: RunEvent, now_s: float
) -> tuple[RunState, tuple[Command, ...]]:
    """The state after an event, and the commands to perform now, in this order.

    now_s: seconds on any clock that never goes back.

    A take is submitted only while it is planned, and `Record` precedes `Submit`. A take whose
    submission has no answer is looked up, and is not submitted again before the lookup is answered.
    If the ledger cannot be written, the caller drops the remaining commands and sends
    `FolderFailed`.
    """
    draft = Draft(state, now_s)
    _handle(draft, event)
    if not draft.state.closing:
        _start_takes(draft)
        _start_poll_or_timer(draft)
    return draft.state, tuple(draft.commands)


def _handle(draft: Draft, event: RunEvent) -> None:
    """Change the state as the event says, and record what has to be recorded."""
    match event:
        case Started():
            pass
        case PauseChanged():
            draft.update(paused=event.paused)
        case InterruptReceived():
            draft.update(interrupted=True)
        case FolderFailed():
            _folder_failed(draft, event.error)
        case TimerEnded():
            draft.update(timer=False)
        case StillsChecked():
            _stills_checked(draft, event)
        case StillChanged():
            _still_changed(draft, event)
        case Submitted():
            _submitted(draft, event)
        case SubmitFailed():
            _submit_failed(draft, event)
        case LookedUp():
            _looked_up(draft, event)
        case LookupFailed():
            _lookup_failed(draft, event)
        case Polled():
            _polled(draft, event)
        case PollFailed():
            _poll_failed(draft, event)
        case Fetched():
            _fetched(draft, event)
        case FetchFailed():
            _fetch_failed(draft, event)
        case Measured():
            draft.finish(replace(draft.without_activity(event.take_id), remark=event.remark), "")
        case MeasureFailed():
            _measure_failed(draft, event)
        case _:
            assert_never(event)


def _folder_failed(draft: Draft, error: RunFolderError) -> None:
    draft.update(folder_error=draft.state.folder_error or error)


def _stills_checked(draft: Draft, event: StillsChecked) -> None:
    status = draft.without_activity(event.take_id)
    draft.put(status)
    if not draft.state.closing and not draft.submission_blocked:
        _submit(draft, status)


def _still_changed(draft: Draft, event: StillChanged) -> None:
    draft.put(draft.without_activity(event.take_id))
    draft.update(submit_error=event.error)  # a clip of another picture is not what was planned


def _submitted(draft: Draft, event: Submitted) -> None:
    draft.reset_backoff()
    status = draft.without_activity(event.take_id)
    draft.record(status, EventKind.SUBMITTED, job=event.job.to_json())


def _submit_failed(draft: Draft, event: SubmitFailed) -> None:
    status, error = draft.without_activity(event.take_id), event.error
    if isinstance(error, NoSlot | AccountError | ServiceError):
        draft.record(status, EventKind.NOT_SUBMITTED, message=str(error))
        _back_off_or_stop(draft, error)
    elif isinstance(error, Refusal):
        draft.finish(draft.record(status, EventKind.REFUSED, message=str(error)))
    elif isinstance(error, InputError) and len(status.accounts) > 1:
        # An earlier submission may have arrived, and the service may reject the second one.
        reason = f"it was sent before, and sending it again failed: {error}"
        _record_uncertain(draft, status, reason)
    elif isinstance(error, InputError):
        draft.finish(draft.record(status, EventKind.FAILED, message=str(error)))
    else:
        # The request may have arrived. The take stays `submitting` and is looked up next.
        draft.put(replace(status, lost_answer=failure_text(error)))


def _back_off_or_stop(draft: Draft, error: NoSlot | AccountError | ServiceError) -> None:
    """Back off, or stop submitting. After these errors it is certain that nothing was bought."""
    if isinstance(error, AccountError):
        draft.update(submit_error=error)
        return
    waited_s = draft.back_off()
    if not isinstance(error, NoSlot):
        if waited_s > draft.capabilities.outage_s:
            draft.update(submit_error=error)
    elif waited_s > draft.capabilities.slot_wait_s:
        limit = seconds_text(draft.capabilities.slot_wait_s)
        draft.update(submit_error=ServiceError(f"no free slot within {limit} ({error})"))


def _looked_up(draft: Draft, event: LookedUp) -> None:
    status, answer = draft.without_activity(event.take_id), event.answer
    if isinstance(answer, Job):
        draft.record(status, EventKind.SUBMITTED, job=answer.to_json())
    elif answer != "absent":
        _record_uncertain(draft, status, "the service cannot say")
    elif set(status.accounts) != {draft.state.constants.account}:
        reason = "it may have been sent with another key, and only that key can find it"
        _record_uncertain(draft, status, reason)
    else:
        status = draft.record(
            status, EventKind.NOT_SUBMITTED, message="the backend never received it"
        )
        _count_lost_submission(draft, status)


def _lookup_failed(draft: Draft, event: LookupFailed) -> None:
    if draft.state.submit_error is None:
        draft.update(submit_error=event.error)
    draft.defer(
        draft.without_activity(event.take_id),
        f"it is unknown whether this take was bought, because {event.error}",
    )


def _count_lost_submission(draft: Draft, status: TakeStatus) -> None:
    """Back off after a submission that was lost before it arrived; stop after several."""
    if not status.lost_answer:
        return  # that submission was made by an earlier run
    draft.back_off()
    reason, count = status.lost_answer, status.lost_submissions + 1
    draft.put(replace(status, lost_answer="", lost_submissions=count))
    if count >= MAX_LOST_SUBMISSIONS:
        draft.update(submit_error=ServiceError(f"no submission reached the service ({reason})"))


def _record_uncertain(draft: Draft, status: TakeStatus, reason: str) -> None:
    """Leave it to a person to decide whether this take was bought."""
    message = f"it is unknown whether this take was bought: {reason}; `lab reconcile` settles it"
    draft.finish(draft.record(status, EventKind.UNCERTAIN, message=message), message)


def _polled(draft: Draft, event: Polled) -> None:
    draft.update(polling=False, silent_since_s=None)
    for status in draft.takes_with_job():
        job = status.row.job
        if job is not None and job.id in event.statuses:
            _apply_job_status(draft, replace(status, unlisted_since_s=None), event.statuses[job.id])
        elif status.row.state is TakeState.WAITING and not status.deferred:
            _unlisted(draft, status)
    waiting = sum(s.row.state is TakeState.WAITING for s in draft.state.open.values())
    if waiting and draft.capabilities.poll_every_s:
        draft.commands.append(ShowStatus(f"{waiting} at the backend"))
    if waiting:
        draft.start_timer(draft.capabilities.poll_every_s * (0.9 + 0.2 * draft.draw()))


def _apply_job_status(draft: Draft, status: TakeStatus, job_status: JobStatus) -> None:
    draft.put(status)
    if status.row.state is not TakeState.WAITING or job_status.state is JobState.WAITING:
        return
    draft.reset_backoff()  # a job that has ended frees a slot
    done = job_status.state is JobState.DONE
    kind = EventKind.READY if done else EventKind(job_status.state.value)
    status = draft.record(
        replace(status, waiting_since_s=None),
        kind,
        message=job_status.message,
        cost_usd=job_status.cost_usd,
    )
    if status.row.state.settled:
        draft.finish(status)


def _unlisted(draft: Draft, status: TakeStatus) -> None:
    """Wait for a job that is missing from the backend's answers, but not for ever."""
    since_s = draft.now_s if status.unlisted_since_s is None else status.unlisted_since_s
    status = replace(status, unlisted_since_s=since_s)
    if draft.now_s - since_s > draft.capabilities.unlisted_s and status.row.job is not None:
        draft.defer(status, f"the service does not report job {status.row.job.id}")
    else:
        draft.put(status)


def _poll_failed(draft: Draft, event: PollFailed) -> None:
    """Poll again for a while; after that, leave the jobs to the next run."""
    since_s = draft.state.silent_since_s
    since_s = draft.now_s if since_s is None else since_s
    silent_s = draft.now_s - since_s
    draft.update(polling=False, silent_since_s=since_s)
    if isinstance(event.error, ServiceError) and silent_s <= draft.capabilities.outage_s:
        draft.commands.append(ShowStatus(f"no answer for {seconds_text(silent_s)}"))
        draft.start_timer(
            min(max(silent_s, draft.capabilities.poll_every_s), draft.capabilities.backoff_s[1])
        )
        return
    draft.update(poll_error=event.error)


def _fetched(draft: Draft, event: Fetched) -> None:
    status = draft.record(draft.without_activity(event.take_id), EventKind.FETCHED, clip=event.clip)
    draft.commands.append(AddPurchase(event.take_id))
    _finish_if_still(draft, status)


def _fetch_failed(draft: Draft, event: FetchFailed) -> None:
    status, error = draft.without_activity(event.take_id), event.error
    if isinstance(error, RunFolderError):
        _folder_failed(draft, error)
        return
    status = draft.record(status, EventKind.FETCH_FAILED, message=failure_text(error))
    if isinstance(error, WorkerDied | BrokenExecutor) or status.row.failed_fetches >= MAX_FETCHES:
        draft.defer(status, failure_text(error))


def _measure_failed(draft: Draft, event: MeasureFailed) -> None:
    status = draft.without_activity(event.take_id)
    if isinstance(event.error, RunFolderError):
        _folder_failed(draft, event.error)
    else:
        draft.finish(status, failure_text(event.error))


def _finish_if_still(draft: Draft, status: TakeStatus) -> None:
    """Finish a take that makes a still; a clip must be measured first."""
    if status.row.take.shot.makes == "still":
        draft.finish(status, "")


def _start_takes(draft: Draft) -> None:
    """Start every activity that a take is ready for, in the order of the design."""
    constants = draft.state.constants
    activities = [status.activity for status in draft.state.open.values()]
    fetches = activities.count(Activity.FETCH)
    measures = activities.count(Activity.MEASURE)
    # A local render is a fetch. Few are queued, because a pause cannot stop queued ones.
    fetch_limit = 2 * constants.workers if draft.capabilities.renders_locally else len(activities)
    if draft.capabilities.renders_locally and draft.state.paused:
        fetch_limit = 0
    for status in list(draft.state.open.values()):
        take_id, state = status.row.take_id, status.row.state
        if not status.idle:
            continue
        if state is TakeState.SUBMITTING:
            draft.start(status, Activity.LOOK_UP, LookUp(take_id))
        elif status.fetchable and fetches < fetch_limit:
            fetches += 1
            draft.start(status, Activity.FETCH, Fetch(take_id))
        elif state is TakeState.FETCHED and measures < 2 * constants.workers:
            measures += 1
            draft.start(status, Activity.MEASURE, MeasureClip(take_id))
    _submit_takes(draft)


def _submit_takes(draft: Draft) -> None:
    """Start to submit planned takes, as many as the slots and the cap allow."""
    draft.update(capped=False)
    if draft.submission_blocked:
        return
    planned = draft.state.planned.values()
    free = draft.capabilities.concurrency - sum(
        status.row.state in (TakeState.SUBMITTING, TakeState.WAITING)
        for status in draft.state.open.values()
    )
    # Takes whose stills are being checked are still planned. They are at the front, so `islice`
    # counts a slot for each.
    candidates = list(islice(planned, max(0, free)))
    for status in candidates:
        if not status.idle:
            continue
        guard = draft.state.guard.admit(status.row)
        if guard is None:
            draft.update(capped=True)
            return
        draft.update(guard=guard)
        draft.start(status, Activity.CHECK_STILLS, CheckStills(status.row.take_id))


def _submit(draft: Draft, status: TakeStatus) -> None:
    """Record the intent, then send."""
    constants, row = draft.state.constants, status.row
    status = draft.record(
        replace(status, accounts=(*status.accounts, constants.account)),
        EventKind.SUBMITTING,
        low_usd=row.low_usd,
        high_usd=row.high_usd,
        account=constants.account,
        # Every submission repeats these two, so that a damaged ledger can still be traced.
        origin=constants.origin,
        key=job_key(constants.run_id, row.take_id),
    )
    draft.start(status, Activity.SUBMIT, Submit(row.take_id))


def _start_poll_or_timer(draft: Draft) -> None:
    """Poll all waiting jobs together, unless a poll or a timer is running.

    Without a poll, wait for the end of the backoff.
    """
    if draft.state.poll_error is not None:
        _leave_jobs(draft, draft.state.poll_error)
        return
    if draft.state.polling or draft.state.timer:
        return
    jobs = []
    for status in draft.takes_with_job():
        if status.row.state is not TakeState.WAITING or not status.idle:
            continue
        since_s = draft.now_s if status.waiting_since_s is None else status.waiting_since_s
        status = replace(status, waiting_since_s=since_s)
        if draft.now_s - since_s > draft.capabilities.job_wait_s:
            draft.defer(
                status, f"still waiting after {seconds_text(draft.capabilities.job_wait_s)}"
            )
        elif status.row.job is not None:
            draft.put(status)
            jobs.append(status.row.job)
    if jobs:
        draft.update(polling=True)
        draft.commands.append(Poll(tuple(jobs)))
    elif draft.backoff_left_s > 0 and draft.state.planned and not draft.gave_up:
        draft.start_timer(draft.backoff_left_s)


def _leave_jobs(draft: Draft, error: LabError) -> None:
    """Leave waiting jobs to the next run. A lookup may have found one after the last poll."""
    for status in draft.takes_with_job():
        if status.row.state is TakeState.WAITING and status.idle:
            draft.defer(status, str(error))
