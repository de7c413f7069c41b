"""The command about elements, as somebody types it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.emulator import Emulator, Fault, RunningServer, TaskTiming, serving
from tests.test_cli_money import lab, typed
from tests.waiting import HANGS_S, until

STILLS = Path(__file__).resolve().parents[1] / "data" / "stills"
pytestmark = pytest.mark.usefixtures("offline")
HERO = ("element", "hero", STILLS / "astronaut.jpg", STILLS / "cat.jpg")


def test_register_list_delete(service: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The id on standard output, how to cite it beside; listed, then gone, each said once."""
    assert lab(capsys, "element")[:2] == (
        0,
        "no elements; register one with `lab element NAME FRONT.jpg`\n",
    )
    code, out, err = lab(capsys, *HERO)
    assert (code, out) == (2, "")
    assert "price is not documented" in err
    assert "--yes" in err
    code, out, err = lab(capsys, *HERO, "--description", "a woman", "--yes")
    (made,) = service.emulator.elements
    assert (code, out) == (0, f"{made['element_id']}\n")
    assert f'elements: {{hero: "{made["element_id"]}"}}' in err
    assert "@hero" in err
    code, out, err = lab(capsys, *HERO, "--description", "another")
    assert (code, out) == (0, f"{made['element_id']}\n")
    assert "already registered" in err
    assert "its description stays 'a woman'" in err
    code, out, _ = lab(capsys, "element")
    assert code == 0
    assert out.split()[:3] == ["hero", made["element_id"], "ready"]
    assert "astronaut.jpg, cat.jpg" in out
    code, _, err = lab(capsys, "element", "--delete", "her")
    assert (code, err) == (
        2,
        "error: element 'her': is unknown; did you mean 'hero'?\n",
    )
    code, _, err = lab(capsys, "element", "--delete", "hero")
    assert code == 2
    assert "--yes" in err
    assert lab(capsys, "element", "--delete", "hero", "--yes")[:2] == (
        0,
        f"hero {made['element_id']}: deleted\n",
    )
    assert service.emulator.elements[0]["state"] == "deleted"


def test_json_is_an_object_a_line(
    service: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Registering, listing and deleting each print plain data and nothing else."""
    code, out, _ = lab(capsys, *HERO, "--yes", "--json")
    row = json.loads(out)
    assert (code, row["name"], row["state"], row["known_before"]) == (0, "hero", "ready", False)
    (listed,) = map(json.loads, lab(capsys, "element", "--json")[1].splitlines())
    assert listed["id"] == row["id"]
    gone = json.loads(lab(capsys, "element", "--forget", "hero", "--json")[1])
    assert (gone["state"], gone["deleted_at_the_service"]) == ("deleted", False)
    (stranger,) = map(json.loads, lab(capsys, "element", "--json")[1].splitlines())
    assert (stranger["id"], stranger["content"]) == (row["id"], "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("element", "hero"), "give its pictures, the front first"),
        (("element", "2hero", "x.jpg"), "a name is a letter"),
        (("element", "hero", "nowhere.jpg"), "nowhere.jpg: no such file"),
        (("element", "hero", "--delete", "hero"), "or --delete NAME, or --forget NAME"),
        (("element", "--backend", "offline"), "registers no elements"),
        (("element", "--forget", "hero"), "none is registered"),
    ],
)
def test_mistakes_are_one_line(
    service: RunningServer,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    """Exit 2, what to change, and nothing asked of the service."""
    code, out, err = lab(capsys, *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err
    assert service.emulator.requests.total() == 0


def test_what_is_known_is_listed_without_the_service(
    service: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """An account that cannot be asked is named, exit 1, after what this user knows."""
    lab(capsys, *HERO, "--yes")
    service.emulator.add_fault(Fault("api_error", code=1101))
    code, out, err = lab(capsys, "element")
    assert code == 1
    assert out.startswith("hero")
    assert "in arrears" in err


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code", "made"), [("y", 0, 1), ("n", 2, 0)])
def test_at_a_terminal_it_asks(service: RunningServer, answer: str, code: int, made: int) -> None:
    """The question says that the price is unknown; only a yes registers."""
    ended, said = typed(answer, *HERO)
    assert "Register hero, 2 pictures on kling, at a price that is not documented?" in said
    assert ended == code, said
    assert len(service.emulator.elements) == made


@pytest.mark.slow
def test_ctrl_c_is_resumable(monkeypatch: pytest.MonkeyPatch, offline: Path) -> None:
    """Interrupted while the service works on it: exit 130, and the same again waits for that."""
    now_s = [1_795_000_000.0]
    emulator = Emulator(timing=TaskTiming(0, 60, 0), clock=lambda: now_s[0])
    with serving(emulator) as service:
        for name, value in {**service.environment, "KLING_POLL_S": "0.05"}.items():
            monkeypatch.setenv(name, value)
        command = [sys.executable, "-m", "lab", *map(str, HERO), "--yes"]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
        assert running.stderr is not None
        until(lambda: any("{id} 200" in what for what in emulator.requests), running)
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=HANGS_S) == 130
        assert b"run the same command again" in running.stderr.read()
        running.stderr.close()
        now_s[0] += 100
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        assert len(emulator.elements) == 1
