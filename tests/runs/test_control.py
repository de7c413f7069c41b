"""Another thread can pause, resume and stop a run, and nothing is bought twice or lost."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.errors import Interrupted
from lab.runs import Control, Ledger, RunFolder, RunOutcome, TakeState, run
from lab.sweeps import Sweep
from tests.runs.conftest import Remote

pytestmark = pytest.mark.usefixtures("offline")

SweepOf = Callable[..., Sweep]
A_WHILE_S = 0.5


def _running(design: Sweep, out: Path, executor: Executor, control: Control) -> Future[RunOutcome]:
    alone = ThreadPoolExecutor(1)
    job = alone.submit(run, design, out, executor=executor, quiet=True, control=control)
    alone.shutdown(wait=False)
    return job


def test_a_paused_run_sends_nothing(
    tmp_path: Path, sweep_of: SweepOf, remote: Remote, threads: Executor
) -> None:
    """Paused from the beginning it buys nothing and waits; resumed it finishes."""
    control = Control()
    control.pause()
    job = _running(sweep_of(backend="scripted"), tmp_path / "run", threads, control)
    with pytest.raises(TimeoutError):
        job.result(A_WHILE_S)
    assert remote.bought == []
    control.resume()
    assert job.result(60).complete
    assert len(remote.bought) == 3


def test_what_is_under_way_is_finished_while_paused(
    tmp_path: Path, sweep_of: SweepOf, remote: Remote, threads: Executor
) -> None:
    """Takes that were sent before the pause are fetched and scored during it; no other is sent."""
    control = Control()
    remote.on_submit = lambda _: control.pause()
    prompts = ("push in", "pan left", "lock off", "tilt up", "zoom in")
    job = _running(sweep_of(prompts, backend="scripted"), tmp_path / "run", threads, control)
    folder = RunFolder(tmp_path / "run")
    while len(list(folder.measures.folder.glob("*.json"))) < max(1, len(remote.bought)):
        with pytest.raises(TimeoutError):
            job.result(0.05)
    with pytest.raises(TimeoutError):
        job.result(A_WHILE_S)
    assert 1 <= len(remote.bought) <= 2  # as many as may be in flight at once
    with Ledger.read(folder.ledger) as ledger:
        states = list(ledger.states().values())
    assert states.count(TakeState.FETCHED) == len(remote.bought)
    assert states.count(TakeState.PLANNED) == 5 - len(remote.bought)
    remote.on_submit = lambda _: None
    control.resume()
    assert job.result(60).complete
    assert len(remote.bought) == len(set(remote.bought)) == 5


def test_a_pause_holds_what_is_rendered_here(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor
) -> None:
    """Where fetching a clip means making it, a pause makes none."""
    control = Control()
    control.pause()
    job = _running(sweep_of(), tmp_path / "run", threads, control)
    with pytest.raises(TimeoutError):
        job.result(A_WHILE_S)
    assert list(RunFolder(tmp_path / "run").clips.glob("*.mp4")) == []
    control.resume()
    assert job.result(60).complete


def test_a_stopped_run_goes_on_later(
    tmp_path: Path, sweep_of: SweepOf, remote: Remote, threads: Executor
) -> None:
    """A stop ends it like Ctrl-C, even out of a pause; the same call buys only what is missing."""
    control = Control()
    remote.on_submit = lambda _: control.stop()
    design = sweep_of(backend="scripted")
    with pytest.raises(Interrupted, match="run the same command again to continue"):
        run(design, tmp_path / "run", executor=threads, quiet=True, control=control)
    remote.on_submit = lambda _: None
    paused = Control()
    paused.pause()
    with ThreadPoolExecutor(1) as alone:
        job = alone.submit(
            run, design, tmp_path / "run", executor=threads, quiet=True, control=paused
        )
        with pytest.raises(TimeoutError):
            job.result(A_WHILE_S)
        paused.stop()
        assert isinstance(job.exception(60), Interrupted)
    assert run(design, tmp_path / "run", executor=threads, quiet=True).complete
    assert len(remote.bought) == len(set(remote.bought)) == 3


def test_a_folder_knows_who_is_running(
    tmp_path: Path, sweep_of: SweepOf, threads: Executor
) -> None:
    """While a run holds the folder its process is named, and afterwards nobody."""
    control = Control()
    control.pause()
    folder = RunFolder(tmp_path / "run")
    assert folder.active_runner == ""
    job = _running(sweep_of(), folder.path, threads, control)
    with pytest.raises(TimeoutError):
        job.result(A_WHILE_S)
    assert folder.active_runner.startswith("process ")
    control.resume()
    job.result(60)
    assert folder.active_runner == ""
