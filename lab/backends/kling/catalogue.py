"""Read the catalogue of Kling's models: their limits, prices and addresses."""

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.errors import BackendError
from lab.shots import Shot

Protocol = Literal["new", "legacy"]
Resolution = Annotated[str, Field(pattern="^(720p|1080p|4k)$")]
Ratio = Annotated[str, Field(pattern="^(16:9|9:16|1:1|4:3|3:4)$")]
ApiPath = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")]
PricesByResolution = Mapping[Resolution, Annotated[float, Field(gt=0, lt=100)]]
SecondsByResolution = Mapping[Resolution, Annotated[float, Field(gt=0)]]

TABLE = Path(__file__).with_name("catalogue.toml")
DEFAULT_MODEL = "kling-3.0"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UnitPrices(_Row):
    """Prices of the service's units in USD.

    margin: how far prices may have risen since read_on, as a share (0..1). Quotes include it.
    """

    read_on: date
    source: str
    usd_per_video_unit: float = Field(gt=0)
    usd_per_image_unit: float = Field(gt=0)
    usd_per_cny: float = Field(gt=0)
    margin: float = Field(ge=0, le=1)


class Limits(_Row):
    """Limits that all models share. A segment is one of the shots in a multi-shot prompt."""

    read_on: date
    source: str
    picture_short_side_px: int = Field(gt=0)
    max_picture_ratio: float = Field(gt=1)
    ratios_from_text: tuple[Ratio, ...]
    max_segments: int = Field(gt=0)
    max_segment_chars: int = Field(gt=0)


class ProtocolLimits(_Row):
    """Limits of one protocol. picture_mb: millions of bytes."""

    read_on: date
    source: str
    prompt_chars: int = Field(gt=0)
    picture_mb: float = Field(gt=0)


class Media(_Row):
    """The hosts of clips (each with its subdomains) and the expected file sizes."""

    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")], ...]
    bytes_per_s: Mapping[Resolution, int]
    bytes_per_still: int = Field(gt=0)


class Paths(_Row):
    """The API paths for clips that start from an image, and for clips from text alone."""

    image: ApiPath
    text: ApiPath | None = None


class DurationRange(_Row):
    """Every whole number of seconds from low to high, both included."""

    low: int = Field(ge=1)
    high: int = Field(le=60)


class LastFrame(_Row):
    """The conditions under which a clip can have a last frame."""

    resolutions: tuple[Resolution, ...]
    with_sound: bool


class Elements(_Row):
    """The largest number of elements in a clip from a still, and in a clip from text alone."""

    from_still: int = Field(default=0, ge=0)
    from_text: int = Field(default=0, ge=0)


class RejectedSettings(_Row):
    """Settings that users try although no model has them. advice: what to do instead."""

    names: tuple[str, ...] = Field(min_length=1)
    advice: str
    read_on: date
    source: str


