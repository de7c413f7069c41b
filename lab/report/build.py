"""Put the page together."""

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
from lab.report.blocks import Section, in_page
from lab.report.context import ReportContext
from lab.report.facts import facts_of
from lab.report.gate import check
from lab.report.sections import SECTIONS
from lab.units import escape_controls

MAX_MB = 25.0
"""What most mail servers take."""


def write_report(
    runs: Results | str | Path | Sequence[str | Path],
    path: str | Path | None = None,
    *,
    now: datetime | None = None,
    max_mb: float = MAX_MB,
    heatmaps: bool = False,
    quiet: bool = True,
) -> Path:
    """Write a report of a run, or of several with the run as a factor. Returns the path.

    runs: a `Results`, or the folder of a run, or of several. path: beside the run as report.html
    when None; required for several runs. now: the time printed in it. max_mb: size limit of the
    videos in megabytes. If they are larger, they are made smaller; if that is not enough, only the
    most important takes stay videos and the others become pictures. The report says so. heatmaps:
    add heatmap videos of the takes that the player opens with; they do not count in the limit.
    Proxies are made once and stored with their run, or in a temporary folder if the run folder
    cannot be written.

    Raises what `load` raises, RunFolderError when the file cannot be written, and InputError for
    several runs without a path, and rather than write a secret or a remote address into it.
    """
    results = runs if isinstance(runs, Results) else load(runs)
    if path is None and len(results.runs) > 1:
        raise InputError(f"a report of {len(results.runs)} runs needs a place; name a file for it")
    target = results.folder.path / "report.html" if path is None else Path(path)
    with _written(target):
        check_writable(target.parent)  # before anything is copied and drawn
    context = ReportContext(results, target.resolve(), round(max_mb * 1_000_000), heatmaps, quiet)
    sections = [section for build in SECTIONS if (section := build(context)) is not None]
    videos = {
        name: base64.b64encode(video.read_bytes()).decode("ascii")
        for video, name in context.videos.items()
    }
    page = draw(
        sections,
        title=_title(results),
        written=(now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        videos=videos,
        facts=in_page(facts_of(context)),
    )
    check(page, links=False)
    with _written(target):
        write_text(target, page)
    return target


def draw(
    sections: Sequence[Section],
    *,
    title: str = "",
    written: str = "",
    videos: Mapping[str, str] = MappingProxyType({}),
    facts: str = "",
) -> str:
    """The page as text. videos: base64 by element id; facts: JSON for `lab verify`."""
    environment = Environment(
        loader=PackageLoader("lab.report", "."), autoescape=True, undefined=StrictUndefined
    )
    look, script = _asset(player_style(), "report.css"), _asset(player_script(), "report.js")
    page = environment.get_template("report.html.j2").render(
        title=title,
        written=written,
        sections=sections,
        videos=videos,
        facts=facts,
        style=look,
        script=script,
        style_hash=_hash(look),
        script_hash=_hash(script),
    )
    return escape_controls(page)  # in scripts too: there it is JSON, which stays the same data


def _title(results: Results) -> str:
    """What the runs are called, where they have one name."""
    names = {str(run.sweep.get("name") or "run") for run in results.runs}
    return names.pop() if len(names) == 1 else f"{len(results.runs)} runs"


def _asset(shared: str, name: str) -> str:
    """What the player brings, and the report's own after it."""
    return shared + (files("lab.report") / name).read_text(encoding="utf-8")


@contextmanager
def _written(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"{target}: cannot be written ({error.strerror}); name another file with -o"
        ) from error


def _hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script it allows."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
