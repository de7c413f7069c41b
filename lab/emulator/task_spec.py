"""Describe a requested task, and read and check the fields that both protocols share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from lab.emulator.models import Family, VideoModel
from lab.emulator.replies import ApiError

Protocol = Literal["new", "legacy"]

# Prompts with these words are refused at once, with this code.
REFUSED_WORDS = {"forbidden-by-platform": 1300, "forbidden-at-submit": 1301}
# Prompts with these words are accepted and fail later, with this message.
FAILED_WORDS = {"risk-control": "Failure to pass the risk control system"}

_MAX_SHOTS = 6
_MAX_SHOT_CHARS = 512
_MAX_EXTERNAL_ID_CHARS = 256
_SHOT = re.compile(r"\bshot\s+(\d+)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*([^;]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Segment:
    """One shot of a multi-shot clip: its duration and its own prompt."""

    duration_s: float
    prompt: str


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task as requested, with defaults filled in.

    still, end_still: keys of `ImageStore`, "" for none. segments: empty for a single-shot clip.
    failure: why the task will fail although it is accepted, "" if it will succeed. count: number
    of images; 1 for a video. aspect_ratio: "" means the still's ratio.
    """

    protocol: Protocol
    family: Family
    model: str
    prompt: str
    units: Decimal
    usd: Decimal
    external_id: str = ""
    duration_s: int = 5
    resolution: str = "720p"
    sound: bool = False
    aspect_ratio: str = ""
    still: str = ""
    end_still: str = ""
    segments: tuple[Segment, ...] = ()
    count: int = 1
    watermark: bool = False
    callback_url: str = ""
    failure: str = ""


def invalid(message: str) -> ApiError:
    """The error 400/1201 with a message about one field."""
    return ApiError(1201, message)


def text_of(body: Mapping[str, Any], name: str, *, max_chars: int | None = None) -> str:
    """Read an optional string field; "" when absent."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    if max_chars is not None and len(value) > max_chars:
        raise invalid(f"{name} is too long, at most {max_chars} characters")
    return value


def object_of(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Read an optional object field; {} when absent."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return value


def list_of(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Read an optional list of objects; [] when absent."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid(f"{name} must be a list of objects")
    return value


def number_of(query: Mapping[str, str], name: str, *, default: int, maximum: int) -> int:
    """Read an optional query parameter that is an integer from 1 to `maximum`."""
    text = query.get(name, str(default))
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= maximum:
        raise invalid(f"{name} must be an integer from 1 to {maximum}")
    return int(text)


def choice_of(body: Mapping[str, Any], name: str, accepted: tuple[str, ...], default: str) -> str:
    """Read an optional field that has one of the accepted values."""
    value = text_of(body, name) or default
    if value not in accepted:
        raise invalid(f"{name} is invalid, accepted are {', '.join(accepted)}")
    return value


def flag_of(
    body: Mapping[str, Any], name: str, default: bool, *, accepts_strings: bool = False
) -> bool:
    """Read an optional boolean. accepts_strings: the strings "true" and "false" are valid too."""
    value = body.get(name)
    if value is None:
        return default
    if accepts_strings and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise invalid(f"{name} must be a boolean")
    return value


def external_id_of(body: Mapping[str, Any]) -> str:
    """Read the client's own id of the task; "" when absent."""
    return text_of(body, "external_task_id", max_chars=_MAX_EXTERNAL_ID_CHARS)


def watermark_of(body: Mapping[str, Any]) -> bool:
    """Read whether the client wants a copy with a watermark."""
    return flag_of(object_of(body, "watermark_info"), "enabled", False)


def check_content(*texts: str) -> None:
    """Raise ApiError 1300 or 1301 for a text that the service refuses at once."""
    for text in texts:
        for word, code in REFUSED_WORDS.items():
            if word in text:
                raise ApiError(code)


def prompt_failure(text: str) -> str:
    """Why a task with this prompt will fail; "" if it will succeed."""
    return next((message for word, message in FAILED_WORDS.items() if word in text), "")


def check_resolution(model: VideoModel, resolution: str) -> None:
    """Raise ApiError 1201 for a resolution that the model does not support."""
    if resolution not in model.resolutions:
        raise invalid(f"resolution {resolution} is not supported by {model.name}")


def check_duration(model: VideoModel, duration_s: int, *, has_last_frame_or_video: bool) -> None:
    """Raise ApiError 1201 for a duration that the model does not support.

    has_last_frame_or_video: the task has a last frame or a reference video. Without either, some
    models accept other durations.
    """
    accepted = model.seconds
    if not has_last_frame_or_video and model.seconds_without_last_frame:
        accepted = model.seconds_without_last_frame
    if duration_s not in accepted:
        raise invalid(f"duration {duration_s} is not supported by {model.name}")


def check_end_frame(model: VideoModel, resolution: str, *, sound: bool) -> None:
    """Raise ApiError 1201 when the model accepts no last frame with these settings."""
    if resolution not in model.end_frame_resolutions or (sound and model.end_frame_excludes_sound):
        raise invalid(f"last frame is not supported by {model.name} with these settings")


def check_sound(model: VideoModel, resolution: str, mode: str) -> None:
    """Raise ApiError 1201 when the model cannot make this kind of sound."""
    if mode not in model.sound:
        raise invalid(f"audio {mode} is not supported by {model.name}")
    if model.sound_resolutions and resolution not in model.sound_resolutions:
        raise invalid(f"audio is not supported by {model.name} at {resolution}")


def check_elements(
    model: VideoModel,
    elements: list[str],
    *,
    others: int = 0,
    first_frame: bool = False,
    end_frame: bool = False,
) -> None:
    """Raise ApiError 1201 for too many elements, or for an id that contains another one.

    others: the number of reference images; they count towards the model's limit.
    """
    limit = model.max_elements(first_frame=first_frame, end_frame=end_frame)
    if len(elements) > limit or len(elements) + others > model.elements:
        framed = " with a first frame" if first_frame and limit < model.elements else ""
        raise invalid(f"too many elements, {model.name} takes at most {limit}{framed}")
    for one in elements:
        if one and any(one in other for other in elements if other != one):
            raise invalid("element ids must not be part of one another")


def segments_in_prompt(prompt: str, duration_s: int) -> tuple[Segment, ...]:
    """Parse the shots listed as "shot n, m, words; ..." in a prompt; empty if there are none."""
    segments = [Segment(float(m[2]), m[3].strip()) for m in _SHOT.finditer(prompt)]
    if segments:
        check_segments(segments, duration_s)
    return tuple(segments)


def check_segments(segments: list[Segment], duration_s: int) -> None:
    """Raise ApiError 1201 for shots that violate the documented limits."""
    if len(segments) > _MAX_SHOTS:
        raise invalid(f"too many shots, at most {_MAX_SHOTS}")
    if not all(segment.duration_s >= 1 for segment in segments):
        raise invalid("each shot lasts at least 1 second")
    if any(len(segment.prompt) > _MAX_SHOT_CHARS for segment in segments):
        raise invalid(f"the prompt of a shot has at most {_MAX_SHOT_CHARS} characters")
    if not abs(sum(segment.duration_s for segment in segments) - duration_s) < 1e-6:
        raise invalid("the durations of the shots must add up to the duration")


def default_segments(prompt: str, duration_s: int) -> tuple[Segment, ...]:
    """The segments of a multi-shot clip whose prompt lists no shots: two halves.

    The vendor does not document this; it is assumed.
    """
    half_s = duration_s / 2
    return Segment(half_s, prompt), Segment(duration_s - half_s, prompt)
