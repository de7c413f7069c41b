"""Any sequence of answers, failures, pauses and kills keeps the rules of a run.

The machine plays the backend, the ledger and the clock. The decision under test is the real one.
"""

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lab.backends import Capabilities, Job, JobStatus
from lab.backends.contract import JobState
from lab.errors import (
    AccountError,
    BackendError,
    FetchError,
    NoSlot,
    Refusal,
    RunFolderError,
    ServiceError,
    StillError,
    SubmitUncertain,
)
from lab.prompts import Prompt
from lab.runs.ledger import EventKind, TakeRow, TakeState, apply_event
from lab.runs.runner.decide import next_steps
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
    Record,
    RunEvent,
    ShowStatus,
    Started,
    StartTimer,
    StillChanged,
    StillsChecked,
    Submit,
    SubmitFailed,
    Submitted,
    TimerEnded,
)
from lab.runs.runner.spend_guard import SpendGuard
from lab.runs.runner.state import Activity, Backoff, RunConstants, RunState, TakeStatus
from lab.shots import Shot
from lab.stills import Still
from lab.sweeps import block_of
from lab.takes import Take

QUICK, THOROUGH, STEPS = 300, 3_000, 25
PRICE_USD = 1.0
IN_FLIGHT = (TakeState.SUBMITTING, TakeState.WAITING)
CAN = Capabilities(
    duration_s=(1.0, 5.0),
    duration_step_s=None,
    aspect_ratios=("16:9",),
    resolutions=("720p",),
    fps=(24.0,),
    seed=False,
    poll_every_s=10.0,
    outage_s=60.0,
    slot_wait_s=120.0,
    job_wait_s=300.0,
    unlisted_s=120.0,
    backoff_s=(1.0, 60.0),
)
_STILLS = [Still(f"{n}.png", str(n) * 64, 640, 480) for n in range(3)]  # type: ignore[arg-type]
_REQUESTS = {
    Submit: Activity.SUBMIT,
    LookUp: Activity.LOOK_UP,
    Fetch: Activity.FETCH,
    MeasureClip: Activity.MEASURE,
}
_TAKES = [
    Take(Shot(still, Prompt.from_text(f"push in {variant} times")), "paid")
    for still in _STILLS
    for variant in range(3)
]


