"""Defines the type of a factor's level, its name in tables and its JSON form."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lab.prompts import Prompt, Segment
from lab.shots import Option
from lab.stills import Still
from lab.sweeps.created_still import CreatedStill

NO_STILL = "none"
SHOT_FACTORS = ("still", "end_still", "prompt")
SETTING_FACTORS = ("duration_s", "aspect_ratio", "resolution", "fps", "seed", "sound")

Level = Still | CreatedStill | Prompt | Option | None
"""One value of a factor. None is "no still" for stills and "not set" for settings."""


def still_name(level: Level) -> str:
    """The name of a still level in tables; `NO_STILL` for text-to-video."""
    return level.name if isinstance(level, Still | CreatedStill) else NO_STILL


def level_to_json(level: Level) -> Any:
    """Plain data. A still is stored by its hash, without a path."""
    if isinstance(level, CreatedStill):
        return level.to_json()
    if isinstance(level, Still):
        return {"name": level.name, "sha256": level.sha256}
    if isinstance(level, Prompt):
        segments = [asdict(segment) for segment in level.multi_shot]
        data = {"text": level.text, "name": level.name}
        return {**data, "multi_shot": segments} if segments else data
    return level


def still_from_json(data: Mapping[str, Any] | None, stills: Mapping[str, Still]) -> Level:
    """Inverse of `level_to_json` for a still. stills: by SHA-256; KeyError if one is missing."""
    if data is None:
        return None
    if "create" in data:
        chosen = stills[data["sha256"]] if data["sha256"] else None
        return CreatedStill.from_json(data, chosen)
    return stills[data["sha256"]]


def prompt_from_json(data: Mapping[str, Any]) -> Prompt:
    """Inverse of `level_to_json` for a prompt."""
    if "multi_shot" in data:
        return Prompt.cut([Segment(**segment) for segment in data["multi_shot"]], data["name"])
    return Prompt.from_text(data["text"], data["name"])
