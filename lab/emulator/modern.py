"""The newer protocol: the model stands in the path, tasks are asked for in batches."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from lab.emulator.calls import Call, Route
from lab.emulator.fields import check_new
from lab.emulator.models import VIDEO_UNIT_USD, Family, VideoModel, amount_text, video_model
from lab.emulator.orders import (
    Cut,
    Order,
    check_content,
    check_duration,
    check_elements,
    check_end_frame,
    check_resolution,
    check_sound,
    cut_by_itself,
    cuts_in,
    external_id_of,
    flag_of,
    invalid,
    list_of,
    object_of,
    problem_with,
    text_of,
    watermark_of,
    word_of,
)
from lab.emulator.replies import ApiError, Reply, succeeded
from lab.emulator.store import Job, Store, files_of

_MOST_PROMPT_CHARS = 3072
_MOST_IMAGE_BYTES = 50_000_000
_RATIOS = ("16:9", "9:16", "1:1")
_DEFAULT_LIMIT, _MOST_LIMIT = 100, 500
_WINDOW_MS = 30 * 86_400_000


def create(family: Family, store: Store, call: Call) -> Reply:
    """Accept a task. Refuses only what the service refuses at once; the rest fails later."""
    model = video_model(family, name=call.parameters["model"])
    if model is None:
        raise ApiError(1203)
    body = call.json()
    if store.assumptions.strict_fields:
        check_new(family, model, body)
    job = store.add(_order(store, family, model, body, call.now_s), call.now_s, stuck=call.stuck)
    return succeeded(_head(job, job.created_s, "submitted"))


def query(store: Store, call: Call) -> Reply:
    """The tasks of a list of ids: known ones only, in the store's own order."""
    ids, external = call.query.get("task_ids", ""), call.query.get("external_task_ids", "")
    if not ids and not external:
        raise invalid("task_ids or external_task_ids is required")
    if ids and external:
        raise invalid("task_ids and external_task_ids are mutually exclusive")
    asked = [each.strip() for each in (ids or external).split(",")]
    jobs = [] if call.forget else store.known(asked, external=bool(external))
    return succeeded([row(store, job, call.now_s, word=call.word) for job in jobs])


def listing(store: Store, call: Call) -> Reply:
    """A page of tasks, newest first."""
    page = _Page.asked(call.json(), call.now_s)
    found: list[Job] = []
    more = False
    for job in () if call.forget else store.before(page.below):
        created_ms = int(job.created_s * 1000)
        if created_ms < page.start_ms:
            break
        if created_ms > page.end_ms or not page.wants(job, call.now_s):
            continue
        if len(found) == page.limit:
            more = True
            break
        found.append(job)
    data: dict[str, Any] = {"count": len(found), "has_more": more}
    if found:
        data["result"] = [row(store, job, call.now_s, word=call.word) for job in found]
    if more:
        data["next_cursor"] = page.cursor_after(found[-1])
    return succeeded(data)


def row(store: Store, job: Job, now_s: float, *, word: str = "") -> dict[str, Any]:
    """One task as a query and a callback show it."""
    told = _head(job, now_s, word)
    told = {"id": told["id"], "status": told["status"], "message": job.message(now_s), **told}
    state = job.state(now_s)
    if state == "succeeded" and not word:
        told["outputs"] = _outputs(store, job, now_s)
    if job.ended(now_s) and not word:
        told["billing"] = _billing(job)
    return told


def _head(job: Job, now_s: float, word: str) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": word or job.state(now_s),
        "create_time": int(job.created_s * 1000),
        "update_time": int(job.updated_s(now_s) * 1000),
        "external_id": job.order.external_id,
    }


def _outputs(store: Store, job: Job, now_s: float) -> list[dict[str, Any]]:
    outputs = []
    for index, (file, marked) in enumerate(files_of(job)):
        output: dict[str, Any] = {
            "type": "image" if job.order.family == "image" else "video",
            "id": str(int(job.id) + 1 + index),
            "url": store.link(job, file, now_s),
        }
        if marked:
            output["watermark_url"] = store.link(job, marked, now_s)
        if job.order.family != "image":
            output["duration"] = duration_text(job.order.duration_s)
        outputs.append(output)
    return outputs


