"""The notebooks and the panels in a real JupyterLab."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, expect

from lab.analysis import Results
from lab.runs import Ledger, RunFolder
from lab.settings import settings
from tests.browser.hostile import TEXTS, Hostile, as_shown, file_names
from tests.browser.notebook_server import SECRET, Notebook, Server, serving
from tests.browser.player_page import Player
from tests.browser.visit import Visit

OpenNotebook = Callable[[str], Notebook]
REPOSITORY = Path(__file__).resolve().parents[2]

TINY = {
    "name": "tiny",
    "stills": ["../stills/coffee.jpg"],
    "prompts": ["slow push in", "pan left"],
    "settings": {"duration_s": 0.5, "seed": 1},
}
# Parameters that make a notebook short. The others stay unchanged.
SHORT = {
    "01_quickstart": {"duration_s": 0.5},
    "02_sweep": {"sweep": "data/sweeps/tiny.yaml", "out": "runs/tiny"},
    "03_stills_and_prompts": {
        "stills": ["data/stills/coffee.jpg"],
        "duration_s": 0.5,
        "vary_by": "pace",
    },
}
LONG_MS = 120_000
SWEEP = """sweep = lab.Sweep.of(
    name={name!r},
    stills=["data/stills/coffee.jpg"],
    prompts={prompts},
    settings={{"duration_s": {duration_s}, "seed": 1}},
)
lab.SweepPanel(sweep, out="runs/{name}")"""
STILLS, PROMPTS, RESULTS, RUN, OTHER_CELL, INTERRUPTED, FORMULA, DOLLARS = range(1, 9)
TAKES = 4
TEXT = r"$5 bills fall, $\href{https://example.org}{10}$ bills rise"
BENCH_CELLS = [
    "import lab",
    'lab.StillPanel(["data/stills/coffee.jpg"])',
    "lab.PromptPanel()",
    'lab.ResultsPanel("runs/coded")',
    SWEEP.format(name="two", prompts=["slow push in", "pan left"], duration_s=0.5),
    'print("still", "answering")',
    'lab.SweepPanel(out="runs/interrupted")',
    f"lab.Prompt.from_text({TEXT!r})",
    'lab.StillPanel(["$1_for_$2.jpg"])',
]
# Shortcuts of JupyterLab: delete cell, to Markdown, insert, cut, insert, restart kernel.
KEYS = "ddmbxa00"
# The cells, the kernel, and the dialog that asks before a restart.
UNTOUCHED = """() => {
  const { content, sessionContext } = window.jupyterapp.shell.currentWidget;
  const cells = [...content.model.cells].map((cell) => [cell.id, cell.type]);
  return [cells, sessionContext.session.kernel.id, document.querySelectorAll(".jp-Dialog").length];
}"""
FOCUSABLE = "a[href], button, input, select, textarea, summary, video, [tabindex]"
HOSTILE_CELLS = [
    """import json
from glob import has_magic
from pathlib import Path
import lab
texts = json.loads(Path("hostile.json").read_text())
paths = sorted(Path("stills").iterdir())
prompts = [lab.Prompt.from_text(text, " ".join(text.split())) for text in texts]""",
    "lab.StillPanel(paths)",
    "lab.PromptPanel(prompts)",
    'lab.ResultsPanel("runs/hostile")',
    """lab.SweepPanel(
    lab.Sweep.of(
        stills=[next(str(path) for path in paths if not has_magic(str(path)))],
        prompts=prompts,
        settings={"duration_s": 0.5},
        name=texts[1][:80],
        question=texts[0],
    ),
    out="runs/" + texts[0].replace("/", ""),
)""",
    """from IPython.display import display
