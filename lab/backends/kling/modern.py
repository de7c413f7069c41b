"""The new protocol ("API 2.0"): build submissions as JSON and parse replies.

Source: kling.ai/document-api, the image-to-video and video-omni pages of 2026-07-15.
"""

from collections.abc import Sequence
from typing import Any

from lab.backends.kling.catalogue import Model, UnitPrices
from lab.backends.kling.mentions import prompt_texts
from lab.backends.kling.wire import (
    EncodedFrames,
    JobInfo,
    Reply,
    Request,
    WireError,
    billed_usd,
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

TASKS = "/tasks"


def build(
    take: Take, external_id: str, *, model: Model, frames: EncodedFrames, callback_url: str = ""
) -> Request:
    """The submission of one clip. external_id: our own id of the job.

    Settings whose defaults could spoil an experiment unnoticed are always sent: multi-shot, sound,
    resolution, length and watermark, as far as the model has them. Raises BackendError if the model
    cannot make such a clip.
    """
    shot = take.shot
    path = model.path("new", from_image=frames.first is not None)
    if path is None:
        raise BackendError(f"take {take.id}: this model cannot make a clip from text alone")
    settings = _settings(shot, model, from_image=frames.first is not None)
    options: dict[str, Any] = {
        "external_task_id": external_id,
        "watermark_info": {"enabled": False},
    }
    if callback_url:
        options["callback_url"] = callback_url
    body: dict[str, Any] = {"settings": settings, "options": options}
    if frames.first is None and not model.omni:
        return Request(path, {"prompt": prompt_text(shot), **body})
    return Request(path, {"contents": _contents(shot, frames), **body})


def prompt_text(shot: Shot) -> str:
    """The prompt as it is sent.

    A multi-shot prompt is sent as "shot 1, 5, a cup; shot 2, 3, steam rises;" if its first shot
    lasts 5 s and its second one 3 s.
    """
    segments = shot.prompt.multi_shot
    if not segments:
        return shot.prompt.text
    # A semicolon ends a segment, so a semicolon inside one is sent as a comma.
    texts = [text.replace(";", ",") for text in prompt_texts(shot)]
    return " ".join(
        f"shot {number}, {segment.duration_s:.0f}, {text};"
        for number, (segment, text) in enumerate(zip(segments, texts, strict=True), start=1)
    )


def _contents(shot: Shot, frames: EncodedFrames) -> list[dict[str, str]]:
    contents = [{"type": "prompt", "text": prompt_text(shot)}]
    for kind, picture in (("first_frame", frames.first), ("last_frame", frames.last)):
        if picture is not None:
            contents.append({"type": kind, "url": picture})
    contents += [
        {"type": "element", "element_id": element, "id": name} for name, element in shot.elements
    ]
    return contents


def _settings(shot: Shot, model: Model, *, from_image: bool) -> dict[str, Any]:
    requested = shot.settings
    settings: dict[str, Any] = {
        "resolution": requested.resolution,
        "duration": round(requested.duration_s),
    }
    if "multi_shot" in model.fields:
        settings["multi_shot"] = bool(shot.prompt.multi_shot)
    if "sound" in model.fields:
        settings["audio"] = "native" if requested.sound else "off"
    if not from_image:
        settings["aspect_ratio"] = requested.aspect_ratio
    return settings


def parse_created(reply: Reply, *, unit_prices: UnitPrices) -> JobInfo:
    """The job that a submission started. Raises WireError if the reply contains none."""
    job = _parse_job(reply.data, unit_prices)
    if job is None:
        raise WireError("kling: the reply to a submission contains no job")
    return job


def parse_jobs(reply: Reply, *, unit_prices: UnitPrices) -> tuple[JobInfo, ...]:
    """The jobs in the reply to a query, in any order. Invalid entries are left out.

    Raises WireError if the reply contains no list.
    """
    if not isinstance(reply.data, list):
        raise WireError("kling: the reply to a query contains no list of jobs")
    jobs = (_parse_job(item, unit_prices) for item in reply.data)
    return tuple(job for job in jobs if job is not None)


def _parse_job(data: object, unit_prices: UnitPrices) -> JobInfo | None:
    if not isinstance(data, dict):
        return None
    job_id, raw_state = parse_id(data.get("id")), data.get("status")
    outputs = [
        output
        for output in json_objects(data.get("outputs"))
        if output.get("type") in ("video", "image") and parse_link(output.get("url"))
    ]
    links = tuple(str(output["url"]) for output in outputs)
    state = parse_state(raw_state, links)
    if job_id is None or state is None:
        return None
    lengths_s = [parse_number(output.get("duration")) for output in outputs]
    return JobInfo(
        id=job_id,
        external_id=parse_text(data.get("external_id")),
        state=state,
        raw_state=parse_text(raw_state),
        message=parse_text(data.get("message")),
        links=links,
        duration_s=lengths_s[0] if lengths_s else None,
        cost_usd=billed_usd(data.get("billing"), unit_prices),
    )


def ids_query(ids: Sequence[str]) -> dict[str, str]:
    """The query parameters for jobs by their ids."""
    return {"task_ids": ",".join(ids)}


def external_id_query(external_id: str) -> dict[str, str]:
    """The query parameters for a job by our own id of it."""
    return {"external_task_ids": external_id}
