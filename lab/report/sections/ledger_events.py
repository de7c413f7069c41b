"""What the ledgers say happened, event by event."""

from lab.report.blocks import Cell, Section, Table
from lab.report.context import ReportContext
from lab.runs import Ledger
from lab.units import usd_text


def ledger_events(context: ReportContext) -> Section:
    """An extract of the ledgers: when, which take, what, why and for how much; no account data."""
    runs = context.results.runs
    several = len(runs) > 1
    events = []
    for run in runs:
        with Ledger.read(run.folder.ledger) as ledger:
            events += [(run.name, *event) for event in ledger.events()]
    if several:
        events.sort(key=lambda event: event[1])
    rows = [
        (
            Cell(at.partition(".")[0].replace("T", " ")),
            *([Cell(run)] * several),
            Cell(take_id),
            Cell(kind.replace("_", " ")),
            Cell(str(data.get("message") or "")),
            _cost(data.get("cost_usd")),
        )
        for run, at, take_id, kind, data in events
    ]
    columns = ("time (UTC)", *["run"] * several, "take", "event", "message", "cost")
    caption = f"All {len(rows)} events, oldest first"
    return Section("Ledger", [Table(caption, columns, rows, collapsed=True)])


def _cost(value: float | None) -> Cell:
    return Cell("") if value is None else Cell(usd_text(value), value)
