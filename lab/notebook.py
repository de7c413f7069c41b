"""Start a notebook: check its parameters and set its working folder."""

import ast
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from lab.errors import InputError, did_you_mean

_INJECTED = "# Parameters"


def start_notebook(cells: Sequence[str]) -> None:
    """Refuse unknown parameters, and change from the folder `notebooks` to its parent.

    cells: the executed cells, which IPython calls `In`. JupyterLab starts a notebook in its own
    folder, papermill in the caller's. After this call relative paths are the same in both. Raises
    as `check_parameters`.
    """
    check_parameters(cells)
    if Path.cwd().name == "notebooks":
        os.chdir("..")


def check_parameters(cells: Sequence[str]) -> None:
    """Compare the cell that papermill injected with the parameters cell before it.

    cells: the executed cells, which IPython calls `In`. Raises InputError that names every injected
    parameter which the parameters cell does not define. Without an injected cell it does nothing.
    """
    for before, cell in pairwise(cells):
        if cell.startswith(_INJECTED):
            known = _assigned_names(before)
            unknown = [name for name in _assigned_names(cell) if name not in known]
            if unknown:
                hints = (f"{name!r} ({did_you_mean(name, known)})" for name in unknown)
                raise InputError(f"unknown parameter {', '.join(hints)}")


def _assigned_names(cell: str) -> list[str]:
    return [
        target.id
        for statement in ast.parse(cell).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (
            statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        )
        if isinstance(target, ast.Name)
    ]
