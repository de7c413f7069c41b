"""Elements made from pictures: build submissions, parse replies, and manage the account's library.

Source: the element pages of the legacy protocol (stored dump of 2026-03-27). They document the
fields, the limits, the states, our external id (external_task_id) and the look-up by that id.
Observed at the service: requests with an API key are accepted, and the new protocol accepts the
ids. Assumed: the service keeps external ids unique, a name may contain an underscore and digits,
and a deleted element keeps its external id. No price is documented.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote as url_quote

from lab.backends.contract import Unsupported
from lab.backends.elements import ElementLookup, ElementState, RegisteredElement
from lab.backends.kling import codes
from lab.backends.kling.catalogue import Catalogue
from lab.backends.kling.pictures import PictureCache
from lab.backends.kling.transport import BadParameterError, Transport
from lab.backends.kling.wire import (
    SUCCEEDED,
    Reply,
    Request,
    WireError,
    json_objects,
    log,
    parse_id,
    parse_text,
)
from lab.elements import Element
from lab.errors import (
    AccountError,
    BackendError,
    ServiceError,
    StillError,
    SubmitUncertain,
)

PATH = "/v1/general/advanced-custom-elements"
DELETE_PATH = "/v1/general/delete-elements"
MAX_TITLE_CHARS = 20
MAX_DESCRIPTION_CHARS = 100
MAX_PICTURES = 4
"""One front view and one to three other views."""
_PAGE_SIZE = 500
_MAX_PAGES = 20


def title_of(name: str, external_id: str) -> str:
    """The element's title in the console: its name, shortened, and a hash of our external id.

    The hash identifies the element in a list even if the service ignores our external id.
    """
    suffix = _title_suffix(external_id)
    return name[: MAX_TITLE_CHARS - len(suffix)] + suffix


def _title_suffix(external_id: str) -> str:
    return "_" + hashlib.sha256(external_id.encode()).hexdigest()[:8]


def build(element: Element, external_id: str, pictures: tuple[str, ...]) -> Request:
    """The submission of one element. pictures: in base64, the front view first.

    The service requires another view. If there is none, the front view is sent twice.
    """
    front, *others = pictures
    body = {
        "element_name": title_of(element.name, external_id),
        "element_description": element.description or element.name,
        "reference_type": "image_refer",
        "element_image_list": {
            "frontal_image": front,
            "refer_images": [{"image_url": picture} for picture in others or [front]],
        },
        "external_task_id": external_id,
    }
    return Request(PATH, body)


def parse_element(data: object) -> RegisteredElement:
    """The element in a reply. Raises WireError if the reply contains none."""
    if not isinstance(data, Mapping):
        raise WireError("kling: the reply contains no element")
    registration_id, raw_state = parse_id(data.get("task_id")), parse_text(data.get("task_status"))
    if registration_id is None or not raw_state:
        raise WireError("kling: the reply contains no element")
    result, info = data.get("task_result"), data.get("task_info")
    elements = json_objects(result.get("elements")) if isinstance(result, Mapping) else ()
    element: Mapping[str, Any] = elements[0] if elements else {}
    element_id = _parse_element_id(element.get("element_id"))
    state = ElementState.WAITING
    if raw_state == "failed":
        state = ElementState.FAILED
    elif parse_text(element.get("status")) == "deleted":
        state = ElementState.DELETED
    elif raw_state in SUCCEEDED and element_id:
        state = ElementState.READY
    units = parse_text(data.get("final_unit_deduction"))
    return RegisteredElement(
        registration_id=registration_id,
        state=state,
        id=element_id,
        title=parse_text(element.get("element_name")),
        key=parse_text(info.get("external_task_id")) if isinstance(info, Mapping) else "",
        message=parse_text(data.get("task_status_msg")),
        charged=f"{units} units" if units else "",
    )


def _parse_element_id(value: object) -> str:
    """The id as a string.

    The documents show a number, which Python's json reads without losing digits.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    return parse_id(value) or ""


