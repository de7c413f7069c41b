"""Runs a sweep in a thread of the kernel, so that other cells keep working."""

import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import Interrupted, LabError
from lab.runs import Control, RunFolder, run
from lab.sweeps import Sweep

_MAX_LINES = 12

# The active runs by run folder. A cell that runs again makes a new panel, which must be able to
# stop the run of the old one.
_ACTIVE: dict[Path, "RunThread"] = {}


class RunThread:
    """A run in a thread.

    on_message: called with a text and its tone ("", "warning" or "error") when the run ends.
    on_end: called last. error: an unexpected exception, which is a bug in i2v-lab.
    """

    def __init__(
        self,
        sweep: Sweep,
        folder: RunFolder,
        *,
        budget_usd: float | None,
        confirmed: bool,
        on_message: Callable[[str, str], None],
        on_end: Callable[[], None],
    ) -> None:
        self.control = Control()
        self.error: BaseException | None = None
        self._sweep, self._folder = sweep, folder
        self._options: dict[str, Any] = {"budget_usd": budget_usd, "confirmed": confirmed}
        self._on_message, self._on_end = on_message, on_end
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def start(self) -> None:
        """Start the run and register it as the active run of its folder."""
        _ACTIVE[self._folder.path.resolve()] = self
        self._thread.start()

    def join(self, timeout_s: float | None) -> None:
        """Wait until the run has ended, at most this long."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            outcome = run(
                self._sweep, self._folder.path, **self._options, quiet=True, control=self.control
            )
        except Interrupted as error:
            self._on_message(f"Stopped: {error}.", "warning")
        except LabError as error:
            self._on_message(str(error), "error")
        except Exception as error:  # noqa: BLE001 - a thread would lose it; the panel shows it
            self.error = error
            text = traceback.format_exception_only(error)[-1].strip()
            self._on_message(f"This is a bug in i2v-lab ({text}); see panel.last_error", "error")
        else:
            lines = str(outcome).splitlines()
            if len(lines) > _MAX_LINES:
                lines = [*lines[:_MAX_LINES], f"and {len(lines) - _MAX_LINES} more"]
            self._on_message("\n".join(lines), "" if outcome.complete else "warning")
        finally:
            del _ACTIVE[self._folder.path.resolve()]
            self._on_end()


def active_run(folder: RunFolder) -> RunThread | None:
    """This kernel's active run in a folder, started by any panel; None if there is none."""
    return _ACTIVE.get(folder.path.resolve())
