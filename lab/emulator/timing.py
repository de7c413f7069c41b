"""How long tasks take, and the states they pass through."""

import random
from dataclasses import dataclass
from typing import Literal, Self

State = Literal["submitted", "processing", "succeeded", "failed"]


@dataclass(frozen=True)
class TaskTiming:
    """Durations of the states of a task, in seconds of the emulator's clock.

    jitter: each task's durations vary by up to this fraction, 0..1. link_ttl_s: how long a link to
    a clip stays valid after the query that returned it (documented: 30 days).
    """

    submitted_s: float = 1.0
    processing_s: float = 4.0
    jitter: float = 0.2
    link_ttl_s: float = 30 * 86_400.0

    @classmethod
    def instant(cls) -> Self:
        """Every task is finished as soon as it is accepted; links stay valid as usual."""
        return cls(submitted_s=0.0, processing_s=0.0, jitter=0.0)

    def sample(self, rng: random.Random) -> tuple[float, float]:
        """Draw one task's seconds in the states submitted and processing."""
        factor = 1 + self.jitter * rng.uniform(-1, 1)
        return self.submitted_s * factor, self.processing_s * factor
