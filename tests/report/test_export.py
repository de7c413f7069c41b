"""An exported notebook is complete, runs nothing, loads nothing and has no secret."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
    new_raw_cell,
)

from lab.cli import main
from lab.errors import InputError
from lab.report import export_notebook
from lab.report.sanitize import sanitize

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HOSTILE = """<img src=x onerror=alert(1)>"'</script>"""
SECRET = "zq81-zq82-zq83-zq84"
DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
WIDGET = "application/vnd.jupyter.widget-view+json"
EMPTY = {"br", "col", "hr", "img", "link", "meta", "source", "wbr"}

Exported = Callable[..., str]


class Page(HTMLParser):
    """The elements of a page with their own texts. Checks that all are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.texts.append((self._open[-1], " ".join(data.split())))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements with this tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    def texts_in(self, tag: str) -> list[str]:
        """The texts directly inside elements with this tag."""
        return [text for name, text in self.texts if name == tag]


def shown(**data: str) -> NotebookNode:
    """A cell with one output. `text_html` is the MIME type text/html."""
    bundle = {name.replace("_", "/", 1): content for name, content in data.items()}
    return new_code_cell("1", outputs=[new_output("display_data", data=bundle)])


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    """A function that writes cells as a notebook, exports it and returns the page."""

    def export(
        *cells: NotebookNode, metadata: dict[str, Any] | None = None, **options: bool
    ) -> str:
        notebook = tmp_path / "some_notebook.ipynb"
        nbformat.write(new_notebook(cells=list(cells), metadata=metadata or {}), notebook)
        path = export_notebook(notebook, **options)
        assert path == tmp_path / "some_notebook.html"
        return path.read_text(encoding="utf-8")

    return export


def everything() -> tuple[list[NotebookNode], dict[str, Any]]:
    """Cells of every kind, each with something harmful, and the metadata of the notebook."""
    frame = pd.DataFrame({"prompt": [HOSTILE, "pan left"], "flicker": [0.5, 1.25]})
    styler = frame.style.set_caption("A styled table").highlight_max(subset=["flicker"])
    fallback = {
        WIDGET: {"version_major": 2, "version_minor": 0, "model_id": "m1"},
        "text/html": "<p>The panel in words</p>",
        "text/plain": "Panel()",
    }
    script = {"application/javascript": "alert(2)", "text/plain": "<Javascript object>"}
    cells = [
        new_markdown_cell(
            "### The *question*\n\nLet $x < y$ be.\n\n![far away](https://example.org/a.png)\n\n"
            "[out](https://example.org/) [run](javascript:alert(3)) <script>alert(4)</script>"
        ),
        new_code_cell("name = 'plain'", metadata={"tags": ["parameters"]}),
        new_code_cell(f"name = '{SECRET[:9]}'", metadata={"tags": ["injected-parameters"]}),
        shown(text_html=frame._repr_html_(), text_plain=str(frame)),
        shown(text_html=styler.to_html(), text_plain="<Styler>"),
        shown(text_html=HOSTILE, text_plain="<HTML object>"),
        new_code_cell("panel", outputs=[new_output("display_data", data=fallback)]),
        new_code_cell("go()", outputs=[new_output("display_data", data=script)]),
        new_markdown_cell("# Pictures"),
        shown(**{"image_png": DOT + "\n", "text_plain": "<Figure size 1x1>"}),
        new_code_cell(
            "fail()",
            outputs=[
                new_output("stream", name="stdout", text="printed\n"),
                new_output("stream", name="stderr", text="\x1b[31mwarned\x1b[0m <b>\n"),
                new_output("error", ename="E", evalue="v", traceback=["\x1b[1;31mE\x1b[0m: v"]),
            ],
        ),
        new_raw_cell("<script>alert(5)</script>raw"),
    ]
    state = {"m1": {"model_name": "PasswordModel", "state": {"value": SECRET}}}
    metadata = {
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": state}},
        "papermill": {"parameters": {"api_key": SECRET}},
    }
    return cells, metadata


@pytest.mark.parametrize("code", [False, True])
def test_nothing_runs_or_loads(exported: Exported, code: bool) -> None:
    """No script, handler or external source remains."""
    cells, metadata = everything()
    page = Page(exported(*cells, metadata=metadata, code=code))
    for tag, attributes in page.elements:
        assert tag not in ("script", "object", "embed", "link", "base", "form", "template")
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert "javascript:" not in (value or "")
            if name in ("src", "poster", "srcset"):
                assert (value or "").startswith("data:")
    assert page.of("a")
    assert not any("alert(2)" in text or "alert(4)" in text for _, text in page.texts)


def test_the_policy_forbids_scripts(exported: Exported) -> None:
    """The policy allows no script and no source but the page itself."""
    page = Page(exported(new_markdown_cell("# A")))
    (policy,) = [m["content"] or "" for m in page.of("meta") if m.get("http-equiv")]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    assert rules["img-src"] == rules["media-src"] == rules["font-src"] == ["data:"]
    assert "script-src" not in rules
    assert page.of("html") == [{"lang": "en"}]


def test_widget_state_and_parameters_are_left_out(exported: Exported) -> None:
    """Widget state and parameters are left out. The static fallback of a widget stays."""
    cells, metadata = everything()
    page = exported(*cells, metadata=metadata)
    assert SECRET not in page
    assert SECRET[:9] not in page
    assert "The panel in words" in page
    assert "Panel()" not in page


def test_code_is_shown_on_demand(exported: Exported) -> None:
    """With code, highlighted cells are shown, also the injected one. Otherwise only outputs are."""
    cells, metadata = everything()
    assert 'class="highlight' not in exported(*cells, metadata=metadata)
    page = exported(*cells, metadata=metadata, code=True)
    assert SECRET[:9] in page
    assert SECRET not in page
    assert 'class="highlight' in page


def test_tables_stay_whole(exported: Exported) -> None:
    """Tables keep their rows, headings and styles. Hostile cells are text or removed."""
    cells, _ = everything()
    text = exported(*cells)
    page = Page(text)
    assert len(page.of("table")) == 2
    assert page.texts_in("th").count("prompt") == page.texts_in("th").count("flicker") == 2
    assert HOSTILE in " ".join(page.texts_in("td"))
    assert "1.25" in page.texts_in("td")
    assert re.search(r"#T_\w+_row1_col1 \{\s*background-color: yellow", text)
    assert page.texts_in("caption") == ["A styled table"]


def test_tables_can_be_scrolled_and_read(exported: Exported) -> None:
    """Each table is in a labelled region for the keyboard. An empty corner is no heading."""
    cells, _ = everything()
    page = Page(exported(*cells))
    regions = [one for one in page.of("div") if one.get("role") == "region"]
    assert [one["tabindex"] for one in regions] == ["0", "0"]
    assert [one["aria-label"] for one in regions] == ["Table 1", "Table 2: A styled table"]
    assert all(one["scope"] in ("col", "row") for one in page.of("th"))
    assert len(page.of("th")) == len(page.texts_in("th"))


def test_outputs_that_failed_stay(exported: Exported) -> None:
    """Standard error and tracebacks stay, in colour and escaped."""
    cells, _ = everything()
    text = exported(*cells)
    page = Page(text)
    assert 'class="ansi-red-fg">warned' in text
    assert 'class="ansi-red-intense-fg ansi-bold">E' in text
    assert any("<b>" in text for text in page.texts_in("pre"))
    assert "printed" in page.texts_in("pre")


def test_an_output_that_is_only_a_script_says_so(exported: Exported) -> None:
    """The page says that an output is missing, with its MIME type."""
    text = exported(shown(application_javascript="alert(1)"))
    assert "an output that needs a script: application/javascript" in text
    assert "alert" not in text


def test_formulas_stay_text(exported: Exported) -> None:
    """LaTeX stays as text, in Markdown cells and in outputs."""
    cells, _ = everything()
    page = Page(exported(*cells, shown(text_latex=r"$\frac{a}{b}$")))
    assert any("Let $x < y$ be." in text for text in page.texts_in("p"))
    assert r"$\frac{a}{b}$" in page.texts_in("div")


def test_headings_go_down_one_level_at_a_time(exported: Exported) -> None:
    """If the first heading is below level 1, the name of the file becomes the title."""
    page = Page(
        exported(
            new_markdown_cell("### First\n\n##### Second\n\n##### Third\n\n## Fourth"),
            shown(text_html="<h6>Fifth</h6>"),
        )
    )
    levels = [tag for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels == ["h1", "h2", "h3", "h3", "h2", "h3"]
    assert page.texts_in("title") == ["First"]
    assert page.texts_in("h1") == ["some_notebook"]


def test_the_first_heading_is_the_title(exported: Exported) -> None:
    """The first heading is the title; without one, the name of the file is."""
    page = Page(exported(new_markdown_cell("# A *good* title\n\n## B")))
    assert page.texts_in("title") == ["A good title"]
    assert len(page.of("h1")) == 1
    page = Page(exported(new_markdown_cell("text")))
    assert page.texts_in("title") == page.texts_in("h1") == ["some_notebook"]


def test_pictures_say_what_they_show(exported: Exported) -> None:
    """A picture has its description from the notebook, or else the heading above it."""
    described = new_output(
        "display_data",
        data={"image/png": DOT},
        metadata={"image/png": {"alt": 'a "dot"', "width": 10, "height": "1 onload=x"}},
    )
    page = Page(
        exported(
            new_markdown_cell("# Dots"),
            new_code_cell("1", outputs=[described]),
            shown(**{"image_svg+xml": "<svg onload='alert(1)'/>"}),
            shown(text_html=f'<img src="data:image/png;base64,{DOT}"><img alt="" src="data:x">'),
        )
    )
    fallback = "Picture without a description, under “Dots”"
    assert [picture["alt"] for picture in page.of("img")] == ['a "dot"', fallback, fallback, ""]
    assert page.of("img")[0]["width"] == "10"
    assert "height" not in page.of("img")[0]
    assert (page.of("img")[1]["src"] or "").startswith("data:image/svg+xml;base64,")


def test_pictures_on_the_network_become_links(exported: Exported) -> None:
    """A picture, video or output on the network becomes a link."""
    page = Page(
        exported(
            new_markdown_cell("![far & away](https://example.org/a.png)"),
            shown(text_html="<video><source src='HTTPS://example.org/b.mp4'></video>"),
            shown(text_html="<img src='runs/c.png'><audio src='//example.org/d.mp3'></audio>"),
        )
    )
    assert [link["href"] for link in page.of("a")] == [
        "https://example.org/a.png",
        "HTTPS://example.org/b.mp4",
    ]
    assert "far & away" in page.texts_in("a")
    assert any("(not in this file: runs/c.png)" in text for text in page.texts_in("div"))
    assert page.of("img") == page.of("video") == page.of("audio") == []


def test_pictures_beside_the_notebook_are_embedded(exported: Exported, tmp_path: Path) -> None:
    """A picture beside the notebook or below it is embedded, and so is an attachment."""
    (tmp_path / "my pictures").mkdir()
    content = base64.b64decode(DOT)
    (tmp_path / "my pictures" / "dot.png").write_bytes(content)
    (tmp_path / "drawing.svg").write_text("<?xml version='1.0'?>\n<!-- a --><svg></svg>")
    page = Page(
        exported(
            new_markdown_cell("![dot](my%20pictures/dot.png) <img src='drawing.svg'>"),
            new_markdown_cell(
                "![attached](attachment:a.png)", attachments={"a.png": {"image/png": DOT}}
            ),
        )
    )
    address = f"data:image/png;base64,{DOT}"
    assert [picture["alt"] for picture in page.of("img")] == [
        "dot",
        "Picture without a description",
        "attached",
    ]
    assert [picture["src"] for picture in page.of("img")][::2] == [address, address]
    assert (page.of("img")[1]["src"] or "").startswith("data:image/svg+xml;base64,")


def test_pictures_of_the_project_are_embedded(tmp_path: Path) -> None:
    """A notebook in a folder called notebooks may use pictures of the folder above it."""
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "project" / "dot.png").write_bytes(base64.b64decode(DOT))
    (tmp_path / "dot.png").write_bytes(base64.b64decode(DOT))
    notebook = tmp_path / "project" / "notebooks" / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("![d](../dot.png)")]), notebook)
    assert DOT in export_notebook(notebook).read_text()
    nbformat.write(new_notebook(cells=[new_markdown_cell("![d](../../dot.png)")]), notebook)
    with pytest.raises(InputError, match="outside"):
        export_notebook(notebook)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("none.png", "no such file"),
        ("../outside.png", "outside"),
        ("/etc/hostname", "outside"),
        ("linked.png", "outside"),
        ("text.png", "format that a page cannot show"),
        ("large.png", "too large"),
        ("a%00b.png", "picture"),
        ("attachment:none.png", "missing attachment"),
    ],
)
def test_pictures_that_cannot_come_along_are_refused(
    exported: Exported, tmp_path: Path, address: str, message: str
) -> None:
    """The error is one line with the notebook and the picture."""
    (tmp_path / "text.png").write_text("root:x:0:0")
    (tmp_path / "linked.png").symlink_to("/etc/hostname")
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(6_000_000)
    with pytest.raises(InputError, match=message) as caught:
        exported(new_markdown_cell(f"![a]({address})"))
    assert "some_notebook.ipynb" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "some_notebook.html").exists()


def test_task_lists_keep_their_marks(exported: Exported) -> None:
    """The boxes of a task list become symbols."""
    page = Page(exported(new_markdown_cell("- [ ] open\n- [x] done")))
    assert page.texts_in("li") == ["☐ open", "☑ done"]
    assert page.of("input") == []


def test_one_output_cannot_swallow_the_next(exported: Exported) -> None:
    """An unclosed element ends with its output or text cell."""
    page = Page(
        exported(
            shown(text_html="</div></main><div><table><tr><td>open<!--"),
            new_markdown_cell("<div><style>p {"),
            shown(text_html="<p>after</p>"),
        )
    )
    assert "after" in page.texts_in("p")
    assert [tag for tag, _ in page.elements].count("main") == 1


def test_frames_keep_their_content_only(exported: Exported) -> None:
    """The content of a frame is sanitized, sandboxed and titled."""
    inner = (
        "<!DOCTYPE html><html><head><title>T</title><style>p{color:red}</style>"
        "<style>@import 'https://x.example/a.css';</style></head><body onload=alert(1)>"
        "<p>Inside</p><script>alert(1)</script><img src=x><iframe srcdoc=y></iframe></body></html>"
    )
    frame = f"<iframe sandbox='allow-scripts' src='x' srcdoc='{inner.replace(chr(39), '&#39;')}'>"
    (attributes,) = Page(exported(shown(text_html=frame + "</iframe>"))).of("iframe")
    assert attributes["sandbox"] == ""
    assert attributes["title"] == "Output 1"
    assert "src" not in attributes
    srcdoc = attributes["srcdoc"] or ""
    assert "<p>Inside</p>" in srcdoc
    assert "p{color:red}" in srcdoc
    assert srcdoc.count("<title>") == 1
    assert not re.search("script|import|onload|iframe|src=", srcdoc)


def test_drawings_and_cards_stay(exported: Exported) -> None:
    """Inline SVG and styles stay, without external addresses."""
    drawing = (
        '<svg viewBox="0 0 9 9" onload="a()"><defs><linearGradient id="g"><stop offset="0"/>'
        '</linearGradient></defs><path d="M0 0L9 9" fill="url(#g)" stroke-width="2"/>'
        '<image href="https://x.example/a"/><text>label</text></svg>'
    )
    card = (
        '<figure style="margin:0"><div style="display:flex;background:#0072b226">card</div>'
        '<div style="background:url(https://x.example/a)">bare</div></figure>'
    )
    page = Page(exported(shown(text_html=drawing), shown(text_html=card)))
    assert page.of("svg") == [{"viewbox": "0 0 9 9"}]
    assert page.of("path")[0]["fill"] == "url(#g)"
    assert page.of("lineargradient") == [{"id": "g"}]
    styles = [one["style"] for one in (*page.of("figure"), *page.of("div")) if "style" in one]
    assert styles == ["margin:0", "display:flex;background:#0072b226"]
    assert "bare" in page.texts_in("div")


def test_cleaning_twice_changes_nothing(exported: Exported) -> None:
    """Sanitized markup does not change if it is sanitized again."""
    cells, _ = everything()
    inner = "<p style='color:red'>a &amp; b</p><svg><title>t</title></svg>"
    frame = f'<iframe srcdoc="{inner}"></iframe>'
    main = exported(*cells, shown(text_html=frame)).partition("<main>")[2].partition("</main>")[0]
    assert sanitize(main) == main
    assert sanitize(sanitize(frame)) == sanitize(frame)


def test_a_secret_is_refused(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in an output stops the export. The error names its variable, and no file is left."""
    monkeypatch.setenv("KLING_API_KEY", SECRET)
    with pytest.raises(InputError, match="KLING_API_KEY") as caught:
        exported(shown(text_plain=f"key={SECRET}"))
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "some_notebook.html").exists()
    with pytest.raises(InputError, match="signed address"):
        exported(new_markdown_cell("![a](https://cdn.example/a.png?Signature=0123456789)"))


