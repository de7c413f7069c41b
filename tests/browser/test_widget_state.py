"""A table of takes and a player show the same, in whatever order their state arrives."""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from lab.player import player_script
from tests.browser.visit import Visit

TABLE_SCRIPT = (
    Path(__file__).resolve().parents[2] / "lab" / "widgets" / "takes_table.js"
).read_text()
# A model like that of ipywidgets: it sets all values of a message, then reports each change.
RENDER = """async ([source, state, messages]) => {
  const module = await import("data:text/javascript," + encodeURIComponent(source));
  const listeners = {};
  const model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; },
    on: (name, call) => { listeners[name] = call; },
    off: () => {},
    save_changes: () => {},
  };
  const el = document.createElement("div");
  document.body.append(el);
  module.default.render({ model, el });
  for (const [changes, order] of messages) {
    Object.assign(state, changes);
    for (const name of order) listeners[`change:${name}`]?.();
  }
  return {
    heads: [...el.querySelectorAll("thead button")].map((each) => each.textContent),
    cells: [...el.querySelectorAll("tbody td")].map((each) => each.textContent).filter(Boolean),
    chosen: [...el.querySelectorAll("tr.chosen")].map((each) => each.dataset.take),
    clips: [...el.querySelectorAll("figure.clip")].map((each) => each.dataset.take),
    clock: el.querySelector(".clock")?.textContent,
    // Focusable elements on which JupyterLab's shortcuts would work.
    unmarked: [...el.querySelectorAll("button, input, select, [tabindex]")].filter((each) => {
      each.focus();
      return document.activeElement === each && !each.hasAttribute("data-lm-suppress-shortcuts");
    }).map((each) => each.outerHTML),
  };
}"""

Message = tuple[dict[str, Any], tuple[str, ...]]
Show = Callable[[str, dict[str, Any], list[Message]], dict[str, Any]]


@pytest.fixture
def show(visit: Callable[..., Visit]) -> Show:
    """A function that renders a module, sends it messages, and returns what it shows."""
    opened = visit("about:blank")

    def shown(source: str, state: dict[str, Any], messages: list[Message]) -> dict[str, Any]:
        result = opened.page.evaluate(RENDER, [source, state, messages])
        assert not opened.errors
        assert result["unmarked"] == []
        return result

    return shown


def _table(ids: str, *names: str) -> dict[str, Any]:
    """The state of a table with these ids and columns. The first row is chosen."""
    columns = [{"name": name, "label": name, "title": "", "number": True} for name in names]
    rows = [
        {
            "id": id_,
            "title": id_,
            "poster": "",
            "tone": "",
            "choosable": True,
            "cells": [{"text": id_ + name, "title": "", "number": 1.0} for name in names],
        }
        for id_ in ids
    ]
    return {"columns": columns, "rows": rows, "chosen": [ids[0]]}


def test_the_state_of_a_table_may_arrive_in_any_order(show: Show) -> None:
    """The state may arrive in any order, in one message or several, also for the second time."""
    nothing = {"columns": [], "rows": [], "chosen": [], "caption": "takes", "choosable": True}
    first, second = _table("ab", "x", "y"), _table("bcd", "y", "z", "w")
    expected = [
        (
            state,
            [row["id"] + column["name"] for row in state["rows"] for column in state["columns"]],
        )
        for state in (first, second, first)
    ]
    for order in permutations(first):
        whole: list[Message] = []
        for index, (state, cells) in enumerate(expected):
            whole.append((state, order))
            apart = [({name: state[name]}, (name,)) for name in order]
            for messages in (whole, [*whole[:-1], *apart] if index else apart):
                shown = show(TABLE_SCRIPT, dict(nothing), messages)
                assert shown["heads"] == [column["name"] for column in state["columns"]]
                assert (shown["cells"], shown["chosen"]) == (cells, state["chosen"]), order


def test_rows_of_other_columns_are_never_shown_under_these(show: Show) -> None:
    """Rows that do not fit the columns are not shown."""
    first, second = _table("ab", "x", "y"), _table("cd", "z")
    state = {**first, "caption": "takes", "choosable": False}
    shown = show(TABLE_SCRIPT, dict(state), [({"rows": second["rows"]}, ("rows",))])
    assert (shown["heads"], shown["cells"]) == (["x", "y"], [])
    shown = show(TABLE_SCRIPT, dict(state), [({"columns": second["columns"]}, ("columns",))])
    assert (shown["heads"], shown["cells"]) == (["z"], [])


def test_the_time_of_a_player_may_arrive_before_its_clips(show: Show) -> None:
    """New clips start at the time sent with them. The same clips stay at the current time."""

    def session(*ids: str, message: str = "") -> dict[str, Any]:
        clip = {
            "title": "",
            "fps": 10,
            "frames": 10,
            "worst": [],
            "series": {},
            "no_video": "missing",
        }
        clips = [{**clip, "id": id_} for id_ in ids]
        return {
            "clips": clips,
            "metrics": [],
            "line_styles": [["#000", "none"]],
            "message": message,
        }

    empty = {"session": session(), "time_s": 0}
    for order in permutations(("session", "time_s")):
        first: Message = ({"session": session("a"), "time_s": 0.5}, order)
        later: Message = ({"session": session("b"), "time_s": 0.2}, order)
        again: Message = ({"session": session("b", message="measured")}, ("session",))
        for messages, ids, time in (
            ([first], ["a"], "0.50"),
            (
                [({"time_s": 0.5}, ("time_s",)), ({"session": session("a")}, ("session",))],
                ["a"],
                "0.50",
            ),
            ([first, later], ["b"], "0.20"),
            ([first, later, again], ["b"], "0.20"),
        ):
            shown = show(player_script(), dict(empty), messages)
            assert shown["clips"] == ids
            assert shown["clock"].startswith(f"{time} s of 1.00 s"), (order, messages)
