"""What a request asks for, whichever protocol it came in, and the checks both protocols share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from lab.emulator.models import Family, VideoModel
from lab.emulator.replies import ApiError

Protocol = Literal["new", "legacy"]

# Words in a prompt that make an emulator say no, and how the service says it.
REFUSED_WORDS = {"forbidden-by-platform": 1300, "forbidden-at-submit": 1301}
FAILED_WORDS = {"risk-control": "Failure to pass the risk control system"}

_MOST_SHOTS = 6
_MOST_SHOT_CHARS = 512
_SHOT = re.compile(r"\bshot\s+(\d+)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*([^;]*)", re.IGNORECASE)
_EXTERNAL_ID_CHARS = 256


@dataclass(frozen=True, slots=True)
class Cut:
    """One shot of a clip: its length and its own prompt."""

    duration_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Order:
    """One task as it was asked for, defaults filled in. Small and plain; pictures are by hash.

    still, end_still: keys of `Pictures`, "" without. cuts: empty for a clip without cuts.
    problem: why the task will fail although it is accepted, "" when it will not. count: pictures,
    1 for a video. aspect_ratio: "" follows the still.
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
    cuts: tuple[Cut, ...] = ()
    count: int = 1
    watermark: bool = False
    callback_url: str = ""
    problem: str = ""


def invalid(message: str) -> ApiError:
    """400/1201 with the message that says which field."""
    return ApiError(1201, message)


def text_of(body: Mapping[str, Any], name: str, *, most_chars: int | None = None) -> str:
    """A field that is a string or absent ("" then)."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    if most_chars is not None and len(value) > most_chars:
        raise invalid(f"{name} is too long, at most {most_chars} characters")
    return value


def object_of(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that is an object or absent (empty then)."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return value


def list_of(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A field that is a list of objects or absent (empty then)."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid(f"{name} must be a list of objects")
    return value


def number_of(query: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    """A whole number in a query, from 1."""
    text = query.get(name, str(default))
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= most:
        raise invalid(f"{name} must be an integer from 1 to {most}")
    return int(text)


def word_of(body: Mapping[str, Any], name: str, accepted: tuple[str, ...], default: str) -> str:
    """A field that is one of some words, or absent."""
    value = text_of(body, name) or default
    if value not in accepted:
        raise invalid(f"{name} is invalid, accepted are {', '.join(accepted)}")
    return value


def flag_of(body: Mapping[str, Any], name: str, default: bool, *, words: bool = False) -> bool:
    """A field that is true or false, or absent. words: "true" and "false" are taken as well."""
    value = body.get(name)
    if value is None:
        return default
    if words and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise invalid(f"{name} must be a boolean")
    return value


def external_id_of(body: Mapping[str, Any]) -> str:
    """The caller's own id of the task."""
    return text_of(body, "external_task_id", most_chars=_EXTERNAL_ID_CHARS)


def watermark_of(body: Mapping[str, Any]) -> bool:
    """Whether a copy with a watermark was asked for."""
    return flag_of(object_of(body, "watermark_info"), "enabled", False)


def check_content(*texts: str) -> None:
    """Raise ApiError 1300 or 1301 for a text that the service refuses at once."""
    for text in texts:
        for word, code in REFUSED_WORDS.items():
            if word in text:
                raise ApiError(code)


def problem_with(text: str) -> str:
    """Why a task with that prompt fails later; "" when it does not."""
    return next((message for word, message in FAILED_WORDS.items() if word in text), "")


def check_resolution(model: VideoModel, resolution: str) -> None:
    """Raise ApiError 1201 for a resolution that the model lacks."""
    if resolution not in model.resolutions:
        raise invalid(f"resolution {resolution} is not supported by {model.name}")


def check_duration(model: VideoModel, duration_s: int, *, only_first_frame: bool) -> None:
    """Raise ApiError 1201 for a duration that the model lacks."""
    accepted = model.seconds
    if only_first_frame and model.first_frame_seconds:
        accepted = model.first_frame_seconds
    if duration_s not in accepted:
        raise invalid(f"duration {duration_s} is not supported by {model.name}")


def check_end_frame(model: VideoModel, resolution: str, *, sound: bool) -> None:
    """Raise ApiError 1201 where the model takes no last frame."""
    if resolution not in model.end_frame or (sound and model.end_frame_silent):
        raise invalid(f"last frame is not supported by {model.name} with these settings")


def check_sound(model: VideoModel, resolution: str, mode: str) -> None:
    """Raise ApiError 1201 where the model cannot make sound."""
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
    """Raise ApiError 1201 for too many elements (with `others` beside them), or unclear ids."""
    most = model.most_elements(first_frame=first_frame, end_frame=end_frame)
    if len(elements) > most or len(elements) + others > model.elements:
        framed = " with a first frame" if first_frame and most < model.elements else ""
        raise invalid(f"too many elements, {model.name} takes at most {most}{framed}")
    for one in elements:
        if one and any(one in other for other in elements if other != one):
            raise invalid("element ids must not be part of one another")


def cuts_in(prompt: str, duration_s: int) -> tuple[Cut, ...]:
    """The shots that a prompt lists as "shot n, m, words; ..."; empty when it lists none."""
    found = [Cut(float(m[2]), m[3].strip()) for m in _SHOT.finditer(prompt)]
    if found:
        check_cuts(found, duration_s)
    return tuple(found)


def check_cuts(cuts: list[Cut], duration_s: int) -> None:
    """Raise ApiError 1201 for shots that break the documented limits."""
    if len(cuts) > _MOST_SHOTS:
        raise invalid(f"too many shots, at most {_MOST_SHOTS}")
    if not all(cut.duration_s >= 1 for cut in cuts):
        raise invalid("each shot lasts at least 1 second")
    if any(len(cut.text) > _MOST_SHOT_CHARS for cut in cuts):
        raise invalid(f"the prompt of a shot has at most {_MOST_SHOT_CHARS} characters")
    if not abs(sum(cut.duration_s for cut in cuts) - duration_s) < 1e-6:
        raise invalid("the durations of the shots must add up to the duration")


def cut_by_itself(prompt: str, duration_s: int) -> tuple[Cut, ...]:
    """One cut in the middle: what multi-shot does to a prompt that lists no shots (assumed)."""
    half_s = duration_s / 2
    return Cut(half_s, prompt), Cut(duration_s - half_s, prompt)
