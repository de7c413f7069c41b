"""Verifies a report: compares it with the ledgers, the files and new measurements of the clips.

The visible values are compared with the data stored in the page as JSON (`ReportFacts`), and that
data with the ledgers, files and clips. The measurements that are stored in the run folder are not
used, so it makes no difference whether they exist.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from pydantic import ValidationError

from lab.analysis import load
from lab.errors import InputError, RunFolderError
from lab.files import open_input_file, sha256_file
from lab.report.context import ReportContext
from lab.report.facts import FORMAT, MEASURED_COLUMNS, ReportFacts, restore_results, sweep_facts
from lab.report.page_values import ReportPage, compare_page
from lab.report.remeasure import Remeasurement, file_in_run, number_text, remeasure
from lab.report.verification import Count, Mismatch, Verification
from lab.runs import RunFolder

MAX_REPORT_BYTES = 1_000_000_000

_COLUMN_LABELS = {
    "cost_usd": "cost in USD",
    "clip_sha256": "clip's SHA-256",
    "still_path": "still",
    "still_sha256": "still's SHA-256",
}
"""Labels of columns whose own name is not clear enough in a message."""
_MISSING_FILE = "no such file"


def verify(
    report: str | Path,
    runs: str | Path | Sequence[str | Path] | None = None,
    *,
    scores: bool = True,
    executor: Executor | None = None,
    quiet: bool = False,
) -> Verification:
    """Compare a report with the stills, clips and ledgers of its runs.

    runs: the run folders in the report's order, or one folder that has a subfolder named after each
    run. None: each run folder is where it was, relative to the report. scores: measure every clip
    again, which takes as long as scoring did; scores match within 1 %. A score that cannot be
    checked counts as a mismatch. Raises InputError for a file that is not a report or has another
    format, and RunFolderError for a run that is not found.
    """
    path = Path(report)
    page, facts = _read_report(path)
    folders = _run_folders(path, facts, runs)
    context = ReportContext(restore_results(facts, folders), path.resolve(), 0, pictures=False)
    values, script_matches, page_mismatches = compare_page(page, context)
    ledger_mismatches = list(_compare_ledgers(folders, facts))
    files, file_mismatches = _compare_files(folders, facts)
    if scores:
        remeasured = remeasure(folders, facts, executor, quiet=quiet)
    else:
        remeasured = Remeasurement(facts)
        remeasured.skip()
    missing = sum(mismatch.what == "take" for mismatch in ledger_mismatches)
    return Verification(
        report=path,
        runs=tuple(folder.path for folder in folders.values()),
        values=values,
        takes=Count(len(facts.takes) - missing, len(facts.takes)),
        files=files,
        scores=remeasured.score_tally.count,
        clips=remeasured.clip_tally.count,
        not_measured=sum(len(take.not_measured) for take in facts.takes),
        measured_again=scores,
        script_matches=script_matches,
        mismatches=(
            *page_mismatches,
            *ledger_mismatches,
            *file_mismatches,
            *remeasured.mismatches,
        ),
    )


def _read_report(path: Path) -> tuple[ReportPage, ReportFacts]:
    with open_input_file(path, InputError, MAX_REPORT_BYTES) as file:
        page = ReportPage(file.read().decode("utf-8", "replace"))
    if not page.facts:
        raise InputError(f"{path}: is not an i2v-lab report; name a file that `lab report` wrote")
    try:
        plain = json.loads(page.facts)
        format_ = plain["format"]
    except (ValueError, RecursionError, TypeError, KeyError):
        format_ = None
    if isinstance(format_, int) and format_ != FORMAT:
        newer = format_ > FORMAT
        advice = "a newer i2v-lab wrote it; update this one" if newer else "write it again"
        raise InputError(
            f"{path}: has facts of format {format_} and this i2v-lab reads {FORMAT}; {advice}"
        )
    try:
        return page, ReportFacts.model_validate(plain)
    except (ValidationError, NameError, RecursionError) as error:
        raise InputError(
            f"{path}: its facts cannot be read; it was changed or truncated"
        ) from error


def _run_folders(
    report: Path, facts: ReportFacts, given: str | Path | Sequence[str | Path] | None
) -> dict[str, RunFolder]:
    """The folder of each run of a report, by the run's name. given: see `verify`."""
    named = [given] if isinstance(given, str | Path) else list(given or [])
    if not named:
        paths = [report.resolve().parent / run.path for run in facts.runs]
    elif len(named) == len(facts.runs):
        paths = [Path(path) for path in named]
    elif len(named) == 1:
        paths = [Path(named[0]) / run.name for run in facts.runs]
    else:
        raise InputError(
            f"{report}: has {len(facts.runs)} runs, but {len(named)} folders were given; give one "
            f"for each run in this order, or one folder that contains them all: "
            f"{', '.join(run.name for run in facts.runs)}"
        )
    folders = {run.name: RunFolder(path) for run, path in zip(facts.runs, paths, strict=True)}
    for name, folder in folders.items():
        if not folder.exists:
            run = "the run" if len(folders) == 1 else f"run {name!r}"
            raise RunFolderError(
                f"{folder.path}: holds no run; pass --run DIR with the folder of {run} in the "
                "report"
            )
    return folders