class Sequences(RuleBasedStateMachine):
    """A run of a few blocks against a backend that may do anything the contract allows."""

    @initialize(
        blocks=st.lists(st.integers(1, 3), min_size=1, max_size=3),
        cap=st.none() | st.floats(0.5, 10.0),
        concurrency=st.integers(1, 4),
        local=st.booleans(),
        paused=st.booleans(),
    )
    def begin(
        self, blocks: list[int], cap: float | None, concurrency: int, local: bool, paused: bool
    ) -> None:
        takes = [
            take
            for still, size in zip(range(3), blocks, strict=False)
            for take in _TAKES[3 * still : 3 * still + size]
        ]
        self.ledger = {
            take.id: TakeRow(
                take.id, place, place, 1, {}, take, low_usd=PRICE_USD / 2, high_usd=PRICE_USD
            )
            for place, take in enumerate(takes)
        }
        self.accounts: dict[str, tuple[str, ...]] = {take.id: () for take in takes}
        self.measured: set[str] = set()
        self.jobs: dict[str, str] = {}
        self.account = "mine"
        self.changed_stills: set[str] = set()
        self.orders: Counter[str] = Counter()
        self.unanswered: set[str] = set()
        self.cap_usd = cap
        self.can = replace(CAN, concurrency=concurrency, renders_locally=local)
        self.now_s = 0.0
        self.seeds = itertools.count()
        self.start(paused=paused)

    def start(self, *, paused: bool = False) -> None:
        """Start the runner anew, with what the ledger has."""
        constants = RunConstants(
            self.can, self.account, "service", "abc", 1, "run it again", next(self.seeds)
        )
        self.state = RunState(
            constants,
            SpendGuard.from_rows(self.cap_usd, self.ledger.values()),
            Backoff(self.can.backoff_s[0]),
            paused=paused,
        )
        self.pending: list[Command] = []
        for row in self.ledger.values():
            status = TakeStatus(row, accounts=self.accounts[row.take_id])
            if row.state is TakeState.READY:
                status = replace(status, row=replace(row, failed_fetches=0))
            if row.state is TakeState.UNCERTAIN:
                status = replace(status, row=replace(row, state=TakeState.SUBMITTING))
            done = row.state in (TakeState.FAILED, TakeState.REFUSED)
            done |= row.state is TakeState.FETCHED and row.take_id in self.measured
            self.state = self.state.with_status(status, finished=done)
        # `with_status` puts a new planned take first, and these are in the order of the design.
        planned = dict(reversed(self.state.planned.items()))
        self.state = replace(self.state, planned=planned)
        self.tell(Started())

    def tell(self, event: RunEvent, *, full_disk: bool = False) -> None:
        """Hand an event to the decision, and perform what it commands."""
        events = [event]
        while events:
            self.state, commands = next_steps(self.state, events.pop(0), self.now_s)
            for command in commands:
                if isinstance(command, Record):
                    if full_disk:
                        events.append(FolderFailed(RunFolderError("the disk is full")))
                        break
                    self.record(command)
                elif isinstance(command, CheckStills):
                    events.append(self.check_stills(command.take_id))
                elif not isinstance(command, AddPurchase | ShowStatus):
                    self.send(command)

    def record(self, command: Record) -> None:
        take_id = command.take_id
        if command.kind is EventKind.SUBMITTING:
            self.accounts[take_id] += (command.data["account"],)
        self.ledger[take_id] = apply_event(self.ledger[take_id], command.kind, command.data)

    def send(self, command: Command) -> None:
        if isinstance(command, Submit):
            assert self.ledger[command.take_id].state is TakeState.SUBMITTING, "not written down"
            assert command.take_id not in self.unanswered, "sent again without a look-up"
            assert not self.state.paused, "sent during a pause"
            assert not self.state.submit_error, "sent after the run gave up"
            self.unanswered.add(command.take_id)
        self.pending.append(command)

    # What the backend, the user and the machine may do

    def take_one(self, data: st.DataObject) -> Command:
        index = data.draw(st.integers(0, len(self.pending) - 1), label="which")
        return self.pending.pop(index)

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), full_disk=st.sampled_from([False] * 19 + [True]))
    def something_ends(self, data: st.DataObject, full_disk: bool) -> None:
        """A request, a render, a measurement or a pause ends, in any way."""
        command = self.take_one(data)
        self.tell(self.outcome(command, data), full_disk=full_disk)

    def outcome(self, command: Command, data: st.DataObject | None) -> RunEvent:
        """How a command ends; well if there are no data to draw from."""

        def pick(*choices: str) -> str:
            return choices[0] if data is None else data.draw(st.sampled_from(choices))

        match command:
            case Submit(take_id):
                return self.submit_outcome(
                    take_id,
                    pick(
                        *("accepted", "accepted", "accepted", "lost after", "lost before"),
                        *("no slot", "no answer", "refused", "invalid", "rejected account"),
                    ),
                )
            case LookUp(take_id):
                answer = pick("true", "true", "true", "unknown", "no answer")
                if answer == "no answer":
                    return LookupFailed(take_id, ServiceError("no answer"))
                if answer == "unknown":
                    return LookedUp(take_id, "unknown")
                self.unanswered.discard(take_id)
                known = self.jobs.get(take_id) == self.account
                return LookedUp(take_id, self.job(take_id) if known else "absent")
            case Poll(jobs):
                if pick("answer", "answer", "answer", "silence") == "silence":
                    return PollFailed(ServiceError("no answer"))
                return Polled({job.id: status for job in jobs if (status := self.poll(job, pick))})
            case Fetch(take_id):
                if pick("here", "here", "cut off") == "cut off":
                    return FetchFailed(take_id, FetchError("cut off"))
                return Fetched(take_id, {"sha256": "0", "bytes": 1})
            case MeasureClip(take_id):
                if pick("measured", "measured", "unreadable") == "unreadable":
                    return MeasureFailed(take_id, FetchError("unreadable"))
                self.measured.add(take_id)
                return Measured(take_id)
            case StartTimer(seconds):
                self.now_s += seconds if pick("over", "news") == "over" else seconds / 4
                return TimerEnded()
        raise AssertionError(command)

    def submit_outcome(self, take_id: str, how: str) -> RunEvent:
        if how in ("accepted", "lost after"):
            self.order(take_id)
        if how == "accepted":
            self.unanswered.discard(take_id)
            return Submitted(take_id, self.job(take_id))
        if how in ("lost after", "lost before"):
            return SubmitFailed(take_id, SubmitUncertain("the connection broke"))
        self.unanswered.discard(take_id)
        errors: dict[str, Exception] = {
            "no slot": NoSlot("full"),
            "no answer": ServiceError("no answer"),
            "refused": Refusal("not this picture"),
            "invalid": BackendError("a wrong parameter"),
            "rejected account": AccountError("in arrears"),
        }
        return SubmitFailed(take_id, errors[how])

    def order(self, take_id: str) -> None:
        self.orders[take_id] += 1
        self.jobs[take_id] = self.account

    def check_stills(self, take_id: str) -> RunEvent:
        if take_id in self.changed_stills:
            return StillChanged(take_id, StillError("another picture"))
        return StillsChecked(take_id)

    def job(self, take_id: str) -> Job:
        return Job("paid", f"job-{take_id}", take_id)

    def poll(self, job: Job, pick: object) -> JobStatus | None:
        how = pick("done", "waiting", "unlisted", "failed")  # type: ignore[operator]
        if how == "unlisted":
            return None
        if how == "waiting":
            return JobStatus(JobState.WAITING)
        state = JobState.DONE if how == "done" else JobState.FAILED
        return JobStatus(state, how, PRICE_USD if how == "done" else 0.0)

    @rule(seconds=st.sampled_from([1.0, 30.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(paused=st.booleans())
    def somebody_pauses_or_resumes(self, paused: bool) -> None:
        self.tell(PauseChanged(paused))

    @rule(data=st.data())
    def a_still_is_changed(self, data: st.DataObject) -> None:
        """From now on, until the next start, a still of this take is another picture."""
        self.changed_stills.add(data.draw(st.sampled_from(sorted(self.ledger))))

    @rule(
        data=st.data(),
        interrupted=st.booleans(),
        account=st.sampled_from(["mine", "mine", "another"]),
    )
    def the_runner_dies_and_starts_again(
        self, data: st.DataObject, interrupted: bool, account: str
    ) -> None:
        """Killed or interrupted; submissions under way may have arrived.

        A service does not show one account the jobs of another.
        """
        if interrupted:
            self.tell(InterruptReceived())
        for command in [command for command in self.pending if isinstance(command, Submit)]:
            how = data.draw(st.sampled_from(["accepted", "lost after", "lost before"]))
            event = self.submit_outcome(command.take_id, how)
            if interrupted:
                self.tell(event)
            else:
                self.unanswered.add(command.take_id)  # nobody heard the answer
        self.account = account
        self.changed_stills.clear()
        self.start()

    # What always holds

    @invariant()
    def no_take_is_bought_twice(self) -> None:
        assert all(count == 1 for count in self.orders.values()), self.orders

    @invariant()
    def no_take_is_forgotten(self) -> None:
        """Each take is in one place, as the ledger has it, with its request under way or none."""
        state = self.state
        places = [*state.planned, *state.open, *state.finished]
        assert Counter(places) == Counter(self.ledger.keys())
        if state.closing:
            return
        under_way = Counter(
            (command.take_id, request)
            for command in self.pending
            for kind, request in _REQUESTS.items()
            if isinstance(command, kind)
        )
        for take_id, row in self.ledger.items():
            status = state.status(take_id)
            asked_again = row.state is TakeState.UNCERTAIN and take_id in state.open
            assert asked_again or status.row.state is row.state
            assert status.activity is not Activity.CHECK_STILLS
            expected = Counter([(take_id, status.activity)] if status.activity else [])
            assert Counter({k: n for k, n in under_way.items() if k[0] == take_id}) == expected
        assert sum(isinstance(command, Poll) for command in self.pending) == state.polling
        assert sum(isinstance(command, StartTimer) for command in self.pending) == state.timer

    @invariant()
    def the_cap_holds(self) -> None:
        """Spending and what takes under way may cost stay under the cap together."""
        if self.cap_usd is not None:
            assert sum(row.committed_usd for row in self.ledger.values()) <= self.cap_usd + 1e-6

    @invariant()
    def no_more_slots_are_used_than_there_are(self) -> None:
        sent_now = [c for c in self.pending if isinstance(c, Submit)]
        in_flight = sum(status.row.state in IN_FLIGHT for status in self.state.open.values())
        assert not sent_now or in_flight <= self.can.concurrency

    @invariant()
    def it_goes_on_or_says_why_not(self) -> None:
        """Without anything under way a run has ended, with a reason for each unfinished take."""
        state = self.state
        if self.pending or state.closing or state.waits_for_resume:
            return
        assert all(status.deferred for status in state.open.values())
        assert len(state.problems()) >= len(state.open)
        assert not state.planned or state.unsent_reason
        if state.capped and not (state.submit_error or state.poll_error):
            started = {block_of(row.take) for row in self.ledger.values() if row.state.billable}
            assert not started & {block_of(s.row.take) for s in state.planned.values()}

    def teardown(self) -> None:
        """From wherever it is, a run ends when everything goes well."""
        if not hasattr(self, "state"):
            return
        if self.state.closing:
            self.start()
        if self.state.paused:
            self.tell(PauseChanged(False))
        for _ in range(20 * len(self.ledger) + 50):
            if not self.pending:
                break
            self.tell(self.outcome(self.pending.pop(0), None))
            self.no_take_is_bought_twice()
            self.no_take_is_forgotten()
            self.the_cap_holds()
        assert not self.pending, "it never ends"
        self.it_goes_on_or_says_why_not()


@pytest.mark.parametrize(
    "count", [QUICK, pytest.param(THOROUGH, marks=pytest.mark.slow)], ids=["quick", "thorough"]
)
def test_no_sequence_of_events_breaks_a_rule(count: int) -> None:
    """Nothing is bought twice or forgotten, the cap holds, blocks are whole, and a run ends."""
    run_state_machine_as_test(
        Sequences, settings=settings(max_examples=count, stateful_step_count=STEPS)
    )
