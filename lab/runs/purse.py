"""What a cap allows: a block is begun only when all of it fits, counted at its highest price."""

from collections.abc import Iterable

from lab.runs.take_row import TakeRow, TakeState
from lab.sweeps import block_of
from lab.units import usd_text

_ROUNDING_USD = 1e-6


def cap_reached(cap_usd: float | None, rows: Iterable[TakeRow]) -> str:
    """Why a run that is held to a cap sends no more of its takes; "" when it would go on.

    rows: every take of the run folder, in the order of the design.
    """
    rows = list(rows)
    planned = [row for row in rows if row.state is TakeState.PLANNED]
    if cap_usd is None or not planned or Purse(cap_usd, rows).admits(planned[0]):
        return ""
    return cap_text(cap_usd, len(planned))


def cap_text(cap_usd: float, unsent: int) -> str:
    """One clause for a run that ended at its cap, and what to do."""
    takes = "take was" if unsent == 1 else "takes were"
    return (
        f"the cap of {usd_text(cap_usd)} is reached after whole blocks; {unsent} {takes} not sent; "
        "raise the cap to go on"
    )


class Purse:
    """Sums up what was spent, what is in flight at worst, and what begun blocks still need.

    So data that stop at the cap are whole blocks, unless the backend charges more than the highest
    estimate: then the cap wins and a block may stay unfinished.
    """

    def __init__(
        self, cap_usd: float | None, rows: Iterable[TakeRow], *, elsewhere_usd: float = 0.0
    ) -> None:
        """rows: the run's takes, with prices; elsewhere_usd: what the folder's others cost."""
        self._cap = cap_usd
        self._committed = elsewhere_usd
        self._reserved = 0.0
        self._needs: dict[tuple[int, str], float] = {}
        self._begun: set[tuple[int, str]] = set()
        for row in rows:
            self._committed += row.committed_usd
            if row.state is TakeState.PLANNED:
                block = block_of(row.take)
                self._needs[block] = self._needs.get(block, 0.0) + (row.high_usd or 0.0)

    def admits(self, row: TakeRow) -> bool:
        """True when this planned take may be bought; its whole block is then reserved."""
        if self._cap is None:
            return True
        block = block_of(row.take)
        most = self._cap + _ROUNDING_USD
        if block not in self._begun:
            if self._committed + self._reserved + self._needs[block] > most:
                return False
            self._begun.add(block)
            self._reserved += self._needs[block]
        return self._committed + self._reserved <= most

    def moved(self, before: TakeRow, after: TakeRow) -> None:
        """Take note of a take's change."""
        self._committed += after.committed_usd - before.committed_usd
        for row, sign in ((before, -1), (after, 1)):
            if row.state is TakeState.PLANNED:
                block, price = block_of(row.take), sign * (row.high_usd or 0.0)
                self._needs[block] = self._needs.get(block, 0.0) + price
                if block in self._begun:
                    self._reserved += price
