"""How a notebook begins: at the project's root, with parameters that exist."""

import ast
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from lab.errors import InputError, did_you_mean

_INJECTED = "# Parameters"


def start_notebook(cells: Sequence[str]) -> None:
    """Refuse unknown parameters, and work from the folder above `notebooks`.

    cells: the executed cells, which IPython calls `In`. JupyterLab starts a notebook in its own
    folder and papermill where it was called; after this, paths mean the same in both.
    """
    check_parameters(cells)
    if Path.cwd().name == "notebooks":
        os.chdir("..")


def check_parameters(cells: Sequence[str]) -> None:
    """Compare the cell that papermill injected with the parameters cell before it.

    cells: the notebook's executed cells, which IPython calls `In`. Raises InputError naming every
    injected name that the parameters cell does not define; without an injected cell does nothing.
    """
    for before, cell in pairwise(cells):
        if cell.startswith(_INJECTED):
            known = _assigned(before)
            unknown = [name for name in _assigned(cell) if name not in known]
            if unknown:
                hints = (f"{name!r} ({did_you_mean(name, known)})" for name in unknown)
                raise InputError(f"unknown parameter {', '.join(hints)}")


def _assigned(cell: str) -> list[str]:
    return [
        target.id
        for statement in ast.parse(cell).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (
            statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        )
        if isinstance(target, ast.Name)
    ]
