"""Stills that a sweep has made from text before it animates them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab.files import content_id
from lab.prompts import Prompt
from lab.shots import Option, Shot, ShotSettings
from lab.stills import Still

MAX_BEST_OF = 20


@dataclass(frozen=True)
class CreatedStill:
    """A level of the factor still that the run makes from text: the best of several pictures.

    name: what tables call it. best_of: how many pictures are made; preflight chooses one of them.
    settings: the ratio and the resolution they are made for. chosen: the picture, once a run has
    made and chosen it.
    """

    name: str
    prompt: Prompt
    settings: ShotSettings
    best_of: int = 1
    chosen: Still | None = None

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        *,
        name: str,
        best_of: int,
        aspect_ratio: str,
        resolution: str,
        options: Mapping[str, Option],
    ) -> Self:
        """The same pictures as `lab create` makes of that prompt, so that either finds the other's.

        options: the backend's own settings at their defaults.
        """
        settings = ShotSettings(
            aspect_ratio=aspect_ratio, resolution=resolution, options=tuple(options.items())
        )
        return cls(name, prompt, settings, best_of)

    @property
    def shot(self) -> Shot:
        """What each of the pictures is asked for with."""
        return Shot(None, self.prompt, self.settings, makes="still")

    @property
    def id(self) -> str:
        """12 hex digits that stand for the prompt and its settings, however many pictures."""
        return content_id(self.shot.content())

    @property
    def still(self) -> Still:
        """The chosen picture. Before there is one: a stand-in without a file, to plan with."""
        if self.chosen is not None:
            return self.chosen
        width, height = self.settings.size_px
        return Still(Path(f"{self.name}.png"), f"to be created: {self.id}", width, height)

    def to_json(self) -> dict[str, Any]:
        """Plain data: what two runs must agree on to have the same level."""
        return {
            "name": self.name,
            "sha256": "" if self.chosen is None else self.chosen.sha256,
            "create": self.prompt.text,
            "best_of": self.best_of,
            "settings": self.settings.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], chosen: Still | None) -> Self:
        """Inverse of `to_json`; chosen: the picture of that hash, None where the hash is empty."""
        return cls(
            data["name"],
            Prompt.written(data["create"]),
            ShotSettings.from_json(data["settings"]),
            data["best_of"],
            chosen,
        )
