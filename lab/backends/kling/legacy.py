"""The legacy protocol (/v1/...): build submissions as JSON and parse replies.

Source: the /legacy tab of kling.ai/document-api, and a copy of these pages of 2026-03-27.
"""

from typing import Any

from lab.backends.kling.catalogue import Model, Stills, UnitPrices
from lab.backends.kling.mentions import prompt_texts, replace_mentions
from lab.backends.kling.wire import (
    EncodedFrames,
    JobInfo,
    Reply,
    Request,
    WireError,
    json_objects,
    parse_id,
    parse_link,
    parse_number,
    parse_state,
    parse_text,
)
from lab.errors import BackendError
from lab.shots import Shot
from lab.takes import Take

_MODES = {"720p": "std", "1080p": "pro", "4k": "4k"}


def build(
    take: Take, external_id: str, *, model: Model, frames: EncodedFrames, callback_url: str = ""
) -> Request:
    """The submission of one clip.

    It sets every field whose default could change an experiment without notice: model, cuts, sound,
    quality, length and watermark. Fields that the model does not have are left out. Raises
    BackendError if the legacy protocol does not have the model.
    """
    shot, settings = take.shot, take.shot.settings
    path = model.path("legacy", from_image=frames.first is not None)
    if path is None or model.legacy is None:
        raise BackendError(f"take {take.id}: the legacy protocol has no such model")
    body: dict[str, Any] = {
        "model_name": model.legacy,
        "mode": _MODES[settings.resolution],
        # The documents show only strings. It is unknown whether a number is accepted.
        "duration": str(round(settings.duration_s)),
        "watermark_info": {"enabled": False},
        "external_task_id": external_id,
        **_prompt_fields(shot),
        **_frame_fields(frames, omni=model.omni),
    }
    if "sound" in model.fields:
        body["sound"] = "on" if settings.sound else "off"
    if "multi_shot" in model.fields:
        body["multi_shot"] = bool(shot.prompt.multi_shot)
    if frames.first is None:
        body["aspect_ratio"] = settings.aspect_ratio
    if shot.elements:
        body["element_list"] = [{"element_id": element} for _, element in shot.elements]
    if callback_url:
        body["callback_url"] = callback_url
    return Request(path, body)


def build_still(take: Take, external_id: str, *, stills: Stills, callback_url: str = "") -> Request:
    """The submission of one still made from text."""
    settings = take.shot.settings
    body: dict[str, Any] = {
        "model_name": stills.model,
        "prompt": take.shot.prompt.text,
        "n": 1,
        "aspect_ratio": settings.aspect_ratio,
        "resolution": stills.resolutions.get(settings.resolution),
        "external_task_id": external_id,
    }
    if callback_url:
        body["callback_url"] = callback_url
    return Request(stills.path, body)


def _prompt_fields(shot: Shot) -> dict[str, Any]:
    placeholders = {
        name: f"<<<element_{number}>>>" for number, (name, _) in enumerate(shot.elements, start=1)
    }
    texts = [replace_mentions(text, placeholders) for text in prompt_texts(shot)]
    if not shot.prompt.multi_shot:
        return {"prompt": texts[0]}
    return {
        # The service ignores this field, but every example in the documents contains it.
        "prompt": "",
        "shot_type": "customize",
        "multi_prompt": [
            {"index": number, "prompt": text, "duration": str(round(segment.duration_s))}
            for number, (segment, text) in enumerate(
                zip(shot.prompt.multi_shot, texts, strict=True), start=1
            )
        ],
    }


def _frame_fields(frames: EncodedFrames, *, omni: bool) -> dict[str, Any]:
    fields = ((frames.first, "image", "first_frame"), (frames.last, "image_tail", "end_frame"))
    if omni:
        images = [
            {"image_url": picture, "type": kind}
            for picture, _, kind in fields
            if picture is not None
        ]
        return {"image_list": images} if images else {}
    return {name: picture for picture, name, _ in fields if picture is not None}


def parse_job(reply: Reply, *, unit_prices: UnitPrices) -> JobInfo:
    """The job in the reply to a submission or query. Raises WireError if it contains none."""
    data = reply.data
    if not isinstance(data, dict):
        raise WireError("kling: the reply contains no job")
    result = data.get("task_result")
    result = result if isinstance(result, dict) else {}
    clips, stills = json_objects(result.get("videos")), json_objects(result.get("images"))
    links = tuple(
        link for item in (*clips, *stills) if (link := parse_link(item.get("url"))) is not None
    )
    job_id, raw_state = parse_id(data.get("task_id")), data.get("task_status")
    state = parse_state(raw_state, links)
    if job_id is None or state is None:
        raise WireError("kling: the reply contains no job")
    info = data.get("task_info")
    return JobInfo(
        id=job_id,
        external_id=parse_text(info.get("external_task_id")) if isinstance(info, dict) else "",
        state=state,
        raw_state=parse_text(raw_state),
        message=parse_text(data.get("task_status_msg")),
        links=links,
        duration_s=parse_number(clips[0].get("duration")) if clips else None,
        cost_usd=_cost_usd(data, unit_prices, makes_stills=bool(stills) and not clips),
    )


def _cost_usd(data: dict[str, Any], unit_prices: UnitPrices, *, makes_stills: bool) -> float | None:
    """The cost in USD; None for a deduction from a cash balance, whose unit is undocumented."""
    cash = data.get("final_balance_deduction")
    if isinstance(cash, dict) and parse_number(cash.get("quota")) != 0:
        return None
    units = parse_number(data.get("final_unit_deduction"))
    if units is None:
        return None
    usd_per_unit = (
        unit_prices.usd_per_image_unit if makes_stills else unit_prices.usd_per_video_unit
    )
    return round(units * usd_per_unit, 6)
