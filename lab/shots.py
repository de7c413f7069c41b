"""What we intend: one still, one prompt, and the settings of the clip to be made."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from lab.errors import InputError
from lab.prompts import Prompt
from lab.stills import Still
from lab.units import frame_count, frame_size

MAX_DURATION_S = 60.0
MAX_FPS = 120.0

Option = str | int | float | bool


@dataclass(frozen=True)
class ShotSettings:
    """The settings every backend understands in its own way.

    duration_s in seconds; aspect_ratio and resolution by name (16:9, 720p); fps in frames per
    second; seed None when the backend may choose. options holds what only one backend knows, as
    sorted pairs, so that equal settings are equal.
    """

    duration_s: float = 5.0
    aspect_ratio: str = "16:9"
    resolution: str = "720p"
    fps: float = 24.0
    seed: int | None = None
    options: tuple[tuple[str, Option], ...] = field(default=())

    def __post_init__(self) -> None:
        # 24 and 24.0 are the same rate, and must give a take the same id.
        for name in ("duration_s", "fps"):
            try:
                object.__setattr__(self, name, float(getattr(self, name)))
            except (TypeError, ValueError):
                said = f"{name} {getattr(self, name)!r}: expected a number"
                raise InputError(said) from None
        object.__setattr__(self, "options", tuple(sorted(self.options, key=lambda pair: pair[0])))
        frame_size(self.aspect_ratio, self.resolution)
        for name, value, most in (
            ("duration_s", self.duration_s, MAX_DURATION_S),
            ("fps", self.fps, MAX_FPS),
        ):
            if not (math.isfinite(value) and 0 < value <= most):
                raise InputError(f"{name} {value!r}: accepted is more than 0 and at most {most:g}")

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the clip in pixels."""
        return frame_size(self.aspect_ratio, self.resolution)

    @property
    def frames(self) -> int:
        """Number of frames in the clip."""
        return frame_count(self.duration_s, self.fps)

    def option(self, name: str, default: Option) -> Option:
        """The value of a backend's own option."""
        return dict(self.options).get(name, default)

    def to_json(self) -> dict[str, Any]:
        """Plain data, enough for `from_json` in another process."""
        return {**asdict(self), "options": dict(self.options)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(**{**data, "options": tuple(data["options"].items())})


@dataclass(frozen=True)
class Shot:
    """A still, a prompt, settings: what one clip should be."""

    still: Still
    prompt: Prompt
    settings: ShotSettings = ShotSettings()

    def content(self) -> dict[str, Any]:
        """What makes two shots the same: the still's pixels, the prompt's words, the settings.

        File paths and prompt names are left out: renaming a file buys nothing again.
        """
        return {
            "still": self.still.sha256,
            "prompt": self.prompt.text,
            "terms": list(self.prompt.terms),
            "settings": self.settings.to_json(),
        }

    def to_json(self) -> dict[str, Any]:
        """Plain data, enough for `from_json` in another process."""
        return {
            "still": self.still.to_json(),
            "prompt": self.prompt.to_json(),
            "settings": self.settings.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(
            Still.from_json(data["still"]),
            Prompt.from_json(data["prompt"]),
            ShotSettings.from_json(data["settings"]),
        )
