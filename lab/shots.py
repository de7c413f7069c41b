"""A shot: the still, the prompt and the settings that one clip is made from."""

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
    """The settings that all backends share.

    aspect_ratio, resolution: by name, such as 16:9 and 720p. fps: frames per second. seed: None
    lets the backend choose. sound: the clip has a sound track. options: settings of one backend
    only, as sorted pairs, so that equal settings compare equal.
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
                message = f"{name} {getattr(self, name)!r}: expected a number"
                raise InputError(message) from None
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
        """The value of a backend's own option, or the default."""
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
    """The input of one clip.

    still: the first frame; None makes the clip from text alone. end_still: the last frame.
    elements: (name, the backend's id) of each recurring figure that the prompt cites as @name.
    makes: "still" makes a picture from text instead of a clip.
    """

    still: Still | None
    prompt: Prompt
    settings: ShotSettings = ShotSettings()
    end_still: Still | None = None
    elements: tuple[tuple[str, str], ...] = ()
    makes: Literal["clip", "still"] = "clip"

    def content(self) -> dict[str, Any]:
        """What the id of a take is made from: pixels of the stills, words of the prompt, settings.

        File paths and prompt names are left out, so that a renamed file is not bought again. Fields
        that are newer than the first ledgers count only when they are set, so that old ids stay
        valid.
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

    def relocated(self, relocate: Callable[[Still], Still]) -> "Shot":
        """The same shot with other paths of its stills. relocate: maps a still to its new path."""
        return replace(
            self,
            still=None if self.still is None else relocate(self.still),
            end_still=None if self.end_still is None else relocate(self.end_still),
        )