def test_the_same_notebook_is_the_same_file(exported: Exported) -> None:
    """A second export is equal, whatever the ids of the cells are."""
    cells, metadata = everything()
    first = exported(*cells, metadata=metadata)
    for cell in cells:
        cell.id = f"other-{cell.id}"
    assert exported(*cells, metadata=metadata) == first


@pytest.mark.parametrize("minor", [0, 4, 5, 9])
def test_every_minor_format_is_read(tmp_path: Path, minor: int) -> None:
    """Every minor version of format 4 is exported."""
    cell: dict[str, Any] = {"cell_type": "markdown", "metadata": {}, "source": ["# A\n", "text"]}
    if minor >= 5:
        cell["id"] = "a"
    notebook = tmp_path / "a.ipynb"
    plain = {"nbformat": 4, "nbformat_minor": minor, "metadata": {}, "cells": [cell]}
    notebook.write_text(json.dumps(plain))
    assert "<p>text</p>" in export_notebook(notebook).read_text()


def test_half_characters_become_question_marks(tmp_path: Path) -> None:
    """A lone surrogate does not stop the export."""
    notebook = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A HALF")]), notebook)
    notebook.write_text(notebook.read_text().replace("HALF", "\\ud83d"))
    assert "<h1" in export_notebook(notebook).read_text()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.ipynb", None, "no such file"),
        ("a.txt", b"{}", "ends in .ipynb"),
        ("a.ipynb", b"\xff\xfe", "not JSON"),
        ("a.ipynb", b"[" * 100_000, "not JSON"),
        ("a.ipynb", b"[]", "no nbformat"),
        ("a.ipynb", b'{"cells": []}', "no nbformat"),
        ("a.ipynb", b'{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}', "format 4"),
        ("a.ipynb", b'{"nbformat": 4, "metadata": {}, "cells": []}', "format 4"),
        ("a.ipynb", b'{"nbformat": 4, "nbformat_minor": 5}', "not a valid notebook"),
        (
            "a.ipynb",
            b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [5]}',
            "not a valid notebook",
        ),
        (
            "a.ipynb",
            b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "x"}]}',
            "not a valid notebook",
        ),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    """The error is one line with the file and the reason."""
    notebook = tmp_path / name
    if content is not None:
        notebook.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        export_notebook(notebook)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "cell",
    [
        new_markdown_cell("![a](attachment:a.png)", attachments={"a.png": {}}),
        new_raw_cell("text", metadata={"raw_mimetype": None}),
        new_code_cell("1", outputs=[new_output("stream", text="\x1b[38mcolour of no number")]),
    ],
)
def test_what_nbconvert_cannot_show_is_refused(exported: Exported, cell: NotebookNode) -> None:
    """A notebook that nbconvert cannot render gives an error of one line."""
    with pytest.raises(InputError, match="nbconvert cannot show") as caught:
        exported(cell)
    assert "\n" not in str(caught.value)


