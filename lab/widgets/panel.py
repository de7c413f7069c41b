"""What all panels share: how they look, speak, and print where no widgets run."""

import os
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets as widgets

from lab.player import style
from lab.units import escape_html

_HERE = files("lab.widgets")


def patience_s() -> float | None:
    """How long a twin may wait for what is being computed: not long while a person watches, who
    sees the panel itself; as long as it takes where the twin is all that will be seen.
    """
    # Set by Jupyter's server for kernels that a person opened, not by papermill or nbval.
    return 3.0 if "JPY_SESSION_NAME" in os.environ else None


class _Frame(anywidget.AnyWidget):
    """What a panel is beyond its fields: how it looks, and that its keys are its own."""

    _esm = (_HERE / "panel.js").read_text(encoding="utf-8")
    _css = style() + (_HERE / "panel.css").read_text(encoding="utf-8")


class Panel(widgets.VBox):
    """A form over public calls. `code()` is what its buttons do; it prints as plain HTML too."""

    def __init__(self, children: Sequence[widgets.Widget]) -> None:
        self._code = widgets.HTML()
        frame = _Frame()
        frame.layout.display = "none"
        super().__init__([frame, *children, self._code])
        self.add_class("i2v-panel")
        self.add_class("mathjax_ignore")  # dollars in prompts and names are no formulas

    def code(self) -> str:
        """The Python that does the same without the panel."""
        raise NotImplementedError

    def twin(self) -> str:
        """The panel as HTML for where no widgets run: exports, mails, untrusted notebooks."""
        raise NotImplementedError

    def show_code(self) -> None:
        """Keep the folded code in step with the form."""
        self._code.value = (
            f"<details><summary>The same in code</summary><pre tabindex='0'>"
            f"{escape_html(self.code())}</pre></details>"
        )

    def _repr_mimebundle_(self, **asked: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**asked)
        return {**bundle, "text/plain": repr(self), "text/html": self.twin()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Said(widgets.HTML):
    """A line that speaks: escaped, and read out by screen readers when it changes."""

    def say(self, text: str, tone: str = "") -> None:
        """Show text, "" for nothing; tone: "", "warning" or "error"."""
        lines = "<br>".join(escape_html(line) for line in text.splitlines())
        role = "alert" if tone == "error" else "status"
        self.value = f'<div class="said {tone}" role="{role}">{lines}</div>' if text else ""


def button(label: str, title: str, act: Callable[[], None], **how: Any) -> widgets.Button:
    """A button that calls `act`."""
    made = widgets.Button(description=label, tooltip=title, **how)
    made.layout.width = "auto"
    made.on_click(lambda _: act())
    return made


def heading(text: str) -> widgets.HTML:
    """A small heading."""
    return widgets.HTML(f"<h3>{escape_html(text)}</h3>")


def wide(widget: widgets.Widget) -> widgets.Widget:
    """A field as wide as its place, its label above the rest's left edge."""
    widget.layout.width = "auto"
    widget.style.description_width = "7em"
    return widget
