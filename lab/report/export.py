"""Exports an executed notebook as one HTML file that needs no network and runs no script."""

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
from lab.report.page_check import check_page
from lab.report.sanitize import is_self_contained, sanitize

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from nbformat import NotebookNode

MAX_NOTEBOOK_BYTES = 200_000_000
MAX_PICTURE_BYTES = 5_000_000

_REPRESENTATIONS = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "text/latex",
    "text/plain",
)
"""MIME types in order of preference. Widgets and scripts are not among them."""

_INJECTED_TAG = "injected-parameters"
_NO_ALT = "Picture without a description"
_IMAGE_SIGNATURES = {
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/gif": rb"GIF8",
    "image/webp": rb"RIFF.{4}WEBP",
    "image/svg+xml": rb"\s*(?:<(?:\?xml|!DOCTYPE|!--)[^>]*>\s*)*<svg",
}


def export_notebook(
    notebook: str | Path, path: str | Path | None = None, *, code: bool = False
) -> Path:
    """Write an executed notebook as one HTML file and return its path.

    path: if None, NOTEBOOK.html beside the notebook. code: also show the code of the cells and the
    injected parameters. Outputs are shown as they were saved; a widget is shown as its HTML,
    picture or text. Scripts, widget state and papermill's metadata are left out. Pictures on the
    network become links.

    Raises InputError with one line for: a file that is not a notebook of format 4 or is over
    200 MB; a picture of a Markdown cell that is missing, over 5 MB or outside the project; a page
    that contains a secret; a file that cannot be written.
    """
    source = as_path(notebook, InputError)
    target = source.with_suffix(".html") if path is None else as_path(path, InputError)
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{target}: name a file that ends in .html")
    book = _load_notebook(source)
    _strip(book, code=code)
    page = _page_html(_cells_html(book, source, code=code), source.stem)
    try:
        check_page(page, allow_links=True)
    except InputError as error:
        raise InputError(f"{source}: not exported: {error}") from error
    try:
        write_text(target, page)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from error
    return target


def _load_notebook(path: Path) -> "NotebookNode":
    """The validated notebook, upgraded to the newest minor format."""
    import nbformat  # imported here, because a report does not need it
    from nbformat import v4

    if path.suffix.lower() != ".ipynb":
        raise InputError(f"{path}: is not a notebook; name a file that ends in .ipynb")
    with open_input_file(path, InputError, MAX_NOTEBOOK_BYTES) as file:
        data = file.read()
    try:
        plain = json.loads(data)
        # JSON may contain lone surrogates, which UTF-8 cannot encode. They become question marks.
        plain = json.loads(json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise InputError(f"{path}: is not a notebook; it is not JSON") from None
    if not isinstance(plain, dict) or "nbformat" not in plain:
        raise InputError(f"{path}: is JSON but not a notebook; it has no nbformat")
    if plain["nbformat"] != 4 or not isinstance(plain.get("nbformat_minor"), int):
        raise InputError(f"{path}: is not a notebook of format 4; save it again in JupyterLab")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbformat warns of missing cell ids and adds them
            book = v4.upgrade(v4.to_notebook_json(plain), from_version=4)
            nbformat.validate(book)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"{path}: is not a valid notebook ({lines[0][:200]})") from None
    return book


def _strip(book: "NotebookNode", *, code: bool) -> None:
    """Remove what is not shown, and replace cell ids, which differ between equal notebooks."""
    book.metadata.pop("widgets", None)
    if not code:
        book.cells = [
            cell for cell in book.cells if _INJECTED_TAG not in cell.metadata.get("tags", ())
        ]
    for number, cell in enumerate(book.cells, 1):
        cell.id = f"cell-{number}"
        for output in cell.get("outputs", ()):
            if "data" in output:
                output.data, output.metadata = (
                    _choose_representation(output.data, output.metadata),
                    {},
                )


