"""The arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line, nothing else.")]
SweepFile = Annotated[Path, typer.Argument(metavar="SWEEP.yaml", show_default=False)]
RunDir = Annotated[Path, typer.Argument(metavar="DIR", show_default=False)]
RunDirs = Annotated[list[Path], typer.Argument(metavar="DIR...", show_default=False)]
BackendName = Annotated[str | None, typer.Option(help="Use this backend instead of the file's.")]
Budget = Annotated[
    float | None, typer.Option(metavar="USD", min=0, help="Refuse a plan that may cost more.")
]
Cap = Annotated[
    float | None,
    typer.Option(metavar="USD", min=0, help="Make as many whole blocks as fit, then stop."),
]
Reuse = Annotated[
    bool, typer.Option(help="Take over identical takes that an older run of yours bought.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Spend what the plan says without asking.")]
