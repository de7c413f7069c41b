"""The runner buys once, loses nothing, and says what it could not do."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.backends.contract import JobState
from lab.errors import (
    BackendError,
    MoneyError,
    Refusal,
    RunFolderError,
    SubmitUncertain,
)
from lab.measures import measure_clip
from lab.runs import Ledger, RunFolder, TakeState, measuring, run
from lab.runs.runner import effects
from lab.runs.runner.effects import fetch_clip
from lab.sweeps import Sweep

SweepOf = Callable[..., Sweep]


def states(folder: Path) -> list[TakeState]:
    with Ledger.read(folder / "ledger.sqlite") as ledger:
        ledger.verify()
        return list(ledger.states().values())


def test_a_sweep_becomes_scored_clips(tmp_path: Path, sweep_of: SweepOf, threads: Executor) -> None:
    """Every take has a clip, a measure and a settled ledger; a second run does no work."""
    outcome = run(sweep_of(), tmp_path / "run", executor=threads, quiet=True)
    assert (outcome.takes, outcome.scored, outcome.problems) == (3, 3, ())
    folder = RunFolder(tmp_path / "run")
    assert (
        len(list(folder.clips.glob("*.mp4")))
        == len(list(folder.measures.folder.glob("*.json")))
        == 3
    )
    with Ledger.read(folder.ledger) as ledger:
        events = len(list(ledger.events()))
    again = run(sweep_of(), tmp_path / "run", executor=threads, quiet=True)
    assert again.scored == 3
    with Ledger.read(folder.ledger) as ledger:
        assert len(list(ledger.events())) == events


@pytest.mark.slow
def test_the_executor_does_not_change_the_clips_or_scores(
    tmp_path: Path, sweep_of: SweepOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads and a pool of processes leave the same bytes and the same numbers."""
    monkeypatch.setenv("I2VLAB_WORKERS", "2")
    with ThreadPoolExecutor(2) as threads:
        run(sweep_of(), tmp_path / "threads", executor=threads, quiet=True)
    run(sweep_of(), tmp_path / "processes", quiet=True)
    for name in ("clips", "measures"):
        ours = {path.name: path for path in (tmp_path / "threads" / name).iterdir()}
        theirs = {path.name: path for path in (tmp_path / "processes" / name).iterdir()}
        assert ours.keys() == theirs.keys()
    for name in ours:
        mine, other = (json.loads(path.read_text()) for path in (ours[name], theirs[name]))
        assert mine["clip_sha256"] == other["clip_sha256"]
        assert mine["numbers"] == other["numbers"]
        assert mine["series"] == other["series"]


def test_adding_levels_extends_a_run(tmp_path: Path, sweep_of: SweepOf, threads: Executor) -> None:
    """A sweep that only adds takes goes on in the same folder."""
    run(sweep_of(["push in"]), tmp_path / "run", executor=threads, quiet=True)
    outcome = run(sweep_of(["push in", "pan left"]), tmp_path / "run", executor=threads, quiet=True)
    assert outcome.scored == 2
    assert len(states(tmp_path / "run")) == 2


def test_another_sweep_is_refused_and_the_difference_named(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor
) -> None:
    """A changed sweep does not mix with an existing run."""
    run(sweep_of(["push in", "pan left"]), tmp_path / "run", executor=threads, quiet=True)
    with pytest.raises(RunFolderError, match="pan left") as caught:
        run(sweep_of(["push in", "zoom in"]), tmp_path / "run", executor=threads, quiet=True)
    assert "prompt" in str(caught.value)
    with pytest.raises(RunFolderError, match="duration_s"):
        run(
            sweep_of(["push in", "pan left"], settings={"duration_s": 0.5}),
            tmp_path / "run",
            executor=threads,
            quiet=True,
        )
    assert len(states(tmp_path / "run")) == 2


def test_a_deleted_clip_comes_back(tmp_path: Path, sweep_of: SweepOf, threads: Executor) -> None:
    """What stands right of an arrow can be rebuilt from the left, with the same content."""
    run(sweep_of(), tmp_path / "run", executor=threads, quiet=True)
    folder = RunFolder(tmp_path / "run")
    clip = sorted(folder.clips.iterdir())[0]
    before = clip.read_bytes()
    clip.unlink()
    shutil.rmtree(folder.measures.folder)
    outcome = run(sweep_of(), tmp_path / "run", executor=threads, quiet=True)
    assert outcome.scored == 3
    assert clip.read_bytes() == before


def test_a_moved_folder_goes_on(tmp_path: Path, sweep_of: SweepOf, threads: Executor) -> None:
    """A run that was moved needs neither its old place nor the original still."""
    run(sweep_of(["push in"]), tmp_path / "run", executor=threads, quiet=True)
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    for clip in (tmp_path / "elsewhere" / "clips").iterdir():
        clip.unlink()
    outcome = run(sweep_of(["push in"]), tmp_path / "elsewhere", executor=threads, quiet=True)
    assert outcome.problems == ()


