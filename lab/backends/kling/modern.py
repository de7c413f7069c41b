"""The new protocol ("API 2.0"): an order as JSON, and what its answers say.

Source: kling.ai/document-api, image-to-video and video-omni pages of 2026-07-15.
"""

from collections.abc import Sequence
from typing import Any

from lab.backends.kling.catalogue import Model, Money
from lab.backends.kling.cites import texts_of
from lab.backends.kling.wire import (
    Extras,
    Pictures,
    Reply,
    Request,
    Row,
    WireError,
    bill_usd,
    id_of,
    link_of,
    mappings,
    number_of,
    state_of,
    text_of,
)
from lab.errors import BackendError
from lab.shots import Shot
from lab.takes import Take

TASKS = "/tasks"


def build(take: Take, key: str, *, model: Model, pictures: Pictures, extras: Extras) -> Request:
    """The order of one clip.

    Every setting that would silently spoil an experiment is said, where the model has it: cuts,
    sound, resolution, length, watermark. Raises BackendError when the model makes no such clip.
    """
    shot = take.shot
    path = model.path("new", from_image=pictures.first is not None)
    if path is None:
        raise BackendError(f"take {take.id}: this model makes no clip from text alone")
    settings = _settings(shot, model, from_image=pictures.first is not None)
    options: dict[str, Any] = {"external_task_id": key, "watermark_info": {"enabled": False}}
    if extras.callback_url:
        options["callback_url"] = extras.callback_url
    body: dict[str, Any] = {"settings": settings, "options": options}
    if pictures.first is None and not model.omni:
        return Request(path, {"prompt": prompt_text(shot), **body})
    return Request(path, {"contents": _contents(shot, pictures), **body})


def prompt_text(shot: Shot) -> str:
    """The prompt as it is sent; cuts are written into it: "shot 1, 2, words; shot 2, 3, words;"."""
    parts = shot.prompt.multi_shot
    if not parts:
        return shot.prompt.text
    # A semicolon ends a part, so one inside a part is sent as a comma.
    texts = [text.replace(";", ",") for text in texts_of(shot)]
    return " ".join(
        f"shot {place}, {part.duration_s:.0f}, {text};"
        for place, (part, text) in enumerate(zip(parts, texts, strict=True), start=1)
    )


def _contents(shot: Shot, pictures: Pictures) -> list[dict[str, str]]:
    contents = [{"type": "prompt", "text": prompt_text(shot)}]
    for kind, picture in (("first_frame", pictures.first), ("last_frame", pictures.last)):
        if picture is not None:
            contents.append({"type": kind, "url": picture})
    contents += [
        {"type": "element", "element_id": element, "id": name} for name, element in shot.elements
    ]
    return contents


def _settings(shot: Shot, model: Model, *, from_image: bool) -> dict[str, Any]:
    asked = shot.settings
    settings: dict[str, Any] = {
        "resolution": asked.resolution,
        "duration": round(asked.duration_s),
    }
    if "multi_shot" in model.fields:
        settings["multi_shot"] = bool(shot.prompt.multi_shot)
    if "sound" in model.fields:
        settings["audio"] = "native" if asked.sound else "off"
    if not from_image:
        settings["aspect_ratio"] = asked.aspect_ratio
    return settings


def parse_created(reply: Reply, *, money: Money) -> Row:
    """The job that an order became. Raises WireError when the answer names none."""
    row = _row(reply.data, money)
    if row is None:
        raise WireError("kling: the answer to an order names no job")
    return row


def parse_rows(reply: Reply, *, money: Money) -> tuple[Row, ...]:
    """The jobs a query found, in any order; entries that make no sense are left out.

    Raises WireError when the answer holds no list.
    """
    if not isinstance(reply.data, list):
        raise WireError("kling: the answer to a query holds no list of jobs")
    rows = (_row(item, money) for item in reply.data)
    return tuple(row for row in rows if row is not None)


def _row(data: object, money: Money) -> Row | None:
    if not isinstance(data, dict):
        return None
    identity, word = id_of(data.get("id")), data.get("status")
    outputs = [
        output
        for output in mappings(data.get("outputs"))
        if output.get("type") in ("video", "image") and link_of(output.get("url"))
    ]
    links = tuple(str(output["url"]) for output in outputs)
    state = state_of(word, links)
    if identity is None or state is None:
        return None
    lengths = [number_of(output.get("duration")) for output in outputs]
    return Row(
        id=identity,
        key=text_of(data.get("external_id")),
        state=state,
        word=text_of(word),
        message=text_of(data.get("message")),
        links=links,
        seconds=lengths[0] if lengths else None,
        cost_usd=bill_usd(data.get("billing"), money),
    )


def by_ids(ids: Sequence[str]) -> dict[str, str]:
    """The query for jobs by their ids."""
    return {"task_ids": ",".join(ids)}


def by_key(key: str) -> dict[str, str]:
    """The query for a job by our own key."""
    return {"external_task_ids": key}
