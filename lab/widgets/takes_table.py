"""A table widget of takes that the user can filter, sort and choose from."""

import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from lab.measures import StoredMeasure
from lab.metrics import HEADLINES, SPECS
from lab.player import player_style
from lab.units import escape_controls, number_text


class TakesTable(anywidget.AnyWidget):
    """Rows, columns and the choice, synchronised with the browser as plain JSON.

    columns: name, label, title, and number (True for a column of numbers). rows: id, title, poster
    (an address that Jupyter serves, or ""), cells (text, number, title), tone ("", "quiet" or
    "bad"), choosable. chosen: the ids of the chosen rows, in the order of choosing.
    """

    _esm = (files("lab.widgets") / "takes_table.js").read_text(encoding="utf-8")
    _css = player_style() + (files("lab.widgets") / "takes_table.css").read_text(encoding="utf-8")
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    choosable = traitlets.Bool(False).tag(sync=True)
    caption = traitlets.Unicode("Takes").tag(sync=True)


def table_columns(names: Sequence[str], *, numeric: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Columns of these names, then one a headline score. numeric: names of number columns."""
    plain = [
        {"name": name, "label": name, "title": "", "number": name in numeric} for name in names
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


def level_cell(value: Any) -> dict[str, Any]:
    """The cell of a factor's level. A switch is shown as on or off."""
    if isinstance(value, bool):
        return {"text": "on" if value else "off", "title": ""}
    if isinstance(value, int | float):
        return {"text": f"{value:g}", "number": value, "title": ""}
    return {"text": "" if value is None else escape_controls(str(value)), "title": ""}


def score_cells(stored: StoredMeasure) -> list[dict[str, Any]]:
    """The cells of the headline scores. The title of a missing score is the reason."""
    cells = []
    for name in HEADLINES:
        number = stored.number(name)
        value = None if math.isnan(number.value) else number.value
        if value is not None:
            text, title = number_text(value), number.unit
        else:
            text, title = "–" if stored.measure is None else "none", number.reason
        cells.append({"text": text, "number": value, "title": title})
    return cells
