"""The events in the ledgers of the runs."""

from lab.report.blocks import Cell, Section, Table
from lab.report.context import ReportContext
from lab.runs import Ledger
from lab.units import usd_text


def ledger_events(context: ReportContext) -> Section:
    """Time, take, event, message and cost of each event, without account data."""
    runs = context.results.runs
    has_several_runs = len(runs) > 1
    events = []
    for run in runs:
        with Ledger.read(run.folder.ledger) as ledger:
            events += [(run.name, *event) for event in ledger.events()]
    if has_several_runs:
        events.sort(key=lambda event: event[1])
    rows = [
        (
            Cell(at.partition(".")[0].replace("T", " ")),
            *([Cell(run)] * has_several_runs),
            Cell(take_id),
            Cell(kind.replace("_", " ")),
            Cell(str(data.get("message") or "")),
            _cost(data.get("cost_usd")),
        )
        for run, at, take_id, kind, data in events
    ]
    columns = ("time (UTC)", *["run"] * has_several_runs, "take", "event", "message", "cost")
    caption = f"All {len(rows)} events, oldest first"
    return Section("Ledger", [Table(caption, columns, rows, collapsed=True)])


def _cost(value: float | None) -> Cell:
    return Cell("") if value is None else Cell(usd_text(value), value)
