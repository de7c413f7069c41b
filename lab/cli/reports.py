"""Commands that write and check pages: report, verify, export."""

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Json, RunDirs
from lab.cli.terminal import interruptible, print_json, print_out
from lab.errors import InputError


def report(
    folders: RunDirs,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.html", help="DIR/report.html if left out."),
    ] = None,
    max_mb: Annotated[
        float,
        typer.Option(
            "--max-mb", min=0, help="Room for films; beyond it they shrink, then become pictures."
        ),
    ] = 25,
    heatmaps: Annotated[
        bool, typer.Option("--heatmaps", help="Films of where the best and worst scores come from.")
    ] = False,
) -> None:
    """Write one HTML file, of one run or of several, that opens anywhere with no network."""
    from lab.report import write_report

    if out is None and len(folders) > 1:
        raise InputError("a report of several runs needs a place; add -o FILE.html")
    path = write_report(folders, out, max_mb=max_mb, heatmaps=heatmaps, quiet=False)
    print_out(str(path))


def verify(
    page: Annotated[Path, typer.Argument(metavar="REPORT.html", show_default=False)],
    run: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Where the run lies now. Of several runs: each in the report's order, or one "
            "folder that holds them.",
        ),
    ] = None,
    scores: Annotated[bool, typer.Option(help="Measure every clip again.")] = True,
    as_json: Json = False,
) -> None:
    """Say whether every number in a report is what its ledger, files and clips say."""
    from lab.report import verify as hold

    with interruptible():
        found = hold(page, run, scores=scores, quiet=as_json)
    if as_json:
        for mismatch in found.mismatches:
            print_json(mismatch.to_json())
        print_json(found.to_json())
    else:
        print_out(str(found))
    if not found.matches:
        raise typer.Exit(1)


def export(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK.ipynb", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.html", help="NOTEBOOK.html if left out."),
    ] = None,
    code: Annotated[bool, typer.Option("--code", help="Show the cells' code too.")] = False,
) -> None:
    """Write an executed notebook as one HTML file that opens anywhere and runs no script."""
    from lab.report import export_notebook

    print_out(str(export_notebook(notebook, out, code=code)))
