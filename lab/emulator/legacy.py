"""The legacy protocol: one path per task family, the model in the request body."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any, NotRequired, TypedDict

from lab.emulator.models import (
    IMAGE_UNIT_USD,
    VIDEO_UNIT_USD,
    Family,
    VideoModel,
    amount_text,
    image_model,
    video_model,
)
from lab.emulator.modern import duration_text
from lab.emulator.replies import ApiError, Reply, success_reply
from lab.emulator.routing import ApiRequest, Route
from lab.emulator.store import Store, Task, file_names
from lab.emulator.strict_fields import check_legacy_fields
from lab.emulator.task_spec import (
    Segment,
    TaskSpec,
    check_content,
    check_duration,
    check_elements,
    check_end_frame,
    check_resolution,
    check_segments,
    check_sound,
    choice_of,
    default_segments,
    external_id_of,
    flag_of,
    invalid,
    list_of,
    number_of,
    prompt_failure,
    text_of,
    watermark_of,
)

_MAX_PROMPT_CHARS = 2500
_MAX_IMAGE_BYTES = 10_000_000
_MODES = {"std": "720p", "pro": "1080p", "4k": "4k"}
_RATIOS = ("16:9", "9:16", "1:1")
_IMAGE_RATIOS = (*_RATIOS, "4:3", "3:4", "3:2", "2:3", "21:9")
_COSTS_LAG_S = 12 * 3600
_PACK_VALIDITY_S = 180 * 86_400
_WIRE_STATUS = {"succeeded": "succeed"}
_DEFAULT_MODELS: dict[Family, str] = {
    "image-to-video": "kling-v1",
    "text-to-video": "kling-v1",
    "omni-video": "kling-video-o1",
    "image": "kling-v1",
}


def create(family: Family, store: Store, request: ApiRequest) -> Reply:
    """Accept a task. Errors that the service finds only later make the task fail."""
    body = request.json()
    spec = (
        _image_task_spec(store, body)
        if family == "image"
        else _video_task_spec(store, family, body, request.now_s)
    )
    task = store.add(spec, request.now_s, stuck=request.stuck)
    return success_reply(
        {
            "task_id": task.id,
            "task_status": "submitted",
            "task_info": _info(task),
            "created_at": int(task.created_s * 1000),
            "updated_at": int(task.created_s * 1000),
        }
    )


def query(family: Family, store: Store, request: ApiRequest) -> Reply:
    """One task by its id or external id, on the path of its family."""
    some_id = request.parameters["id"]
    task = store.get(some_id) or store.get_external(some_id)
    if task is None or task.spec.family != family or request.hide_tasks:
        raise ApiError(1201, "task not found")
    return success_reply(
        task_json(store, task, request.now_s, status_override=request.status_override)
    )


def list_tasks(family: Family, store: Store, request: ApiRequest) -> Reply:
    """A page of one family's tasks, newest first."""
    page = number_of(request.query, "pageNum", default=1, maximum=1000)
    size = number_of(request.query, "pageSize", default=30, maximum=500)
    tasks = (task for task in store.before(-1) if task.spec.family == family)
    chosen = [] if request.hide_tasks else islice(tasks, (page - 1) * size, page * size)
    return success_reply(
        [
            task_json(store, task, request.now_s, status_override=request.status_override)
            for task in chosen
        ]
    )


def costs(store: Store, request: ApiRequest) -> Reply:
    """The account's resource packs twelve hours ago: the service reports them with a delay."""
    for name in ("start_time", "end_time"):
        if not request.query.get(name, "").isdecimal():
            raise invalid(f"{name} is required")
    store.limit_cost_queries(request.now_s)
    data: dict[str, Any] = {"code": 0, "msg": "success"}
    remaining = store.remaining_units(request.now_s - _COSTS_LAG_S)
    if remaining is not None:
        purchased_ms = int((request.now_s - 86_400) * 1000)
        data["resource_pack_subscribe_infos"] = [
            {
                "resource_pack_name": "Video API pack",
                "resource_pack_id": "509f3fd3d4f644ea9c2a7b3a1e1a6f01",
                "resource_pack_type": "decreasing_total",
                "total_quantity": float(store.account.balance_units or 0),
                "remaining_quantity": float(remaining),
                "purchase_time": purchased_ms,
                "effective_time": purchased_ms,
                "invalid_time": purchased_ms + _PACK_VALIDITY_S * 1000,
                "status": "online" if remaining > 0 else "runOut",
            }
        ]
    return success_reply(data)


class TaskResult(TypedDict, total=False):
    """The files of a task that succeeded."""

    images: list[dict[str, int | str]] | None
    videos: list[dict[str, str]]


class TaskJson(TypedDict):
    """A task in a reply or a callback.

    Finished tasks have task_result and final_unit_deduction. Only query replies have
    watermark_info.
    """

    task_id: str
    task_status: str
    task_status_msg: str
    task_info: dict[str, str]
    created_at: int
    updated_at: int
    task_result: NotRequired[TaskResult]
    final_unit_deduction: NotRequired[str]
    watermark_info: NotRequired[dict[str, bool]]


