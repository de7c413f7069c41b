"""The element endpoints: register from pictures, ask, list, delete."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, TypedDict

from lab.emulator.calls import Call, Route
from lab.emulator.library import Entry
from lab.emulator.orders import (
    check_content,
    external_id_of,
    invalid,
    list_of,
    number_of,
    object_of,
    problem_with,
    text_of,
    word_of,
)
from lab.emulator.replies import ApiError, Reply, succeeded
from lab.emulator.store import Store

_PATH = "/v1/general/advanced-custom-elements"
_MOST_NAME_CHARS = 20
_MOST_DESCRIPTION_CHARS = 100
_MOST_OTHER_PICTURES = 3
_MOST_IMAGE_BYTES = 10_000_000
_TAGS = tuple(f"o_{number}" for number in range(101, 109))
_OWNER = "1234567890"
_WORDS = {"succeeded": "succeed"}


def create(store: Store, call: Call) -> Reply:
    """Accept a registration. What is wrong with its pictures shows later, as with clips."""
    body = call.json()
    name = _required(body, "element_name", _MOST_NAME_CHARS)
    description = _required(body, "element_description", _MOST_DESCRIPTION_CHARS)
    if word_of(body, "reference_type", ("image_refer", "video_refer"), "") != "image_refer":
        raise invalid("reference_type video_refer is not emulated")
    images = _images(object_of(body, "element_image_list"))
    tags = tuple(text_of(tag, "tag_id") for tag in list_of(body, "tag_list"))
    if not set(tags) <= set(_TAGS):
        raise invalid("tag_id is invalid")
    check_content(name, description)
    external_id = external_id_of(body)
    problem = problem_with(description)
    kept = []
    for image in images:
        key, wrong = store.pictures.keep(image, most_bytes=_MOST_IMAGE_BYTES, data_uris=False)
        kept.append(key)
        problem = problem or wrong
    entry = store.library.add(
        name=name,
        description=description,
        pictures=tuple(kept),
        external_id=external_id,
        tags=tags,
        problem=problem,
        now_s=call.now_s,
        stuck=call.stuck,
    )
    return succeeded(
        {
            "task_id": entry.task_id,
            "task_info": _info(entry),
            "task_status": "submitted",
            "created_at": int(entry.created_s * 1000),
            "updated_at": int(entry.created_s * 1000),
        }
    )


def query(store: Store, call: Call) -> Reply:
    """One registration by its id or external id."""
    entry = store.library.get(call.parameters["id"])
    if entry is None or call.forget:
        raise ApiError(1201, "task not found")
    return succeeded(_row(entry, call))


def listing(store: Store, call: Call) -> Reply:
    """A page of registrations, newest first; deleted elements say so."""
    page = number_of(call.query, "pageNum", default=1, most=1000)
    size = number_of(call.query, "pageSize", default=30, most=500)
    entries = [] if call.forget else reversed(store.library.all())
    chosen = islice(entries, (page - 1) * size, page * size)
    return succeeded([_row(entry, call) for entry in chosen])


def delete(store: Store, call: Call) -> Reply:
    """Delete one element, at once."""
    entry = store.library.delete(_required(call.json(), "element_id", 64), call.now_s)
    return succeeded({"task_id": entry.task_id, "task_status": "submitted"})


class ElementEntry(TypedDict):
    """A registration as the emulator's books show it."""

    task_id: str
    element_id: str
    external_id: str | None
    name: str
    state: str
    pictures: int


def plain(entry: Entry, now_s: float) -> ElementEntry:
    """A registration as the emulator's books show it."""
    return {
        "task_id": entry.task_id,
        "element_id": str(entry.element_id),
        "external_id": entry.external_id,
        "name": entry.name,
        "state": "deleted" if entry.deleted_s is not None else entry.state(now_s),
        "pictures": len(entry.pictures),
    }


def _required(body: Mapping[str, Any], name: str, most_chars: int) -> str:
    text = text_of(body, name, most_chars=most_chars)
    if not text.strip():
        raise invalid(f"{name} can not be null")
    return text


def _images(listed: Mapping[str, Any]) -> tuple[str, ...]:
    front = text_of(listed, "frontal_image")
    others = [text_of(item, "image_url") for item in list_of(listed, "refer_images")]
    if not front:
        raise invalid("frontal_image can not be null")
    if not 1 <= len(others) <= _MOST_OTHER_PICTURES or not all(others):
        raise invalid(f"refer_images needs 1 to {_MOST_OTHER_PICTURES} images")
    return (front, *others)


def _info(entry: Entry) -> dict[str, str]:
    return {"external_task_id": entry.external_id} if entry.external_id else {}


def _row(entry: Entry, call: Call) -> dict[str, Any]:
    state = entry.state(call.now_s)
    told: dict[str, Any] = {
        "task_id": entry.task_id,
        "task_status": call.word or _WORDS.get(state, state),
        "task_status_msg": entry.problem if state == "failed" else "",
        "task_info": _info(entry),
        "created_at": int(entry.created_s * 1000),
        "updated_at": int(entry.updated_s(call.now_s) * 1000),
    }
    if call.word or state not in ("succeeded", "failed"):
        return told
    if state == "succeeded":
        told["task_result"] = {"elements": [_element(entry)]}
    told["final_unit_deduction"] = "0"
    return told


def _element(entry: Entry) -> dict[str, Any]:
    return {
        "element_id": entry.element_id,
        "element_name": entry.name,
        "element_description": entry.description,
        "reference_type": "image_refer",
        "element_image_list": {},
        "tag_list": [{"id": tag} for tag in entry.tags],
        "owned_by": _OWNER,
        "status": "succeed" if entry.deleted_s is None else "deleted",
    }


ROUTES = (
    Route("POST", _PATH, "create", True, create),
    Route("GET", _PATH, "query", True, listing),
    Route("GET", f"{_PATH}/{{id}}", "query", True, query),
    Route("POST", "/v1/general/delete-elements", "create", True, delete),
)
