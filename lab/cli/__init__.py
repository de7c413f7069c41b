"""Defines the command line. Each command is a thin layer over public functions.

Tables and JSON go to standard output, everything else to standard error. Exit codes: 0 done; 1 done
but some item failed (each is named); 2 wrong input (one line says what to change); 130 interrupted
(run the same command again, or `lab resume`); 70 a bug in this toolkit.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, NoReturn

import typer

import lab
from lab.cli import elements, prompts, reports, results, runs, scores, services, shots, stills
from lab.cli.options import OptionError
from lab.cli.terminal import interrupts, print_error_line, print_stdout
from lab.errors import LabError

COMMANDS: Mapping[str, Sequence[Callable[..., None]]] = {
    "Before you pay": (
        stills.preflight,
        stills.fit,
        prompts.lint,
        prompts.vary,
        runs.plan,
    ),
    "Make clips": (
        runs.demo,
        shots.shoot,
        runs.run,
        runs.resume,
        runs.status,
        runs.measure,
        runs.reconcile,
        runs.recover,
        stills.create,
        elements.element,
    ),
    "Look at results": (
        scores.score,
        results.compare,
        results.suggest,
        reports.report,
        reports.verify,
        reports.export,
    ),
    "The toolkit itself": (
        services.doctor,
        services.calibrate,
        services.emulate,
        services.weights,
    ),
}
"""Every command, in the order that `lab --help` lists them."""

app = typer.Typer(
    name="lab",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def _print_version(requested: bool) -> None:
    if requested:
        print_stdout(f"i2v-lab {lab.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Image-to-video experiments: sweep, score, compare, report.

    \b
    Example:
      lab demo
      lab shoot photo.jpg "slow push-in; steam rises"
      lab run --help
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code; no traceback ever reaches the user."""
    with interrupts.handled():
        code = _run(arguments)
        if code == 130:
            interrupts.report()
        if code == 130 and arguments is None:
            # The program ends without waiting for open requests. The ledger records them.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return app(arguments, prog_name="lab", standalone_mode=False) or 0
    except typer.Abort:  # Ctrl-C at a question
        return 130
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        print_error_line(f"{' '.join(message.split())} {_help_hint(arguments)}")
        return 2
    except LabError as error:
        *lines, last = error.problems
        hint = f" {_help_hint(arguments)}" if isinstance(error, OptionError) else ""
        for line in (*lines, f"{last}{hint}"):
            print_error_line(line)
        return 2
    except Exception as error:  # noqa: BLE001 - the traceback goes to a file, one line to the user
        with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix="lab-", delete=False) as file:
            traceback.print_exc(file=file)
        message = " ".join(f"{type(error).__name__}: {error}".split())
        print_error_line(f"this is a bug in i2v-lab ({message}); please report it with {file.name}")
        return 70


def _help_hint(arguments: Sequence[str] | None) -> str:
    """A hint at the help of the command in `arguments`, or of `lab` if there is none."""
    first = next(iter(sys.argv[1:] if arguments is None else arguments), "")
    names = {command.__name__ for group in COMMANDS.values() for command in group}
    return f"(see `lab {first} --help`)" if first in names else "(see `lab --help`)"
