"""Money is spent once, with consent, and within its limits."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lab.backends import BACKENDS
from lab.errors import (
    AccountError,
    BackendError,
    InputError,
    MoneyError,
    NoSlot,
    RunFolderError,
    ServiceError,
    SubmitUncertain,
)
from lab.runs import Ledger, RunFolder, TakeState, plan, reconcile, run
from lab.sweeps import Sweep

pytestmark = pytest.mark.usefixtures("offline")

SweepOf = Callable[..., Sweep]


def states(folder: Path) -> list[TakeState]:
    with Ledger.read(folder / "ledger.sqlite") as ledger:
        ledger.verify()
        return list(ledger.states().values())


@pytest.fixture
def go(tmp_path: Path, threads: Executor) -> Callable[..., object]:
    """Runs a sweep, by default in the folder "run"."""

    def start(sweep: Sweep, out: str = "run", **how: object) -> object:
        return run(sweep, tmp_path / out, executor=threads, quiet=True, **how)

    return start


def test_spending_needs_consent(sweep_of: SweepOf, go, remote, tmp_path: Path) -> None:
    """A plan that costs money is refused without a budget, a cap or confirmation."""
    sweep = sweep_of(backend="scripted", budget_usd=None)
    with pytest.raises(MoneyError, match=r"1\.50 USD.*--budget.*--yes"):
        go(sweep)
    assert remote.bought == []
    assert not (tmp_path / "run").exists()
    assert go(sweep, confirmed=True).complete


def test_a_cap_stops_after_whole_blocks(
    sweep_of: SweepOf, go, remote, still: Path, tmp_path: Path
) -> None:
    """Under a cap, whole blocks are made; a higher cap continues from there."""
    second = Path(shutil.copy(still.parent / "coffee.jpg", tmp_path / "other.jpg"))
    second.write_bytes(second.read_bytes() + b"\0")  # other content, same picture
    sweep = Sweep.of(
        stills=[still, second],
        prompts=["push in", "pan left", "lock off"],
        settings={"duration_s": 0.25, "seed": 1},
        repeats=2,
        backend="scripted",
        cap_usd=3.9,
    )
    priced = plan(sweep, tmp_path / "run")
    assert (priced.blocks, priced.blocks_in_cap) == (4, 2)
    outcome = go(sweep)
    assert (outcome.scored, outcome.money.spent_usd) == (6, 3.0)
    assert "cap of 3.90 USD" in outcome.stop_reason
    assert "6 takes were not sent" in outcome.stop_reason
    with Ledger.read(tmp_path / "run" / "ledger.sqlite") as ledger:
        made = [row for row in ledger.takes() if row.state is TakeState.FETCHED]
    assert {row.repeat for row in made} == {1}
    again = go(sweep)
    assert not again.complete
    assert (again.stop_reason, again.scored, len(remote.bought)) == (outcome.stop_reason, 6, 6)
    assert go(sweep, cap_usd=6.0).complete
    assert len(remote.bought) == len(set(remote.bought)) == 12


def test_a_cap_under_one_block_buys_nothing(sweep_of: SweepOf, go, remote) -> None:
    """A cap that cannot hold one block is refused before anything is bought."""
    with pytest.raises(MoneyError, match="not one block fits"):
        go(sweep_of(backend="scripted", budget_usd=None, cap_usd=1.0))
    assert remote.bought == []


def test_an_identical_take_is_not_bought_again(
    sweep_of: SweepOf, go, remote, tmp_path: Path
) -> None:
    """A second folder reuses what the first bought, says so, and buys only the rest."""
    go(sweep_of(["push in", "pan left"], backend="scripted"))
    wider = sweep_of(["push in", "pan left", "lock off"], backend="scripted")
    priced = plan(wider, tmp_path / "second")
    assert (priced.reused, priced.high_usd) == (2, 0.5)
    outcome = go(wider, "second")
    assert (outcome.scored, outcome.reused, outcome.money.spent_usd) == (3, 2, 0.5)
    assert len(remote.bought) == 3
    with Ledger.read(tmp_path / "second" / "ledger.sqlite") as ledger:
        ledger.verify()
        assert "reused: bought on" in ledger.takes()[0].message
    folder = RunFolder(tmp_path / "second")
    assert len(list(folder.clips.iterdir())) == 3


def test_reuse_can_be_declined(sweep_of: SweepOf, go, remote) -> None:
    """With reuse off, the same takes are bought again."""
    go(sweep_of(backend="scripted"))
    assert go(sweep_of(backend="scripted"), "second", reuse=False).reused == 0
    assert len(remote.bought) == 6
    assert len(set(remote.keys)) == 6


def test_only_unchanged_clips_of_the_same_service_are_reused(
    sweep_of: SweepOf, go, remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip that was changed or deleted, or came from another service, is not reused."""
    sweep = sweep_of(["push in", "pan left"], backend="scripted")
    go(sweep)
    truncated, deleted = sorted((tmp_path / "run" / "clips").iterdir())
    truncated.write_bytes(b"cut short")
    deleted.unlink()
    assert go(sweep, "second").reused == 0
    monkeypatch.setattr(BACKENDS["scripted"], "origin", "elsewhere")
    assert go(sweep, "third").reused == 0


