"""Hold a report to what it was made from: files, ledger, scores, and what its own page shows."""

import json
import math
from collections.abc import Iterator
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.errors import InputError, Interrupted, LabError, RunFolderError
from lab.files import opened_file, sha256_file
from lab.measures import Measure, measure_clip
from lab.metrics import HEADLINES, SPECS
from lab.report.facts import FORMAT
from lab.runs import Ledger, RunFolder
from lab.runs.executors import failure_text, submit_to, worker_pool
from lab.runs.progress import Progress
from lab.stills import Still
from lab.units import number_text

MAX_REPORT_BYTES = 1_000_000_000
TOLERANCE = 0.01
"""Share by which a score may differ: other machines and library versions round otherwise."""


@dataclass(frozen=True)
class Mismatch:
    """What no longer matches: of which take ("" for the page), what, as reported and as found."""

    take_id: str
    what: str
    reported: str
    found: str

    def __str__(self) -> str:
        about = f"take {self.take_id}: " if self.take_id else ""
        return f"{about}{self.what}: the report says {self.reported}, found {self.found}"

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return {
            "take": self.take_id,
            "what": self.what,
            "reported": self.reported,
            "found": self.found,
        }


@dataclass(frozen=True)
class Verification:
    """How a report stands to its originals. checked: what was compared, in words."""

    report: Path
    run: Path
    takes: int
    checked: tuple[str, ...]
    mismatches: tuple[Mismatch, ...]

    @property
    def holds(self) -> bool:
        """True when everything that was compared matches."""
        return not self.mismatches

    def __str__(self) -> str:
        compared = ", ".join(self.checked)
        head = f"{self.report}: {self.takes} takes of {self.run}; compared {compared}"
        if self.holds:
            return f"{head}: all match"
        parts = [mismatch for mismatch in self.mismatches if "." in mismatch.what.split()[0]]
        lines = [str(mismatch) for mismatch in self.mismatches if mismatch not in parts]
        lines += [f"and {len(parts)} parts of scores"] * bool(parts)
        return "\n".join([f"{head}: {len(self.mismatches)} differ", *lines])