class Model(_Row):
    """One model: its names and paths, its limits, and its prices in USD per second of clip.

    legacy: its name in the legacy protocol; None if it is not available there. fields: which of the
    optional request fields it accepts; the others are not sent. silent_usd_per_s,
    sound_usd_per_s: the prices of clips without and with sound; empty if it makes no such clips.
    """

    legacy: str | None = None
    omni: bool = False
    new_paths: Paths
    legacy_paths: Paths | None = None
    durations_s: DurationRange | tuple[int, ...]
    resolutions: tuple[Resolution, ...] = Field(min_length=1)
    last_frame: LastFrame | None = None
    multi_shot: bool = False
    legacy_multi_shot_from_still: bool = False
    elements: Elements = Elements()
    prompt_chars: int | None = None
    fields: tuple[Literal["multi_shot", "sound"], ...] = ()
    silent_usd_per_s: PricesByResolution = Field(default_factory=dict)
    sound_usd_per_s: PricesByResolution = Field(default_factory=dict)
    latency_s: SecondsByResolution

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if (self.legacy is None) != (self.legacy_paths is None):
            raise ValueError("legacy and legacy_paths must both be given, or neither")
        if not self.silent_usd_per_s and not self.sound_usd_per_s:
            raise ValueError("neither silent_usd_per_s nor sound_usd_per_s has a price")
        priced = {*self.silent_usd_per_s, *self.sound_usd_per_s}
        if priced != set(self.resolutions):
            raise ValueError("resolutions differs from the resolutions that have a price")
        if set(self.latency_s) != priced:
            raise ValueError("latency_s differs from the resolutions that have a price")
        if not self.lengths_s:
            raise ValueError("durations_s contains no length")
        if self.multi_shot != ("multi_shot" in self.fields):
            raise ValueError("fields must contain multi_shot if, and only if, multi_shot is true")
        if bool(self.silent_usd_per_s and self.sound_usd_per_s) != ("sound" in self.fields):
            raise ValueError(
                "fields must have sound if, and only if, clips with and without sound have prices"
            )
        return self

    @property
    def lengths_s(self) -> tuple[int, ...]:
        """Every possible length in seconds, ascending."""
        if isinstance(self.durations_s, DurationRange):
            return tuple(range(self.durations_s.low, self.durations_s.high + 1))
        return tuple(sorted(self.durations_s))

    def paths(self, protocol: Protocol) -> Paths | None:
        """The model's paths in a protocol; None if the protocol does not have the model."""
        return self.new_paths if protocol == "new" else self.legacy_paths

    def path(self, protocol: Protocol, *, from_image: bool) -> str | None:
        """The path for a clip from an image or from text; None if there is none."""
        paths = self.paths(protocol)
        if paths is None:
            return None
        return paths.image if from_image else paths.text

    def usd_per_s(self, resolution: str, *, sound: bool) -> float | None:
        """USD per second of clip; None if the model does not offer this combination."""
        return (self.sound_usd_per_s if sound else self.silent_usd_per_s).get(resolution)

    @property
    def max_usd_per_s(self) -> float:
        """The highest price over all its settings."""
        return max((*self.silent_usd_per_s.values(), *self.sound_usd_per_s.values()))


class Stills(_Row):
    """Stills made from text. resolutions: the service's name of each resolution. usd: per still."""

    model: str
    path: ApiPath
    ratios: tuple[Ratio, ...]
    resolutions: Mapping[Resolution, str]
    prompt_chars: int = Field(gt=0)
    usd: float = Field(gt=0)
    latency_s: float = Field(gt=0)


class Catalogue(_Row):
    """The whole catalogue."""

    unit_prices: UnitPrices
    limits: Limits
    protocols: Mapping[Protocol, ProtocolLimits]
    regions: Mapping[str, Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+$")]]
    media: Media
    rejected_settings: tuple[RejectedSettings, ...]
    models: Mapping[str, Model]
    stills: Stills

    @model_validator(mode="after")
    def _check_completeness(self) -> Self:
        if set(self.protocols) != {"new", "legacy"}:
            raise ValueError("protocols: expected both new and legacy")
        if DEFAULT_MODEL not in self.models:
            raise ValueError(f"models: the default model {DEFAULT_MODEL} is missing")
        return self

    @property
    def duration_range_s(self) -> tuple[int, int]:
        """The shortest and the longest clip of any model, in seconds."""
        lengths = [length for model in self.models.values() for length in model.lengths_s]
        return min(lengths), max(lengths)

    def model_of(self, shot: Shot) -> Model:
        """The model that a shot asks for. Raises BackendError if it is not in the catalogue."""
        name = self.model_name(shot)
        if name not in self.models:
            raise BackendError(f"model {name!r}: accepted: {', '.join(self.models)}")
        return self.models[name]

    @staticmethod
    def model_name(shot: Shot) -> str:
        """The name of the model that a shot asks for."""
        return str(shot.settings.option("model", DEFAULT_MODEL))


@cache
def load_catalogue(path: Path = TABLE) -> Catalogue:
    """Load a catalogue from a TOML file. Raises BackendError with the path of an invalid entry."""
    try:
        return Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(str(part) for part in first["loc"])
        raise BackendError(f"{path}: {location}: {first['msg']}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BackendError(f"{path}: is not valid TOML ({error})") from error