def duration_text(duration_s: int) -> str:
    """The clip's length as it is told: one frame over what was asked for."""
    return f"{duration_s + 1 / 24:.2f}"


def _billing(job: Job) -> list[dict[str, str]]:
    if not job.units:
        return []
    return [
        {
            "charge_type": "unit",
            "amount": amount_text(job.units),
            "package_type": "image" if job.order.family == "image" else "video",
            "list_price": amount_text(job.usd),
        }
    ]


@dataclass(frozen=True)
class _Asked:
    """What the body brings beside its settings."""

    prompt: str
    frames: Mapping[str, str]
    elements: list[str]
    element_ids: list[str]
    references: int
    videos: tuple[str, ...]

    @classmethod
    def read(cls, family: Family, body: Mapping[str, Any]) -> "_Asked":
        if family == "text-to-video":
            prompt = text_of(body, "prompt", most_chars=_MOST_PROMPT_CHARS)
            if not prompt.strip():
                raise invalid("prompt is required")
            return cls(prompt, {}, [], [], 0, ())
        prompt = ""
        frames: dict[str, str] = {}
        elements: list[str] = []
        element_ids: list[str] = []
        references = 0
        videos: list[str] = []
        for item in list_of(body, "contents"):
            kind = item.get("type")
            if kind == "prompt":
                prompt = text_of(item, "text", most_chars=_MOST_PROMPT_CHARS)
            elif kind in ("first_frame", "last_frame"):
                frames[kind] = text_of(item, "url")
                if not frames[kind]:
                    raise invalid(f"{kind} needs a url")
            elif kind == "element":
                # Anything but a string is refused by no document; it is read as its text.
                elements.append(str(item.get("id") or item.get("element_id") or ""))
                element_ids.append(str(item.get("element_id", "")))
            elif kind == "refer_image" and family == "omni-video":
                references += 1
            elif kind in ("feature_video", "base_video") and family == "omni-video":
                videos.append(kind)
            else:
                raise invalid("contents type is invalid")
        if not prompt.strip():
            raise invalid("prompt is required")
        if "last_frame" in frames and "first_frame" not in frames:
            raise invalid("last_frame needs a first_frame")
        if family == "image-to-video" and "first_frame" not in frames:
            raise invalid("first_frame is required")
        return cls(prompt, frames, elements, element_ids, references, tuple(videos))


def _order(
    store: Store, family: Family, model: VideoModel, body: Mapping[str, Any], now_s: float
) -> Order:
    asked = _Asked.read(family, body)
    settings, options = object_of(body, "settings"), object_of(body, "options")
    resolution = word_of(settings, "resolution", ("720p", "1080p", "4k"), "720p")
    check_resolution(model, resolution)
    duration_s = _duration(settings)
    end_frame = "last_frame" in asked.frames
    only_first = not end_frame and not asked.videos
    check_duration(model, duration_s, only_first_frame=only_first)
    audio = _audio(model, settings, resolution)
    sound = audio != "off"
    if end_frame:
        check_end_frame(model, resolution, sound=sound)
    check_elements(
        model,
        asked.elements,
        others=asked.references,
        first_frame="first_frame" in asked.frames,
        end_frame=end_frame,
    )
    store.check_elements(asked.element_ids, now_s)
    multi_shot = flag_of(settings, "multi_shot", True)
    _check_videos(asked, multi_shot=multi_shot, audio=audio)
    cuts: tuple[Cut, ...] = ()
    if multi_shot and model.multi_shot and "base_video" not in asked.videos:
        cuts = cuts_in(asked.prompt, duration_s) or cut_by_itself(asked.prompt, duration_s)
    ratio = _ratio(family, settings, asked)
    check_content(asked.prompt)
    external_id = external_id_of(options)
    watermark = watermark_of(options)
    callback_url = text_of(options, "callback_url")
    problem = problem_with(asked.prompt)
    kept = {}
    for name, url in asked.frames.items():
        kept[name], wrong = store.pictures.keep(url, most_bytes=_MOST_IMAGE_BYTES, data_uris=True)
        problem = problem or wrong
    units = model.units(duration_s, resolution, sound=sound, reference_video=bool(asked.videos))
    return Order(
        protocol="new",
        family=family,
        model=model.name,
        prompt=asked.prompt,
        units=units,
        usd=units * VIDEO_UNIT_USD,
        external_id=external_id,
        duration_s=duration_s,
        resolution=resolution,
        sound=sound,
        aspect_ratio=ratio,
        still=kept.get("first_frame", ""),
        end_still=kept.get("last_frame", ""),
        cuts=cuts,
        watermark=watermark,
        callback_url=callback_url,
        problem=problem,
    )