def test_impossible_shots_are_refused_before_anything_runs(
    tmp_path: Path, sweep_of: SweepOf
) -> None:
    """A frame rate the backend does not have ends the call with what it has."""
    with pytest.raises(BackendError, match="24, 25, 30, 60"):
        run(sweep_of(settings={"fps": 23}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_plan_over_budget_buys_nothing(tmp_path: Path, sweep_of: SweepOf, remote) -> None:
    """Money is refused as a whole, before the first take."""
    with pytest.raises(MoneyError, match=r"1\.50 USD .* 1\.00 USD"):
        run(sweep_of(backend="scripted", budget_usd=1.0), tmp_path / "run", quiet=True)
    assert remote.bought == []


def test_jobs_are_polled_until_done_and_paid_once(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor, remote
) -> None:
    """Takes wait at the backend, arrive, and cost what the backend says."""
    outcome = run(sweep_of(backend="scripted"), tmp_path / "run", executor=threads, quiet=True)
    assert outcome.scored == 3
    assert outcome.money.spent_usd == 1.5
    assert sorted(remote.bought) == sorted(set(remote.bought))


def test_a_lost_answer_is_looked_up_and_adopted(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor, remote
) -> None:
    """When the answer to a submission is lost but it arrived, it is not bought again."""

    def lose_the_answer(take_id: str) -> None:
        remote.bought.append(take_id)
        raise SubmitUncertain("the connection broke")

    remote.on_submit = lose_the_answer
    outcome = run(
        sweep_of(["push in"], backend="scripted"), tmp_path / "run", executor=threads, quiet=True
    )
    assert outcome.scored == 1
    assert len(remote.bought) == 1


def test_a_submission_that_never_arrived_may_be_sent_again(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor, remote
) -> None:
    """When the look-up says absent, the take is submitted a second time."""
    refused = []

    def lose_the_first(take_id: str) -> None:
        if not refused:
            refused.append(take_id)
            raise SubmitUncertain("the connection broke")

    remote.on_submit = lose_the_first
    remote.lookup = lambda take_id: "absent"
    outcome = run(
        sweep_of(["push in"], backend="scripted"), tmp_path / "run", executor=threads, quiet=True
    )
    assert outcome.scored == 1
    assert len(remote.bought) == 1


def test_an_unknown_fate_waits_for_a_person(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor, remote
) -> None:
    """When nobody can say whether it was bought, running again does not buy it."""

    def break_off(take_id: str) -> None:
        raise SubmitUncertain("the connection broke")

    remote.on_submit = break_off
    remote.lookup = lambda take_id: "unknown"
    sweep = sweep_of(["push in"], backend="scripted")
    for _ in range(2):
        outcome = run(sweep, tmp_path / "run", executor=threads, quiet=True)
        assert "unknown whether" in outcome.problems[0]
    assert states(tmp_path / "run") == [TakeState.UNCERTAIN]
    assert remote.bought == []


def test_a_runner_killed_while_submitting_looks_the_take_up(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor, remote
) -> None:
    """An intent without an answer in the ledger is settled by asking, not by buying."""
    sweep = sweep_of(["push in"], backend="scripted")

    def die(take_id: str) -> None:
        remote.bought.append(take_id)
        raise SystemExit("killed")

    remote.on_submit = die
    with pytest.raises(SystemExit):
        run(sweep, tmp_path / "run", executor=threads, quiet=True)
    assert states(tmp_path / "run") == [TakeState.SUBMITTING]
    remote.on_submit = lambda take_id: pytest.fail("bought twice")
    assert run(sweep, tmp_path / "run", executor=threads, quiet=True).scored == 1


def test_refusals_and_failures_are_results(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor, remote
) -> None:
    """A refused take and a failed job are kept with their reason and not tried again."""

    def refuse_pans(take_id: str) -> None:
        if not remote.bought:
            remote.bought.append("refused")
            raise Refusal("against the rules")

    remote.on_submit = refuse_pans
    remote.end_state = JobState.FAILED
    sweep = sweep_of(["push in", "pan left"], backend="scripted")
    outcome = run(sweep, tmp_path / "run", executor=threads, quiet=True)
    assert states(tmp_path / "run") == [TakeState.REFUSED, TakeState.FAILED]
    assert "against the rules" in outcome.problems[0]
    assert "as scripted" in outcome.problems[1]
    bought = list(remote.bought)
    run(sweep, tmp_path / "run", executor=threads, quiet=True)
    assert remote.bought == bought


def test_a_broken_download_never_buys_again(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor, remote
) -> None:
    """Three broken fetches leave the job ready; the next run fetches it without buying."""
    remote.broken_fetches = 3
    sweep = sweep_of(["push in"], backend="scripted")
    outcome = run(sweep, tmp_path / "run", executor=threads, quiet=True)
    assert "the line was cut" in outcome.problems[0]
    assert remote.fetches == 3
    assert run(sweep, tmp_path / "run", executor=threads, quiet=True).scored == 1
    assert len(remote.bought) == 1


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fetch_clip", "measure_clip"])
def test_a_take_that_kills_its_worker_is_named(
    step: str, tmp_path: Path, sweep_of: SweepOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when memory runs out in rendering or measuring: the others are done; it can be resumed."""
    deadly = {"fetch_clip": _deadly_fetch_clip, "measure_clip": _deadly_measure_clip}[step]
    (_, victim) = sweep_of().takes()[1]
    with monkeypatch.context() as patch:
        patch.setenv("DEADLY_TAKE", victim.id)
        patch.setattr(effects if step == "fetch_clip" else measuring, step, deadly)
        outcome = run(sweep_of(), tmp_path / "run", quiet=True)
    assert outcome.scored == 2
    (problem,) = outcome.problems
    assert problem.startswith(f"take {victim.id}")
    assert "its worker process died" in problem
    assert run(sweep_of(), tmp_path / "run", quiet=True).complete


def _deadly_fetch_clip(backend: str, job: dict[str, Any], path: str) -> dict[str, Any]:
    """Worker: renders, and dies at one take."""
    _die_at(path)
    return fetch_clip(backend, job, path)


def _deadly_measure_clip(clip: str, *asked: Any) -> dict[str, Any]:
    """Worker: measures, and dies at one take."""
    _die_at(clip)
    return measure_clip(clip, *asked)


def _die_at(path: str) -> None:
    if Path(path).stem == os.environ["DEADLY_TAKE"]:
        os.kill(os.getpid(), signal.SIGKILL)
