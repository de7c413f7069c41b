"""Prints results to standard output and everything else to standard error, and asks the user.

Names, prompts and replies of services are untrusted. Control characters in them are escaped, so
that they cannot control the terminal.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from lab.errors import Interrupted
from lab.units import escape_controls, escape_line

_INTERRUPTED = "interrupted; run the same command again to continue"


def print_stdout(text: str) -> None:
    typer.echo(escape_controls(text))


def print_stderr(text: str) -> None:
    typer.echo(escape_controls(text), err=True)


def print_error_line(text: str) -> None:
    """Print an error in one line, even if a file name in it contains a line break."""
    print_stderr(f"error: {escape_line(text)}")


def print_json(value: dict[str, Any]) -> None:
    typer.echo(escape_controls(json.dumps(value, ensure_ascii=False, allow_nan=False)))


def print_result(result: Any, *, as_json: bool) -> None:
    """Print an object that has a text and a `to_json`."""
    if as_json:
        print_json(result.to_json())
    else:
        print_stdout(str(result))


def can_ask(*, as_json: bool) -> bool:
    """True when a user at a terminal can answer a question."""
    return not as_json and sys.stdin.isatty()


def confirm(question: str, *, as_json: bool) -> bool:
    """Ask the user. Without a user at a terminal, the answer is no."""
    return can_ask(as_json=as_json) and typer.confirm(question)


def exit_if_failed(failed: Sequence[str], *, print_failures: bool) -> None:
    """Exit with code 1 if anything failed.

    print_failures: before that, print one line for each failure.
    """
    for line in failed if print_failures else ():
        print_error_line(line)
    if failed:
        raise typer.Exit(1)


class _Interrupts:
    """Handles Ctrl-C, and prints one line that says how to continue.

    The first Ctrl-C lets the command shut down cleanly. A second one ends the program at once.
    Nothing is lost, because every step is recorded before it is taken.
    """

    def __init__(self) -> None:
        self._reported = False
        self.message = _INTERRUPTED

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle Ctrl-C in the block, unless the caller of `main` handles or ignores it."""
        main_thread = threading.current_thread() is threading.main_thread()
        self._reported, self.message = False, _INTERRUPTED
        if not main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._first)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def report(self, message: str = "") -> None:
        """Print the message if none was printed yet, and ignore any further Ctrl-C.

        The default message is `self.message`.
        """
        if signal.getsignal(signal.SIGINT) in (self._first, self._second):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not self._reported:
            self._reported = True
            print_stderr(message or self.message)

    def _first(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, self._second)
        raise KeyboardInterrupt

    def _second(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        # Bypasses sys.stderr, because this may have interrupted one of its writes.
        os.write(2, f"{escape_line(self.message)}\n".encode())
        os._exit(130)


interrupts = _Interrupts()


@contextmanager
def interruptible(run: Path | None = None) -> Iterator[None]:
    """Print the message of an interrupt and exit with code 130.

    run: the run folder that `lab resume` can continue; None if there is none.
    """
    if run is not None:
        interrupts.message = f"{_INTERRUPTED} (`lab resume {run}`)"
    try:
        yield
    except Interrupted as error:
        interrupts.report(str(error))
        raise typer.Exit(130) from None
