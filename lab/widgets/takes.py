"""A table of takes that filters, sorts and lets one choose; live while a sweep runs."""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from lab.metrics import HEADLINES, SPECS
from lab.player import style
from lab.units import number_text

_ARROWS = {"lower": " ↓", "higher": " ↑", "none": ""}


class TakesTable(anywidget.AnyWidget):
    """columns: name, label, title and whether it holds numbers. rows: id, title, poster (an address
    that Jupyter serves, or ""), cells (text, number, title), tone ("", "quiet", "bad"), choosable.
    chosen: ids, in the order they were chosen.
    """

    _esm = (files("lab.widgets") / "takes.js").read_text(encoding="utf-8")
    _css = style() + (files("lab.widgets") / "takes.css").read_text(encoding="utf-8")
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    choosable = traitlets.Bool(False).tag(sync=True)
    caption = traitlets.Unicode("Takes").tag(sync=True)


def columns(names: Sequence[str], *, numbers: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Columns of these names, then one a headline score with unit and better direction."""
    plain = [
        {"name": name, "label": name, "title": "", "number": name in numbers} for name in names
    ]
    scores = [
        {
            "name": name,
            "label": name + _ARROWS[SPECS[name].direction],
            "title": f"{SPECS[name].says} ({SPECS[name].unit})",
            "number": True,
        }
        for name in HEADLINES
    ]
    return [*plain, *scores]


def cell(value: Any, title: str = "") -> dict[str, Any]:
    """A cell: numbers with three digits, switches as words, nothing as nothing."""
    if isinstance(value, bool):
        return {"text": "on" if value else "off", "title": title}
    if isinstance(value, int | float):
        known = value == value
        return {
            "text": number_text(value) if known else "",
            "number": value if known else None,
            "title": title,
        }
    return {"text": "" if value is None else str(value), "title": title}


def score_cells(
    scores: Mapping[str, float | None], why: Callable[[str], str]
) -> list[dict[str, Any]]:
    """The cells of the headline scores; why: the reason for one that is missing."""
    return [
        {"text": "none", "number": None, "title": why(name)}
        if scores.get(name) is None
        else {**cell(scores[name]), "title": SPECS[name].unit}
        for name in HEADLINES
    ]
