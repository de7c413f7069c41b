"""What the ledger says happened, event by event."""

from lab.report.blocks import Cell, Section, Table
from lab.report.source import Source
from lab.runs import Ledger
from lab.units import usd_text


def history(source: Source) -> Section:
    """An extract of the ledger: when, which take, what, why and for how much; no account data."""
    with Ledger.read(source.results.folder.ledger) as ledger:
        events = list(ledger.events())
    rows = [
        (
            Cell(at.partition(".")[0].replace("T", " ")),
            Cell(take_id),
            Cell(kind.replace("_", " ")),
            Cell(str(data.get("message") or "")),
            _cost(data.get("cost_usd")),
        )
        for at, take_id, kind, data in events
    ]
    columns = ("time (UTC)", "take", "event", "message", "cost")
    caption = f"All {len(rows)} events, oldest first"
    return Section("Ledger", [Table(caption, columns, rows, folded=True)])


def _cost(value: float | None) -> Cell:
    return Cell("") if value is None else Cell(usd_text(value), value)
