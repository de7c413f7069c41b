"""Progress that suits where it is read: a widget in Lab, a bar in a terminal, else one line."""

import os
import sys
from types import TracebackType
from typing import Self

from tqdm.auto import tqdm as notebook_or_terminal
from tqdm.std import tqdm as terminal

from lab.units import escape_line


class Progress:
    """A bar while somebody watches; one tidy line at the end where nobody does."""

    def __init__(self, total: int, what: str, *, quiet: bool = False) -> None:
        """total: number of items; what: their plural. quiet shows nothing at all."""
        self._what = what
        self._total = total
        in_kernel = _in_kernel()
        # Set by Jupyter's server for kernels that a person opened, not by papermill or nbval.
        watched = "JPY_SESSION_NAME" in os.environ if in_kernel else sys.stderr.isatty()
        self._line = not quiet and not watched
        self._stream = sys.stdout if in_kernel else sys.stderr
        bar = notebook_or_terminal if in_kernel and watched else terminal
        self._bar = bar(total=total, desc=what, unit="", disable=quiet or not watched, leave=True)
        self._done = 0

    def advance(self, said: str = "") -> None:
        """One more item is finished."""
        self._done += 1
        self._bar.update(1)
        if said:
            self._bar.set_postfix_str(escape_line(said), refresh=False)

    def set_status(self, text: str) -> None:
        """Show what is going on meanwhile."""
        self._bar.set_postfix_str(escape_line(text))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        if self._line:
            print(f"{self._what}: {self._done} of {self._total}", file=self._stream)


def _in_kernel() -> bool:
    """True when this process is a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")