def _compare_ledgers(folders: Mapping[str, RunFolder], facts: ReportFacts) -> Iterator[Mismatch]:
    """Differences between the facts and the ledgers, in the takes and in the designs."""
    # Scores are not compared here, so stored measurements may be of mixed versions.
    current = load({name: folder.path for name, folder in folders.items()}, mixed=True)
    for run, run_facts in zip(current.runs, facts.runs, strict=True):
        for name, value in sweep_facts(run).items():
            reported = getattr(run_facts, name)
            if reported != value:
                suffix = f" of {run.name}" if len(current.runs) > 1 else ""
                yield Mismatch("", f"the run's {name}{suffix}", str(reported), str(value))
    rows = {
        str(row["take_id"]): {str(name): value for name, value in row.items()}
        for row in current.takes.to_dict("records")
    }
    for take in facts.takes:
        row = rows.pop(take.id, None)
        if row is None:
            yield Mismatch(take.id, "take", "made", "not in the ledger")
            continue
        reported_row = take.row.model_dump()
        for name in dict.fromkeys([*reported_row, *row]):
            reported, value = (_none_if_empty(cells.get(name)) for cells in (reported_row, row))
            if name not in MEASURED_COLUMNS and reported != value:
                label = _COLUMN_LABELS.get(name, name)
                yield Mismatch(take.id, label, _value_text(reported), _value_text(value))
    if rows:
        yield Mismatch("", "takes", str(len(facts.takes)), f"{len(rows)} more in the ledger")


def _none_if_empty(value: object) -> object:
    """None for None, NaN and the empty text, which all mean that a table has no value."""
    return None if value is None or value != value or value == "" else value


def _value_text(value: object) -> str:
    return number_text(value) if value is None or isinstance(value, float) else str(value)


def _compare_files(
    folders: Mapping[str, RunFolder], facts: ReportFacts
) -> tuple[Count, list[Mismatch]]:
    """Compare the hashes of stills and clips. Each file is read once."""
    # The SHA-256 by run and path, or the reason why there is none.
    hashes: dict[tuple[str, str], str] = {}
    mismatches = []
    for take in facts.takes:
        row = take.row
        for kind, path, reported in (
            ("clip", row.clip, row.clip_sha256),
            ("still", row.still_path, row.still_sha256),
        ):
            key = (row.run, path)
            if path and key not in hashes:
                folder = folders[row.run]
                file = file_in_run(folder, path)
                outside = folder.outside_error(folder.path / path)
                hashes[key] = sha256_file(file) if file is not None else outside or _MISSING_FILE
            if path and hashes[key] != reported:
                expected = f"SHA-256 {reported}"
                mismatches.append(Mismatch(take.id, f"{kind} {path}", expected, hashes[key]))
    missing = sum(hash_ == _MISSING_FILE for hash_ in hashes.values())
    unchecked = {"missing": missing} if missing else {}
    return Count(len(hashes) - missing, len(hashes), unchecked), mismatches
