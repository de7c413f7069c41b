"""Builds a report: makes the sections, renders the page, checks it and writes the file."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined

from lab.analysis import Results, load
from lab.errors import InputError, RunFolderError
from lab.files import check_writable, write_text
from lab.player import player_script, player_style
from lab.report.blocks import Section, json_for_page
from lab.report.context import ReportContext
from lab.report.facts import report_facts
from lab.report.page_check import check_page
from lab.report.sections import SECTIONS
from lab.units import escape_controls

MAX_MB = 25.0
"""The size limit of most mail servers."""


def write_report(
    runs: Results | str | Path | Sequence[str | Path],
    path: str | Path | None = None,
    *,
    now: datetime | None = None,
    max_mb: float = MAX_MB,
    heatmaps: bool = False,
    quiet: bool = True,
) -> Path:
    """Write a report of one or several runs. Returns the path of the report.

    runs: a `Results`, a run folder, or several run folders; several are compared by the factor
    `run`. path: report.html in the run folder if None; required for several runs. now: the time
    printed in the report. max_mb: the limit for the videos in megabytes. Larger videos are made
    smaller. If that is not enough, only those of the most important takes stay, and posters replace
    the others; the report says so. heatmaps: add heatmap videos of the takes that the player opens
    with; they do not count towards the limit.

    Proxies are made once and stored with their run, or in a temporary folder if the run folder
    cannot be written.

    Raises the errors of `load`; RunFolderError if the file cannot be written; InputError for
    several runs without a path, and for a page that contains a secret or a remote address.
    """
    results = runs if isinstance(runs, Results) else load(runs)
    if path is None and len(results.runs) > 1:
        raise InputError(f"a report of {len(results.runs)} runs needs a path; name a file for it")
    target = results.folder.path / "report.html" if path is None else Path(path)
    with _write_errors(target):
        check_writable(target.parent)  # checked early, because the proxies take long
    context = ReportContext(results, target.resolve(), round(max_mb * 1_000_000), heatmaps, quiet)
    sections = [section for build in SECTIONS if (section := build(context)) is not None]
    videos = {
        name: base64.b64encode(video.read_bytes()).decode("ascii")
        for video, name in context.videos.items()
    }
    page = render_page(
        sections,
        title=_title(results),
        written=(now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        videos=videos,
        facts=json_for_page(report_facts(context)),
    )
    check_page(page, allow_links=False)
    with _write_errors(target):
        write_text(target, page)
    return target


def render_page(
    sections: Sequence[Section],
    *,
    title: str = "",
    written: str = "",
    videos: Mapping[str, str] = MappingProxyType({}),
    facts: str = "",
) -> str:
    """The page as HTML. videos: base64 by element id. facts: JSON for `lab verify`."""
    environment = Environment(
        loader=PackageLoader("lab.report", "."), autoescape=True, undefined=StrictUndefined
    )
    css = player_style() + _read("report.css")
    script = player_script() + _read("report.js")
    page = environment.get_template("report.html.j2").render(
        title=title,
        written=written,
        sections=sections,
        videos=videos,
        facts=facts,
        style=css,
        script=script,
        style_hash=_csp_hash(css),
        script_hash=_csp_hash(script),
    )
    # Escapes in JSON decode to the same characters, so the data in the page stays the same.
    return escape_controls(page)


def _title(results: Results) -> str:
    """The common name of the runs, or the number of runs if their names differ."""
    names = {str(run.sweep.get("name") or "run") for run in results.runs}
    return names.pop() if len(names) == 1 else f"{len(results.runs)} runs"


def _read(name: str) -> str:
    return (files("lab.report") / name).read_text(encoding="utf-8")


@contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    """Turn an OSError into a RunFolderError that names the file."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"{target}: cannot be written ({error.strerror}); name another file with -o"
        ) from error


def _csp_hash(text: str) -> str:
    """The source expression that allows an inline script or style in a Content-Security-Policy."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
