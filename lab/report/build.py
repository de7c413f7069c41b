"""Put the page together."""

import base64
import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from lab.analysis import Results, load
from lab.errors import RunFolderError
from lab.files import write_text
from lab.report.sections import SECTIONS
from lab.report.source import Source


def write_report(
    run: Results | str | Path, path: str | Path | None = None, *, now: datetime | None = None
) -> Path:
    """Write a run's report; beside the run as report.html when no path is given. Returns the path.

    run: a `Results`, or the folder of a run. now: the time printed in it. Raises RunFolderError
    when the folder holds no run or the file cannot be written.
    """
    results = run if isinstance(run, Results) else load(run)
    target = results.folder.path / "report.html" if path is None else Path(path)
    source = Source(results, target.resolve())
    sections = [section for build in SECTIONS if (section := build(source)) is not None]
    assets = files("lab.report")
    style = (assets / "report.css").read_text(encoding="utf-8")
    script = (assets / "report.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("lab.report", "."), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        title=results.sweep.get("name") or "run",
        written=(now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        sections=sections,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    try:
        write_text(target, page)
    except OSError as error:
        raise RunFolderError(f"{target}: cannot be written ({error.strerror})") from error
    return target


def _hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script it allows."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
