"""A table widget of takes. The user can filter and sort the rows, and choose takes."""

import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NotRequired, TypedDict

import anywidget
import traitlets

from lab.measures import StoredMeasure
from lab.metrics import HEADLINES, SPECS
from lab.player import player_style
from lab.units import escape_controls, number_text


class Column(TypedDict):
    """A column. number: it holds numbers."""

    name: str
    label: str
    title: str
    number: bool


class Cell(TypedDict):
    """A cell. number: the sort key; cells without one are sorted by their text."""

    text: str
    title: str
    number: NotRequired[float | None]


class Row(TypedDict):
    """A take. poster: a URL that Jupyter serves, or ""; tone: "", "quiet" or "bad"."""

    id: str
    title: str
    poster: str
    cells: list[Cell]
    tone: str
    choosable: bool


class TakesTable(anywidget.AnyWidget):
    """Columns, rows and the chosen takes, synchronised with the browser as JSON.

    chosen: the ids of the chosen rows, in the order in which they were chosen.
    """

    _esm = (files("lab.widgets") / "takes_table.js").read_text(encoding="utf-8")
    _css = player_style() + (files("lab.widgets") / "takes_table.css").read_text(encoding="utf-8")
    columns: traitlets.List[Column] = traitlets.List().tag(sync=True)
    rows: traitlets.List[Row] = traitlets.List().tag(sync=True)
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    choosable = traitlets.Bool(False).tag(sync=True)
    caption = traitlets.Unicode("Takes").tag(sync=True)


def table_columns(names: Sequence[str], *, numeric: Sequence[str] = ()) -> list[Column]:
    """Columns of these names, then one per headline score. numeric: names of number columns."""
    plain: list[Column] = [
        {"name": name, "label": name, "title": "", "number": name in numeric} for name in names
    ]
    scores: list[Column] = [
        {
            "name": name,
            "label": name + SPECS[name].arrow,
            "title": f"{SPECS[name].says} ({SPECS[name].unit})",
            "number": True,
        }
        for name in HEADLINES
    ]
    return [*plain, *scores]


def level_cell(value: Any) -> Cell:
    """The cell of a factor's level. A Boolean is shown as on or off."""
    if isinstance(value, bool):
        return {"text": "on" if value else "off", "title": ""}
    if isinstance(value, int | float):
        return {"text": f"{value:g}", "number": value, "title": ""}
    return {"text": "" if value is None else escape_controls(str(value)), "title": ""}


def score_cells(stored: StoredMeasure) -> list[Cell]:
    """The cells of the headline scores. The title of a missing score is the reason."""
    cells: list[Cell] = []
    for name in HEADLINES:
        score = stored.number(name)
        value = None if math.isnan(score.value) else score.value
        if value is not None:
            text, title = number_text(value), score.unit
        else:
            text, title = "–" if stored.measure is None else "none", score.reason
        cells.append({"text": text, "number": value, "title": title})
    return cells
