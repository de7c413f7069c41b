"""Nothing that comes from outside is more than text, in any page that leaves the toolkit."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from glob import escape
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4
from playwright.sync_api import Page, expect

import lab
from lab.report import write_report
from lab.widgets.jupyter_files import server_root
from tests.browser.hostile import FAILS, STRINGS, Hostile, as_shown, file_names
from tests.browser.playing import Player
from tests.browser.visits import Visit

Open = Callable[..., Visit]

# The text of a page that is not script or style.
TEXT = """root => {
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walk.nextNode()) {
    if (!walk.currentNode.parentElement.closest("script, style")) texts.push(walk.currentNode.data);
  }
  return texts.join("");
}"""


@pytest.fixture
def served_here(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a kernel that works in the folder of the hostile runs."""
    monkeypatch.chdir(hostile.stills.folder.path.parent)
    server_root.cache_clear()
    yield
    server_root.cache_clear()


def missing(page: Page, texts: Iterable[str], root: str = "body") -> list[str]:
    """Those texts that do not stand on the page letter by letter."""
    shown = as_shown(page.locator(root).evaluate(TEXT))
    return [text for text in texts if as_shown(text) not in shown]


@pytest.fixture(scope="module")
def reports(hostile: Hostile) -> dict[str, Path]:
    """The reports of both runs."""
    # Letters that matplotlib's own font lacks are drawn by the browser.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        return {name: write_report(getattr(hostile, name)) for name in ("prompts", "stills")}


@pytest.mark.parametrize("which", ["prompts", "stills"])
def test_the_report_shows_hostile_text_as_text(
    visit: Open, reports: dict[str, Path], which: str
) -> None:
    """Prompts, names, file names, reasons, remarks and the question do nothing but stand there."""
    opened = visit(reports[which])
    page = opened.page
    player = Player(page.locator(".i2v-player"))
    player.settle()
    everything = as_shown(" ".join(STRINGS))
    assert as_shown(page.locator("h1").text_content() or "") == everything
    assert missing(page, [everything], "section:first-of-type dl") == []
    assert missing(page, STRINGS if which == "prompts" else file_names()[1:]) == []
    for summary in page.locator("summary").all():
        summary.click()
    page.locator("table.sortable th button").evaluate_all("all => all.forEach(one => one.click())")
    page.locator(".tile button").evaluate_all("all => all.forEach(one => one.click())")
    player.settle()
    player.press("ArrowRight")
    for chip in player.root.locator(".moments button").all():
        chip.hover()
    opened.check()


@pytest.mark.slow
def test_every_title_is_safe_in_the_player(visit: Open, reports: dict[str, Path]) -> None:
    """Under the films, on worst moments and in words for those who cannot see, each is text."""
    opened = visit(reports["prompts"])
    page = opened.page
    player = Player(page.locator(".i2v-player"))
    tiles = page.locator(".tile button")
    pressed = page.locator('.tile button[aria-pressed="true"]')
    while pressed.count():
        pressed.first.click()
    shown = []
    for place, tile in enumerate(tiles.all()):
        tile.click()
        if place % 9 == 8 or place == tiles.count() - 1:
            player.settle()
            shown += [
                as_shown(text) for text in player.root.locator("figcaption").all_inner_texts()
            ]
    assert set(map(as_shown, STRINGS)) <= set(shown)
    opened.check()


def test_exported_outputs_show_hostile_text_as_text(
    visit: Open, hostile: Hostile, served_here: None, tmp_path: Path
) -> None:
    """A notebook with everything shown in it, panels too, exports to a page without a trap."""
    book = v4.new_notebook(cells=[_cell(thing) for thing in _things(hostile, tmp_path)])
    book.cells.append(v4.new_code_cell("print()", outputs=[_said("\n".join(STRINGS))]))
    nbformat.write(book, tmp_path / "all.ipynb")
    opened = visit(lab.export_notebook(tmp_path / "all.ipynb"))
    names = [name.removesuffix(FAILS) for name in file_names()]
    lost = missing(opened.page, [*STRINGS, *names])
    assert lost == []
    for summary in opened.page.locator("summary").all():
        summary.click()
    expect(opened.page.locator("h1")).to_be_visible()
    opened.check()
    assert len(opened.asked) == 1


def _things(hostile: Hostile, folder: Path) -> list[Any]:
    """All that a notebook shows of hostile text."""
    stills = [lab.Still.open(path) for path in hostile.paths]
    prompts = [lab.Prompt.written(text, text) for text in STRINGS]
    sweep = lab.Sweep.of(
        stills=[escape(str(stills[0].path))],
        prompts=prompts,
        settings={"duration_s": 0.5},
        name=STRINGS[0],
    )
    board = lab.ResultsPanel(hostile.prompts.folder.path)
    checked = lab.StillPanel(stills)
    checked._run_preflight()
    return [
        *stills,
        lab.preflight(stills[0], aspect_ratio="9:16"),
        *prompts,
        lab.plan(sweep),
        hostile.prompts,
        hostile.stills,
        lab.SweepPanel(sweep, out=folder / "out"),
        lab.PromptPanel(prompts),
        checked,
        board,
        lab.Player(hostile.stills, list(hostile.stills.takes["take_id"][:9])),
    ]


def _cell(thing: Any) -> nbformat.NotebookNode:
    page = thing.static_fallback() if hasattr(thing, "static_fallback") else thing._repr_html_()
    data = {"text/html": page, "text/plain": repr(thing)}
    return v4.new_code_cell("x", outputs=[v4.new_output("display_data", data=data)])


def _said(text: str) -> nbformat.NotebookNode:
    return v4.new_output("stream", name="stdout", text=text)
