"""Runs sweeps: submits takes, records every event in a ledger, and measures the clips."""

from lab.runs.control import Control
from lab.runs.elements import (
    ElementRow,
    delete_element,
    known_elements,
    list_elements,
    register_element,
)
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, Money, TakeRow, TakeState
from lab.runs.measuring import MeasureOutcome, measure
from lab.runs.planning import plan
from lab.runs.reconciliation import ReconciledTake, reconcile
from lab.runs.recovery import RecoverOutcome, recover
from lab.runs.run_status import RunStatus, status
from lab.runs.running import RunOutcome, run
from lab.runs.scoring import score
from lab.runs.shooting import create, shoot, shot_sweep

__all__ = [
    "Control",
    "ElementRow",
    "Ledger",
    "MeasureOutcome",
    "Money",
    "ReconciledTake",
    "RecoverOutcome",
    "RunFolder",
    "RunOutcome",
    "RunStatus",
    "TakeRow",
    "TakeState",
    "create",
    "delete_element",
    "known_elements",
    "list_elements",
    "measure",
    "plan",
    "reconcile",
    "recover",
    "register_element",
    "run",
    "score",
    "shoot",
    "shot_sweep",
    "status",
]
