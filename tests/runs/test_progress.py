"""Progress is quiet where nobody watches."""

import pytest

from lab.runs.progress import Progress


def test_one_line_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """Outside a terminal a loop leaves exactly one line."""
    with Progress(3, "takes scored") as progress:
        for _ in range(3):
            progress.advance()
    assert capsys.readouterr().err == "takes scored: 3 of 3\n"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json nothing but JSON may appear."""
    with Progress(1, "takes", quiet=True) as progress:
        progress.advance()
    assert capsys.readouterr() == ("", "")
