"""The newer protocol: the model in the path, queries for several tasks at once."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NotRequired, TypedDict

from lab.emulator.models import VIDEO_UNIT_USD, Family, VideoModel, amount_text, video_model
from lab.emulator.replies import ApiError, Reply, success_reply
from lab.emulator.routing import ApiRequest, Route
from lab.emulator.store import Store, Task, file_names
from lab.emulator.strict_fields import check_new_fields
from lab.emulator.task_spec import (
    Segment,
    TaskSpec,
    check_content,
    check_duration,
    check_elements,
    check_end_frame,
    check_resolution,
    check_sound,
    choice_of,
    default_segments,
    external_id_of,
    flag_of,
    invalid,
    list_of,
    object_of,
    prompt_failure,
    segments_in_prompt,
    text_of,
    watermark_of,
)

_MAX_PROMPT_CHARS = 3072
_MAX_IMAGE_BYTES = 50_000_000
_RATIOS = ("16:9", "9:16", "1:1")
_DEFAULT_LIMIT, _MAX_LIMIT = 100, 500
_WINDOW_MS = 30 * 86_400_000


def create(family: Family, store: Store, request: ApiRequest) -> Reply:
    """Accept a task. Errors that the service finds only later make the task fail."""
    model = video_model(family, name=request.parameters["model"])
    if model is None:
        raise ApiError(1203)
    body = request.json()
    if store.assumptions.strict_fields:
        check_new_fields(family, model, body)
    task = store.add(
        _task_spec(store, family, model, body, request.now_s), request.now_s, stuck=request.stuck
    )
    return success_reply(_head(task, task.created_s, "submitted"))


def query(store: Store, request: ApiRequest) -> Reply:
    """The tasks with the listed ids, newest first; unknown ids are skipped."""
    ids, external = request.query.get("task_ids", ""), request.query.get("external_task_ids", "")
    if not ids and not external:
        raise invalid("task_ids or external_task_ids is required")
    if ids and external:
        raise invalid("task_ids and external_task_ids are mutually exclusive")
    keys = [each.strip() for each in (ids or external).split(",")]
    tasks = [] if request.hide_tasks else store.find(keys, external=bool(external))
    return success_reply(
        [
            task_json(store, task, request.now_s, status_override=request.status_override)
            for task in tasks
        ]
    )


def list_tasks(store: Store, request: ApiRequest) -> Reply:
    """A page of tasks, newest first."""
    page = _Page.from_body(request.json(), request.now_s)
    tasks: list[Task] = []
    has_more = False
    for task in () if request.hide_tasks else store.before(page.below):
        created_ms = int(task.created_s * 1000)
        if created_ms < page.start_ms:
            break
        if created_ms > page.end_ms or not page.matches(task, request.now_s):
            continue
        if len(tasks) == page.limit:
            has_more = True
            break
        tasks.append(task)
    data: dict[str, Any] = {"count": len(tasks), "has_more": has_more}
    if tasks:
        data["result"] = [
            task_json(store, task, request.now_s, status_override=request.status_override)
            for task in tasks
        ]
    if has_more:
        data["next_cursor"] = page.cursor_after(tasks[-1])
    return success_reply(data)


class _Head(TypedDict):
    """A task in the reply to its creation."""

    id: str
    status: str
    create_time: int
    update_time: int
    external_id: str


class Output(TypedDict):
    """One file of a finished task."""

    type: str
    id: str
    url: str
    watermark_url: NotRequired[str]
    duration: NotRequired[str]


class TaskJson(TypedDict):
    """A task in a reply or a callback; finished tasks have outputs and billing."""

    id: str
    status: str
    message: str
    create_time: int
    update_time: int
    external_id: str
    outputs: NotRequired[list[Output]]
    billing: NotRequired[list[dict[str, str]]]


def task_json(store: Store, task: Task, now_s: float, *, status_override: str = "") -> TaskJson:
    """One task as a query and a callback report it."""
    head = _head(task, now_s, status_override)
    report: TaskJson = {
        "id": head["id"],
        "status": head["status"],
        "message": task.message(now_s),
        "create_time": head["create_time"],
        "update_time": head["update_time"],
        "external_id": head["external_id"],
    }
    state = task.state(now_s)
    if state == "succeeded" and not status_override:
        report["outputs"] = _outputs(store, task, now_s)
    if task.ended(now_s) and not status_override:
        report["billing"] = _billing(task)
    return report


def _head(task: Task, now_s: float, status_override: str) -> _Head:
    return {
        "id": task.id,
        "status": status_override or task.state(now_s),
        "create_time": int(task.created_s * 1000),
        "update_time": int(task.updated_s(now_s) * 1000),
        "external_id": task.spec.external_id,
    }


def _outputs(store: Store, task: Task, now_s: float) -> list[Output]:
    outputs = []
    for index, (file, watermarked) in enumerate(file_names(task)):
        output: Output = {
            "type": "image" if task.spec.family == "image" else "video",
            "id": str(int(task.id) + 1 + index),
            "url": store.link(task, file, now_s),
        }
        if watermarked:
            output["watermark_url"] = store.link(task, watermarked, now_s)
        if task.spec.family != "image":
            output["duration"] = duration_text(task.spec.duration_s)
        outputs.append(output)
    return outputs


def duration_text(duration_s: int) -> str:
    """The reported duration: one frame longer than the requested one."""
    return f"{duration_s + 1 / 24:.2f}"


def _billing(task: Task) -> list[dict[str, str]]:
    if not task.units:
        return []
    return [
        {
            "charge_type": "unit",
            "amount": amount_text(task.units),
            "package_type": "image" if task.spec.family == "image" else "video",
            "list_price": amount_text(task.usd),
        }
    ]


@dataclass(frozen=True)
class _Contents:
    """The prompt, frames and references in a request body."""

    prompt: str
    frames: Mapping[str, str]
    id_or_element_id: list[str]
    element_ids: list[str]
    references: int
    videos: tuple[str, ...]

    @classmethod
    def read(cls, family: Family, body: Mapping[str, Any]) -> "_Contents":
        if family == "text-to-video":
            prompt = text_of(body, "prompt", max_chars=_MAX_PROMPT_CHARS)
            if not prompt.strip():
                raise invalid("prompt is required")
            return cls(prompt, {}, [], [], 0, ())
        prompt = ""
        frames: dict[str, str] = {}
        id_or_element_id: list[str] = []
        element_ids: list[str] = []
        references = 0
        videos: list[str] = []
        for item in list_of(body, "contents"):
            kind = item.get("type")
            if kind == "prompt":
                prompt = text_of(item, "text", max_chars=_MAX_PROMPT_CHARS)
            elif kind in ("first_frame", "last_frame"):
                frames[kind] = text_of(item, "url")
                if not frames[kind]:
                    raise invalid(f"{kind} needs a url")
            elif kind == "element":
                # str(), because no document says that the service refuses an id that is not a
                # string.
                id_or_element_id.append(str(item.get("id") or item.get("element_id") or ""))
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
        return cls(prompt, frames, id_or_element_id, element_ids, references, tuple(videos))


def _task_spec(
    store: Store, family: Family, model: VideoModel, body: Mapping[str, Any], now_s: float
) -> TaskSpec:
    contents = _Contents.read(family, body)
    settings, options = object_of(body, "settings"), object_of(body, "options")
    resolution = choice_of(settings, "resolution", ("720p", "1080p", "4k"), "720p")
    check_resolution(model, resolution)
    duration_s = _duration(settings)
    end_frame = "last_frame" in contents.frames
    check_duration(model, duration_s, has_last_frame_or_video=bool(end_frame or contents.videos))
    audio = _audio(model, settings, resolution)
    sound = audio != "off"
    if end_frame:
        check_end_frame(model, resolution, sound=sound)
    check_elements(
        model,
        contents.id_or_element_id,
        others=contents.references,
        first_frame="first_frame" in contents.frames,
        end_frame=end_frame,
    )
    store.check_elements(contents.element_ids, now_s)
    multi_shot = flag_of(settings, "multi_shot", True)
    _check_videos(contents, multi_shot=multi_shot, audio=audio)
    segments: tuple[Segment, ...] = ()
    if multi_shot and model.multi_shot and "base_video" not in contents.videos:
        segments = segments_in_prompt(contents.prompt, duration_s) or default_segments(
            contents.prompt, duration_s
        )
    ratio = _ratio(family, settings, contents)
    check_content(contents.prompt)
    external_id = external_id_of(options)
    watermark = watermark_of(options)
    callback_url = text_of(options, "callback_url")
    failure = prompt_failure(contents.prompt)
    keys = {}
    for name, url in contents.frames.items():
        keys[name], image_failure = store.images.add(
            url, max_bytes=_MAX_IMAGE_BYTES, accepts_data_uris=True
        )
        failure = failure or image_failure
    units = model.units(duration_s, resolution, sound=sound, reference_video=bool(contents.videos))
    return TaskSpec(
        protocol="new",
        family=family,
        model=model.name,
        prompt=contents.prompt,
        units=units,
        usd=units * VIDEO_UNIT_USD,
        external_id=external_id,
        duration_s=duration_s,
        resolution=resolution,
        sound=sound,
        aspect_ratio=ratio,
        still=keys.get("first_frame", ""),
        end_still=keys.get("last_frame", ""),
        segments=segments,
        watermark=watermark,
        callback_url=callback_url,
        failure=failure,
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
    mode = choice_of(settings, "audio", ("off", "native", "original"), "off")
    if mode != "off":
        check_sound(model, resolution, mode)
    return mode


def _ratio(family: Family, settings: Mapping[str, Any], contents: _Contents) -> str:
    if family == "image-to-video":
        return ""
    if family == "text-to-video":
        return choice_of(settings, "aspect_ratio", _RATIOS, "16:9")
    if "first_frame" in contents.frames or contents.videos:
        return ""
    if not settings.get("aspect_ratio"):
        raise invalid("aspect_ratio is required")
    return choice_of(settings, "aspect_ratio", _RATIOS, "")


def _check_videos(contents: _Contents, *, multi_shot: bool, audio: str) -> None:
    if not contents.videos:
        return
    if len(contents.videos) > 1:
        raise invalid("at most one reference video")
    if len(contents.id_or_element_id) + contents.references > 4:
        raise invalid("at most 4 images and elements with a reference video")
    if contents.videos[0] == "base_video":
        if contents.frames:
            raise invalid("base_video takes no first or last frame")
        if audio == "native":
            raise invalid("base_video takes no native audio")
    elif audio != "off" or not multi_shot:
        raise invalid("feature_video needs multi_shot true and audio off")


@dataclass(frozen=True)
class _Page:
    """One page of tasks: at most `limit` tasks with numbers below `below` (-1: all tasks).

    start_ms, end_ms: range of creation times. filters: accepted values by key.
    """

    limit: int
    start_ms: int
    end_ms: int
    below: int
    filters: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_body(cls, body: Mapping[str, Any], now_s: float) -> "_Page":
        limit = body.get("limit", _DEFAULT_LIMIT)
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MAX_LIMIT:
            raise invalid(f"limit must be an integer from 1 to {_MAX_LIMIT}")
        filters: dict[str, tuple[str, ...]] = {}
        for each in list_of(body, "filters"):
            key = choice_of(each, "key", ("status", "product_type"), "")
            values = each.get("values")
            if not isinstance(values, list):
                raise invalid("values of a filter must be a list")
            filters[key] = tuple(str(value) for value in values)
        cursor = text_of(body, "cursor")
        if cursor:
            return cls(limit, *_parse_cursor(cursor), filters)
        end_ms = _milliseconds(body, "end_time", int(now_s * 1000))
        start_ms = _milliseconds(body, "start_time", end_ms - _WINDOW_MS)
        return cls(limit, start_ms, end_ms, -1, filters)

    def matches(self, task: Task, now_s: float) -> bool:
        values_of_task = {"status": task.state(now_s), "product_type": task.spec.family}
        return all(values_of_task[key] in values for key, values in self.filters.items())

    def cursor_after(self, task: Task) -> str:
        position = [self.start_ms, self.end_ms, task.number]
        return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _parse_cursor(cursor: str) -> tuple[int, int, int]:
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
    Route("POST", "/tasks", "query", False, list_tasks),
)
