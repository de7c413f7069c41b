"""Running a sweep: the ledger, the runner that never buys twice, and the measuring of clips."""

from lab.runs.control import Control
from lab.runs.elements import (
    ElementRow,
    delete_element,
    known_elements,
    list_elements,
    register_element,
)
from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger
from lab.runs.measuring import MeasureOutcome, measure
from lab.runs.money import Money
from lab.runs.purse import cap_reached
from lab.runs.reconcile import Settled, reconcile
from lab.runs.recover import Recovered, recover
from lab.runs.run import RunOutcome, plan, run
from lab.runs.scoring import score
from lab.runs.shoot import create, shoot
from lab.runs.take_row import TakeRow, TakeState

__all__ = [
    "Control",
    "ElementRow",
    "Ledger",
    "MeasureOutcome",
    "Money",
    "Recovered",
    "RunFolder",
    "RunOutcome",
    "Settled",
    "TakeRow",
    "TakeState",
    "cap_reached",
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
]
