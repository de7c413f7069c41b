"""The ledger of a run: every event of every take, and what it cost."""

from lab.runs.ledger.ledger import Ledger
from lab.runs.ledger.money import Money
from lab.runs.ledger.take_row import (
    UNKNOWN_ACCOUNT,
    Event,
    EventKind,
    TakeRow,
    TakeState,
    apply_event,
    as_planned,
    job_key,
    replay,
    snapshot,
)

__all__ = [
    "UNKNOWN_ACCOUNT",
    "Event",
    "EventKind",
    "Ledger",
    "Money",
    "TakeRow",
    "TakeState",
    "apply_event",
    "as_planned",
    "job_key",
    "replay",
    "snapshot",
]
