"""Hold a report to what it was made from: its facts, the ledger, the files, clips measured again.

The page is held to the facts inside it, and the facts to the originals. The run's own records of
measurements are not believed: whether they are there changes nothing.
"""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lab.analysis import load
from lab.errors import InputError, Interrupted, LabError, RunFolderError
from lab.files import open_input_file, sha256_file
from lab.measures import Measure, MeasureJson, measure_clip
from lab.metrics import SPECS
from lab.report.context import ReportContext
from lab.report.facts import FORMAT, MEASURED, ReportFacts, TakeFacts, results_of, sweep_facts
from lab.report.page_values import ReportPage, compare_page
from lab.report.verification import Count, Mismatch, Verification
from lab.runs import RunFolder
from lab.runs.executors import failure_text, submit_to, worker_pool
from lab.runs.progress import Progress
from lab.stills import Still, StillJson

MAX_REPORT_BYTES = 1_000_000_000
TOLERANCE = 0.01
"""Share by which a score may differ: other machines and library versions round otherwise."""

_NAMES = {
    "cost_usd": "cost in USD",
    "clip_sha256": "clip's SHA-256",
    "still_path": "still",
    "still_sha256": "still's SHA-256",
}
"""What columns are called where their own name would puzzle."""
_GONE = "no such file"


def verify(
    report: str | Path,
    runs: str | Path | Sequence[str | Path] | None = None,
    *,
    scores: bool = True,
    executor: Executor | None = None,
    quiet: bool = False,
) -> Verification:
    """Compare a report with the stills, clips and ledgers of its runs.

    runs: where they lie, if not as they did beside the report: a folder for each run, in the
    report's order, or one that holds all of them by their names. scores: measure every
    clip again, which takes as long as scoring did; a score matches within 1 %. A number that cannot
    be checked counts as one that does not match. Raises InputError for a file that is no report or
    of another format, and RunFolderError where the run is not found.
    """
    path = Path(report)
    page, facts = _read(path)
    folders = _folders(path, facts, runs)
    context = ReportContext(results_of(facts, folders), path.resolve(), 0, pictures=False)
    values, own_script, differ = compare_page(page, context)
    ledger = list(_ledger(folders, facts))
    files, lost = _files(folders, facts)
    again = _measured_again(folders, facts, executor, quiet=quiet) if scores else _Again.not_(facts)
    known = len(facts.takes) - sum(found.what == "take" for found in ledger)
    return Verification(
        report=path,
        runs=tuple(folder.path for folder in folders.values()),
        values=values,
        takes=Count(known, len(facts.takes)),
        files=files,
        scores=again.scores.count,
        clips=again.clips.count,
        not_measured=sum(len(take.not_measured) for take in facts.takes),
        measured_again=scores,
        own_script=own_script,
        mismatches=(*differ, *ledger, *lost, *again.found),
    )


def _read(path: Path) -> tuple[ReportPage, ReportFacts]:
    with open_input_file(path, InputError, MAX_REPORT_BYTES) as file:
        page = ReportPage(file.read().decode("utf-8", "replace"))
    if not page.facts:
        raise InputError(f"{path}: is no report of i2v-lab; name a file that `lab report` wrote")
    try:
        plain = json.loads(page.facts)
        kind = plain["format"]
    except (ValueError, RecursionError, TypeError, KeyError):
        kind = None
    if isinstance(kind, int) and kind != FORMAT:
        newer = "a newer i2v-lab wrote it; update this one" if kind > FORMAT else "write it again"
        raise InputError(
            f"{path}: has facts of format {kind} and this i2v-lab reads {FORMAT}; {newer}"
        )
    try:
        return page, ReportFacts.model_validate(plain)
    except (ValidationError, NameError, RecursionError) as error:
        raise InputError(f"{path}: its facts cannot be read; it was changed or cut") from error


