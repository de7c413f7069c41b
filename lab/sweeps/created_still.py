"""Defines `CreatedStill`, a still that a run makes from text before it makes clips."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab.files import content_id
from lab.prompts import Prompt
from lab.shots import Option, Shot, ShotSettings
from lab.stills import Still

MAX_BEST_OF = 20  # so that a typo in best_of cannot cost much


@dataclass(frozen=True)
class CreatedStill:
    """A level of the factor `still`: the best of several pictures made from one prompt.

    name: the level's name in tables. settings: ratio, resolution and backend options of the
    pictures. best_of: how many pictures the run makes; preflight chooses one. chosen: that picture,
    None before the run has chosen it.
    """

    name: str
    prompt: Prompt
    settings: ShotSettings
    best_of: int = 1
    chosen: Still | None = None

    @classmethod
    def for_prompt(
        cls,
        prompt: Prompt,
        *,
        name: str,
        best_of: int,
        aspect_ratio: str,
        resolution: str,
        options: Mapping[str, Option],
    ) -> Self:
        """A still to be made from a prompt.

        Its pictures get the take ids that `lab create` gives them, so a run and `lab create` each
        reuse what the other bought. options: the backend's options at their defaults.
        """
        settings = ShotSettings(
            aspect_ratio=aspect_ratio, resolution=resolution, options=tuple(options.items())
        )
        return cls(name, prompt, settings, best_of)

    @property
    def shot(self) -> Shot:
        """The request for each picture."""
        return Shot(None, self.prompt, self.settings, makes="still")

    @property
    def id(self) -> str:
        """12 hex digits, a hash of prompt and settings; `best_of` does not change it."""
        return content_id(self.shot.content())

    @property
    def still(self) -> Still:
        """The chosen picture; before the choice, a placeholder without a file, for the plan."""
        if self.chosen is not None:
            return self.chosen
        width, height = self.settings.size_px
        return Still(Path(f"{self.name}.png"), f"to be created: {self.id}", width, height)

    def to_json(self) -> dict[str, Any]:
        """Plain data. Two runs with equal data have the same level."""
        return {
            "name": self.name,
            "sha256": "" if self.chosen is None else self.chosen.sha256,
            "create": self.prompt.text,
            "best_of": self.best_of,
            "settings": self.settings.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], chosen: Still | None) -> Self:
        """Inverse of `to_json`. chosen: the picture with the hash in `data`, None for no hash."""
        return cls(
            data["name"],
            Prompt.from_text(data["create"]),
            ShotSettings.from_json(data["settings"]),
            data["best_of"],
            chosen,
        )
