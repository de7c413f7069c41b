"""One HTML file from an executed notebook: opens with no network and runs no script."""

import base64
import json
import re
import warnings
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from lab.errors import InputError
from lab.files import as_path, open_input_file, write_text
from lab.player import player_style
from lab.report.gate import check
from lab.report.sanitize import clean, is_self_contained

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from nbformat import NotebookNode

MOST_NOTEBOOK_BYTES = 200_000_000
MOST_PICTURE_BYTES = 5_000_000

_SHOWN = (
    *("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "image/webp"),
    *("image/gif", "text/latex", "text/plain"),
)
"""What an output is shown as: the first of these that it has. Widgets and scripts are not."""

_INJECTED = "injected-parameters"
_NO_ALT = "Picture without a description"
_PICTURE_BEGINS = {
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/gif": rb"GIF8",
    "image/webp": rb"RIFF.{4}WEBP",
    "image/svg+xml": rb"\s*(?:<(?:\?xml|!DOCTYPE|!--)[^>]*>\s*)*<svg",
}


def export_notebook(
    notebook: str | Path, path: str | Path | None = None, *, code: bool = False
) -> Path:
    """Write an executed notebook as one HTML file; beside it when no path is given.

    Outputs stand as they were saved; of a widget its HTML, its picture or its text. Scripts,
    widgets' state and what papermill noted are left out; pictures that lie on the network become
    links. code: show the cells' code and injected parameters too. Returns the path.

    Raises InputError, in one line, for a file that is no notebook of format 4 or larger than
    200 MB, for a picture of a text cell that is absent, over 5 MB or outside the project, for a
    page that would hold a secret, and where the file cannot be written.
    """
    source = as_path(notebook, InputError)
    target = source.with_suffix(".html") if path is None else as_path(path, InputError)
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{target}: name a file that ends in .html")
    book = _opened(source)
    _reduce(book, code=code)
    page = _page(_body(book, source, code=code), source.stem)
    try:
        check(page, links=True)
    except InputError as error:
        raise InputError(f"{source}: not exported: {error}") from error
    try:
        write_text(target, page)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from error
    return target


def _opened(path: Path) -> "NotebookNode":
    """The notebook, valid and of the newest minor format."""
    import nbformat  # not at the top: the report does without
    from nbformat import v4

    if path.suffix.lower() != ".ipynb":
        raise InputError(f"{path}: is no notebook; name a file that ends in .ipynb")
    with open_input_file(path, InputError, MOST_NOTEBOOK_BYTES) as file:
        data = file.read()
    try:
        plain = json.loads(data)
        # Half a character, which JSON may name and no file can hold, becomes a question mark.
        plain = json.loads(json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise InputError(f"{path}: is no notebook; it is not JSON") from None
    if not isinstance(plain, dict) or "nbformat" not in plain:
        raise InputError(f"{path}: is JSON, but no notebook; it says no nbformat")
    if plain["nbformat"] != 4 or not isinstance(plain.get("nbformat_minor"), int):
        raise InputError(f"{path}: is no notebook of format 4; save it again in JupyterLab")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about cells without an id, which are given one
            book = v4.upgrade(v4.to_notebook_json(plain), from_version=4)
            nbformat.validate(book)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"{path}: is no valid notebook ({said[0][:200]})") from None
    return book


def _reduce(book: "NotebookNode", *, code: bool) -> None:
    """Leave in the notebook only what shall be seen; the same notebook gives the same bytes."""
    book.metadata.pop("widgets", None)
    if not code:
        book.cells = [cell for cell in book.cells if _INJECTED not in cell.metadata.get("tags", ())]
    for number, cell in enumerate(book.cells, 1):
        cell.id = f"cell-{number}"
        for output in cell.get("outputs", ()):
            if "data" in output:
                output.data, output.metadata = _shown(output.data, output.metadata), {}


def _shown(data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, str]:
    """The one kind that an output is shown as."""
    for kind in _SHOWN:
        if kind not in data:
            continue
        if kind == "text/html":
            return {kind: _settled(data[kind])}
        if kind.startswith("image/"):
            return {"text/html": _picture(kind, data[kind], metadata.get(kind))}
        return {kind: data[kind]}
    return {"text/plain": f"(an output that needs a script: {', '.join(sorted(data)) or 'empty'})"}


def _picture(kind: str, content: str, metadata: object) -> str:
    if kind == "image/svg+xml":
        content = base64.b64encode(content.encode()).decode("ascii")
    said = metadata if isinstance(metadata, dict) else {}
    sizes = {name: said[name] for name in ("width", "height") if isinstance(said.get(name), int)}
    address = f"data:{kind};base64,{''.join(content.split())}"
    alt = escape(str(said.get("alt") or _NO_ALT))
    size = "".join(f' {name}="{pixels}"' for name, pixels in sizes.items())
    return f'<img src="{escape(address)}" alt="{alt}"{size}>'


def _body(book: "NotebookNode", source: Path, *, code: bool) -> str:
    """What nbconvert makes of the cells."""
    # not at the top: takes seconds, and the report does without
    from nbconvert.exporters.html import HTMLExporter

    @pass_context
    def markdown(context: Context, text: str) -> str:
        markup = exporter.markdown2html(context, text)
        # Boxes of task lists are form controls, which do not stay.
        markup = re.sub('<input class="task-list-item-checkbox"[^>]* checked/?>', "☑ ", markup)
        markup = re.sub('<input class="task-list-item-checkbox"[^>]*>', "☐ ", markup)
        return _settled(markup, source)

    exporter = HTMLExporter(
        template_name="basic",
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        filters={"markdown2html": markdown},
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about code in a language that it cannot colour
            body, _ = exporter.from_notebook_node(book)
    except InputError:
        raise
    except Exception as error:  # nbconvert fails in any way where a notebook is odd
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{source}: holds what nbconvert cannot show ({said[:200]})") from error
    return str(body)


def _page(body: str, name: str) -> str:
    """Our own page around the cells, for any reader, with or without eyes."""
    soup = _parsed(body)
    _settle(soup, None)
    headings = soup.find_all(re.compile("^h[1-6]$"))
    titled = bool(headings) and headings[0].name == "h1"
    title = " ".join(headings[0].get_text().split()) if headings else ""
    for picture in soup.find_all("img", alt=_NO_ALT):
        above = picture.find_previous(re.compile("^h[1-6]$"))
        if above is not None:
            picture["alt"] = f"{_NO_ALT}, under “{' '.join(above.get_text().split())}”"
    _level(headings, 1 if titled else 2)
    _frame_tables(soup)
    for text in soup.find_all("pre"):
        text["tabindex"] = "0"  # it scrolls, and not everybody has a mouse
    for number, frame in enumerate(soup.find_all("iframe"), 1):
        frame["title"] = frame.get("title") or f"Output {number}"
    for film in soup.find_all(["video", "audio"]):
        film["controls"] = ""
    environment = Environment(
        loader=PackageLoader("lab.report", "."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("notebook.html.j2").render(
        title=title or name,
        heading="" if titled else name,
        style=player_style() + (files("lab.report") / "notebook.css").read_text(encoding="utf-8"),
        body=clean(str(soup)),
    )


def _level(headings: "list[Tag]", first: int) -> None:
    """Make every heading one level below the heading it stands under."""
    above: list[int] = []
    for heading in headings:
        level = int(heading.name[1])
        while above and above[-1] >= level:
            above.pop()
        above.append(level)
        heading.name = f"h{min(first + len(above) - 1, 6)}"


def _frame_tables(soup: "BeautifulSoup") -> None:
    """Let wide tables scroll by keyboard, and take no empty corner for a heading."""
    for number, table in enumerate(soup.find_all("table"), 1):
        for cell in table.find_all("th"):
            if not cell.get_text(strip=True) and cell.find("img") is None:
                cell.name = "td"
                del cell["scope"]
            elif cell.get("scope") is None:
                heads = cell.find_parent("thead") or not cell.find_next_siblings("td")
                cell["scope"] = "col" if heads else "row"
        if table.find_parent("table") is None:
            label = table.caption.get_text(" ", strip=True) if table.caption else ""
            region = soup.new_tag("div", role="region", tabindex="0")
            region["class"] = "wide"
            region["aria-label"] = f"Table {number}" + f": {label}" * bool(label)
            table.wrap(region)


def _settled(markup: str, notebook: Path | None = None) -> str:
    """Clean markup that needs no other file. notebook: whose text cell it is."""
    soup = _parsed(clean(markup))
    _settle(soup, notebook)
    return str(soup)


def _parsed(markup: str) -> "BeautifulSoup":
    from bs4 import BeautifulSoup  # not at the top: the report does without

    return BeautifulSoup(markup, "html.parser")


def _settle(soup: "BeautifulSoup", notebook: Path | None) -> None:
    """Embed what may be, and say so in words where a picture, a film or a style cannot be."""
    for shown in soup.find_all(["img", "video", "audio"]):
        if shown.name == "img" and shown.get("alt") is None:
            shown["alt"] = _NO_ALT
        sources = [
            str(part["src"]) for part in (shown, *shown.find_all("source")) if part.get("src")
        ]
        lost = [address for address in sources if not address.startswith("data:")]
        if not lost:
            continue
        if re.match("https?:", lost[0], re.IGNORECASE):
            link = soup.new_tag("a", href=lost[0])
            link.string = str(shown.get("alt") or lost[0])
            shown.replace_with(link, " (on the network, not in this file)")
        elif notebook is not None and shown.name == "img":
            shown["src"] = _embedded(lost[0], notebook)
        else:
            shown.replace_with(f"(not in this file: {lost[0]})")
    for frame in soup.find_all("iframe"):
        inner = _parsed(str(frame.get("srcdoc", "")))
        _settle(inner, None)
        frame["srcdoc"] = str(inner)
    for sheet in soup.find_all("style"):
        if not is_self_contained(sheet.get_text()):
            sheet.decompose()


def _embedded(address: str, notebook: Path) -> str:
    """A picture beside the notebook, or in its project, as a data: address."""
    folder = notebook.resolve().parent
    project = folder.parent if folder.name == "notebooks" else folder
    try:
        path = (folder / unquote(re.split("[?#]", address)[0])).resolve()
    except (ValueError, RuntimeError):
        raise InputError(f"{notebook}: the picture {address!r} has no path that can be") from None
    if not path.is_relative_to(project):
        raise InputError(f"{notebook}: the picture {address!r} lies outside {project}")
    try:
        with open_input_file(path, InputError, MOST_PICTURE_BYTES) as file:
            content = file.read()
    except InputError as error:
        raise InputError(f"{notebook}: the picture {address!r}: {error}") from error
    for kind, begins in _PICTURE_BEGINS.items():
        if re.match(begins, content, re.DOTALL):
            return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    raise InputError(
        f"{notebook}: the picture {address!r} is none that a page can show; use PNG, JPEG, WebP, "
        "GIF or SVG"
    )