def test_two_services_do_not_mix_in_a_folder(
    sweep_of: SweepOf, go, remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder started with one service refuses another one and names both."""
    go(sweep_of(["push in"], backend="scripted"))
    monkeypatch.setattr(BACKENDS["scripted"], "origin", "elsewhere")
    with pytest.raises(RunFolderError, match=r"was started with scripted, .* now elsewhere"):
        go(sweep_of(["push in"], backend="scripted"))


def test_a_full_account_makes_takes_wait(sweep_of: SweepOf, go, remote) -> None:
    """Without a free slot, a take waits and is submitted later, once."""
    turned_away = []

    def full_at_first(take_id: str) -> None:
        if len(turned_away) < 2:
            turned_away.append(take_id)
            raise NoSlot("parallel task over resource pack limit")

    remote.on_submit = full_at_first
    outcome = go(sweep_of(backend="scripted"))
    assert outcome.complete
    assert len(remote.bought) == 3


def test_no_slot_for_too_long_leaves_the_rest_to_the_next_run(
    sweep_of: SweepOf, go, remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the slot timeout a run stops submitting, says so, and loses nothing."""
    patient = replace(BACKENDS["scripted"].capabilities, slot_wait_s=-1.0)
    monkeypatch.setattr(BACKENDS["scripted"], "capabilities", patient)

    def full(take_id: str) -> None:
        raise NoSlot("parallel task over resource pack limit")

    remote.on_submit = full
    outcome = go(sweep_of(backend="scripted"))
    assert "no free slot" in outcome.stop_reason
    assert outcome.problems == ()
    remote.on_submit = lambda take_id: None
    assert go(sweep_of(backend="scripted")).complete


@pytest.mark.parametrize("error", [AccountError("in arrears"), ServiceError("no connection")])
def test_a_broken_account_stops_the_sweep_and_keeps_what_is_bought(
    sweep_of: SweepOf, go, remote, impatient, error: Exception
) -> None:
    """After an account error, submitted takes are fetched and the rest is left with a reason."""
    impatient(outage_s=-1.0)

    def stop_after_two(take_id: str) -> None:
        if len(remote.bought) >= 2:
            raise error

    remote.on_submit = stop_after_two
    outcome = go(sweep_of(["push in", "pan left", "lock off", "zoom in"], backend="scripted"))
    assert outcome.scored == 2
    assert outcome.stop_reason.startswith(str(error))
    assert outcome.problems == ()
    remote.on_submit = lambda take_id: None
    assert go(sweep_of(["push in", "pan left", "lock off", "zoom in"], backend="scripted")).complete
    assert len(remote.bought) == 4


def test_a_refused_key_is_an_error_when_nothing_was_sent(sweep_of: SweepOf, go, remote) -> None:
    """An account refused at the first request ends the run with the reason."""

    def refuse(take_id: str) -> None:
        raise AccountError("api key not found")

    remote.on_submit = refuse
    with pytest.raises(AccountError, match="api key not found"):
        go(sweep_of(backend="scripted"))


def test_missing_keys_are_said_before_a_folder_is_made(
    sweep_of: SweepOf, go, remote, tmp_path: Path
) -> None:
    """A backend without its keys is refused before anything is written."""

    def missing() -> None:
        raise AccountError("set KEY")

    remote.on_prepare = missing
    with pytest.raises(AccountError, match="set KEY"):
        go(sweep_of(backend="scripted"))
    assert not (tmp_path / "run").exists()


def test_a_short_outage_is_waited_for(
    sweep_of: SweepOf, go, remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short outage of the service does not end a run."""
    polled, silent = BACKENDS["scripted"].poll, [1, 2, 3]

    def answer(self, jobs):
        if silent:
            silent.pop()
            raise ServiceError("nobody answers")
        return polled(self, jobs)

    monkeypatch.setattr(BACKENDS["scripted"], "poll", answer)
    away = [1]

    def be_away_once(take_id: str) -> None:
        if away:
            away.pop()
            raise ServiceError("no connection")

    remote.on_submit = be_away_once
    assert go(sweep_of(["push in", "pan left"], backend="scripted")).complete
    assert len(remote.bought) == 2


def test_submissions_that_never_arrive_are_not_repeated_for_ever(
    sweep_of: SweepOf, go, remote, impatient
) -> None:
    """Three submissions that never arrive stop the submitting, with the reason."""
    impatient(backoff_s=(0.001, 0.001))
    sent = []

    def break_off(take_id: str) -> None:
        sent.append(take_id)
        raise SubmitUncertain("the connection broke")

    remote.on_submit = break_off
    remote.lookup = lambda take_id: "absent"
    outcome = go(sweep_of(["push in"], backend="scripted"))
    assert len(sent) == 3
    assert "no submission reached the service (the connection broke)" in outcome.stop_reason
    remote.on_submit = lambda take_id: None
    assert go(sweep_of(["push in"], backend="scripted")).complete


def test_a_take_sent_with_another_key_stays_uncertain(
    sweep_of: SweepOf, go, remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A take sent with one API key and not found with another stays uncertain."""

    def die(take_id: str) -> None:
        raise SystemExit("killed")

    remote.on_submit = die
    with pytest.raises(SystemExit):
        go(sweep_of(["push in"], backend="scripted"))
    remote.on_submit = lambda take_id: pytest.fail("bought twice")
    remote.lookup = lambda take_id: "absent"
    monkeypatch.setattr(BACKENDS["scripted"], "account", "another")
    outcome = go(sweep_of(["push in"], backend="scripted"))
    assert "sent with another key" in outcome.problems[0]
    (settled,) = reconcile(tmp_path / "run")
    assert settled.state is TakeState.UNCERTAIN


def test_a_take_without_a_recorded_submission_stays_uncertain(
    sweep_of: SweepOf, go, remote, tmp_path: Path
) -> None:
    """A submitting take without a recorded submission stays uncertain."""
    sweep = sweep_of(["push in"], backend="scripted")

    def refuse(take_id: str) -> None:
        raise AccountError("in arrears")

    remote.on_submit = refuse
    with pytest.raises(AccountError):
        go(sweep)
    path = tmp_path / "run" / "ledger.sqlite"
    with Ledger.read(path) as ledger:
        (row,) = ledger.takes()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("DELETE FROM takes")
        other.execute("DELETE FROM events")
    with Ledger.write(path) as ledger:
        ledger.add([replace(row, state=TakeState.SUBMITTING)])
    remote.on_submit = lambda take_id: pytest.fail("bought twice")
    remote.lookup = lambda take_id: "absent"
    assert "unknown whether this take was bought" in go(sweep).problems[0]
    assert states(tmp_path / "run") == [TakeState.UNCERTAIN]


def test_an_input_error_on_a_second_submission_is_uncertain(
    sweep_of: SweepOf, go, remote, tmp_path: Path
) -> None:
    """An input error on a second submission is not final: the first may have arrived."""
    errors = [SubmitUncertain("the connection broke"), BackendError("a parameter is wrong")]

    def fail(take_id: str) -> None:
        raise errors.pop(0)

    remote.on_submit = fail
    remote.lookup = lambda take_id: "absent"
    outcome = go(sweep_of(["push in"], backend="scripted"))
    assert "sent before, and sending it again failed: a parameter is wrong" in outcome.problems[0]
    assert states(tmp_path / "run") == [TakeState.UNCERTAIN]


def test_the_plan_counts_what_may_have_to_be_sent_again(uncertain: Path, sweep_of: SweepOf) -> None:
    """The plan includes the price of takes that may have to be submitted again."""
    sweep = sweep_of(["push in"], backend="scripted", budget_usd=None)
    priced = plan(sweep, uncertain)
    assert (priced.done, priced.high_usd, priced.needs_confirmation) == (0, 0.5, True)


def test_a_reused_clip_that_is_lost_is_bought_or_reused_again(
    sweep_of: SweepOf, go, remote, tmp_path: Path
) -> None:
    """A deleted reused clip is reused again, or bought."""
    sweep = sweep_of(["push in"], backend="scripted")
    go(sweep)
    assert go(sweep, "second").reused == 1
    for folder in ("run", "second"):
        for clip in (tmp_path / folder / "clips").iterdir():
            clip.unlink()
    assert plan(sweep, tmp_path / "second").high_usd == 0.5
    outcome = go(sweep, "second")
    assert outcome.complete
    assert outcome.money.spent_usd == 0.5


def test_a_broken_index_costs_no_clip(
    sweep_of: SweepOf, go, remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run continues when the purchase index cannot be written."""

    def fail(self, *_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("lab.runs.purchases.PurchaseIndex.add", fail)
    assert go(sweep_of(backend="scripted")).complete
    assert remote.fetches == 3


def test_jobs_stay_waiting_when_polls_get_no_answer(
    sweep_of: SweepOf, go, remote, impatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs stay waiting when polls get no answer, and the next run fetches them."""
    impatient(outage_s=-1.0)
    polled = BACKENDS["scripted"].poll

    def silent(self, jobs):
        raise ServiceError("nobody answers")

    monkeypatch.setattr(BACKENDS["scripted"], "poll", silent)
    outcome = go(sweep_of(["push in"], backend="scripted"))
    assert "nobody answers; run the same command again" in outcome.problems[0]
    monkeypatch.setattr(BACKENDS["scripted"], "poll", polled)
    assert go(sweep_of(["push in"], backend="scripted")).complete
    assert len(remote.bought) == 1


def test_a_job_that_takes_for_ever_is_left_to_the_next_run(
    sweep_of: SweepOf, go, remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that exceeds the client's deadline stays waiting for the next run."""
    can = BACKENDS["scripted"].capabilities
    monkeypatch.setattr(BACKENDS["scripted"], "capabilities", replace(can, job_wait_s=-1.0))
    outcome = go(sweep_of(["push in"], backend="scripted"))
    assert "still waiting" in outcome.problems[0]
    monkeypatch.setattr(BACKENDS["scripted"], "capabilities", can)
    assert go(sweep_of(["push in"], backend="scripted")).complete
    assert len(remote.bought) == 1


def test_takes_are_submitted_in_parallel(sweep_of: SweepOf, go, remote) -> None:
    """Two submissions run at the same time, as the account allows."""
    together = threading.Barrier(2, timeout=20)
    remote.on_submit = lambda take_id: together.wait() and None
    assert go(sweep_of(["push in", "pan left"], backend="scripted")).complete


@pytest.fixture
def uncertain(sweep_of: SweepOf, go, remote, tmp_path: Path) -> Path:
    """A run with one uncertain take."""

    def break_off(take_id: str) -> None:
        raise SubmitUncertain("the connection broke")

    remote.on_submit = break_off
    remote.lookup = lambda take_id: "unknown"
    go(sweep_of(["push in"], backend="scripted"))
    assert states(tmp_path / "run") == [TakeState.UNCERTAIN]
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("answer", "state", "says"),
    [
        ("found", TakeState.WAITING, "adopted"),
        ("absent", TakeState.PLANNED, "next run sends it"),
        ("unknown", TakeState.UNCERTAIN, "still unknown"),
    ],
)
def test_reconciling_asks_and_buys_nothing(
    uncertain: Path, remote, answer: str, state: TakeState, says: str
) -> None:
    """A found take is adopted, an absent one may be sent again, others stay uncertain."""
    remote.lookup = lambda take_id: answer
    (settled,) = reconcile(uncertain)
    assert settled.state is state
    assert says in str(settled)
    assert settled.key == remote.keys[0]
    assert states(uncertain) == [state]
    assert remote.bought == []


def test_a_person_may_give_the_job(uncertain: Path, remote, sweep_of: SweepOf, go) -> None:
    """A person's job id is used when the look-up is unclear and the service knows the job."""
    with Ledger.read(uncertain / "ledger.sqlite") as ledger:
        ((take_id, _),) = ledger.states().items()
    (settled,) = reconcile(uncertain, bought={take_id: "job-77"})
    assert settled.state is TakeState.UNCERTAIN
    assert "knows no job job-77" in settled.message
    remote.polls["job-77"] = 1
    (settled,) = reconcile(uncertain, bought={take_id: "job-77"})
    assert settled.state is TakeState.WAITING
    assert go(sweep_of(["push in"], backend="scripted")).complete
    assert "job-77" in remote.polls


def test_a_person_may_say_that_it_never_arrived(
    uncertain: Path, remote, sweep_of: SweepOf, go
) -> None:
    """A take that a person says was not bought is submitted by the next run."""
    with Ledger.read(uncertain / "ledger.sqlite") as ledger:
        ((take_id, _),) = ledger.states().items()
    reconcile(uncertain, not_bought=[take_id])
    remote.on_submit = lambda take_id: None
    assert go(sweep_of(["push in"], backend="scripted")).complete
    assert len(set(remote.keys)) == 1


def test_one_job_is_one_take(uncertain: Path, sweep_of: SweepOf, go, remote) -> None:
    """A job of another take is refused, and so is one job for two takes."""
    remote.on_submit = lambda take_id: None
    go(sweep_of(["push in", "pan left"], backend="scripted"))
    with Ledger.read(uncertain / "ledger.sqlite") as ledger:
        doubtful, bought = ledger.takes()
    with pytest.raises(InputError, match=f"already belongs to take {bought.take_id}"):
        reconcile(uncertain, bought={doubtful.take_id: bought.job.id})
    with pytest.raises(InputError, match="two takes"):
        reconcile(uncertain, bought={doubtful.take_id: "1", "other": "1"})


def test_only_uncertain_takes_can_be_settled(uncertain: Path) -> None:
    """An unknown take id is refused with a hint."""
    with pytest.raises(InputError, match="not an uncertain take"):
        reconcile(uncertain, not_bought=["abc"])


def test_an_uncertain_take_is_asked_about_again_by_the_next_run(
    uncertain: Path, remote, sweep_of: SweepOf, go
) -> None:
    """The next run looks up an uncertain take and adopts it when found."""
    remote.lookup = lambda take_id: "found"
    assert go(sweep_of(["push in"], backend="scripted")).complete
    assert remote.bought == []
