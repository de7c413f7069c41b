"""Parts that all panels share: style, status line, buttons, and a static fallback."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets as widgets

from lab.player import player_style
from lab.runs.progress import opened_by_person
from lab.units import escape_html

_FOLDER = files("lab.widgets")


def fallback_timeout_s() -> float | None:
    """How long a static fallback may wait for a computation; None: until it ends.

    The wait is short while a person has the notebook open and sees the panel itself. Under
    papermill or nbval only the fallback will be seen, so the wait has no limit.
    """
    return 3.0 if opened_by_person() else None


class _PanelBehaviour(anywidget.AnyWidget):
    """The style sheet of a panel, and the script that keeps its key presses from JupyterLab."""

    _esm = (_FOLDER / "panel.js").read_text(encoding="utf-8")
    _css = player_style() + (_FOLDER / "panel.css").read_text(encoding="utf-8")


class Panel(widgets.VBox):
    """A form that uses only the public API. `code()` shows the same calls as Python.

    A panel also has a static fallback in plain HTML, for viewers that run no widgets.
    """

    def __init__(self, children: Sequence[widgets.Widget]) -> None:
        self._code = widgets.HTML()
        behaviour = _PanelBehaviour()
        behaviour.layout.display = "none"
        super().__init__([behaviour, *children, self._code])
        self.add_class("i2v-panel")
        self.add_class("mathjax_ignore")  # a dollar sign in a text must not start a formula

    def code(self) -> str:
        """Python code that does the same without the panel."""
        raise NotImplementedError

    def static_fallback(self) -> str:
        """The panel as HTML, for exports, mails and notebooks that are not trusted."""
        raise NotImplementedError

    def show_code(self) -> None:
        """Update the collapsed code after a change in the form."""
        self._code.value = (
            f"<details><summary>The same in code</summary><pre tabindex='0'>"
            f"{escape_html(self.code())}</pre></details>"
        )

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**options)
        return {**bundle, "text/plain": repr(self), "text/html": self.static_fallback()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class StatusLine(widgets.HTML):
    """A line for messages. Screen readers read a new message aloud."""

    def show(self, text: str, tone: str = "") -> None:
        """Escape a text and show it; "" clears the line. tone: "", "warning" or "error"."""
        lines = "<br>".join(escape_html(line) for line in text.splitlines())
        role = "alert" if tone == "error" else "status"
        self.value = f'<div class="status {tone}" role="{role}">{lines}</div>' if text else ""


def button(
    label: str, tooltip: str, on_click: Callable[[], None], **options: Any
) -> widgets.Button:
    """A button as wide as its label."""
    widget = widgets.Button(description=label, tooltip=tooltip, **options)
    widget.layout.width = "auto"
    widget.on_click(lambda _: on_click())
    return widget


def heading(text: str) -> widgets.HTML:
    """A small heading."""
    return widgets.HTML(f"<h3>{escape_html(text)}</h3>")


def wide(widget: widgets.Widget) -> widgets.Widget:
    """Make a field as wide as its container, with a label column of fixed width."""
    widget.layout.width = "auto"
    widget.style.description_width = "7em"
    return widget