stills = [lab.Still.open(path) for path in paths]
results = lab.load("runs/hostile")
display(*stills, lab.preflight(stills[0]), *prompts, results)""",
]
NOTEBOOKS = sorted(path.stem for path in (REPOSITORY / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, coded_results: Results) -> Iterator[Server]:
    """JupyterLab over copies of the notebooks and the data, with a key in its environment."""
    base = tmp_path_factory.mktemp("jupyter")
    root = base / "root"
    shutil.copytree(REPOSITORY / "data", root / "data")
    shutil.copytree(coded_results.folder.path, root / "runs" / "coded")
    shutil.copy(root / "data" / "stills" / "cat.jpg", root / "$1_for_$2.jpg")
    (root / "data" / "sweeps" / "tiny.yaml").write_text(json.dumps(TINY))
    (root / "notebooks").mkdir()
    for name in NOTEBOOKS:
        book = nbformat.read(REPOSITORY / "notebooks" / f"{name}.ipynb", 4)
        for cell in book.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            if "parameters" in cell.metadata.get("tags", ()):
                cell.source = _with_parameters(cell.source, SHORT.get(name, {}))
        nbformat.write(book, root / "notebooks" / f"{name}.ipynb")
    with serving(
        base,
        I2VLAB_CACHE_DIR=str(settings().cache_dir.resolve()),
        I2VLAB_DATA_DIR=str(base / "data"),
        I2VLAB_WORKERS="1",
        KLING_API_KEY=SECRET,
    ) as running:
        yield running


@pytest.fixture
def notebook(server: Server, chromium: Browser) -> Iterator[OpenNotebook]:
    """A function that opens a notebook of the root by its name."""
    opened: list[Notebook] = []

    def open_notebook(name: str) -> Notebook:
        opened.append(Notebook(server, name, partial(Visit, chromium)))
        return opened[-1]

    yield open_notebook
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def bench(server: Server, chromium: Browser) -> Iterator[Notebook]:
    """A notebook with one panel a cell. It is run once, and each test uses another panel."""
    server.write("bench.ipynb", BENCH_CELLS)
    opened = Notebook(server, "bench.ipynb", partial(Visit, chromium))
    opened.run_all(restart=False)
    yield opened
    opened.close()


def _with_parameters(source: str, values: dict[str, object]) -> str:
    """The source of a parameters cell with other values."""
    for name, value in values.items():
        source, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value!r}", source)
        assert count == 1, name
    return source


def _button(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("button", name=name, exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_runs_from_top_to_bottom(notebook: OpenNotebook, name: str) -> None:
    """Restart and run all works without an error, and the saved notebook is small."""
    opened = notebook(f"notebooks/{name}.ipynb")
    opened.run_all(timeout_s=400)
    saved = opened.save()
    assert opened.path.stat().st_size < 1_000_000
    assert SECRET not in opened.path.read_text()
    code = [cell for cell in saved.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert sum(bool(cell.outputs) for cell in code) >= 5
    opened.visit.check()


def test_a_run_is_paused_followed_and_finished(bench: Notebook) -> None:
    """The buttons follow the state, other cells run meanwhile, and a reload loses nothing."""
    panel = bench.panel(RUN)
    _expect_buttons(panel, run=True)
    _button(panel, "▶ Run").click()
    _expect_buttons(panel, pause=True, stop=True)
    _button(panel, "Pause").click()
    _expect_buttons(panel, resume=True, stop=True)

    bench.cell(OTHER_CELL).locator(".jp-InputArea-editor").click()
    bench.page.keyboard.press("Control+Enter")
    output = bench.cell(OTHER_CELL).locator(".jp-OutputArea-output")
    expect(output).to_have_text("still answering")
    _expect_buttons(bench.panel(RUN), resume=True, stop=True)

    bench.save()
    bench.reload()
    panel = bench.panel(RUN)
    _expect_buttons(panel, resume=True, stop=True)
    _button(panel, "Resume").click()
    expect(panel.get_by_text("2 of 2 scored (2 fetched)")).to_be_visible(timeout=LONG_MS)
    expect(panel.get_by_text("2 of 2 takes have a scored clip")).to_be_visible(timeout=LONG_MS)
    _expect_buttons(panel, run=True)
    rows = panel.locator(".i2v-takes tbody tr")
    expect(rows).to_have_count(2)
    for row in rows.all():
        expect(row).to_contain_text("fetched")
        picture = row.locator("img")
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("picture => picture.naturalWidth") > 100


@pytest.mark.slow
def test_a_restarted_kernel_goes_on_where_it_was(bench: Notebook) -> None:
    """The design is loaded from the run folder, and Continue makes each missing take once."""
    prompts = "\n".join(f"slow push in; steam rises {index}" for index in range(TAKES))
    panel = bench.panel(INTERRUPTED)
    expect(_button(panel, "Load its design")).to_be_hidden()
    panel.get_by_label("stills", exact=True).fill("data/stills/coffee.jpg")
    panel.get_by_label("prompts", exact=True).fill(prompts)
    panel.get_by_label("seconds", exact=True).fill("0.75")
    expect(panel.get_by_text(f"{TAKES} trials x 1 = {TAKES}")).to_be_visible(timeout=LONG_MS)
    _button(panel, "▶ Run").click()
    some = panel.get_by_text(re.compile(r"scored \(.*\b[12] fetched"))
    expect(some).to_be_visible(timeout=LONG_MS)
    _button(panel, "Pause").click()
    _expect_buttons(panel, resume=True, stop=True)

    bench.run_all()
    folder = RunFolder(bench.server.root / "runs" / "interrupted")
    with Ledger.read(folder.ledger) as ledger:
        before = [row.take_id for row in ledger.takes() if row.clip]
    assert 0 < len(before) < TAKES
    panel = bench.panel(INTERRUPTED)
    expect(panel.get_by_text(f"of {TAKES} scored (")).to_be_visible()
    expect(panel.get_by_label("prompts", exact=True)).to_have_value("")
    _button(panel, "Load its design").click()
    expect(panel.get_by_label("prompts", exact=True)).to_have_value(prompts)
    _button(panel, "▶ Continue").click()
    expect(panel.get_by_text(f"{TAKES} of {TAKES} takes have a scored clip")).to_be_visible(
        timeout=LONG_MS
    )
    _expect_buttons(panel, run=True)
    with Ledger.read(folder.ledger) as ledger:
        ledger.verify()
        kinds = {
            row.take_id: [kind for _, _, kind, _ in ledger.events(row.take_id)]
            for row in ledger.takes()
        }
    assert len(kinds) == TAKES
    assert all(events.count("fetched") == 1 for events in kinds.values())
    assert all(kinds[take_id].count("submitting") == 1 for take_id in before)


def test_takes_are_chosen_and_played_by_keyboard(bench: Notebook) -> None:
    """Filter, sort, choose and play work with keys alone, without effects on JupyterLab."""
    panel = bench.panel(RESULTS)
    keys = bench.page.keyboard
    rows = panel.locator(".i2v-takes tbody tr")
    expect(rows).to_have_count(12)
    panel.get_by_label("Filter takes").focus()
    active = bench.active
    keys.type("fine fetched")
    expect(rows).to_have_count(2)
    keys.press("Control+a")
    keys.type("motion>0.001 flicker<1000")
    expect(rows).not_to_have_count(12)
    numbers = _numbers(panel, "motion")
    assert len(numbers) >= 3
    heading = panel.locator("thead button", has_text="motion")
    for order in (sorted(numbers), sorted(numbers, reverse=True)):
        heading.focus()
        keys.press("Enter")
        assert _numbers(panel, "motion") == order
    panel.get_by_label("Filter takes").focus()
    keys.press("Control+a")
    keys.press("Delete")
    expect(rows).to_have_count(12)

    for name in ("fine", "coarse"):
        panel.get_by_label(f"choose {name}", exact=True).focus()
        keys.press("Space")
    expect(panel.locator("tbody input:checked")).to_have_count(2)
    _button(panel, "▶ Play chosen").focus()
    keys.press("Enter")
    player = Player(panel.locator(".i2v-player"))
    player.root.wait_for(timeout=LONG_MS)
    player.settle()
    names = ["fine", "coarse"]
    player.check(names)
    for keys_pressed in (["ArrowRight"], ["ArrowRight"] * 12, ["ArrowLeft"], ["End"], ["Home"]):
        player.press(*keys_pressed)
        player.check(names)
    player.press(*["ArrowDown", "ArrowRight"] * 3)
    assert player.time_s == pytest.approx(3 / 24)
    player.play_until(0.5)
    player.check(names)
    assert 0.4 < player.time_s < 1.5

    plot = player.root.locator('[data-metric="motion"]')
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": box["width"] * 0.6, "y": 20})
    player.settle()
    assert player.time_s == pytest.approx(0.9, abs=0.1)
    player.check(names)
    assert bench.active == active
    assert bench.state()["cells"] == len(BENCH_CELLS)


def test_a_prompt_is_made_from_terms_by_keyboard(bench: Notebook) -> None:
    """A picked term is added to the text, remarks follow, and Add puts it into the list."""
    panel = bench.panel(PROMPTS)
    keys = bench.page.keyboard
    text = panel.get_by_label("prompt", exact=True)
    text.focus()
    keys.type("the cup glows")
    expect(panel.locator("pre")).to_contain_text("'the cup glows'")  # the kernel has received it
    camera = panel.get_by_label("camera", exact=True)
    camera.focus()
    keys.type("push in")
    expect(text).to_have_value("the cup glows; push-in")
    remarks = panel.locator(".widget-html-content li")
    expect(remarks.first).to_be_visible()
    text.focus()
    keys.press("Control+End")
    keys.type("; no zoom, no cuts")
    expect(panel.locator(".widget-html-content li", has_text="no ")).not_to_have_count(0)
    written = text.input_value()
    _button(panel, "Add prompt").focus()
    keys.press("Enter")
    listed = panel.get_by_label("prompts", exact=True).locator("option")
    expect(listed).to_have_text([written])
    assert bench.state()["cells"] == len(BENCH_CELLS)


def test_an_uploaded_still_is_checked(bench: Notebook, stills_dir: Path) -> None:
    """An upload is saved as a file, chosen, and checked by preflight."""
    panel = bench.panel(STILLS)
    with bench.page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name="Upload stills").click()
    chooser.value.set_files(stills_dir / "rocket.jpg")
    expect(panel.get_by_label("use", exact=True).last).to_be_checked()
    picture = panel.get_by_alt_text("rocket with preflight's marks", exact=True)
    expect(picture).to_be_visible(timeout=LONG_MS)
    saved = bench.server.root / "runs" / "uploads" / "rocket.jpg"
    assert saved.read_bytes() == (stills_dir / "rocket.jpg").read_bytes()


def test_dollar_signs_make_no_formula(bench: Notebook) -> None:
    """A prompt and a file name with dollar signs are shown unchanged."""
    expect(bench.cell(FORMULA).locator(".jp-OutputArea-output")).to_contain_text(TEXT)
    shown = bench.panel(DOLLARS).locator(".beside b")
    expect(shown).to_have_text("$1_for_$2", timeout=LONG_MS)


def test_panels_keep_their_keys_from_jupyterlab(bench: Notebook) -> None:
    """On every element of every panel, JupyterLab's shortcuts leave cells and kernel alone."""

    before, kinds = bench.page.evaluate(UNTOUCHED), set()
    for index in (STILLS, PROMPTS, RESULTS, RUN):
        bench.panel(index).evaluate(
            "panel => panel.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        shown = bench.cell(index).locator(".jp-OutputArea-output").locator(FOCUSABLE)
        # From the end, because text typed into a field can change what is below it.
        for element in reversed(shown.element_handles()):
            if element.evaluate("e => { e.focus(); return document.activeElement === e; }"):
                kinds.add(element.evaluate("e => `${e.localName} ${e.type ?? ''}`.trim()"))
                for key in KEYS:
                    bench.page.keyboard.press(key)
                assert bench.page.evaluate(UNTOUCHED) == before, element.evaluate(
                    "e => e.outerHTML"
                )
    assert kinds >= {
        *("button button", "button submit", "div", "pre", "select select-one", "summary"),
        *("input checkbox", "input number", "input range", "input search", "input text"),
        *("select select-multiple", "textarea textarea", "video"),
    }


def test_what_is_saved_is_small_and_holds_no_key(bench: Notebook, stills_dir: Path) -> None:
    """After all these tests, the notebook has no videos, uploads or keys, and no file has a key."""
    saved = bench.save()
    assert bench.path.stat().st_size < 1_000_000
    assert not saved.metadata.get("widgets")
    for path in bench.server.root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    bench.visit.check()


def _expect_buttons(panel: Locator, **enabled: bool) -> None:
    """Only these buttons of the run are enabled."""
    for name, label in (("run", "▶"), ("pause", "Pause"), ("resume", "Resume"), ("stop", "Stop")):
        button = panel.get_by_role("button", name=label).first
        expect(button).to_be_enabled(enabled=enabled.get(name, False), timeout=LONG_MS)


def _numbers(panel: Locator, column: str) -> list[float]:
    """A numeric column of the table of takes, from top to bottom."""
    heading = panel.locator("thead th", has_text=column)
    index = heading.evaluate("th => th.cellIndex")
    texts = panel.locator(f".i2v-takes tbody td:nth-child({index + 1})").all_inner_texts()
    return [float(text) for text in texts]


@pytest.mark.slow
def test_panels_show_hostile_text_as_text(
    server: Server, notebook: OpenNotebook, hostile: Hostile
) -> None:
    """Every live panel and object only shows hostile text."""
    shutil.copytree(hostile.prompts.folder.path, server.root / "runs" / "hostile")
    shutil.copytree(hostile.paths[0].parent, server.root / "stills")
    (server.root / "hostile.json").write_text(json.dumps(TEXTS))
    server.write("hostile.ipynb", HOSTILE_CELLS)
    opened = notebook("hostile.ipynb")
    opened.run_all()
    expected = {as_shown(text) for text in TEXTS}

    results = opened.panel(RESULTS)
    rows = results.locator(".i2v-takes tbody tr")
    expect(rows).to_have_count(2 * len(TEXTS))
    assert expected <= {as_shown(text) for text in results.locator("td").all_text_contents()}
    for box in results.locator("tbody input:enabled").all()[:9]:
        box.check()
    _button(results, "▶ Play chosen").click()
    player = Player(results.locator(".i2v-player"))
    player.root.wait_for(timeout=LONG_MS)
    player.settle()
    titles = player.root.locator("figcaption").all_text_contents()
    assert len(expected & {as_shown(text) for text in titles}) == 9

    written = opened.panel(PROMPTS)
    listed = written.get_by_label("prompts", exact=True).locator("option")
    assert {f"{text}: {text}" for text in expected} <= {
        as_shown(text) for text in listed.all_text_contents()
    }
    field = written.get_by_label("prompt", exact=True)
    for text in TEXTS[:: len(TEXTS) // 8]:
        field.fill(as_shown(text))
        expect(written.locator("pre")).to_contain_text(repr(as_shown(text)))

    sweep = opened.panel(RUN)
    cells = sweep.locator("th[scope=row]")
    expect(cells.first).to_be_visible(timeout=LONG_MS)
    assert expected <= {as_shown(text) for text in cells.all_text_contents()}
    stills = opened.panel(STILLS)
    checks = stills.locator("summary", has_text="every check of")
    expect(checks).to_have_count(len(hostile.paths), timeout=LONG_MS)
    expect(stills.locator("input:checked")).to_have_count(len(hostile.paths))
    names = {as_shown(name) for name in file_names()}
    titles = stills.locator(".beside b").all_text_contents()
    assert names <= {as_shown(text) for text in titles}
    shown = as_shown(opened.cell(OTHER_CELL).text_content() or "")
    assert [name for name in names if name not in shown] == []
    assert opened.page.locator('[href^="javascript:" i]').count() == 0
    opened.visit.check()
