"""In strict mode, refuse request fields that are not documented for the model.

The service was observed to ignore unknown fields, so a client that sends undocumented ones gets no
error from it. The tables come from the vendor's pages, not from any client.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lab.emulator.models import Family, VideoModel
from lab.emulator.replies import ApiError

_SETTINGS = {"resolution", "duration"}
_OPTIONS = {"callback_url", "external_task_id", "watermark_info"}
_CONTENT_FIELDS = {
    "prompt": {"type", "text"},
    "first_frame": {"type", "url"},
    "last_frame": {"type", "url"},
    "element": {"type", "element_id", "id"},
}
_OMNI_CONTENT_FIELDS = {
    kind: {"type", "url", "id"} for kind in ("refer_image", "feature_video", "base_video")
}

_LEGACY_VIDEO = {"model_name", "prompt", "mode", "duration", *_OPTIONS}
_LEGACY: Mapping[Family, set[str]] = {
    "image-to-video": {*_LEGACY_VIDEO, "image", "negative_prompt"},
    "text-to-video": {*_LEGACY_VIDEO, "aspect_ratio", "negative_prompt"},
    "omni-video": {*_LEGACY_VIDEO, "aspect_ratio", "image_list", "video_list"},
    "image": {
        *("model_name", "prompt", "negative_prompt", "image", "image_reference", "image_fidelity"),
        *("human_fidelity", "element_list", "resolution", "n", "aspect_ratio"),
        *("callback_url", "external_task_id"),
    },
}
_MULTI_SHOT_FIELDS = {"multi_shot", "shot_type", "multi_prompt"}
_LIST_ITEM_FIELDS = {
    "multi_prompt": {"index", "prompt", "duration"},
    "element_list": {"element_id"},
    "image_list": {"image_url", "type"},
    "video_list": {"video_url", "refer_type", "keep_original_sound"},
    "voice_list": {"voice_id"},
}
# Fields that the vendor's capability map lists for few models.
_MODEL_FIELDS: Mapping[tuple[str, Family], set[str]] = {
    ("kling-v1", "text-to-video"): {"camera_control"},
    ("kling-v1", "image-to-video"): {"static_mask", "dynamic_masks"},
    ("kling-v1-5", "image-to-video"): {"static_mask", "dynamic_masks", "camera_control"},
    ("kling-v2-6", "image-to-video"): {"voice_list"},
    ("kling-v2-6", "text-to-video"): {"voice_list"},
}


def check_new_fields(family: Family, model: VideoModel, body: Mapping[str, Any]) -> None:
    """Raise ApiError 1201 for a field that the newer protocol does not document for this model."""
    from_text = family == "text-to-video"
    _check_documented(
        body, {"prompt" if from_text else "contents", "settings", "options"}, model.name
    )
    settings = {*_SETTINGS}
    settings |= {"multi_shot"} if model.multi_shot else set()
    settings |= {"audio"} if model.sound else set()
    settings |= set() if family == "image-to-video" else {"aspect_ratio"}
    _check_documented(_nested(body, "settings"), settings, model.name)
    _check_documented(_nested(body, "options"), _OPTIONS, model.name)
    _check_documented(_nested(_nested(body, "options"), "watermark_info"), {"enabled"}, model.name)
    kinds = {**_CONTENT_FIELDS, **(_OMNI_CONTENT_FIELDS if family == "omni-video" else {})}
    unsupported = {"last_frame"} if not model.end_frame_resolutions else set()
    unsupported |= {"element"} if not model.elements else set()
    for item in _objects(body, "contents"):
        kind = str(item.get("type"))
        if kind in unsupported:
            raise _undocumented(kind, model.name)
        _check_documented(item, kinds.get(kind, set()), model.name)


def check_legacy_fields(family: Family, model: VideoModel | None, body: Mapping[str, Any]) -> None:
    """Raise ApiError 1201 for a field that the legacy protocol does not document for this model.

    A body with `multi_prompt` but no `prompt` is refused too, because every example with
    `multi_prompt` has both.
    model: None for image tasks.
    """
    documented = {*_LEGACY[family]}
    owner = "image tasks"
    if model is not None:
        owner = model.legacy
        documented |= _MULTI_SHOT_FIELDS if model.multi_shot else set()
        documented |= {"sound"} if model.sound else set()
        documented |= _MODEL_FIELDS.get((owner, family), set())
        if family != "text-to-video" and model.elements:
            documented |= {"element_list"}
        if family == "image-to-video" and model.end_frame_resolutions:
            documented |= {"image_tail"}
        if family != "omni-video" and not owner.startswith("kling-v2"):
            documented |= {"cfg_scale"}
    _check_documented(body, documented, owner)
    _check_documented(_nested(body, "watermark_info"), {"enabled"}, owner)
    for list_name, fields in _LIST_ITEM_FIELDS.items():
        for item in _objects(body, list_name):
            _check_documented(item, fields, owner)
    if body.get("multi_prompt") and "prompt" not in body:
        raise ApiError(1201, 'prompt is missing; send prompt: "" together with multi_prompt')


def _check_documented(names: Iterable[str], documented: set[str], owner: str) -> None:
    for name in names:
        if name not in documented:
            raise _undocumented(name, owner)


def _undocumented(name: str, owner: str) -> ApiError:
    return ApiError(1201, f"{name} is not a documented field of {owner}")


def _nested(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _objects(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = body.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
