"""What a shot asks of its still: room beside the subject, and pixels to come closer with."""

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Needs(BaseModel):
    """Room that a motion needs between the subject and the frame's edges, and more.

    left, right are shares of the frame's width, above, below of its height, 0..1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    left: float = Field(default=0.0, ge=0, le=1)
    right: float = Field(default=0.0, ge=0, le=1)
    above: float = Field(default=0.0, ge=0, le=1)
    below: float = Field(default=0.0, ge=0, le=1)
    subject: bool = False
    """Makes no sense without one clear subject, such as an orbit."""
    closer: float = Field(default=1.0, ge=1)
    """How many times larger the subject ends up: so many times the pixels a side are needed."""

    @classmethod
    def together(cls, needs: Iterable[Self]) -> Self:
        """What several motions in one shot need: the most of each."""
        listed = [cls(), *needs]
        return cls(**{name: max(getattr(one, name) for one in listed) for name in cls.model_fields})

    def scaled(self, strength: float) -> Self:
        """The same for a motion of `strength` times the size."""
        sides = ("left", "right", "above", "below")
        room = {name: min(1.0, getattr(self, name) * strength) for name in sides}
        return self.model_copy(update={**room, "closer": 1 + (self.closer - 1) * strength})
