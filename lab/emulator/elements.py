"""The element endpoints: register from images, query, list, delete."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, TypedDict

from lab.emulator.element_store import Element
from lab.emulator.replies import ApiError, Reply, success_reply
from lab.emulator.routing import ApiRequest, Route
from lab.emulator.store import Store
from lab.emulator.task_spec import (
    check_content,
    choice_of,
    external_id_of,
    invalid,
    list_of,
    number_of,
    object_of,
    prompt_failure,
    text_of,
)

_PATH = "/v1/general/advanced-custom-elements"
_MAX_NAME_CHARS = 20
_MAX_DESCRIPTION_CHARS = 100
_MAX_OTHER_IMAGES = 3
_MAX_IMAGE_BYTES = 10_000_000
_TAGS = tuple(f"o_{number}" for number in range(101, 109))
_OWNER_ID = "1234567890"
_WIRE_STATUS = {"succeeded": "succeed"}


def create(store: Store, request: ApiRequest) -> Reply:
    """Accept a registration. If an image is faulty, the registration fails later."""
    body = request.json()
    name = _required(body, "element_name", _MAX_NAME_CHARS)
    description = _required(body, "element_description", _MAX_DESCRIPTION_CHARS)
    if choice_of(body, "reference_type", ("image_refer", "video_refer"), "") != "image_refer":
        raise invalid("reference_type video_refer is not emulated")
    images = _images(object_of(body, "element_image_list"))
    tags = tuple(text_of(tag, "tag_id") for tag in list_of(body, "tag_list"))
    if not set(tags) <= set(_TAGS):
        raise invalid("tag_id is invalid")
    check_content(name, description)
    external_id = external_id_of(body)
    failure = prompt_failure(description)
    keys = []
    for image in images:
        key, image_failure = store.images.add(
            image, max_bytes=_MAX_IMAGE_BYTES, accepts_data_uris=False
        )
        keys.append(key)
        failure = failure or image_failure
    element = store.elements.add(
        name=name,
        description=description,
        images=tuple(keys),
        external_id=external_id,
        tags=tags,
        failure=failure,
        now_s=request.now_s,
        stuck=request.stuck,
    )
    return success_reply(
        {
            "task_id": element.task_id,
            "task_info": _info(element),
            "task_status": "submitted",
            "created_at": int(element.created_s * 1000),
            "updated_at": int(element.created_s * 1000),
        }
    )


def query(store: Store, request: ApiRequest) -> Reply:
    """One registration by its task id or external id."""
    element = store.elements.get(request.parameters["id"])
    if element is None or request.hide_tasks:
        raise ApiError(1201, "task not found")
    return success_reply(_row(element, request))


def list_elements(store: Store, request: ApiRequest) -> Reply:
    """A page of registrations, newest first; deleted elements have the status deleted."""
    page = number_of(request.query, "pageNum", default=1, maximum=1000)
    size = number_of(request.query, "pageSize", default=30, maximum=500)
    newest_first = [] if request.hide_tasks else reversed(store.elements.all())
    rows = islice(newest_first, (page - 1) * size, page * size)
    return success_reply([_row(element, request) for element in rows])


def delete(store: Store, request: ApiRequest) -> Reply:
    """Delete one element immediately."""
    element_id = _required(request.json(), "element_id", 64)
    element = store.elements.delete(element_id, request.now_s)
    return success_reply({"task_id": element.task_id, "task_status": "submitted"})


class ElementSummary(TypedDict):
    """A registration as the emulator's own state report shows it."""

    task_id: str
    element_id: str
    external_id: str
    name: str
    state: str
    pictures: int


def element_summary(element: Element, now_s: float) -> ElementSummary:
    """Summarise a registration for the emulator's own state report."""
    return {
        "task_id": element.task_id,
        "element_id": str(element.element_id),
        "external_id": element.external_id,
        "name": element.name,
        "state": "deleted" if element.deleted_s is not None else element.state(now_s),
        "pictures": len(element.images),
    }


def _required(body: Mapping[str, Any], name: str, max_chars: int) -> str:
    text = text_of(body, name, max_chars=max_chars)
    if not text.strip():
        raise invalid(f"{name} can not be null")
    return text


def _images(image_list: Mapping[str, Any]) -> tuple[str, ...]:
    front = text_of(image_list, "frontal_image")
    others = [text_of(item, "image_url") for item in list_of(image_list, "refer_images")]
    if not front:
        raise invalid("frontal_image can not be null")
    if not 1 <= len(others) <= _MAX_OTHER_IMAGES or not all(others):
        raise invalid(f"refer_images needs 1 to {_MAX_OTHER_IMAGES} images")
    return (front, *others)


def _info(element: Element) -> dict[str, str]:
    return {"external_task_id": element.external_id} if element.external_id else {}


def _row(element: Element, request: ApiRequest) -> dict[str, Any]:
    state = element.state(request.now_s)
    row: dict[str, Any] = {
        "task_id": element.task_id,
        "task_status": request.status_override or _WIRE_STATUS.get(state, state),
        "task_status_msg": element.failure if state == "failed" else "",
        "task_info": _info(element),
        "created_at": int(element.created_s * 1000),
        "updated_at": int(element.updated_s(request.now_s) * 1000),
    }
    if request.status_override or state not in ("succeeded", "failed"):
        return row
    if state == "succeeded":
        row["task_result"] = {"elements": [_element(element)]}
    row["final_unit_deduction"] = "0"
    return row


def _element(element: Element) -> dict[str, Any]:
    return {
        "element_id": element.element_id,
        "element_name": element.name,
        "element_description": element.description,
        "reference_type": "image_refer",
        "element_image_list": {},
        "tag_list": [{"id": tag} for tag in element.tags],
        "owned_by": _OWNER_ID,
        "status": "succeed" if element.deleted_s is None else "deleted",
    }


ROUTES = (
    Route("POST", _PATH, "create", True, create),
    Route("GET", _PATH, "query", True, list_elements),
    Route("GET", f"{_PATH}/{{id}}", "query", True, query),
    Route("POST", "/v1/general/delete-elements", "create", True, delete),
)
