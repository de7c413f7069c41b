"""Commands that write and check pages: report, verify, export."""

from pathlib import Path
from typing import Annotated

import typer

import lab
from lab.cli.options import Json, OptionError, RunDirs
from lab.cli.terminal import interruptible, print_json, print_result, print_stdout


def report(
    folders: RunDirs,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.html", help="DIR/report.html if left out."),
    ] = None,
    max_mb: Annotated[
        float,
        typer.Option(
            "--max-mb",
            min=0,
            help="Limit for videos; above it they are reduced, then replaced by pictures.",
        ),
    ] = 25,
    heatmaps: Annotated[
        bool,
        typer.Option("--heatmaps", help="Add heatmap videos of the takes shown first."),
    ] = False,
) -> None:
    """Write one HTML file about one or more runs. It opens anywhere without a network.

    \b
    Example:
      lab report runs/mine
      lab report runs/a runs/b -o both.html
    """
    if out is None and len(folders) > 1:
        raise OptionError("a report of several runs needs a file name; add -o FILE.html")
    print_stdout(str(lab.write_report(folders, out, max_mb=max_mb, heatmaps=heatmaps, quiet=False)))


def verify(
    page: Annotated[Path, typer.Argument(metavar="REPORT.html", show_default=False)],
    run: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Where the run is now. For several runs: one --run per run in the report's "
            "order, or the folder that contains them all.",
        ),
    ] = None,
    scores: Annotated[bool, typer.Option(help="Measure every clip again.")] = True,
    as_json: Json = False,
) -> None:
    """Check every number in a report against its ledger, its files and its clips.

    \b
    Example:
      lab verify runs/mine/report.html
      lab verify report.html --run runs/moved --no-scores
    """
    with interruptible():
        verification = lab.verify(page, run, scores=scores, quiet=as_json)
    if as_json:
        for mismatch in verification.mismatches:
            print_json(mismatch.to_json())
    print_result(verification, as_json=as_json)
    if not verification.matches:
        raise typer.Exit(1)


def export(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK.ipynb", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.html", help="NOTEBOOK.html if left out."),
    ] = None,
    code: Annotated[bool, typer.Option("--code", help="Show the code of the cells too.")] = False,
) -> None:
    """Write an executed notebook as one HTML file that opens anywhere and runs no script.

    \b
    Example:
      lab export out.ipynb
      lab export out.ipynb -o page.html --code
    """
    print_stdout(str(lab.export_notebook(notebook, out, code=code)))
