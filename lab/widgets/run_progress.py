"""Shows the progress of a run: scored takes, spending, and the table of takes."""

import ipywidgets as widgets

from lab.runs import RunFolder
from lab.units import escape_html, usd_text
from lab.widgets.live_table import FolderStatus, LiveTable


class RunProgress:
    """Progress bars with their texts, and a live table of takes, for one run folder at a time."""

    def __init__(self) -> None:
        self.bar = widgets.IntProgress(layout={"width": "16em"})
        self.text = widgets.HTML()
        self.spend_bar = widgets.FloatProgress(layout={"width": "10em"}, bar_style="warning")
        self.spend_text = widgets.HTML()
        self.takes = LiveTable(choosable=False, caption="Takes of this run")

    def update(self, folder: RunFolder, limit_usd: float | None) -> FolderStatus:
        """Read the folder and show it. limit_usd: the cap or budget, if there is one.

        Raises LabError for a ledger that cannot be read.
        """
        status = self.takes.update(folder)
        self.bar.max, self.bar.value = max(status.takes, 1), status.scored
        states = ", ".join(f"{count} {state}" for state, count in status.states.items())
        self.text.value = escape_html(f"{status.scored} of {status.takes} scored ({states})")
        self.spend_bar.layout.display = "" if limit_usd else "none"
        limit = ""
        if limit_usd:
            self.spend_bar.max, self.spend_bar.value = limit_usd, status.money.spent_usd
            limit = f" of {usd_text(limit_usd)}"
        self.spend_text.value = escape_html(f"{status.money}{limit}")
        return status

    def clear(self) -> None:
        """Remove everything that is shown about a run."""
        self.takes.clear()
        self.bar.max, self.bar.value = 1, 0
        self.text.value = self.spend_text.value = ""
        self.spend_bar.layout.display = "none"