def _folders(
    report: Path, facts: ReportFacts, given: str | Path | Sequence[str | Path] | None
) -> dict[str, RunFolder]:
    """Where each run of a report lies, by its name."""
    places = [given] if isinstance(given, str | Path) else list(given or [])
    if not places:
        paths = [report.resolve().parent / run.path for run in facts.runs]
    elif len(places) == len(facts.runs):
        paths = [Path(place) for place in places]
    elif len(places) == 1:
        paths = [Path(places[0]) / run.name for run in facts.runs]
    else:
        raise InputError(
            f"{report}: is of {len(facts.runs)} runs and {len(places)} were named; name each of "
            f"them in this order, or one folder that holds them: "
            f"{', '.join(run.name for run in facts.runs)}"
        )
    folders = {run.name: RunFolder(path) for run, path in zip(facts.runs, paths, strict=True)}
    for name, folder in folders.items():
        if not folder.exists:
            whose = "the report's own" if len(folders) == 1 else f"run {name!r} of the report"
            raise RunFolderError(f"{folder.path}: holds no run; name {whose} with --run DIR")
    return folders


def _ledger(folders: Mapping[str, RunFolder], facts: ReportFacts) -> Iterator[Mismatch]:
    """What the facts say of the takes and the designs, held to the ledgers."""
    # The records of measurements are not looked at here, so they may be of any version.
    now = load({name: folder.path for name, folder in folders.items()}, mixed=True)
    for run, ours in zip(now.runs, facts.runs, strict=True):
        for what, found in sweep_facts(run).items():
            told = getattr(ours, what)
            if told != found:
                whose = f" of {run.name}" if len(now.runs) > 1 else ""
                yield Mismatch("", f"the run's {what}{whose}", str(told), str(found))
    rows = {
        str(row["take_id"]): {str(name): value for name, value in row.items()}
        for row in now.takes.to_dict("records")
    }
    for take in facts.takes:
        row = rows.pop(take.id, None)
        if row is None:
            yield Mismatch(take.id, "take", "made", "not in the ledger")
            continue
        reported = take.row.model_dump()
        for name in dict.fromkeys([*reported, *row]):
            one, other = (_value(of.get(name)) for of in (reported, row))
            if name not in MEASURED and one != other:
                yield Mismatch(take.id, _NAMES.get(name, name), _said(one), _said(other))
    if rows:
        yield Mismatch("", "takes", str(len(facts.takes)), f"{len(rows)} more in the ledger")


def _value(value: Any) -> Any:
    """A value of a table, in which there are several ways to say that there is none."""
    return None if value is None or value != value or value == "" else value


def _said(value: Any) -> str:
    return _number(value) if value is None or isinstance(value, float) else str(value)


def _files(folders: Mapping[str, RunFolder], facts: ReportFacts) -> tuple[Count, list[Mismatch]]:
    """Stills and clips, held to their hashes; each file is read once."""
    known: dict[tuple[str, str], str] = {}
    found = []
    for take in facts.takes:
        row = take.row
        for what, name, reported in (
            ("clip", row.clip, row.clip_sha256),
            ("still", row.still_path, row.still_sha256),
        ):
            key = (row.run, name)
            if name and key not in known:
                file = _inside(folders[row.run], name)
                outside = folders[row.run].outside_error(folders[row.run].path / name)
                known[key] = sha256_file(file) if file is not None else outside or _GONE
            if name and known[key] != reported:
                says = f"SHA-256 {reported}"
                found.append(Mismatch(take.id, f"{what} {name}", says, known[key]))
    gone = sum(hash_ == _GONE for hash_ in known.values())
    return Count(len(known) - gone, len(known), {"missing": gone} if gone else {}), found


@dataclass
class _Tally:
    """How many of some things were checked, and for what reasons others were not."""

    of: int
    checked: int = 0
    unchecked: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> Count:
        return Count(self.checked, self.of, dict(self.unchecked))


@dataclass
class _Again:
    """The scores of a report measured again: how many, of how many clips, and what differs."""

    scores: _Tally
    clips: _Tally
    found: list[Mismatch] = field(default_factory=list)

    @classmethod
    def begun(cls, facts: ReportFacts) -> "_Again":
        """Nothing is checked yet."""
        reported = [len(take.reported) for take in facts.takes if take.reported]
        return cls(_Tally(sum(reported)), _Tally(len(reported)))

    @classmethod
    def not_(cls, facts: ReportFacts) -> "_Again":
        """Measuring was not asked for."""
        again = cls.begun(facts)
        for tally in (again.scores, again.clips):
            tally.unchecked["not asked for"] = tally.of
        return again

    def lost(self, take: TakeFacts, scores: Collection[str], reason: str, found: str) -> None:
        """A take's clip could not be measured, and so these scores were not checked."""
        self.scores.unchecked[reason] += len(scores)
        self.clips.unchecked[reason] += 1
        self.found.append(
            Mismatch(take.id, "its scores", f"{len(scores)} numbers", f"not checked: {found}")
        )


