"""The command line: thin hands over public functions.

Tables and JSON go to standard output, everything else to standard error. Exit codes: 0 done, 1 done
but some item failed (each is named), 2 wrong input (one line says what to change), 130 interrupted
(run the same again, or `lab resume`, to go on), 70 a bug in this toolkit.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import typer

from lab.cli import elements, prompts, reports, results, runs, scores, services, stills
from lab.cli.terminal import interrupts, print_error_line
from lab.errors import LabError

COMMANDS: Mapping[str, Sequence[Callable[..., None]]] = {
    "Before anything is paid": (
        stills.preflight,
        stills.fit,
        prompts.lint,
        prompts.vary,
        runs.plan,
    ),
    "Make clips": (
        runs.demo,
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
    help="Image-to-video experiments: sweep, score, compare, report.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code; no traceback ever reaches the user."""
    with interrupts.taken():
        code = _run(arguments)
        if code == 130:
            interrupts.say()
        if code == 130 and arguments is None:
            # As a program of its own: do not wait for requests under way. The ledger knows of them.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return app(arguments, standalone_mode=False) or 0
    except typer.Abort:  # at a question
        return 130
    except typer.TyperException as error:
        worded = getattr(error, "format_message", None)
        said = worded() if worded else str(error)
        print_error_line(f"{' '.join(said.split())} See `lab --help`.")
        return 2
    except LabError as error:
        for line in error.problems:
            print_error_line(line)
        return 2
    except Exception as error:  # noqa: BLE001 - the last door: told in one line, kept in a file
        with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix="lab-", delete=False) as file:
            traceback.print_exc(file=file)
        said = " ".join(f"{type(error).__name__}: {error}".split())
        print_error_line(f"this is a bug in i2v-lab ({said}); please report it with {file.name}")
        return 70
