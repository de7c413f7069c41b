"""Offers to load the design of a run folder into a sweep form, and to restore the old fields."""

from collections.abc import Callable

import ipywidgets as widgets

from lab.runs import Ledger, RunFolder
from lab.sweeps import Sweep
from lab.units import escape_html
from lab.widgets.panel import button
from lab.widgets.sweep_form import SweepForm


class DesignNotice:
    """A text and two buttons. Each is visible only while it is useful.

    on_load: called when the load button is pressed. on_restore: called after the old fields were
    restored.
    """

    def __init__(
        self, form: SweepForm, *, on_load: Callable[[], None], on_restore: Callable[[], None]
    ) -> None:
        self.text = widgets.HTML()
        self.load_button = button(
            "Load its design", "Put the design of that run into the fields", on_load
        )
        self.restore_button = button(
            "Restore my fields", "The fields as they were before", self._restore
        )
        self._form, self._on_restore = form, on_restore
        self._restore_form: Callable[[], None] | None = None
        self._loaded = ""
        self.show("")

    @property
    def children(self) -> list[widgets.Widget]:
        """The text and the buttons."""
        return [self.text, self.load_button, self.restore_button]

    def show(self, description: str) -> None:
        """Update the notice. description: from `describe_other_run`."""
        text = description or self._loaded
        self.text.value = f'<div class="status">{escape_html(text)}</div>' if text else ""
        self.load_button.layout.display = "" if description else "none"
        self.restore_button.layout.display = "" if self._restore_form else "none"

    def load(self, folder: RunFolder) -> None:
        """Put the design of the folder's run into the fields. Raises LabError."""
        restore = self._form.snapshot()
        self._form.show(Sweep.from_run(folder.path))
        self._restore_form = restore
        self._loaded = f"The fields show the design of {folder.path}."
        self.show("")

    def _restore(self) -> None:
        if self._restore_form is not None:
            self._restore_form()
        self._restore_form, self._loaded = None, ""
        self._on_restore()


def describe_other_run(folder: RunFolder, sweep: Sweep | None) -> str:
    """A description of the folder's run if it has takes that the sweep lacks; else "".

    Raises LabError for a ledger that cannot be read.
    """
    if not folder.exists:
        return ""
    with Ledger.read(folder.ledger) as ledger:
        takes, recorded = set(ledger.states()), ledger.fact("sweep") or {}
    if sweep is not None and takes <= {take.id for _, take in sweep.takes()}:
        return ""
    name = f" of “{recorded['name']}”" if recorded.get("name") else ""
    return f"{folder.path} holds a run{name} with {len(takes)} takes."
