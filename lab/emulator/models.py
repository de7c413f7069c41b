"""Read the limits and prices of each model from models.toml."""

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
    """One video model: its names, its limits, and its price in units per second.

    name, legacy: its names in the new and in the legacy protocol. seconds: the durations that it
    accepts. seconds_without_last_frame: the durations for clips with neither a last frame nor a
    reference video; empty means `seconds`. end_frame_resolutions: the resolutions at which it
    accepts a last frame. end_frame_excludes_sound: a clip with a last frame cannot have sound.
    sound_resolutions: the resolutions at which it makes sound; empty means all. elements: maximum
    number of elements. first_frame_elements, end_frame_elements: the maximum for clips with a first
    frame and with a last frame; None means that the frame changes nothing. reference_video_units:
    the prices of clips with a reference video; empty means the usual prices. assumed: the values
    that no document states.
    """

    name: str
    legacy: str = ""
    retired: bool = False
    families: tuple[Family, ...]
    seconds: tuple[int, ...]
    seconds_without_last_frame: tuple[int, ...] = ()
    resolutions: tuple[str, ...]
    end_frame_resolutions: tuple[str, ...] = ()
    end_frame_excludes_sound: bool = False
    multi_shot: bool = False
    sound: tuple[str, ...] = ()
    sound_resolutions: tuple[str, ...] = ()
    always_sound: bool = False
    elements: int = 0
    first_frame_elements: int | None = None
    end_frame_elements: int | None = None
    silent_units: dict[str, Decimal]
    sound_units: dict[str, Decimal]
    reference_video_units: dict[str, Decimal] = {}
    assumed: tuple[str, ...] = ()

    def max_elements(self, *, first_frame: bool, end_frame: bool) -> int:
        """Maximum number of elements for a clip with these frames."""
        limit = self.elements
        if first_frame and self.first_frame_elements is not None:
            limit = self.first_frame_elements
        if end_frame and self.end_frame_elements is not None:
            limit = self.end_frame_elements
        return limit

    def units(
        self, duration_s: int, resolution: str, *, sound: bool, reference_video: bool = False
    ) -> Decimal:
        """Price of one clip, in units."""
        prices = self.sound_units if sound else self.silent_units
        if reference_video and self.reference_video_units:
            prices = self.reference_video_units
        return prices[resolution] * duration_s


class ImageModel(_Row):
    """One image model and its price in units per image."""

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
    """The model with this name that serves a family, or None."""
    for model in _table().video:
        matches = (name and model.name == name) or (legacy and model.legacy == legacy)
        if matches and family in model.families and not (name and model.retired):
            return model
    return None


def image_model(name: str) -> ImageModel | None:
    """The image model with this name, or None."""
    return next((model for model in _table().image if model.name == name), None)


def amount_text(amount: Decimal) -> str:
    """Format an amount as the service does: at least one decimal, no trailing zeros.

    >>> amount_text(Decimal("4.00")), amount_text(Decimal("0.420"))
    ('4.0', '0.42')
    """
    text = f"{amount.normalize():f}"
    return text if "." in text else f"{text}.0"