class _Take(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")
    id: str
    state: str
    cost_usd: float | None
    clip: str
    clip_sha256: str
    still: str
    still_sha256: str
    scores: dict[str, float | None]
    not_measured: list[str] = []


class _Facts(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")
    format: int
    run: str
    versions: dict[str, int]
    takes: list[_Take]


class _Page(HTMLParser):
    """The facts of a report, and the score cells that its page shows."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = ""
        self.cells: dict[tuple[str, str], list[str]] = {}
        self._into: tuple[str, str] | str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "script":
            self._into = "facts" if named.get("id") == "i2v-facts" else None
        elif tag == "td" and "data-metric" in named:
            self._into = (named.get("data-take") or "", named["data-metric"] or "")
            self.cells.setdefault(self._into, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "td"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into == "facts":
            self.facts += data
        elif isinstance(self._into, tuple):
            self.cells[self._into][-1] += data


def verify(
    report: str | Path,
    run: str | Path | None = None,
    *,
    scores: bool = True,
    executor: Executor | None = None,
    quiet: bool = False,
) -> Verification:
    """Compare a report with the stills, clips and ledger of its run.

    run: the run folder, where the report does not lie as it did beside it. scores: measure every
    clip again, which takes as long as scoring did; a score matches within 1 %. Raises InputError
    for a file that is no report and RunFolderError where the run is not found.
    """
    path = Path(report)
    page, facts = _read(path)
    folder = RunFolder(path.resolve().parent / facts.run if run is None else run)
    if not folder.exists:
        raise RunFolderError(f"{folder.path}: holds no run; name the report's own with --run DIR")
    found = [*_shown(page, facts), *_ledger(folder, facts), *_files(folder, facts)]
    checked = ["the score table", "the ledger", "the files' hashes"]
    if scores:
        found += _scores(folder, facts, executor, quiet)
        checked.append(f"the scores of {len(_scored(facts))} clips measured again")
    return Verification(path, folder.path, len(facts.takes), tuple(checked), tuple(found))


def _read(path: Path) -> tuple[_Page, _Facts]:
    with opened_file(path, InputError, MAX_REPORT_BYTES) as file:
        content = file.read()
    page = _Page()
    page.feed(content.decode("utf-8", "replace"))
    if not page.facts:
        raise InputError(f"{path}: is no report of i2v-lab; name a file that `lab report` wrote")
    try:
        facts = _Facts.model_validate(json.loads(page.facts))
    except (ValueError, ValidationError, RecursionError) as error:
        raise InputError(f"{path}: its facts cannot be read; it was changed or cut") from error
    if facts.format != FORMAT:
        raise InputError(
            f"{path}: has facts of format {facts.format} and this i2v-lab reads {FORMAT}"
        )
    return page, facts


def _shown(page: _Page, facts: _Facts) -> Iterator[Mismatch]:
    """The page's own table against the facts inside it."""
    known = {
        (take.id, metric): take.scores.get(metric) for take in facts.takes for metric in HEADLINES
    }
    for cell in dict.fromkeys([*known, *page.cells]):
        texts, value = page.cells.get(cell, []), known.get(cell)
        right = "none: " if value is None else number_text(value)
        if len(texts) != 1 or not (texts[0] == right or (value is None and texts[0][:6] == right)):
            shown = " and ".join(texts) or "nothing"
            yield Mismatch(cell[0], f"{cell[1]} in the table", shown, _number(value))


def _ledger(folder: RunFolder, facts: _Facts) -> Iterator[Mismatch]:
    with Ledger.read(folder.ledger) as ledger:
        rows = {row.take_id: row for row in ledger.takes()}
    for take in facts.takes:
        row = rows.pop(take.id, None)
        if row is None:
            yield Mismatch(take.id, "take", "made", "not in the ledger")
            continue
        if row.state.value != take.state:
            yield Mismatch(take.id, "state", take.state, row.state.value)
        if row.cost_usd != take.cost_usd:
            yield Mismatch(take.id, "cost in USD", _number(take.cost_usd), _number(row.cost_usd))
        still, clip = row.take.shot.still, row.clip or {}
        path = str(folder.result(row.take).relative_to(folder.path)) if row.clip else ""
        for what, reported, kept in (
            ("clip", take.clip, path),
            ("clip's SHA-256", take.clip_sha256, str(clip.get("sha256", ""))),
            ("still", take.still, "" if still is None else str(still.path)),
            ("still's SHA-256", take.still_sha256, "" if still is None else still.sha256),
        ):
            if reported != kept:
                yield Mismatch(take.id, what, reported or "none", kept or "none")
    if rows:
        yield Mismatch("", "takes", str(len(facts.takes)), f"{len(rows)} more in the ledger")


def _files(folder: RunFolder, facts: _Facts) -> Iterator[Mismatch]:
    known: dict[str, str] = {}
    for take in facts.takes:
        for what, name, reported in (
            ("clip", take.clip, take.clip_sha256),
            ("still", take.still, take.still_sha256),
        ):
            if name:
                if name not in known:
                    file = _inside(folder, name)
                    known[name] = sha256_file(file) if file is not None else "no such file"
                if known[name] != reported:
                    yield Mismatch(take.id, f"{what} {name}", f"SHA-256 {reported}", known[name])


def _scores(
    folder: RunFolder, facts: _Facts, executor: Executor | None, quiet: bool
) -> Iterator[Mismatch]:
    changed = {
        name: version
        for name, version in facts.versions.items()
        if name not in SPECS or SPECS[name].version != version
    }
    for name, version in changed.items():
        now = f"version {SPECS[name].version}" if name in SPECS else "no such metric"
        what = f"definition of {name}, so its scores were not compared"
        yield Mismatch("", what, f"version {version}", now)
    todo = [(take, clip) for take in _scored(facts) if (clip := _inside(folder, take.clip))]
    try:
        with (
            worker_pool(executor, len(todo)) as pool,
            Progress(len(todo), "clips measured again", quiet=quiet) as progress,
        ):
            jobs = {}
            for take, clip in todo:
                still = _inside(folder, take.still) if take.still else None
                try:
                    plain = Still.open(still).to_json() if still is not None else None
                except LabError as error:
                    yield Mismatch(take.id, "still", take.still, str(error))
                    continue
                jobs[submit_to(pool, measure_clip, str(clip), plain)] = take
            for job in as_completed(jobs):
                progress.advance()
                yield from _compared(jobs[job], job, set(changed))
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was changed") from None


def _scored(facts: _Facts) -> list[_Take]:
    """The takes whose clips have scores in the report."""
    return [
        take
        for take in facts.takes
        if take.clip.endswith(".mp4") and any(value is not None for value in take.scores.values())
    ]


def _compared(take: _Take, job: Future[dict[str, Any]], changed: set[str]) -> Iterator[Mismatch]:
    error = job.exception()
    if error is not None:
        yield Mismatch(take.id, "scores", "measured", failure_text(error))
        return
    again = Measure.from_json(job.result()).record()["scores"]
    for name, reported in take.scores.items():
        now = again.get(name)
        skipped = name in changed or name in take.not_measured
        if not skipped and not _same(name, reported, now):
            yield Mismatch(take.id, name, _number(reported), _number(now))


def _same(name: str, reported: float | None, now: float | None) -> bool:
    if reported is None or now is None:
        return reported is now
    unnoticed = SPECS[name].unnoticed
    least = 1e-6 if math.isnan(unnoticed) else TOLERANCE * unnoticed
    return math.isclose(reported, now, rel_tol=TOLERANCE, abs_tol=least)


def _inside(folder: RunFolder, name: str) -> Path | None:
    """A file of the run folder; None when it is gone, or would lie elsewhere."""
    try:
        file = (folder.path / name).resolve()
    except (OSError, ValueError):
        return None
    return file if file.is_relative_to(folder.path.resolve()) and file.is_file() else None


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
