"""Commands that read the results of runs: compare, suggest."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

import lab
from lab.cli.options import Json, RunDir, RunDirs, input_errors_as_option_errors
from lab.cli.terminal import print_json, print_stderr, print_stdout


def compare(
    folders: RunDirs,
    by: Annotated[
        str | None, typer.Option(help="One factor; all varied factors if left out.")
    ] = None,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Scores as measured, also of takes that are too still.",
        ),
    ] = False,
    camera: Annotated[
        bool,
        typer.Option(
            "--camera",
            help="Compare only the camera moves: those requested with those recognised, "
            "take by take.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Median scores at matched motion by level of each factor, and by run.

    Differences are not tested for significance.

    \b
    Example:
      lab compare runs/mine
      lab compare runs/a runs/b --by prompt --raw
      lab compare runs/mine --camera --json
    """
    results = lab.load(folders)
    with nullcontext() if by is None else input_errors_as_option_errors():
        comparison = lab.compare(results, by=by, raw=raw, camera=camera)
    if as_json:
        for row in comparison.to_json():
            print_json(row)
    else:
        print_stdout(str(comparison))
        if comparison.legend:
            print_stderr(comparison.legend)
    for note in comparison.notes:
        print_stderr(note)


def suggest(
    folder: RunDir,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="NEXT.yaml", help="Write the next sweep file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Suggest what to change next, with the evidence, and write the next sweep file.

    \b
    Example:
      lab suggest runs/mine -o next.yaml
    """
    advice = lab.suggest_next(folder)
    written = None if out is None else advice.save(out)
    if as_json:
        for suggestion in advice.to_json():
            print_json(suggestion)
    else:
        print_stdout(str(advice))
    if written is not None:
        print_stderr(f"next sweep: {written}")