class KlingElements:
    """The elements of one account, in the legacy protocol.

    That protocol accepts an API key as well as a key pair.
    """

    def __init__(
        self,
        *,
        transport: Callable[[], Transport],
        pictures: PictureCache,
        catalogue: Catalogue,
        second_lookup_delay_s: float,
    ) -> None:
        self._transport = transport
        self._pictures = pictures
        self._catalogue = catalogue
        self._second_lookup_delay_s = second_lookup_delay_s

    def limits(self, element: Element) -> tuple[Unsupported, ...]:
        """What the documents do not allow. Checks sizes and counts only; decodes no picture."""
        return tuple(self._limits(element))

    def _limits(self, element: Element) -> Iterator[Unsupported]:
        bounds = self._catalogue.limits
        min_side, max_ratio = bounds.picture_short_side_px, bounds.max_picture_ratio
        count, chars = len(element.pictures), len(element.description)
        if count > MAX_PICTURES:
            accepted = f"at most {MAX_PICTURES}, the front view first"
            yield _blocking(element, f"{count} pictures", accepted)
        if chars > MAX_DESCRIPTION_CHARS:
            value = f"description of {chars} characters"
            yield _blocking(element, value, f"at most {MAX_DESCRIPTION_CHARS}")
        for picture in element.pictures:
            short, long = sorted((picture.width_px, picture.height_px))
            size = f"{picture.path.name}, {picture.width_px}x{picture.height_px} px"
            if short < min_side:
                reason = f"each side needs {min_side} px, use a larger picture"
                yield _blocking(element, size, reason)
            if long > max_ratio * short:
                yield _blocking(element, size, f"accepted: 1:{max_ratio:g} to {max_ratio:g}:1")

    def register(self, element: Element, key: str) -> RegisteredElement:
        """Submit an element, once."""
        for item in self.limits(element):
            raise BackendError(str(item))
        max_bytes = round(self._catalogue.protocols["legacy"].picture_mb * 1e6)
        try:
            pictures = tuple(
                self._pictures.encode(picture, None, max_bytes).base64
                for picture in element.pictures
            )
        except StillError as error:
            raise BackendError(f"element {element.name}: {error}") from error
        request, label = build(element, key, pictures), f"element {element.name}"
        try:
            reply = self._transport().submit(
                request.path, request.body, protocol="legacy", label=label
            )
        except BadParameterError as error:
            existing = self.find(key, confirm_absent=False)
            if isinstance(existing, RegisteredElement):
                return existing
            # The service rejects a used external id with this code, too, and no document gives the
            # message.
            if existing == "unknown" or "external" in str(error):
                raise SubmitUncertain(f"{error}; it may be registered already") from error
            raise
        try:
            registered = parse_element(reply.data)
        except WireError as error:
            raise SubmitUncertain(f"{label}: {error}; it may be registered") from error
        if registered.key and registered.key != key:
            raise SubmitUncertain(
                f"{label}: the reply is about another external id; look the element up"
            )
        return registered

    def find(self, key: str, *, confirm_absent: bool) -> ElementLookup:
        """Look up by our external id, then search the whole list for the id or its hash."""
        result = self._look_up(key)
        if result == "absent" and confirm_absent:
            if self._transport().clock.sleep(self._second_lookup_delay_s):
                return "unknown"
            result = self._look_up(key)
        return result

    def poll(self, registration_id: str) -> RegisteredElement | None:
        """The current state of a registration."""
        reply = self._query_one(registration_id)
        if reply.code == codes.BAD_PARAMETER:
            return None
        return self._redacted(parse_element(reply.data))

    def list_elements(self) -> tuple[RegisteredElement, ...]:
        """Every element of the account. Invalid entries are left out."""
        return tuple(one for one in self._query_all() if one.state is not ElementState.DELETED)

    def delete(self, element_id: str) -> None:
        """Send one deletion request. An element that is already deleted causes no error."""
        label = f"element {element_id}"
        try:
            self._transport().submit(
                DELETE_PATH, {"element_id": element_id}, protocol="legacy", label=label
            )
        except BadParameterError as error:
            log.info("%s", error)  # the caller polls until it is deleted
        except (SubmitUncertain, BackendError) as error:
            raise ServiceError(f"{error}; run the same command again") from error

    def _look_up(self, external_id: str) -> ElementLookup:
        """The element with this external id, queried once."""
        try:
            reply = self._query_one(external_id)
            if reply.code != codes.BAD_PARAMETER:
                element = self._redacted(parse_element(reply.data))
                return element if element.key == external_id else "unknown"
            suffix, unidentified = _title_suffix(external_id), False
            for element in self._query_all():
                has_our_id = element.key == external_id
                if has_our_id or (not element.key and element.title.endswith(suffix)):
                    return element
                # A waiting element has no title yet. Without an external id, it may be ours.
                waiting = element.state is ElementState.WAITING
                unidentified |= waiting and not element.key and not element.title
        except (ServiceError, AccountError) as error:
            log.warning("element %s: cannot be looked up: %s", external_id, error)
            return "unknown"
        return "unknown" if unidentified else "absent"

    def _query_one(self, registration_or_external_id: str) -> Reply:
        return self._transport().query(
            f"{PATH}/{url_quote(registration_or_external_id, safe='')}",
            protocol="legacy",
            accept=(codes.BAD_PARAMETER,),
        )

    def _query_all(self) -> Iterator[RegisteredElement]:
        for page in range(1, _MAX_PAGES + 1):
            params = {"pageNum": str(page), "pageSize": str(_PAGE_SIZE)}
            reply = self._transport().query(PATH, params, protocol="legacy")
            entries = reply.data or []
            if not isinstance(entries, list):
                raise WireError("kling: the reply contains no list of elements")
            for entry in entries:
                try:
                    yield self._redacted(parse_element(entry))
                except WireError as error:
                    log.warning("%s; left out", error)
            if len(entries) < _PAGE_SIZE:
                return
        raise WireError(f"kling: the account has more than {_PAGE_SIZE * _MAX_PAGES} elements")

    def _redacted(self, element: RegisteredElement) -> RegisteredElement:
        return replace(element, message=self._transport().redact(element.message))


def _blocking(element: Element, value: str, reason: str) -> Unsupported:
    return Unsupported(f"elements.{element.name}", value, reason, blocking=True)
