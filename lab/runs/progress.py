"""Shows progress: a widget in JupyterLab, a bar in a terminal, one line anywhere else."""

import os
import sys
from types import TracebackType
from typing import Self

from tqdm.auto import tqdm as notebook_or_terminal
from tqdm.std import tqdm as terminal

from lab.units import escape_line


class Progress:
    """A progress bar in an interactive session; otherwise one line at the end."""

    def __init__(self, total: int, label: str, *, quiet: bool = False) -> None:
        """total: the number of items. label: what they are, in the plural. quiet: show nothing."""
        self._label = label
        self._total = total
        in_kernel = _in_kernel()
        interactive = opened_by_person() if in_kernel else sys.stderr.isatty()
        self._prints_line = not quiet and not interactive
        self._stream = sys.stdout if in_kernel else sys.stderr
        bar_class = notebook_or_terminal if in_kernel and interactive else terminal
        disable = quiet or not interactive
        self._bar = bar_class(total=total, desc=label, unit="", disable=disable, leave=True)
        self._done = 0

    def advance(self) -> None:
        """Count one more finished item."""
        self._done += 1
        self._bar.update(1)

    def set_status(self, status: str) -> None:
        """Show a text beside the bar."""
        self._bar.set_postfix_str(escape_line(status))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        if self._prints_line:
            print(f"{self._label}: {self._done} of {self._total}", file=self._stream)


def opened_by_person() -> bool:
    """True when a person has opened this kernel in Jupyter, rather than papermill or nbval."""
    return "JPY_SESSION_NAME" in os.environ  # set by Jupyter's server


def _in_kernel() -> bool:
    """True when this process is a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")
