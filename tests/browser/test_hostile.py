"""Hostile text stays text in every page that the toolkit writes."""

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
from tests.browser.hostile import FAILS, STRINGS, TEXTS, Hostile, as_shown, file_names
from tests.browser.player_page import Player
from tests.browser.visit import Visit

Open = Callable[..., Visit]

# The text of a page without scripts and styles.
TEXT = """root => {
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walk.nextNode()) {
    if (!walk.currentNode.parentElement.closest("script, style")) texts.push(walk.currentNode.data);
  }
  return texts.join("");
}"""


@pytest.fixture
def served_folder(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server root is the folder of the hostile runs."""
    monkeypatch.chdir(hostile.stills.folder.path.parent)
    server_root.cache_clear()
    yield
    server_root.cache_clear()


def missing(page: Page, texts: Iterable[str], root: str = "body") -> list[str]:
    """The texts that are not on the page."""
    shown = as_shown(page.locator(root).evaluate(TEXT))
    return [text for text in texts if as_shown(text) not in shown]


@pytest.fixture(scope="module")
def reports(hostile: Hostile) -> dict[str, Path]:
    """The reports of both runs."""
    # The browser draws the characters that matplotlib's font lacks.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        return {name: write_report(getattr(hostile, name)) for name in ("prompts", "stills")}


@pytest.mark.parametrize("which", ["prompts", pytest.param("stills", marks=pytest.mark.slow)])
def test_the_report_shows_hostile_text_as_text(
    visit: Open, reports: dict[str, Path], which: str
) -> None:
    """Prompts, names, file names, reasons, remarks and the question are only shown."""
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
    """Every title is text below its video, on the worst moments and in descriptions."""
    opened = visit(reports["prompts"])
    page = opened.page
    player = Player(page.locator(".i2v-player"))
    tiles = page.locator(".tile button")
    pressed = page.locator('.tile button[aria-pressed="true"]')
    while pressed.count():
        pressed.first.click()
    shown = []
    for index, tile in enumerate(tiles.all()):
        tile.click()
        if index % 9 == 8 or index == tiles.count() - 1:
            player.settle()
            shown += [
                as_shown(text) for text in player.root.locator("figcaption").all_inner_texts()
            ]
    assert set(map(as_shown, TEXTS)) <= set(shown)
    opened.check()


def test_exported_outputs_show_hostile_text_as_text(
    visit: Open, hostile: Hostile, served_folder: None, tmp_path: Path
) -> None:
    """An exported notebook that shows everything, panels too, is harmless."""
    book = v4.new_notebook(cells=[_cell(thing) for thing in _things(hostile, tmp_path)])
    book.cells.append(v4.new_code_cell("print()", outputs=[_said("\n".join(STRINGS))]))
    nbformat.write(book, tmp_path / "all.ipynb")
    opened = visit(lab.export_notebook(tmp_path / "all.ipynb"))
    names = [name.removesuffix(FAILS) for name in file_names()]
    absent = missing(opened.page, [*STRINGS, *names])
    assert absent == []
    for summary in opened.page.locator("summary").all():
        summary.click()
    expect(opened.page.locator("h1")).to_be_visible()
    opened.check()
    assert len(opened.requested) == 1


def _things(hostile: Hostile, folder: Path) -> list[Any]:
    """Everything that a notebook shows of hostile text."""
    stills = [lab.Still.open(path) for path in hostile.paths]
    prompts = [lab.Prompt.from_text(text, text) for text in STRINGS]
    sweep = lab.Sweep.of(
        stills=[escape(str(stills[0].path))],
        prompts=prompts,
        settings={"duration_s": 0.5},
        name=STRINGS[0],
    )
    results = lab.ResultsPanel(hostile.prompts.folder.path)
    still_panel = lab.StillPanel(stills)
    still_panel._run_preflight()
    return [
        *stills,
        lab.preflight(stills[0], aspect_ratio="9:16"),
        *prompts,
        lab.plan(sweep),
        hostile.prompts,
        hostile.stills,
        lab.SweepPanel(sweep, out=folder / "out"),
        lab.PromptPanel(prompts),
        still_panel,
        results,
        lab.Player(hostile.stills, list(hostile.stills.takes["take_id"][:9])),
    ]


def _cell(thing: Any) -> nbformat.NotebookNode:
    page = thing.static_fallback() if hasattr(thing, "static_fallback") else thing._repr_html_()
    data = {"text/html": page, "text/plain": repr(thing)}
    return v4.new_code_cell("x", outputs=[v4.new_output("display_data", data=data)])


def _said(text: str) -> nbformat.NotebookNode:
    return v4.new_output("stream", name="stdout", text=text)
