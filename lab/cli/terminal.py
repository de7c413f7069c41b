"""How commands speak: results on standard output, everything else on standard error.

Names, prompts and what services say are a stranger's text: nothing in it steers the terminal.
"""

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from lab.errors import Interrupted
from lab.units import escape_controls, escape_line

_NAMED = 8  # takes in one line
_GO_ON = "interrupted; run the same again to go on"


def print_out(text: str) -> None:
    typer.echo(escape_controls(text))


def print_error(text: str) -> None:
    typer.echo(escape_controls(text), err=True)


def print_error_line(text: str) -> None:
    """Say in one line, whatever stands in a file's name, what is wrong."""
    print_error(f"error: {escape_line(text)}")


def print_json(value: dict[str, Any]) -> None:
    typer.echo(escape_controls(json.dumps(value, ensure_ascii=False, allow_nan=False)))


def print_table(results: Any) -> None:
    table = results.table().drop(columns=["take_id"])
    print_out(table.to_string(index=False, float_format="{:.3g}".format))
    for remark in results.remarks:
        print_out(remark)


def lines_by_reason(why_by_take: Mapping[str, str]) -> Iterator[str]:
    """A line for each reason, with the takes that it holds for."""
    takes: dict[str, list[str]] = {}
    for take_id, why in why_by_take.items():
        takes.setdefault(why, []).append(take_id)
    for why, ids in takes.items():
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        yield f"take{'s' * (len(ids) > 1)} {', '.join(ids[:_NAMED])}{more}: {why}"


def exit_for(failed: Sequence[str], *, name_them: bool) -> None:
    """End with code 1 if anything failed. name_them: it was not printed yet."""
    for line in failed if name_them else ():
        print_error_line(line)
    if failed:
        raise typer.Exit(1)


class _Interrupts:
    """What Ctrl-C does to a command, and the one line that says how to go on.

    The first lets the command wind down. Any later one ends the program at once: every step was
    written down before it was taken, so that nothing is lost but the time to wind down.
    """

    def __init__(self) -> None:
        self._said = False
        self.line = _GO_ON

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take them over while the block lasts, unless somebody else has, or ignores them."""
        here = threading.current_thread() is threading.main_thread()
        self._said, self.line = False, _GO_ON
        if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._first)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def say(self, line: str = "") -> None:
        """Say the line, or another one, once; what comes later comes too late."""
        if signal.getsignal(signal.SIGINT) in (self._first, self._second):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not self._said:
            self._said = True
            print_error(line or self.line)

    def _first(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, self._second)
        raise KeyboardInterrupt

    def _second(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        # Not through the stream: it may be in the middle of a line of its own.
        os.write(2, f"{escape_line(self.line)}\n".encode())
        os._exit(130)


interrupts = _Interrupts()


@contextmanager
def interruptible(run: Path | None = None) -> Iterator[None]:
    """Say what an interrupt left behind; the command line library only keeps the exit code.

    run: the folder of the run that may be gone on with, where there is one.
    """
    if run is not None:
        interrupts.line = f"{_GO_ON} (`lab resume {run}`)"
    try:
        yield
    except Interrupted as error:
        interrupts.say(str(error))
        raise typer.Exit(130) from None