def task_json(store: Store, task: Task, now_s: float, *, status_override: str = "") -> TaskJson:
    """One task as a query reports it."""
    report = callback_json(store, task, now_s, status_override=status_override)
    report["watermark_info"] = {"enabled": task.spec.watermark}
    return report


def callback_json(store: Store, task: Task, now_s: float, *, status_override: str = "") -> TaskJson:
    """One task as a callback reports it."""
    state = task.state(now_s)
    report: TaskJson = {
        "task_id": task.id,
        "task_status": status_override or _WIRE_STATUS.get(state, state),
        "task_status_msg": task.message(now_s),
        "task_info": _info(task),
        "created_at": int(task.created_s * 1000),
        "updated_at": int(task.updated_s(now_s) * 1000),
    }
    if status_override:
        return report
    if state == "succeeded":
        report["task_result"] = _result(store, task, now_s)
    if task.ended(now_s):
        report["final_unit_deduction"] = amount_text(task.units) if task.units else "0"
    return report


def _info(task: Task) -> dict[str, str]:
    return {"external_task_id": task.spec.external_id} if task.spec.external_id else {}


def _result(store: Store, task: Task, now_s: float) -> TaskResult:
    if task.spec.family == "image":
        images: list[dict[str, int | str]] = [
            {"index": index, "url": store.link(task, file, now_s)}
            for index, (file, _) in enumerate(file_names(task))
        ]
        return {"images": images}
    ((file, watermarked),) = file_names(task)
    video: dict[str, str] = {
        "id": str(int(task.id) + 1),
        "url": store.link(task, file, now_s),
    }
    if watermarked:
        video["watermark_url"] = store.link(task, watermarked, now_s)
    video["duration"] = duration_text(task.spec.duration_s)
    return {"videos": [video], "images": None}


def _video_task_spec(
    store: Store, family: Family, body: Mapping[str, Any], now_s: float
) -> TaskSpec:
    model = _model(store, family, body)
    if store.assumptions.strict_fields:
        check_legacy_fields(family, model, body)
    prompt = text_of(body, "prompt", max_chars=_MAX_PROMPT_CHARS)
    negative = text_of(body, "negative_prompt", max_chars=_MAX_PROMPT_CHARS)
    _check_cfg_scale(body)
    duration_s = _duration(store, body)
    segments = _segments(model, body, prompt, duration_s)
    if not prompt.strip() and not segments:
        raise invalid("prompt can not be null")
    first, last, references = _frames(family, body)
    if segments and (last or (first and family == "omni-video")):
        # In image-to-video, multi_shot accepts a first frame, because a documented example for
        # kling-v3 sends one.
        raise invalid("multi_shot does not support first or end frames")
    videos = list_of(body, "video_list") if family == "omni-video" else []
    mode = choice_of(body, "mode", tuple(_MODES), "pro" if family == "omni-video" else "std")
    resolution = _MODES[mode]
    check_resolution(model, resolution)
    check_duration(model, duration_s, has_last_frame_or_video=bool(last or videos))
    sound = choice_of(body, "sound", ("off", "on"), "off") == "on"
    if sound:
        check_sound(model, resolution, "native")
    if last:
        check_end_frame(model, resolution, sound=sound)
    elements = [str(item.get("element_id", "")) for item in list_of(body, "element_list")]
    check_elements(
        model, elements, others=references, first_frame=bool(first), end_frame=bool(last)
    )
    store.check_elements(elements, now_s)
    full_prompt = prompt or " ".join(segment.prompt for segment in segments)
    check_content(prompt, negative, *(segment.prompt for segment in segments))
    failure = next(
        filter(None, map(prompt_failure, (prompt, *(segment.prompt for segment in segments)))), ""
    )
    ratio = _ratio(family, body, has_source=bool(first or videos))
    external_id = external_id_of(body)
    watermark = watermark_of(body)
    callback_url = text_of(body, "callback_url")
    keys = []
    for image in (first, last):
        key, image_failure = _add_image(store, image) if image else ("", "")
        keys.append(key)
        failure = failure or image_failure
    units = model.units(duration_s, resolution, sound=sound, reference_video=bool(videos))
    return TaskSpec(
        protocol="legacy",
        family=family,
        model=model.legacy,
        prompt=full_prompt,
        units=units,
        usd=units * VIDEO_UNIT_USD,
        external_id=external_id,
        duration_s=duration_s,
        resolution=resolution,
        sound=sound,
        aspect_ratio=ratio,
        still=keys[0],
        end_still=keys[1],
        segments=segments,
        watermark=watermark,
        callback_url=callback_url,
        failure=failure,
    )


