"""The legacy protocol (/v1/...): an order as JSON, and what its answers say.

Source: the /legacy tab of kling.ai/document-api, and the stored dump of 2026-03-27.
"""

from typing import Any

from lab.backends.kling.catalogue import Model, Money, Stills
from lab.backends.kling.cites import swapped, texts_of
from lab.backends.kling.wire import (
    Extras,
    Pictures,
    Reply,
    Request,
    Row,
    WireError,
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

_MODES = {"720p": "std", "1080p": "pro", "4k": "4k"}


def build(take: Take, key: str, *, model: Model, pictures: Pictures, extras: Extras) -> Request:
    """The order of one clip.

    Every setting that would silently spoil an experiment is said, where the model has it: model,
    cuts, sound, quality, length, watermark. Raises BackendError when the model makes no such clip.
    """
    shot, asked = take.shot, take.shot.settings
    path = model.path("legacy", from_image=pictures.first is not None)
    if path is None or model.legacy is None:
        raise BackendError(f"take {take.id}: the legacy protocol has no such model")
    body: dict[str, Any] = {
        "model_name": model.legacy,
        "mode": _MODES[asked.resolution],
        # Documents show nothing but texts here; that a number is taken too is unknown.
        "duration": str(round(asked.duration_s)),
        "watermark_info": {"enabled": False},
        "external_task_id": key,
        **_words(shot),
        **_frames(pictures, omni=model.omni),
    }
    if "sound" in model.fields:
        body["sound"] = "on" if asked.sound else "off"
    if "multi_shot" in model.fields:
        body["multi_shot"] = bool(shot.prompt.multi_shot)
    if pictures.first is None:
        body["aspect_ratio"] = asked.aspect_ratio
    if shot.elements:
        body["element_list"] = [{"element_id": element} for _, element in shot.elements]
    if extras.callback_url:
        body["callback_url"] = extras.callback_url
    return Request(path, body)


def build_still(take: Take, key: str, *, stills: Stills, extras: Extras) -> Request:
    """The order of one picture made from text."""
    asked = take.shot.settings
    body: dict[str, Any] = {
        "model_name": stills.model,
        "prompt": take.shot.prompt.text,
        "n": 1,
        "aspect_ratio": asked.aspect_ratio,
        "resolution": stills.tiers.get(asked.resolution),
        "external_task_id": key,
    }
    if extras.callback_url:
        body["callback_url"] = extras.callback_url
    return Request(stills.path, body)


def _words(shot: Shot) -> dict[str, Any]:
    names = {
        name: f"<<<element_{place}>>>" for place, (name, _) in enumerate(shot.elements, start=1)
    }
    texts = [swapped(text, names) for text in texts_of(shot)]
    if not shot.prompt.multi_shot:
        return {"prompt": texts[0]}
    return {
        # Ignored, but there in every example of the document.
        "prompt": "",
        "shot_type": "customize",
        "multi_prompt": [
            {"index": place, "prompt": text, "duration": str(round(part.duration_s))}
            for place, (part, text) in enumerate(
                zip(shot.prompt.multi_shot, texts, strict=True), start=1
            )
        ],
    }


def _frames(pictures: Pictures, *, omni: bool) -> dict[str, Any]:
    given = ((pictures.first, "image", "first_frame"), (pictures.last, "image_tail", "end_frame"))
    if omni:
        listed = [
            {"image_url": picture, "type": kind}
            for picture, _, kind in given
            if picture is not None
        ]
        return {"image_list": listed} if listed else {}
    return {name: picture for picture, name, _ in given if picture is not None}


def parse_created(reply: Reply, *, money: Money) -> Row:
    """The job that an order became. Raises WireError when the answer names none."""
    return _row(reply.data, money)


def parse_row(reply: Reply, *, money: Money) -> Row:
    """The job that was asked for. Raises WireError when the answer names none."""
    return _row(reply.data, money)


def _row(data: object, money: Money) -> Row:
    if not isinstance(data, dict):
        raise WireError("kling: the answer names no job")
    result = data.get("task_result")
    result = result if isinstance(result, dict) else {}
    clips, pictures = mappings(result.get("videos")), mappings(result.get("images"))
    links = tuple(
        link for item in (*clips, *pictures) if (link := link_of(item.get("url"))) is not None
    )
    identity, word = id_of(data.get("task_id")), data.get("task_status")
    state = state_of(word, links)
    if identity is None or state is None:
        raise WireError("kling: the answer names no job")
    info = data.get("task_info")
    return Row(
        id=identity,
        key=text_of(info.get("external_task_id")) if isinstance(info, dict) else "",
        state=state,
        word=text_of(word),
        message=text_of(data.get("task_status_msg")),
        links=links,
        seconds=number_of(clips[0].get("duration")) if clips else None,
        cost_usd=_cost_usd(data, money, of_pictures=bool(pictures) and not clips),
    )


def _cost_usd(data: dict[str, Any], money: Money, *, of_pictures: bool) -> float | None:
    """What was charged. A deduction from a cash balance is in an undocumented unit: unknown."""
    cash = data.get("final_balance_deduction")
    if isinstance(cash, dict) and number_of(cash.get("quota")) != 0:
        return None
    units = number_of(data.get("final_unit_deduction"))
    if units is None:
        return None
    worth = money.usd_per_image_unit if of_pictures else money.usd_per_video_unit
    return round(units * worth, 6)
