"""What preflight and the linter remark on the stills and prompts of the run."""

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
_MOST_OPEN = 12


def findings(context: ReportContext) -> Section:
    """A row a remark, each once, with the number behind it; made anew from the runs' files."""
    troubles = context.results.still_troubles
    shots: list[Shot] = []
    places: dict[str, Still] = {}  # one for each still, so that it is checked once for all runs
    for run in context.results.runs:
        trouble = cache(run.folder.still_error)  # it reads the whole file
        with Ledger.read(run.folder.ledger) as ledger:
            shots += [
                _checkable(row.take.shot, run.folder, trouble, places) for row in ledger.takes()
            ]
    rows = [
        (Cell(path), Cell(_MARKS["error"]), Cell(why), *[Cell("")] * 4)
        for path, why in troubles.items()
    ]
    rows += [
        (
            Cell(about),
            Cell(_MARKS[finding.severity]),
            Cell(finding.says),
            Cell("" if finding.value is None else number_text(finding.value), finding.value),
            Cell("" if finding.limit is None else number_text(finding.limit), finding.limit),
            Cell(finding.unit),
            Cell(finding.fix),
        )
        for about, finding in shot_findings(shots)
    ]
    title = "Remarks on stills and prompts"
    if not rows:
        return Section(title, [Paragraph("None.")])
    columns = ("about", "severity", "remark", "measured", "limit", "unit", "what to do")
    return Section(title, [Table("Preflight and lint", columns, rows, len(rows) > _MOST_OPEN)])


def _checkable(
    shot: Shot,
    folder: RunFolder,
    trouble: Callable[[Path, str], str],
    places: dict[str, Still],
) -> Shot:
    """The shot without stills that are gone or not what they were.

    places: stills that were located already, by hash; filled.
    """

    def usable(still: Still | None) -> Still | None:
        if still is None or trouble(still.path, still.sha256):
            return None
        return places.setdefault(still.sha256, folder.locate(still))

    return replace(shot, still=usable(shot.still), end_still=usable(shot.end_still))
