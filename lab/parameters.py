"""Make a notebook's unknown parameter an error instead of a run with the defaults."""

import ast
from collections.abc import Sequence
from itertools import pairwise

from lab.errors import InputError, did_you_mean

_INJECTED = "# Parameters"


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
