"""What preflight and the linter remark on the stills and prompts of the run."""

from lab.report.blocks import Cell, Prose, Section, Table
from lab.report.source import Source
from lab.runs import Ledger, RunFolder
from lab.stills import Still
from lab.sweeps import remarks
from lab.units import number_text

_MARKS = {"error": "✗ error", "warning": "! warning", "note": "i note"}
_MOST_OPEN = 12


def findings(source: Source) -> Section:
    """A row a remark, each once, with the number behind it; made anew from the runs' files."""
    shots = []
    stills: dict[str, Still] = {}  # one place for each, so that it is checked once for all runs
    for run in source.results.runs:

        def located(still: Still, folder: RunFolder = run.folder) -> Still:
            return stills.setdefault(still.sha256, folder.locate(still))

        with Ledger.read(run.folder.ledger) as ledger:
            shots += [row.take.relocated(located).shot for row in ledger.takes()]
    rows = [
        (
            Cell(about),
            Cell(_MARKS[finding.severity]),
            Cell(finding.says),
            Cell("" if finding.value is None else number_text(finding.value), finding.value),
            Cell("" if finding.limit is None else number_text(finding.limit), finding.limit),
            Cell(finding.unit),
            Cell(finding.fix),
        )
        for about, finding in remarks(shots)
    ]
    title = "Remarks on stills and prompts"
    if not rows:
        return Section(title, [Prose("None.")])
    columns = ("about", "severity", "remark", "measured", "limit", "unit", "what to do")
    return Section(title, [Table("Preflight and lint", columns, rows, len(rows) > _MOST_OPEN)])