def _measured_again(
    folders: Mapping[str, RunFolder], facts: ReportFacts, executor: Executor | None, *, quiet: bool
) -> _Again:
    """Measure every clip that has scores in the report, and compare."""
    again = _Again.begun(facts)
    changed = {
        name: version
        for name, version in facts.versions.items()
        if name not in SPECS or SPECS[name].version != version
    }
    for name, version in changed.items():
        now = f"version {SPECS[name].version}" if name in SPECS else "no such metric"
        what = f"definition of {name}, so its scores were not checked"
        again.found.append(Mismatch("", what, f"version {version}", now))
    todo = {}
    for take in facts.takes:
        scores = [name for name in take.reported if name not in changed]
        other = len(take.reported) - len(scores)
        again.scores.unchecked.update({"of another definition": other} if other else {})
        if scores:
            todo[take.id] = (take, scores)
        elif other:
            again.clips.unchecked["of another definition"] += 1
    try:
        with (
            worker_pool(executor, len(todo)) as pool,
            Progress(len(todo), "clips measured again", quiet=quiet) as progress,
        ):
            jobs = {}
            for take, scores in todo.values():
                folder = folders[take.row.run]
                clip = _inside(folder, take.row.clip)
                try:
                    if clip is None:
                        raise InputError("its clip is missing")
                    still = _still(folder, take)
                except LabError as error:
                    reason = "missing" if clip is None else "without their still"
                    again.lost(take, scores, reason, str(error))
                    progress.advance()
                    continue
                jobs[submit_to(pool, measure_clip, str(clip), still)] = (take, scores)
            for job in as_completed(jobs):
                progress.advance()
                _compare(again, *jobs[job], job)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was changed") from None
    return again


def _still(folder: RunFolder, take: TakeFacts) -> StillJson | None:
    """The take's still as a worker takes it; None where it has none. Raises LabError."""
    name = take.row.still_path
    if not name:
        return None
    file = _inside(folder, name)
    if file is None:
        raise InputError(f"its still {name} is missing")
    return Still.open(file).to_json()


def _compare(
    again: _Again, take: TakeFacts, scores: Collection[str], job: Future[MeasureJson]
) -> None:
    """What a worker measured beside what the report says of the same clip."""
    error = job.exception()
    if error is not None:
        again.lost(take, scores, "that cannot be measured", failure_text(error))
        return
    measure = Measure.from_json(job.result())
    again.clips.checked += 1
    again.scores.checked += len(scores)
    now = measure.record()["scores"]
    for name in scores:
        if not _same(name, take.scores[name], now.get(name)):
            says, found = _number(take.scores[name]), _number(now.get(name))
            again.found.append(Mismatch(take.id, name, says, found))
    if take.row.damage != measure.damage:
        says, found = take.row.damage or "none", measure.damage or "none"
        again.found.append(Mismatch(take.id, "damage of the clip", says, found))
    if measure.simulated and not take.row.simulated:
        again.found.append(Mismatch(take.id, "made by", "a video model", "rendered locally"))


def _same(name: str, reported: float | None, now: float | None) -> bool:
    if reported is None or now is None:
        return reported is now
    noticed = SPECS[name].flaw(SPECS[name].unnoticed)
    least = 1e-6 if math.isnan(noticed) else TOLERANCE * noticed
    return math.isclose(reported, now, rel_tol=TOLERANCE, abs_tol=least)


def _inside(folder: RunFolder, name: str) -> Path | None:
    """A file of the run folder; None when it is gone, or would lie elsewhere."""
    file = folder.path / name
    return file if not folder.outside_error(file) and file.is_file() else None


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
