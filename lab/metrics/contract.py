"""What a metric is, and what it leaves behind."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lab.metrics.moment import Moment
from lab.metrics.reference import Reference

LOW_CONFIDENCE = 0.5
"""A value of less confidence is shown with it."""

Direction = Literal["lower", "higher", "none"]
Values = TypeVar("Values", float, NDArray[np.float64])


@dataclass(frozen=True)
class MetricSpec:
    """The definition of one number.

    name: a headline name ("flicker") or a part of one ("flicker.global"). unit, direction (which
    way is better) and range (low, high) of the value; where more is better, high is the best value
    and finite. version grows when the definition changes; values of different versions are never
    compared. ignores: what must not move it. reference: the source of the idea. unnoticed: a value
    this good or better shows no flaw that anybody would notice; NaN where that has no meaning.
    judged: takes are ranked by this headline, and tables, tiles and rankings show it.
    """

    name: str
    unit: str
    direction: Direction
    says: str
    ignores: str
    reference: str
    version: int = 1
    low: float = 0.0
    high: float = math.inf
    unnoticed: float = math.nan
    judged: bool = False

    def __post_init__(self) -> None:
        if self.direction == "higher" and not math.isfinite(self.high):
            raise ValueError(f"{self.name}: more is better, so it needs a finite high")
        if self.judged and not (self.headline and self.direction != "none"):
            raise ValueError(f"{self.name}: only a headline with a better direction can be judged")
        if self.judged and not self.flaw(self.unnoticed) > 0:
            raise ValueError(f"{self.name}: is judged, so unnoticed must be known")

    @property
    def headline(self) -> bool:
        """True for the number that stands for the metric."""
        return "." not in self.name

    @property
    def arrow(self) -> str:
        """Which way is better, as headings show it: " ↓", " ↑", or "" for neither."""
        return {"lower": " ↓", "higher": " ↑", "none": ""}[self.direction]

    def flaw(self, value: Values) -> Values:
        """How far a value is from the best one, in the unit: larger is worse.

        The value itself unless more is better; its own inverse.
        """
        return self.high - value if self.direction == "higher" else value

    def visibility(self, value: Values) -> Values:
        """The flaw in multiples of the largest one that nobody would notice; NaN if unknown."""
        return self.flaw(value) / self.flaw(self.unnoticed)


@dataclass(frozen=True)
class Score:
    """A value on one clip: NaN with a reason where there is no data, never 0.

    confidence: how far the value can be believed on this clip, 0..1; NaN where nothing says.
    """

    name: str
    value: float
    reason: str = ""
    confidence: float = math.nan


@dataclass(frozen=True, eq=False)
class Field:
    """Where in a frame a headline's value comes from.

    index: the frame. values: float32 of any size, laid over the whole frame; the headline's flaw,
    so larger is worse, in its unit; NaN where nothing could be seen.
    """

    index: int
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """What a metric leaves behind: scores, a value per frame for each series, and remarks.

    series maps a series name (a headline or part name) to values by frame index.
    """

    scores: tuple[Score, ...]
    series: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    note: str = ""

    def with_confidence(self, confidence: float) -> "Measured":
        """The same with one confidence, 0..1, for every score that has a value."""
        scores = tuple(
            score if math.isnan(score.value) else replace(score, confidence=confidence)
            for score in self.scores
        )
        return replace(self, scores=scores)


class Tracker(Protocol):
    """One metric's pass over one clip. Holds sums, never frames."""

    def see(self, moment: Moment) -> Field | None:
        """Take in one frame with its past; called once a frame, in order.

        Returns where it saw what it looks for, in this frame or in an earlier one.
        """

    def result(self) -> Measured:
        """Called once, after the last frame."""


class Metric(Protocol):
    """A definition that can be run: what it measures, and a fresh tracker for each clip."""

    @property
    def specs(self) -> tuple[MetricSpec, ...]:
        """The headline's definition first, then its parts'."""

    def start(self, reference: Reference) -> Tracker:
        """Begin a clip. reference: the still's own facts, or the first frame's without a still."""


def absent(specs: tuple[MetricSpec, ...], reason: str) -> Measured:
    """Every score of a metric as NaN, for one reason."""
    return Measured(tuple(Score(spec.name, math.nan, reason) for spec in specs))