def _choose_representation(data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, str]:
    """The preferred representation of an output, by its MIME type."""
    for kind in _REPRESENTATIONS:
        if kind not in data:
            continue
        if kind == "text/html":
            return {kind: _make_self_contained(data[kind])}
        if kind.startswith("image/"):
            return {"text/html": _image_html(kind, data[kind], metadata.get(kind))}
        return {kind: data[kind]}
    return {"text/plain": f"(an output that needs a script: {', '.join(sorted(data)) or 'empty'})"}


def _image_html(kind: str, content: str, metadata: object) -> str:
    if kind == "image/svg+xml":
        content = base64.b64encode(content.encode()).decode("ascii")
    details = metadata if isinstance(metadata, dict) else {}
    names = [name for name in ("width", "height") if isinstance(details.get(name), int)]
    size = "".join(f' {name}="{details[name]}"' for name in names)
    address = f"data:{kind};base64,{''.join(content.split())}"
    alt = escape(str(details.get("alt") or _NO_ALT))
    return f'<img src="{escape(address)}" alt="{alt}"{size}>'


def _cells_html(book: "NotebookNode", source: Path, *, code: bool) -> str:
    """The cells as nbconvert renders them."""
    # Imported here, because it takes seconds and a report does not need it.
    from nbconvert.exporters.html import HTMLExporter

    @pass_context
    def markdown(context: Context, text: str) -> str:
        markup = exporter.markdown2html(context, text)
        # The checkboxes of task lists are form controls, which would be removed.
        markup = re.sub('<input class="task-list-item-checkbox"[^>]* checked/?>', "☑ ", markup)
        markup = re.sub('<input class="task-list-item-checkbox"[^>]*>', "☐ ", markup)
        return _make_self_contained(markup, source)

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
            warnings.simplefilter("ignore")  # nbconvert warns of languages that it cannot highlight
            body, _ = exporter.from_notebook_node(book)
    except InputError:
        raise
    except Exception as error:  # a malformed notebook can raise any exception in nbconvert
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{source}: nbconvert cannot show it ({message[:200]})") from error
    return str(body)


