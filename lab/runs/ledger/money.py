"""Sums up what a run has cost and may still cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from lab.runs.ledger.take_row import TakeRow
from lab.units import usd_text


@dataclass(frozen=True)
class Money:
    """What a run costs, in USD.

    spent_usd: what the backend reported. estimated_usd: the low and high estimate of the takes
    whose cost was reported, to compare with spent_usd. open_usd: the highest possible cost of takes
    without a reported cost.
    """

    spent_usd: float
    estimated_usd: tuple[float, float]
    open_usd: float

    @classmethod
    def total(cls, rows: Iterable[TakeRow]) -> Self:
        """The sum over takes."""
        rows = list(rows)
        estimated = [row for row in rows if row.cost_usd is not None and row.high_usd is not None]
        return cls(
            spent_usd=sum((row.cost_usd or 0.0 for row in rows), 0.0),
            estimated_usd=(
                sum((row.low_usd or 0.0 for row in estimated), 0.0),
                sum((row.high_usd or 0.0 for row in estimated), 0.0),
            ),
            open_usd=sum((row.committed_usd for row in rows if row.cost_usd is None), 0.0),
        )

    def __str__(self) -> str:
        text = f"spent {usd_text(self.spent_usd)}"
        if self.estimated_usd[1]:
            text += f" (estimated {usd_text(*self.estimated_usd)})"
        return text + (f", up to {usd_text(self.open_usd)} more under way" if self.open_usd else "")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        low, high = self.estimated_usd
        return {
            "spent_usd": self.spent_usd,
            "expected_low_usd": low,
            "expected_high_usd": high,
            "open_usd": self.open_usd,
        }
