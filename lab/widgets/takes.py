"""A table of takes that filters, sorts and lets one choose; live while a sweep runs."""

import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from lab.measures import StoredMeasure
from lab.metrics import HEADLINES, SPECS
from lab.player import style
from lab.units import escape_controls, number_text


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
            "label": name + SPECS[name].arrow,
            "title": f"{SPECS[name].says} ({SPECS[name].unit})",
            "number": True,
        }
        for name in HEADLINES
    ]
    return [*plain, *scores]


def cell(value: Any) -> dict[str, Any]:
    """The cell of a level: numbers as they were asked for, switches as words."""
    if isinstance(value, bool):
        return {"text": "on" if value else "off", "title": ""}
    if isinstance(value, int | float):
        return {"text": f"{value:g}", "number": value, "title": ""}
    return {"text": "" if value is None else escape_controls(str(value)), "title": ""}


def score_cells(stored: StoredMeasure) -> list[dict[str, Any]]:
    """The cells of the headline scores, with the reason where one is missing."""
    found = []
    for name in HEADLINES:
        number = stored.number(name)
        value = None if math.isnan(number.value) else number.value
        if value is not None:
            text, title = number_text(value), number.unit
        else:
            text, title = "–" if stored.measure is None else "none", number.reason
        found.append({"text": text, "number": value, "title": title})
    return found
