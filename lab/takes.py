"""A take: one attempt at a shot, and the unit that costs money."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from lab.files import content_id
from lab.shots import Shot
from lab.stills import Still

_MAX_NAMED = 8  # takes in one line


@dataclass(frozen=True)
class Take:
    """The `repeat`-th attempt (counted from 1) at a shot on a backend."""

    shot: Shot
    backend: str
    repeat: int = 1

    @cached_property
    def id(self) -> str:
        """12 hex digits, a hash of the content. The same take has the same id on any machine."""
        return content_id(
            {"shot": self.shot.content(), "backend": self.backend, "repeat": self.repeat}
        )

    @property
    def noise_seed(self) -> str:
        """The seed of the random generator that renders this take.

        With a seed in the settings, all prompts and stills share the generator of a repeat, so that
        comparisons are paired. Without one, each take has its own.
        """
        seed = self.shot.settings.seed
        return self.id if seed is None else f"{seed}/{self.repeat}"

    def relocated(self, relocate: Callable[[Still], Still]) -> "Take":
        """The same take with other paths of its stills. relocate: maps a still to its new path."""
        return replace(self, shot=self.shot.relocated(relocate))

    def to_json(self) -> dict[str, Any]:
        """Plain data, enough for `from_json` in another process."""
        return {"shot": self.shot.to_json(), "backend": self.backend, "repeat": self.repeat}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(Shot.from_json(data["shot"]), data["backend"], data["repeat"])


def lines_by_reason(reason_by_take: Mapping[str, str]) -> Iterator[str]:
    """One line for each reason, with the ids of the takes that share it."""
    takes: dict[str, list[str]] = {}
    for take_id, reason in reason_by_take.items():
        takes.setdefault(reason, []).append(take_id)
    for reason, ids in takes.items():
        more = f" and {len(ids) - _MAX_NAMED} more" if len(ids) > _MAX_NAMED else ""
        yield f"take{'s' * (len(ids) > 1)} {', '.join(ids[:_MAX_NAMED])}{more}: {reason}"
