"""Of two runs started at once in a new folder, one runs and the other is refused."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.errors import BusyError
from lab.runs import Ledger, run
from lab.sweeps import Sweep
from tests.runs.conftest import Remote
from tests.waiting import HANGS_S

_STARTS = 3


def _rounds(
    count: int, folder: Path, sweep: Sweep, remote: Remote, threads: ThreadPoolExecutor
) -> None:
    wanted = {take.id for _, take in sweep.takes()}
    for number in range(count):
        out, gate = folder / str(number), threading.Barrier(_STARTS)
        remote.bought.clear()
        remote.polls.clear()

        def start(out: Path = out, gate: threading.Barrier = gate) -> str:
            gate.wait()
            try:
                done = run(sweep, out, reuse=False, quiet=True, executor=threads)
            except BusyError as error:
                return str(error)
            return "done" if done.complete else "; ".join(done.problems)

        with ThreadPoolExecutor(_STARTS) as starters:
            outcomes = [one.result() for one in [starters.submit(start) for _ in range(_STARTS)]]
        assert "done" in outcomes
        assert all(one == "done" or "is running here; wait" in one for one in outcomes), outcomes
        assert sorted(remote.bought) == sorted(wanted)
        with Ledger.read(out / "ledger.sqlite") as ledger:
            ledger.check()
            assert all(len(ledger.submission_accounts(take_id)) == 1 for take_id in wanted)


def test_starts_at_one_moment_buy_once(
    tmp_path: Path, sweep_of: Callable[..., Sweep], remote: Remote, threads: ThreadPoolExecutor
) -> None:
    """Three callers start at once, twice; every take is submitted exactly once."""
    _rounds(2, tmp_path, sweep_of(prompts=["push in"], backend="scripted"), remote, threads)


@pytest.mark.slow
def test_starts_at_one_moment_buy_once_at_length(
    tmp_path: Path, sweep_of: Callable[..., Sweep], remote: Remote, threads: ThreadPoolExecutor
) -> None:
    """The same fifteen times, with two takes."""
    sweep = sweep_of(prompts=["push in", "pan left"], backend="scripted")
    _rounds(15, tmp_path, sweep, remote, threads)


@pytest.mark.slow
def test_two_commands_at_one_moment(tmp_path: Path, still: Path) -> None:
    """Two `lab run` at once: one exits 0, the other 0 or 2 with one line."""
    sweep = tmp_path / "s.yaml"
    sweep.write_text(f"stills: {still}\nprompts: push in\nsettings: {{duration_s: 0.2}}\n")
    for number in range(3):
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "lab", "run", sweep, "--out", tmp_path / str(number)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        ends = [(one.communicate(timeout=HANGS_S)[1], one.returncode) for one in started]
        assert 0 in [code for _, code in ends]
        for errors, code in ends:
            last = errors.strip().splitlines()[-1]
            assert code == 0 or (code == 2 and "is running here; wait" in last), errors
