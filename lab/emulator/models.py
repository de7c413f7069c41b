"""What each model takes, and what a task on it costs; the table is models.toml."""

import tomllib
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

Family = Literal["image-to-video", "text-to-video", "omni-video", "image"]
VIDEO_UNIT_USD = Decimal("0.14")
IMAGE_UNIT_USD = Decimal("0.0035")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VideoModel(_Row):
    """One video model: its spellings, its limits, its price in units a second.

    end_frame, sound_resolutions: the resolutions at which it takes a last frame, or sound.
    first_frame_seconds: the only durations without a last frame or a reference video. elements: how
    many it takes; frame_elements, end_frame_elements: with a first frame, with a last one too,
    where that is fewer.
    """

    name: str
    legacy: str = ""
    retired: bool = False
    families: tuple[Family, ...]
    seconds: tuple[int, ...]
    first_frame_seconds: tuple[int, ...] = ()
    resolutions: tuple[str, ...]
    end_frame: tuple[str, ...] = ()
    end_frame_silent: bool = False
    multi_shot: bool = False
    sound: tuple[str, ...] = ()
    sound_resolutions: tuple[str, ...] = ()
    always_sound: bool = False
    elements: int = 0
    frame_elements: int | None = None
    end_frame_elements: int | None = None
    silent_units: dict[str, Decimal]
    sound_units: dict[str, Decimal]
    video_units: dict[str, Decimal] = {}
    assumed: tuple[str, ...] = ()

    def most_elements(self, *, first_frame: bool, end_frame: bool) -> int:
        """How many elements a clip with these frames may have."""
        most = self.elements
        if first_frame and self.frame_elements is not None:
            most = self.frame_elements
        if end_frame and self.end_frame_elements is not None:
            most = self.end_frame_elements
        return most

    def units(
        self, duration_s: int, resolution: str, *, sound: bool, reference_video: bool = False
    ) -> Decimal:
        """Price of one clip in units."""
        table = self.sound_units if sound else self.silent_units
        if reference_video and self.video_units:
            table = self.video_units
        return table[resolution] * duration_s


class ImageModel(_Row):
    """One picture model and its price in units a picture."""

    name: str
    picture_units: Decimal
    assumed: tuple[str, ...] = ()


class _Table(_Row):
    video: tuple[VideoModel, ...]
    image: tuple[ImageModel, ...]


@cache
def _table() -> _Table:
    text = (files("lab.emulator") / "models.toml").read_text(encoding="utf-8")
    return _Table.model_validate(tomllib.loads(text))


def video_model(family: Family, *, name: str = "", legacy: str = "") -> VideoModel | None:
    """The model of that spelling that serves a family, or None."""
    for model in _table().video:
        spelled = (name and model.name == name) or (legacy and model.legacy == legacy)
        if spelled and family in model.families and not (name and model.retired):
            return model
    return None


def image_model(name: str) -> ImageModel | None:
    """The picture model of that name, or None."""
    return next((model for model in _table().image if model.name == name), None)


def amount_text(amount: Decimal) -> str:
    """A decimal string the way the service writes amounts: at least one place, no more than needed.

    >>> amount_text(Decimal("4.00")), amount_text(Decimal("0.420"))
    ('4.0', '0.42')
    """
    text = f"{amount.normalize():f}"
    return text if "." in text else f"{text}.0"
