"""What recoveries of a ledger could not restore. The ledger stores it as its fact "lost"."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

LOSSES_FACT = "lost"

SeqRange = tuple[int, int | None]
"""First and last number of lost events. The last is None when it is unknown how many followed."""


@dataclass(frozen=True)
class Losses:
    """What all recoveries so far could not restore.

    events: ranges of lost events. facts: names of lost facts. takes: by take id, the snapshots of
    takes whose rows are lost. may_lack_takes: some takes may have lost their rows and all their
    events.
    """

    events: tuple[SeqRange, ...] = ()
    facts: tuple[str, ...] = ()
    takes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    may_lack_takes: bool = False

    def __bool__(self) -> bool:
        return bool(self.events or self.facts or self.takes or self.may_lack_takes)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "events": [list(seq_range) for seq_range in self.events],
            "facts": list(self.facts),
            "takes": dict(self.takes),
            "untraced": self.may_lack_takes,
        }

    @classmethod
    def from_fact(cls, value: Mapping[str, Any] | None) -> Self:
        """From the value of the fact; no losses when the ledger has no such fact."""
        value = value or {}
        return cls(
            events=tuple((first, last) for first, last in value.get("events", ())),
            facts=tuple(value.get("facts", ())),
            takes=dict(value.get("takes", {})),
            may_lack_takes=bool(value.get("untraced")),
        )
