"""Commands that write and check pages: report, verify, export."""

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Json, RunDir
from lab.cli.terminal import interruptible, print_json, print_out


def report(
    folder: RunDir,
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
    """Write one HTML file that opens anywhere with no network."""
    from lab.report import write_report

    path = write_report(folder, out, most_mb=max_mb, heatmaps=heatmaps, quiet=False)
    print_out(str(path))


def verify(
    page: Annotated[Path, typer.Argument(metavar="REPORT.html", show_default=False)],
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run folder, if it does not lie beside the report."),
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
    if not found.holds:
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
