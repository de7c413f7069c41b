"""A table of takes and a player by themselves: the same whichever way their state is told."""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from lab.player import player_script
from tests.browser.visits import Visit

TAKES = (Path(__file__).resolve().parents[2] / "lab" / "widgets" / "takes_table.js").read_text()
# A model as ipywidgets has it: a message sets everything in it, then tells each change by itself.
SHOWN = """async ([source, state, messages]) => {
  const module = await import("data:text/javascript," + encodeURIComponent(source));
  const heard = {};
  const model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; },
    on: (name, call) => { heard[name] = call; },
    off: () => {},
    save_changes: () => {},
  };
  const el = document.createElement("div");
  document.body.append(el);
  module.default.render({ model, el });
  for (const [changes, order] of messages) {
    Object.assign(state, changes);
    for (const name of order) heard[`change:${name}`]?.();
  }
  return {
    heads: [...el.querySelectorAll("thead button")].map((each) => each.textContent),
    cells: [...el.querySelectorAll("tbody td")].map((each) => each.textContent).filter(Boolean),
    chosen: [...el.querySelectorAll("tr.chosen")].map((each) => each.dataset.take),
    clips: [...el.querySelectorAll("figure.clip")].map((each) => each.dataset.take),
    clock: el.querySelector(".clock")?.textContent,
    open: [...el.querySelectorAll("button, input, select, [tabindex]")].filter((each) => {
      each.focus();
      return document.activeElement === each && !each.hasAttribute("data-lm-suppress-shortcuts");
    }).map((each) => each.outerHTML),
  };
}"""

Message = tuple[dict[str, Any], tuple[str, ...]]
Show = Callable[[str, dict[str, Any], list[Message]], dict[str, Any]]


@pytest.fixture
def show(visit: Callable[..., Visit]) -> Show:
    """Draw a module over a state, tell it messages, and return what stands there."""
    opened = visit("about:blank")

    def shown(source: str, state: dict[str, Any], messages: list[Message]) -> dict[str, Any]:
        told = opened.page.evaluate(SHOWN, [source, state, messages])
        assert not opened.complaints
        assert told["open"] == []  # to JupyterLab's shortcuts
        return told

    return shown


def _table(ids: str, *names: str) -> dict[str, Any]:
    """Rows of these ids under these columns, the first one chosen."""
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


def test_a_table_may_be_told_in_any_order(show: Show) -> None:
    """First and again with other rows and columns, in one message or one after the other."""
    nothing = {"columns": [], "rows": [], "chosen": [], "caption": "takes", "choosable": True}
    first, second = _table("ab", "x", "y"), _table("bcd", "y", "z", "w")
    expected = [
        (told, [row["id"] + column["name"] for row in told["rows"] for column in told["columns"]])
        for told in (first, second, first)
    ]
    for order in permutations(first):
        whole: list[Message] = []
        for place, (told, cells) in enumerate(expected):
            whole.append((told, order))
            apart = [({name: told[name]}, (name,)) for name in order]
            for messages in (whole, [*whole[:-1], *apart] if place else apart):
                shown = show(TAKES, dict(nothing), messages)
                assert shown["heads"] == [column["name"] for column in told["columns"]]
                assert (shown["cells"], shown["chosen"]) == (cells, told["chosen"]), order


def test_rows_of_other_columns_are_never_shown_under_these(show: Show) -> None:
    """Until both are there, rows that do not fit wait; what fits stands there."""
    first, second = _table("ab", "x", "y"), _table("cd", "z")
    state = {**first, "caption": "takes", "choosable": False}
    shown = show(TAKES, dict(state), [({"rows": second["rows"]}, ("rows",))])
    assert (shown["heads"], shown["cells"]) == (["x", "y"], [])
    shown = show(TAKES, dict(state), [({"columns": second["columns"]}, ("columns",))])
    assert (shown["heads"], shown["cells"]) == (["z"], [])


def test_a_player_may_be_told_its_moment_before_its_clips(show: Show) -> None:
    """Clips begin at the moment that came with them; the same clips told again stay where it is."""

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