def _page_html(body: str, name: str) -> str:
    """The whole page: the cells in an accessible document."""
    soup = _parse_html(body)
    _embed_resources(soup, None)
    headings = soup.find_all(re.compile("^h[1-6]$"))
    starts_with_h1 = bool(headings) and headings[0].name == "h1"
    title = " ".join(headings[0].get_text().split()) if headings else ""
    for picture in soup.find_all("img", alt=_NO_ALT):
        above = picture.find_previous(re.compile("^h[1-6]$"))
        if above is not None:
            picture["alt"] = f"{_NO_ALT}, under “{' '.join(above.get_text().split())}”"
    _renumber_headings(headings, 1 if starts_with_h1 else 2)
    _wrap_tables(soup)
    for text in soup.find_all("pre"):
        text["tabindex"] = "0"  # makes it scrollable by keyboard
    for number, frame in enumerate(soup.find_all("iframe"), 1):
        frame["title"] = frame.get("title") or f"Output {number}"
    for media in soup.find_all(["video", "audio"]):
        media["controls"] = ""
    environment = Environment(
        loader=PackageLoader("lab.report", "."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("notebook.html.j2").render(
        title=title or name,
        heading="" if starts_with_h1 else name,
        style=player_style() + (files("lab.report") / "notebook.css").read_text(encoding="utf-8"),
        body=sanitize(str(soup)),
    )


def _renumber_headings(headings: "list[Tag]", first: int) -> None:
    """Renumber the headings so that no level is skipped. first: the level of the first one."""
    above: list[int] = []
    for heading in headings:
        level = int(heading.name[1])
        while above and above[-1] >= level:
            above.pop()
        above.append(level)
        heading.name = f"h{min(first + len(above) - 1, 6)}"


def _wrap_tables(soup: "BeautifulSoup") -> None:
    """Put tables into regions that scroll by keyboard, and give each header cell a scope.

    An empty header cell, as in the corner of a table, becomes an ordinary cell.
    """
    for number, table in enumerate(soup.find_all("table"), 1):
        for cell in table.find_all("th"):
            if not cell.get_text(strip=True) and cell.find("img") is None:
                cell.name = "td"
                del cell["scope"]
            elif cell.get("scope") is None:
                heads_column = cell.find_parent("thead") or not cell.find_next_siblings("td")
                cell["scope"] = "col" if heads_column else "row"
        if table.find_parent("table") is None:
            label = table.caption.get_text(" ", strip=True) if table.caption else ""
            region = soup.new_tag("div", role="region", tabindex="0")
            region["class"] = "wide"
            region["aria-label"] = f"Table {number}: {label}" if label else f"Table {number}"
            table.wrap(region)


def _make_self_contained(markup: str, notebook: Path | None = None) -> str:
    """Sanitize markup and embed its pictures.

    notebook: the notebook's path for a Markdown cell, else None.
    """
    soup = _parse_html(sanitize(markup))
    _embed_resources(soup, notebook)
    return str(soup)


def _parse_html(markup: str) -> "BeautifulSoup":
    from bs4 import BeautifulSoup  # imported here, because a report does not need it

    return BeautifulSoup(markup, "html.parser")


def _embed_resources(soup: "BeautifulSoup", notebook: Path | None) -> None:
    """Embed the pictures of a Markdown cell. Replace other pictures and media by a link or a text.

    Style sheets that load something are removed. notebook: the notebook's path for a Markdown
    cell, else None.
    """
    for media in soup.find_all(["img", "video", "audio"]):
        if media.name == "img" and media.get("alt") is None:
            media["alt"] = _NO_ALT
        sources = [
            str(part["src"]) for part in (media, *media.find_all("source")) if part.get("src")
        ]
        not_embedded = [address for address in sources if not address.startswith("data:")]
        if not not_embedded:
            continue
        if re.match("https?:", not_embedded[0], re.IGNORECASE):
            link = soup.new_tag("a", href=not_embedded[0])
            link.string = str(media.get("alt") or not_embedded[0])
            media.replace_with(link, " (on the network, not in this file)")
        elif notebook is not None and media.name == "img":
            media["src"] = _picture_uri(not_embedded[0], notebook)
        else:
            media.replace_with(f"(not in this file: {not_embedded[0]})")
    for frame in soup.find_all("iframe"):
        inner = _parse_html(str(frame.get("srcdoc", "")))
        _embed_resources(inner, None)
        frame["srcdoc"] = str(inner)
    for style_element in soup.find_all("style"):
        if not is_self_contained(style_element.get_text()):
            style_element.decompose()


def _picture_uri(address: str, notebook: Path) -> str:
    """A picture in the notebook's project as a data: URI.

    The project is the notebook's folder, or the folder above it if it is called notebooks.
    """
    folder = notebook.resolve().parent
    project = folder.parent if folder.name == "notebooks" else folder
    try:
        path = (folder / unquote(re.split("[?#]", address)[0])).resolve()
    except (ValueError, RuntimeError):
        raise InputError(f"{notebook}: the picture {address!r} is not a valid path") from None
    if not path.is_relative_to(project):
        raise InputError(f"{notebook}: the picture {address!r} lies outside {project}")
    try:
        with open_input_file(path, InputError, MAX_PICTURE_BYTES) as file:
            content = file.read()
    except InputError as error:
        raise InputError(f"{notebook}: the picture {address!r}: {error}") from error
    for kind, signature in _IMAGE_SIGNATURES.items():
        if re.match(signature, content, re.DOTALL):
            return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
    raise InputError(
        f"{notebook}: the picture {address!r} has a format that a page cannot show; "
        "use PNG, JPEG, WebP, GIF or SVG"
    )