def _image_task_spec(store: Store, body: Mapping[str, Any]) -> TaskSpec:
    if store.assumptions.strict_fields:
        check_legacy_fields("image", None, body)
    name = text_of(body, "model_name") or _DEFAULT_MODELS["image"]
    model = image_model(name)
    if model is None:
        raise invalid("model_name is invalid")
    prompt = text_of(body, "prompt", max_chars=_MAX_PROMPT_CHARS)
    if not prompt.strip():
        raise invalid("prompt can not be null")
    count = body.get("n", 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 9:
        raise invalid("n must be an integer from 1 to 9")
    ratio = choice_of(body, "aspect_ratio", _IMAGE_RATIOS, "16:9")
    resolution = choice_of(body, "resolution", ("1k", "2k"), "1k")
    check_content(prompt, text_of(body, "negative_prompt", max_chars=_MAX_PROMPT_CHARS))
    external_id = external_id_of(body)
    callback_url = text_of(body, "callback_url")
    image = text_of(body, "image")
    key, image_failure = _add_image(store, image) if image else ("", "")
    units = model.picture_units * count
    return TaskSpec(
        protocol="legacy",
        family="image",
        model=name,
        prompt=prompt,
        units=units,
        usd=units * IMAGE_UNIT_USD,
        external_id=external_id,
        duration_s=0,
        resolution=resolution,
        aspect_ratio=ratio,
        still=key,
        count=count,
        callback_url=callback_url,
        failure=prompt_failure(prompt) or image_failure,
    )


def _model(store: Store, family: Family, body: Mapping[str, Any]) -> VideoModel:
    # The older key `model` is ignored without an error; the default model is used.
    name = text_of(body, "model_name") or _DEFAULT_MODELS[family]
    model = video_model(family, legacy=name)
    if model is None or (model.retired and not store.assumptions.retired_models):
        raise invalid("model_name is invalid")
    return model


def _duration(store: Store, body: Mapping[str, Any]) -> int:
    value = body.get("duration")
    if value is None:
        return 5
    if store.assumptions.number_durations and isinstance(value, int):
        value = str(value)
    if not isinstance(value, str) or not value.isdecimal() or len(value) > 3:
        raise invalid("duration is invalid")
    return int(value)


def _check_cfg_scale(body: Mapping[str, Any]) -> None:
    value = body.get("cfg_scale")
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise invalid("cfg_scale must be a number from 0 to 1")


def _segments(
    model: VideoModel, body: Mapping[str, Any], prompt: str, duration_s: int
) -> tuple[Segment, ...]:
    # A documented example sends the string "true".
    if not flag_of(body, "multi_shot", False, accepts_strings=True) or not model.multi_shot:
        return ()
    if choice_of(body, "shot_type", ("customize", "intelligence"), "") == "intelligence":
        if not prompt.strip():
            raise invalid("prompt can not be null")
        return default_segments(prompt, duration_s)
    shots = list_of(body, "multi_prompt")
    if not shots:
        raise invalid("multi_prompt is required")
    segments = [Segment(_seconds(each.get("duration")), text_of(each, "prompt")) for each in shots]
    check_segments(segments, duration_s)
    return tuple(segments)


def _seconds(value: Any) -> float:
    try:
        return float(Decimal(value)) if isinstance(value, str) and len(value) < 8 else 0.0
    except (ArithmeticError, ValueError):
        return 0.0


def _frames(family: Family, body: Mapping[str, Any]) -> tuple[str, str, int]:
    """First frame, last frame, and the number of other reference images."""
    if family == "text-to-video":
        return "", "", 0
    if family == "image-to-video":
        first, last = text_of(body, "image"), text_of(body, "image_tail")
        if not first:
            raise invalid("image can not be null")
        return first, last, 0
    frames: dict[str, str] = {}
    references = 0
    for item in list_of(body, "image_list"):
        url = text_of(item, "image_url")
        kind = choice_of(item, "type", ("first_frame", "end_frame", "reference"), "reference")
        if not url:
            raise invalid("image_url can not be null")
        if kind == "reference":
            references += 1
        else:
            frames[kind] = url
    if "end_frame" in frames and "first_frame" not in frames:
        raise invalid("end_frame needs a first_frame")
    return frames.get("first_frame", ""), frames.get("end_frame", ""), references


def _ratio(family: Family, body: Mapping[str, Any], *, has_source: bool) -> str:
    if family == "image-to-video" or has_source:
        return ""
    if family == "omni-video" and not body.get("aspect_ratio"):
        raise invalid("aspect_ratio is required")
    return choice_of(body, "aspect_ratio", _RATIOS, "16:9")


def _add_image(store: Store, image: str) -> tuple[str, str]:
    return store.images.add(image, max_bytes=_MAX_IMAGE_BYTES, accepts_data_uris=False)


def _routes(path: str, family: Family) -> tuple[Route, ...]:
    return (
        Route("POST", path, "create", True, partial(create, family)),
        Route("GET", path, "query", True, partial(list_tasks, family)),
        Route("GET", f"{path}/{{id}}", "query", True, partial(query, family)),
    )


ROUTES = (
    *_routes("/v1/videos/image2video", "image-to-video"),
    *_routes("/v1/videos/text2video", "text-to-video"),
    *_routes("/v1/videos/omni-video", "omni-video"),
    *_routes("/v1/images/generations", "image"),
    Route("GET", "/account/costs", "account", True, costs),
)
