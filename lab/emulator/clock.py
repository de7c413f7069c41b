"""How long a task takes: a pace, and the state a task is in at a moment."""

import random
from dataclasses import dataclass
from typing import Literal, Self

State = Literal["submitted", "processing", "succeeded", "failed"]


@dataclass(frozen=True)
class Pace:
    """How long tasks wait and work, in seconds of the emulator's clock.

    jitter: each task's times are longer or shorter by up to this share, 0..1. link_s: how long a
    link to a clip works after the query that gave it (documented: 30 days).
    """

    submitted_s: float = 1.0
    processing_s: float = 4.0
    jitter: float = 0.2
    link_s: float = 30 * 86_400.0

    @classmethod
    def instant(cls) -> Self:
        """Tasks are done as soon as they are accepted; links last as usual."""
        return cls(submitted_s=0.0, processing_s=0.0, jitter=0.0)

    def drawn(self, luck: random.Random) -> tuple[float, float]:
        """Seconds one task is submitted, and processing."""
        factor = 1 + self.jitter * luck.uniform(-1, 1)
        return self.submitted_s * factor, self.processing_s * factor
