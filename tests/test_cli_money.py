"""The commands that spend money or settle it."""

import json
import os
import pty
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from lab.backends import open_backend
from lab.cli import main
from lab.emulator import Fault, RunningServer
from lab.errors import Interrupted
from lab.prompts import Prompt
from lab.runs import Control, Ledger, TakeState, run
from lab.shots import Shot
from lab.stills import Still
from lab.takes import Take
from tests.waiting import HANGS_S, until, until_it_sleeps

pytestmark = pytest.mark.usefixtures("in_process", "offline")


@pytest.fixture
def sweep(tmp_path: Path, coffee: Still) -> Path:
    """One take of 3 s, with neither budget nor cap."""
    path = tmp_path / "sweep.yaml"
    path.write_text(
        f"stills: {coffee.path.resolve()}\nprompts: push in\n"
        "settings: {duration_s: 3}\nbackend: kling\n"
    )
    return path


def lab(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return stopped.value.code, said.out, said.err  # type: ignore[return-value]


def typed(answer: str, *arguments: object) -> tuple[int, str]:
    """Run a command at a terminal where somebody types an answer; its exit code, what it says."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lab", *map(str, arguments)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            said += part
            if b"[y/N]" in part:
                os.write(ours, f"{answer}\n".encode())
    os.close(ours)
    return process.returncode, said.decode()


def test_nobody_at_the_terminal_spends_nothing(
    service: RunningServer, sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal, a budget or --yes: exit 2, and one line that says what to give."""
    code, _, err = lab(capsys, "run", sweep, "--out", tmp_path / "run")
    assert code == 2
    assert "--budget, --cap" in err.splitlines()[-1]
    assert service.emulator.charged_jobs == 0


def test_a_resumed_run_asks_before_it_spends(
    service: RunningServer, sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the sweep file, under the rules of `lab run`: what it was given, or what is given."""
    out, control = tmp_path / "run", Control()
    assert lab(capsys, "resume", out)[0] == 2
    control.stop()
    with pytest.raises(Interrupted):
        run(sweep, out, confirmed=True, quiet=True, control=control)
    sweep.unlink()
    code, said, err = lab(capsys, "resume", out)
    assert (code, said) == (2, "")
    assert "0.25 to 0.28 USD; set a budget or a cap" in err.splitlines()[-1]
    code, _, err = lab(capsys, "resume", out, "--budget", 0.1)
    assert (code, service.emulator.charged_jobs) == (2, 0)
    assert "the budget is 0.10 USD" in err.splitlines()[-1]
    code, said, _ = lab(capsys, "resume", out, "--budget", 1, "--json")
    assert (code, service.emulator.charged_jobs) == (0, 1)
    plan, take, outcome = map(json.loads, said.splitlines())
    assert (plan["plan"]["takes"], outcome["scored"]) == (1, 1)
    assert take["flicker"] is not None
    assert lab(capsys, "resume", out)[0] == 0  # nothing is left to buy


@pytest.mark.parametrize(
    ("answer", "code", "bought"), [("n", 2, 0), pytest.param("y", 0, 1, marks=pytest.mark.slow)]
)
def test_at_a_terminal_it_asks(
    service: RunningServer, sweep: Path, tmp_path: Path, answer: str, code: int, bought: int
) -> None:
    """The question names the price and the backend; only a yes buys."""
    ended, said = typed(answer, "run", sweep, "--out", tmp_path / "run")
    assert "Spend 0.25 to 0.28 USD on kling?" in said
    assert ended == code, said
    assert service.emulator.charged_jobs == bought


def test_the_plan_needs_no_key(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Price, basis and address are said to somebody who has no account yet; running says so."""
    for name in ("KLING_URL", "KLING_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    code, out, _ = lab(capsys, "plan", sweep)
    assert code == 0
    assert "0.25 to 0.28 USD (Kling's prices of 2026-08-10)" in out
    assert "kling at https://api-singapore.klingai.com" in out
    code, _, err = lab(capsys, "run", sweep, "--out", sweep.parent / "run", "--yes")
    assert code == 2
    assert "KLING_API_KEY" in err.splitlines()[-1]
    assert not (sweep.parent / "run").exists()


def test_what_nobody_knows_is_listed_and_settled(
    service: RunningServer, sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A take whose answer was lost while nobody could be asked is found by reconcile."""
    out = tmp_path / "run"
    service.emulator.add_fault(Fault("accept_then_drop", times=1))
    service.emulator.add_fault(Fault("api_error", method="GET", code=1200))
    code, _, err = lab(capsys, "run", sweep, "--out", out, "--budget", 1)
    assert code == 1
    assert "lab reconcile" in err
    code, said, _ = lab(capsys, "status", out)
    assert "1 uncertain" in said
    assert "lab reconcile" in said
    code, said, _ = lab(capsys, "reconcile", out)
    assert code == 1
    assert "still unknown" in said
    service.emulator.clear_faults()
    code, said, _ = lab(capsys, "reconcile", out, "--json")
    assert code == 0
    assert json.loads(said)["state"] == "waiting"
    code, said, _ = lab(capsys, "reconcile", out)
    assert (code, said) == (0, f"{out}: no take is uncertain\n")
    assert lab(capsys, "run", sweep, "--out", out, "--budget", 1)[0] == 0
    assert service.emulator.charged_jobs == 1
    with Ledger.read(out / "ledger.sqlite") as ledger:
        assert list(ledger.states().values()) == [TakeState.FETCHED]


def test_a_run_that_ended_at_its_cap_says_so_again(
    service: RunningServer, sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run again, it prints what there is, why nothing was sent and what to do: exit 1, not 0 or 2;
    its status and plan say so too, until the cap is raised."""
    sweep.write_text(sweep.read_text() + "repeats: 2\ncap_usd: 0.3\n")
    out, said = tmp_path / "run", "the cap of 0.30 USD has no room for the next block"
    for _ in range(2):
        code, table, err = lab(capsys, "run", sweep, "--out", out)
        assert code == 1
        assert f"{said}; 1 take was not sent; raise the cap to continue" in err
        assert "fetched" in table
        assert service.emulator.charged_jobs == 1
    assert said in lab(capsys, "status", out)[1]
    assert json.loads(lab(capsys, "status", out, "--json")[1])["stopped"].startswith(said)
    code, planned, _ = lab(capsys, "plan", sweep, "--out", out)
    assert code == 0
    assert "reached; raise it to continue" in planned
    assert lab(capsys, "run", sweep, "--out", out, "--cap", 1)[0] == 0
    assert said not in lab(capsys, "status", out)[1]
    assert json.loads(lab(capsys, "status", out, "--json")[1])["stopped"] == ""


def test_a_mistyped_settlement_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--bought without an id is one line and exit 2; so is a folder that holds no run."""
    code, _, err = lab(capsys, "reconcile", tmp_path, "--bought", "abc")
    assert code == 2
    assert "TAKE=JOB" in err
    code, _, err = lab(capsys, "reconcile", tmp_path)
    assert code == 2
    assert "holds no run" in err


@pytest.mark.slow
def test_a_still_is_created_and_sent_straight_to_video(
    service: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`lab create` leaves a picture that the next sweep animates, and buys it once."""
    create = ("create", "a cup on a table", "--out", tmp_path / "stills", "--budget", 1)
    code, out, err = lab(capsys, *create)
    assert code == 0, err
    still = Still.open(out.strip())
    assert min(still.width_px, still.height_px) >= 300
    assert lab(capsys, *create)[1] == out
    assert lab(capsys, "resume", tmp_path / "stills")[0] == 0
    sweep = tmp_path / "next.yaml"
    sweep.write_text(
        f"stills: [{still.path}, none]\nprompts: push in\nsettings: {{duration_s: 3}}\n"
        "backend: kling\nbudget_usd: 5\n"
    )
    assert lab(capsys, "run", sweep, "--out", tmp_path / "run")[0] == 0
    assert service.emulator.charged_jobs == 3
    assert lab(capsys, "report", tmp_path / "run")[0] == 0


def test_a_sweep_goes_from_text_to_film(
    service: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command makes pictures, takes one and animates it; tables and report show the clips."""
    sweep = tmp_path / "film.yaml"
    sweep.write_text(
        "stills: {create: a cup on a table, name: cup, best_of: 2}\nprompts: slow push in\n"
        "settings: {duration_s: 3}\nbackend: kling\nbudget_usd: 1\n"
    )
    out = tmp_path / "run"
    code, table, said = lab(capsys, "run", sweep, "--out", out)
    assert code == 0, said
    assert "2 to be made from text first: cup (best of 2)" in said
    assert "still cup: picture " in said
    assert len(table.splitlines()) == 3  # names, one take, and that the emulator renders locally
    assert service.emulator.charged_jobs == 3
    assert json.loads(lab(capsys, "status", out, "--json")[1])["measures"] == {"fresh": 1}
    assert lab(capsys, "report", out)[0] == 0
    page = out / "report.html"
    assert "2 pictures made from text, for 0.06 USD" in page.read_text()
    code, said, _ = lab(capsys, "verify", page, "--no-scores")
    assert code == 0, said
    page.write_text(page.read_text().replace(">animated<", "><"))
    code, said, _ = lab(capsys, "verify", page, "--no-scores")
    assert code == 1
    assert "taken in the pictures made from text" in said


def test_the_emulator_says_how_to_reach_it(tmp_path: Path) -> None:
    """`lab emulate` prints what to export, answers, goes wrong as told, and ends on Ctrl-C."""
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "stuck"\n')
    running = subprocess.Popen(
        [sys.executable, "-m", "lab", "emulate", "--port", "0", "--faults", str(faults)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    address = running.stdout.readline().strip().removeprefix("export KLING_URL=")
    assert running.stdout.readline().startswith("export KLING_API_KEY=")
    with urllib.request.urlopen(f"{address}/emulator/state") as reply:
        assert json.load(reply)["faults"][0]["kind"] == "stuck"
    running.send_signal(signal.SIGINT)
    assert running.wait(HANGS_S) in (0, 130)
    running.stdout.close()


def test_a_broken_faults_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault nobody knows is answered with the nearest one, before anything is served."""
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "stuk"\n')
    code, _, err = lab(capsys, "emulate", "--faults", faults)
    assert code == 2
    assert "stuck" in err
    assert len(err.splitlines()) == 1


def test_the_doctor_says_what_holds(
    service: RunningServer,
    coffee: Still,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit 0 when every assumption holds, 1 when one does not or cannot be checked, 2 without a
    key; a line each, as JSON too, and no key on any of them."""
    code, out, _ = lab(capsys, "doctor", "kling")
    assert code == 1
    assert "could not be checked: clips are on the listed hosts" in out
    backend = open_backend("kling")
    backend.submit(Take(Shot(coffee, Prompt.from_text("push in")), "kling"), "i2v-1-1")
    backend.close()
    assert "KLING_URL (the environment)" in out
    code, told, err = lab(capsys, "doctor", "kling", "--json")
    head, *rows = map(json.loads, told.splitlines())
    assert (code, err, head["backend"], head["protocol"]) == (0, "", "kling", "new")
    assert [row["outcome"] for row in rows] == ["held"] * 7
    service.emulator.add_fault(Fault("api_error", code=1002))
    code, broken, _ = lab(capsys, "doctor", "kling")
    assert code == 1
    assert "did not hold: the service knows the key" in broken
    for said in (out, told, broken):
        assert service.emulator.account.api_key not in said
    assert service.emulator.charged_jobs == 1
    monkeypatch.delenv("KLING_API_KEY")
    code, out, err = lab(capsys, "doctor", "kling")
    assert (code, out) == (2, "")
    assert "set KLING_API_KEY" in err
    assert lab(capsys, "doctor", "offline")[0] == 2


def test_the_doctor_lists_backends(
    service: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a name: each backend, and which of its settings were found; asks nobody."""
    code, out, _ = lab(capsys, "doctor")
    assert code == 0
    assert "KLING_API_KEY (the environment)" in out
    assert "offline: uses no service" in out
    rows = [json.loads(line) for line in lab(capsys, "doctor", "--json")[1].splitlines()]
    assert [row["backend"] for row in rows if row["checks"]] == ["kling"]
    assert service.emulator.requests == {}


# Once is in the quick tier too: tests/runs/test_interrupt.py.
@pytest.mark.slow
@pytest.mark.parametrize("presses", [1, 2, 3], ids=["once", "twice", "thrice"])
def test_ctrl_c_does_not_wait_for_a_slow_answer(
    service: RunningServer, sweep: Path, tmp_path: Path, presses: int
) -> None:
    """With an order under way whose answer takes an hour it ends all the same, 130, and says once
    how to continue, however often Ctrl-C is pressed while it winds down. There is one purchase.

    The resumed run knows the budget that the interrupted one was given.
    """
    out = tmp_path / "run"
    service.emulator.add_fault(Fault("slow", method="POST", seconds=3600))
    command = [sys.executable, "-m", "lab", "run", str(sweep), "--out", str(out), "--budget", "1"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    assert running.stderr is not None
    until(lambda: service.emulator.jobs, running)
    running.send_signal(signal.SIGINT)
    # The bar is closed first; then the answers of the next second are waited for.
    while b"takes scored" not in running.stderr.readline():
        assert running.poll() is None
    for _ in range(presses - 1):
        running.send_signal(signal.SIGINT)
    said = running.stderr.read().decode()
    assert running.wait(timeout=HANGS_S) == 130
    assert said.count(f"run the same command again to continue (`lab resume {out}`)") == 1
    assert "Traceback" not in said
    running.stderr.close()
    service.emulator.clear_faults()
    assert subprocess.run([*command[:3], "resume", str(out)], check=False).returncode == 0
    assert service.emulator.charged_jobs == 1


def test_ctrl_c_before_a_run_says_how_to_go_on_too(sweep: Path) -> None:
    """A question that is interrupted ends with the same line and 130, not with a bare code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lab", "run", str(sweep), "--out", str(sweep.parent / "run")]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 4096)
        until_it_sleeps(process)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 130
    assert "run the same command again to continue" in said.decode()
    assert "Traceback" not in said.decode()
    assert not (sweep.parent / "run").exists()