def test_code_in_an_unknown_language_is_shown_plain(exported: Exported) -> None:
    """Code in an unknown language is shown without colours and without a warning."""
    language = {"language_info": {"name": "klingon"}}
    page = Page(exported(new_code_cell("qapla'"), metadata=language, code=True))
    assert "qapla'" in " ".join(page.texts_in("pre"))


def test_too_large_a_notebook_is_refused(tmp_path: Path) -> None:
    """The size is checked before the file is read."""
    notebook = tmp_path / "a.ipynb"
    with notebook.open("wb") as file:
        file.truncate(200_000_001)
    with pytest.raises(InputError, match="too large"):
        export_notebook(notebook)


def test_a_target_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A missing folder, an existing folder, the notebook itself and a non-path are refused."""
    notebook = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(), notebook)
    (tmp_path / "b.html").mkdir()
    for target in (tmp_path / "none" / "a.html", tmp_path / "b.html"):
        with pytest.raises(InputError, match="cannot be written"):
            export_notebook(notebook, target)
    with pytest.raises(InputError, match=r"ends in \.html"):
        export_notebook(notebook, notebook)
    with pytest.raises(InputError, match="expected a path"):
        export_notebook(5)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb", "b.html"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_of_this_project_export(notebook: Path, tmp_path: Path) -> None:
    """Each keeps its headings, tables, pictures and videos, and has no script."""
    page = Page(export_notebook(notebook, tmp_path / "a.html").read_text(encoding="utf-8"))
    book = nbformat.read(notebook, as_version=4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    markup = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    for tag in ("table", "tr", "video", "figure"):
        assert len(page.of(tag)) == len(re.findall(f"<{tag}[ >]", markup))
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    assert len(page.of("img")) == markup.count("<img ") + pictures
    assert len(page.of("h1")) == 1
    assert page.of("script") == []


def test_the_command_prints_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`lab export` writes beside the notebook or to -o. Bad input gives one line and exit 2."""
    notebook = tmp_path / "a.ipynb"
    shutil.copy(NOTEBOOKS[0], notebook)

    def lab(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["export", *map(str, arguments)])
        return left.value.code, *capsys.readouterr()

    assert lab(notebook) == (0, f"{tmp_path / 'a.html'}\n", "")
    assert lab(notebook, "-o", tmp_path / "b.html", "--code")[1] == f"{tmp_path / 'b.html'}\n"
    assert 'class="highlight' in (tmp_path / "b.html").read_text()
    code, printed, error = lab(tmp_path / "none.ipynb")
    assert (code, printed) == (2, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 1
