"""What we intend: one still, one prompt, and the settings of the clip to be made."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

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
    second; seed None when the backend may choose; sound: the clip has a sound track. options holds
    what only one backend knows, as sorted pairs, so that equal settings are equal.
    """

    duration_s: float = 5.0
    aspect_ratio: str = "16:9"
    resolution: str = "720p"
    fps: float = 24.0
    seed: int | None = None
    sound: bool = False
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
    """A still, a prompt, settings: what one clip should be.

    still: None where the clip is to be made from text alone. end_still: what its last frame should
    be. elements: (name, the backend's id) of each recurring figure that the prompt cites as @name.
    makes: "still" where a picture is to be made from text, to animate later.
    """

    still: Still | None
    prompt: Prompt
    settings: ShotSettings = ShotSettings()
    end_still: Still | None = None
    elements: tuple[tuple[str, str], ...] = ()
    makes: Literal["clip", "still"] = "clip"

    def content(self) -> dict[str, Any]:
        """What makes two shots the same: the still's pixels, the prompt's words, the settings.

        File paths and prompt names are left out: renaming a file buys nothing again. What came
        later than the first ledgers counts only where it is used, so that their ids stand.
        """
        settings = self.settings.to_json()
        if not self.settings.sound:
            del settings["sound"]
        content: dict[str, Any] = {
            "still": None if self.still is None else self.still.sha256,
            "prompt": self.prompt.text,
            "terms": list(self.prompt.terms),
            "settings": settings,
        }
        if self.prompt.multi_shot:
            content["multi_shot"] = [
                [part.text, part.duration_s] for part in self.prompt.multi_shot
            ]
        if self.end_still is not None:
            content["end_still"] = self.end_still.sha256
        if self.elements:
            content["elements"] = [list(pair) for pair in self.elements]
        if self.makes != "clip":
            content["makes"] = self.makes
        return content

    def to_json(self) -> dict[str, Any]:
        """Plain data, enough for `from_json` in another process."""
        return {
            "still": None if self.still is None else self.still.to_json(),
            "prompt": self.prompt.to_json(),
            "settings": self.settings.to_json(),
            "end_still": None if self.end_still is None else self.end_still.to_json(),
            "elements": dict(self.elements),
            "makes": self.makes,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        still, end_still = data["still"], data.get("end_still")
        return cls(
            None if still is None else Still.from_json(still),
            Prompt.from_json(data["prompt"]),
            ShotSettings.from_json(data["settings"]),
            None if end_still is None else Still.from_json(end_still),
            tuple(data.get("elements", {}).items()),
            data.get("makes", "clip"),
        )

    def relocated(self, place: Callable[[Still], Still]) -> "Shot":
        """The same shot, its stills lying where `place` says."""
        return replace(
            self,
            still=None if self.still is None else place(self.still),
            end_still=None if self.end_still is None else place(self.end_still),
        )
