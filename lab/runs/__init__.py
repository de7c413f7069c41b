"""Running a sweep: the ledger, the runner that never buys twice, and the measuring of clips."""

from lab.runs.folder import RunFolder
from lab.runs.ledger import Ledger, TakeRow, TakeState
from lab.runs.runner import RunOutcome, run, shoot
from lab.runs.scoring import score

__all__ = [
    "Ledger",
    "RunFolder",
    "RunOutcome",
    "TakeRow",
    "TakeState",
    "run",
    "score",
    "shoot",
]
