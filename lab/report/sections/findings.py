"""The findings of preflight and the linter on the stills and prompts of the runs."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from lab.report.blocks import Cell, Paragraph, Section, Table
from lab.report.context import ReportContext
from lab.runs import Ledger, RunFolder
from lab.shots import Shot
from lab.stills import Still
from lab.sweeps import shot_findings
from lab.units import number_text

_MARKS = {"error": "✗ error", "warning": "! warning", "note": "i note"}
_MAX_UNFOLDED_ROWS = 12


def findings(context: ReportContext) -> Section:
    """One row per finding. The checks are run again, on the files of the runs."""
    still_errors = context.results.still_errors
    shots: list[Shot] = []
    stills: dict[str, Still] = {}  # by hash: a still that several runs use is checked once
    for run in context.results.runs:
        still_error = cache(run.folder.still_error)  # cached because it reads the whole file
        with Ledger.read(run.folder.ledger) as ledger:
            shots += [
                _with_usable_stills(row.take.shot, run.folder, still_error, stills)
                for row in ledger.takes()
            ]
    rows = [
        (Cell(path), Cell(_MARKS["error"]), Cell(error), *[Cell("")] * 4)
        for path, error in still_errors.items()
    ]
    rows += [
        (
            Cell(subject),
            Cell(_MARKS[finding.severity]),
            Cell(finding.says),
            Cell("" if finding.value is None else number_text(finding.value), finding.value),
            Cell("" if finding.limit is None else number_text(finding.limit), finding.limit),
            Cell(finding.unit),
            Cell(finding.fix),
        )
        for subject, finding in shot_findings(shots)
    ]
    title = "Findings on stills and prompts"
    if not rows:
        return Section(title, [Paragraph("None.")])
    columns = ("about", "severity", "finding", "measured", "limit", "unit", "what to do")
    return Section(
        title, [Table("Preflight and lint", columns, rows, len(rows) > _MAX_UNFOLDED_ROWS)]
    )


def _with_usable_stills(
    shot: Shot,
    folder: RunFolder,
    still_error: Callable[[Path, str], str],
    stills: dict[str, Still],
) -> Shot:
    """The shot without stills that are missing or have changed.

    stills: the stills found so far, by hash; new ones are added.
    """

    def usable(still: Still | None) -> Still | None:
        if still is None or still_error(still.path, still.sha256):
            return None
        return stills.setdefault(still.sha256, folder.locate(still))

    return replace(shot, still=usable(shot.still), end_still=usable(shot.end_still))
