"""How commands speak: results on standard output, everything else on standard error."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from lab.errors import Interrupted

_NAMED = 8  # takes in one line


def print_out(text: str) -> None:
    typer.echo(text)


def print_error(text: str) -> None:
    typer.echo(text, err=True)


def print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def print_table(results: Any) -> None:
    from lab.analysis.results import SIMULATED_NOTE

    table = results.table().drop(columns=["take_id"])
    print_out(table.to_string(index=False, float_format="{:.3g}".format))
    if results.simulated:
        print_out(SIMULATED_NOTE)


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
        print_error(f"error: {line}")
    if failed:
        raise typer.Exit(1)


@contextmanager
def interruptible() -> Iterator[None]:
    """Say what an interrupt left behind; the command line library only keeps the exit code."""
    try:
        yield
    except Interrupted as error:
        print_error(str(error))
        raise typer.Exit(130) from None