def _duration(settings: Mapping[str, Any]) -> int:
    value = settings.get("duration")
    if value is None:
        return 5
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid("duration must be an integer")
    return value


def _audio(model: VideoModel, settings: Mapping[str, Any], resolution: str) -> str:
    if model.always_sound:
        return "native"
    mode = word_of(settings, "audio", ("off", "native", "original"), "off")
    if mode != "off":
        check_sound(model, resolution, mode)
    return mode


def _ratio(family: Family, settings: Mapping[str, Any], asked: _Asked) -> str:
    if family == "image-to-video":
        return ""
    if family == "text-to-video":
        return word_of(settings, "aspect_ratio", _RATIOS, "16:9")
    if "first_frame" in asked.frames or asked.videos:
        return ""
    if not settings.get("aspect_ratio"):
        raise invalid("aspect_ratio is required")
    return word_of(settings, "aspect_ratio", _RATIOS, "")


def _check_videos(asked: _Asked, *, multi_shot: bool, audio: str) -> None:
    if not asked.videos:
        return
    if len(asked.videos) > 1:
        raise invalid("at most one reference video")
    if len(asked.elements) + asked.references > 4:
        raise invalid("at most 4 images and elements with a reference video")
    if asked.videos[0] == "base_video":
        if asked.frames:
            raise invalid("base_video takes no first or last frame")
        if audio == "native":
            raise invalid("base_video takes no native audio")
    elif audio != "off" or not multi_shot:
        raise invalid("feature_video needs multi_shot true and audio off")


@dataclass(frozen=True)
class _Page:
    """One page of the listing: how many, between which times, below which task."""

    limit: int
    start_ms: int
    end_ms: int
    below: int
    filters: Mapping[str, tuple[str, ...]]

    @classmethod
    def asked(cls, body: Mapping[str, Any], now_s: float) -> "_Page":
        limit = body.get("limit", _DEFAULT_LIMIT)
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MOST_LIMIT:
            raise invalid(f"limit must be an integer from 1 to {_MOST_LIMIT}")
        filters: dict[str, tuple[str, ...]] = {}
        for each in list_of(body, "filters"):
            key = word_of(each, "key", ("status", "product_type"), "")
            values = each.get("values")
            if not isinstance(values, list):
                raise invalid("values of a filter must be a list")
            filters[key] = tuple(str(value) for value in values)
        cursor = text_of(body, "cursor")
        if cursor:
            return cls(limit, *_place_in(cursor), filters)
        end_ms = _milliseconds(body, "end_time", int(now_s * 1000))
        start_ms = _milliseconds(body, "start_time", end_ms - _WINDOW_MS)
        return cls(limit, start_ms, end_ms, -1, filters)

    def wants(self, job: Job, now_s: float) -> bool:
        facts = {"status": job.state(now_s), "product_type": job.order.family}
        return all(facts[key] in values for key, values in self.filters.items())

    def cursor_after(self, job: Job) -> str:
        place = [self.start_ms, self.end_ms, job.number]
        return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place_in(cursor: str) -> tuple[int, int, int]:
    try:
        start_ms, end_ms, below = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return int(start_ms), int(end_ms), max(0, int(below))
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise invalid("cursor is invalid") from None


def _milliseconds(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if value is None or value == "":
        return default
    try:
        return int(str(value))
    except ValueError:
        raise invalid(f"{name} must be a time in milliseconds") from None


ROUTES = (
    Route("POST", "/image-to-video/{model}", "create", False, partial(create, "image-to-video")),
    Route("POST", "/text-to-video/{model}", "create", False, partial(create, "text-to-video")),
    Route("POST", "/omni-video/{model}", "create", False, partial(create, "omni-video")),
    Route("GET", "/tasks", "query", False, query),
    Route("POST", "/tasks", "query", False, listing),
)
