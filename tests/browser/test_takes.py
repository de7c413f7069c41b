"""The table of takes by itself, on an empty page."""

from collections.abc import Callable
from pathlib import Path

from tests.browser.visits import Visit

SOURCE = Path(__file__).resolve().parents[2] / "lab" / "widgets" / "takes.js"
# A model as ipywidgets has it: one message sets everything, then each change is told by itself.
TOLD_ROWS_FIRST = """async (source) => {
  const module = await import("data:text/javascript," + encodeURIComponent(source));
  const state = { columns: [], rows: [], chosen: [], caption: "takes", choosable: true };
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
  const cell = (text, number) => ({ text, title: "", number });
  state.columns = [
    { name: "prompt", label: "prompt", title: "", number: false },
    { name: "flicker", label: "flicker", title: "", number: true },
  ];
  state.rows = [{
    id: "a", title: "pan", poster: "", tone: "", choosable: true,
    cells: [cell("pan", null), cell("0.5", 0.5)],
  }];
  heard["change:rows"]();
  heard["change:columns"]();
  return [...el.querySelectorAll("thead button, tbody td")].map((each) => each.textContent);
}"""


def test_rows_may_be_told_before_their_columns(visit: Callable[..., Visit]) -> None:
    """Both come in one message in no order; the table shows both, and no error."""
    opened = visit("about:blank")
    told = opened.page.evaluate(TOLD_ROWS_FIRST, SOURCE.read_text(encoding="utf-8"))
    assert [text for text in told if text] == ["prompt", "flicker", "pan", "0.5"]
    assert not opened.complaints
