"""The help of every command, and what errors in options point to."""

import inspect
import shlex
from collections.abc import Callable

import pytest
import typer

from lab.cli import COMMANDS, app, main

COMMAND_FUNCTIONS = [command for group in COMMANDS.values() for command in group]


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--help"])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def _examples(text: str) -> list[str]:
    lines = [line.strip() for line in text.partition("Example:")[2].splitlines()]
    return [line for line in lines if line.startswith("lab ")]


@pytest.mark.parametrize("command", COMMAND_FUNCTIONS, ids=lambda command: command.__name__)
def test_every_help_has_examples_that_parse(
    command: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The examples are shown line by line, call this command, and are no usage errors."""
    monkeypatch.setenv("COLUMNS", "100")
    name = command.__name__
    written = _examples(inspect.getdoc(command) or "")
    assert written
    shown = _help(capsys, name)
    root = typer.main.get_command(app)
    for example in written:
        assert example in shown
        program, called, *arguments = shlex.split(example)
        assert (program, called) == ("lab", name)
        root.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


def test_the_help_of_lab_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has a line under its group."""
    text = _help(capsys)
    for group, commands in COMMANDS.items():
        assert group in text
        for command in commands:
            assert f" {command.__name__} " in text


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["nope"], ""),
        (["run", "sweep.yaml"], "run "),
        (["run", "sweep.yaml", "--out", "x", "--foo"], "run "),
        (["plan", "sweep.yaml", "--backend", "ofline"], "plan "),
        (["plan", "sweep.yaml", "--budget", "-1"], "plan "),
        (["preflight", "photo.jpg", "--ratio", "5:4"], "preflight "),
        (["fit", "photo.jpg", "--ratio", "1:1", "--mode", "tear"], "fit "),
        (["lint", " "], "lint "),
        (["vary", "push in", "--by", "colour"], "vary "),
        (["shoot", "photo.jpg", ""], "shoot "),
        (["reconcile", "runs/x", "--bought", "abc"], "reconcile "),
        (["calibrate", "--moves", "--footage", "clips"], "calibrate "),
        (["doctor", "klingon"], "doctor "),
    ],
)
def test_a_bad_option_points_to_the_help_of_its_command(
    arguments: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on standard error, exit 2, and where the accepted values are listed."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    printed = capsys.readouterr()
    assert (stopped.value.code, printed.out) == (2, "")
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f"(see `lab {command}--help`)")


def test_a_missing_file_is_no_error_of_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    """No help would change it, so the line says only what is missing."""
    with pytest.raises(SystemExit) as stopped:
        main(["shoot", "nowhere.jpg", "slow push in"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: nowhere.jpg: no such file\n"
