"""Keep a run's spending under its cap: start a block only if the whole block fits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from lab.runs.ledger import TakeRow, TakeState
from lab.sweeps import block_of
from lab.units import usd_text

_ROUNDING_USD = 1e-6
"""More than the rounding error of a sum of prices."""

Block = tuple[int, str]


@dataclass(frozen=True)
class SpendGuard:
    """What a run has spent, and what it may still spend.

    cap_usd: None for no cap. committed_usd: the cost of all submitted takes, each at its real cost
    or, until that is known, at its highest estimate. planned_usd: the highest estimate of the
    planned takes of each block. started: the blocks that may be submitted. reserved_usd: what the
    planned takes of the started blocks may cost.

    `admit` starts only blocks that fit as a whole, so a run that stops at its cap ends after whole
    blocks. A started block stays incomplete only if the backend charges more than the highest
    estimate.
    """

    cap_usd: float | None
    committed_usd: float = 0.0
    reserved_usd: float = 0.0
    planned_usd: Mapping[Block, float] | None = None
    started: frozenset[Block] = frozenset()

    @classmethod
    def from_rows(
        cls, cap_usd: float | None, rows: Iterable[TakeRow], *, other_takes_usd: float = 0.0
    ) -> Self:
        """The guard of a run before its first submission.

        rows: the takes of the run, with prices. other_takes_usd: the cost of other takes in the
        folder.
        """
        committed, planned = other_takes_usd, dict[Block, float]()
        for row in rows:
            committed += row.committed_usd
            if row.state is TakeState.PLANNED:
                block = block_of(row.take)
                planned[block] = planned.get(block, 0.0) + (row.high_usd or 0.0)
        return cls(cap_usd, committed, planned_usd=planned)

    def admit(self, row: TakeRow) -> "SpendGuard | None":
        """The guard after the block of a planned take is started; None if the cap forbids it."""
        if self.cap_usd is None:
            return self
        guard, block = self, block_of(row.take)
        if block not in self.started:
            needed = (self.planned_usd or {})[block]
            guard = replace(
                self, started=self.started | {block}, reserved_usd=self.reserved_usd + needed
            )
        total = guard.committed_usd + guard.reserved_usd
        return guard if total <= self.cap_usd + _ROUNDING_USD else None

    def updated(self, before: TakeRow, after: TakeRow) -> "SpendGuard":
        """The guard after the row of a take has changed."""
        committed = self.committed_usd + after.committed_usd - before.committed_usd
        reserved, planned = self.reserved_usd, dict(self.planned_usd or {})
        for row, sign in ((before, -1), (after, 1)):
            if row.state is TakeState.PLANNED:
                block, price = block_of(row.take), sign * (row.high_usd or 0.0)
                planned[block] = planned.get(block, 0.0) + price
                if block in self.started:
                    reserved += price
        return replace(self, committed_usd=committed, reserved_usd=reserved, planned_usd=planned)


def cap_reason(cap_usd: float | None, rows: Iterable[TakeRow]) -> str:
    """Why the cap keeps a run from submitting more takes; "" if it does not.

    rows: every take of the run folder, in the order of the design.
    """
    rows = list(rows)
    planned = [row for row in rows if row.state is TakeState.PLANNED]
    if cap_usd is None or not planned or SpendGuard.from_rows(cap_usd, rows).admit(planned[0]):
        return ""
    return cap_text(cap_usd, len(planned))


def cap_text(cap_usd: float, not_sent: int) -> str:
    """Says that a run ended at its cap, and what to do."""
    takes = "take was" if not_sent == 1 else "takes were"
    return (
        f"the cap of {usd_text(cap_usd)} has no room for the next block; {not_sent} {takes} not "
        "sent; raise the cap to continue"
    )
