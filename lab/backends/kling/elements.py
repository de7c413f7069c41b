"""Elements made from pictures: an order as JSON, what its answers say, and the account's library.

Source: the element pages of the legacy protocol (stored dump of 2026-03-27). They document the
fields, the limits, the states, the key of our own (external_task_id) and the look-up by it. That an
API key may call them, and that the newer protocol takes the ids, was seen live. Assumed: that the
key is unique, that a name may hold an underscore and digits, that a deleted element keeps its key.
No price is documented.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote as quoted

from lab.backends.contract import Unsupported
from lab.backends.elements import ElementLookup, ElementState, RegisteredElement
from lab.backends.kling import codes
from lab.backends.kling.catalogue import Catalogue
from lab.backends.kling.pictures import Pictures
from lab.backends.kling.transport import BadParameterError, Transport
from lab.backends.kling.wire import Reply, Request, WireError, id_of, log, mappings, text_of
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
TITLE_CHARS = 20
DESCRIPTION_CHARS = 100
MOST_PICTURES = 4
"""One front and one to three other sides."""
_PAGE = 500
_MOST_PAGES = 20


def title_of(name: str, key: str) -> str:
    """What the console calls it: its name and a mark of our key.

    The mark finds the element in the list even where a service should ignore our key.
    """
    mark = _mark(key)
    return name[: TITLE_CHARS - len(mark)] + mark


def _mark(key: str) -> str:
    return "_" + hashlib.sha256(key.encode()).hexdigest()[:8]


def build(element: Element, key: str, pictures: tuple[str, ...]) -> Request:
    """The order of one element. pictures: in base64, the front first.

    One other picture at least is asked for; where there is none the front is sent as that, too.
    """
    front, *others = pictures
    body = {
        "element_name": title_of(element.name, key),
        "element_description": element.description or element.name,
        "reference_type": "image_refer",
        "element_image_list": {
            "frontal_image": front,
            "refer_images": [{"image_url": picture} for picture in others or [front]],
        },
        "external_task_id": key,
    }
    return Request(PATH, body)


def parse_row(data: object) -> RegisteredElement:
    """What an answer says of one registration. Raises WireError when it names none."""
    if not isinstance(data, Mapping):
        raise WireError("kling: the answer names no element")
    job, word = id_of(data.get("task_id")), text_of(data.get("task_status"))
    if job is None or not word:
        raise WireError("kling: the answer names no element")
    result, info = data.get("task_result"), data.get("task_info")
    made = mappings(result.get("elements")) if isinstance(result, Mapping) else ()
    element: Mapping[str, Any] = made[0] if made else {}
    identity = _element_id(element.get("element_id"))
    state = ElementState.WAITING
    if word == "failed":
        state = ElementState.FAILED
    elif text_of(element.get("status")) == "deleted":
        state = ElementState.DELETED
    elif word in ("succeed", "succeeded") and identity:
        state = ElementState.READY
    units = text_of(data.get("final_unit_deduction"))
    return RegisteredElement(
        job=job,
        state=state,
        id=identity,
        title=text_of(element.get("element_name")),
        key=text_of(info.get("external_task_id")) if isinstance(info, Mapping) else "",
        message=text_of(data.get("task_status_msg")),
        charged=f"{units} units" if units else "",
    )


def _element_id(value: object) -> str:
    """An id as a text. Documents show a number: JSON keeps all digits of one without a point."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    return id_of(value) or ""


class KlingElements:
    """The elements of one account, over the legacy protocol, which both kinds of key may use."""

    def __init__(
        self,
        *,
        transport: Callable[[], Transport],
        pictures: Pictures,
        sold: Catalogue,
        settle_s: float,
    ) -> None:
        self._transport = transport
        self._pictures = pictures
        self._sold = sold
        self._settle_s = settle_s

    def limits(self, element: Element) -> tuple[Unsupported, ...]:
        """What the documents rule out. Looks at no pixel."""
        return tuple(self._found(element))

    def _found(self, element: Element) -> Iterator[Unsupported]:
        bounds = self._sold.limits
        least, most = bounds.picture_short_side_px, bounds.picture_ratio
        count, words = len(element.pictures), len(element.description)
        if count > MOST_PICTURES:
            yield _blocks(element, f"{count} pictures", f"at most {MOST_PICTURES}, the front first")
        if words > DESCRIPTION_CHARS:
            yield _blocks(
                element, f"description of {words} characters", f"at most {DESCRIPTION_CHARS}"
            )
        for picture in element.pictures:
            sides = sorted((picture.width_px, picture.height_px))
            size = f"{picture.path.name}, {picture.width_px}x{picture.height_px} px"
            if sides[0] < least:
                yield _blocks(element, size, f"each side needs {least} px, take a larger picture")
            if sides[1] > most * sides[0]:
                yield _blocks(element, size, f"accepted is 1:{most:g} to {most:g}:1")

    def register(self, element: Element, key: str) -> RegisteredElement:
        """Order an element, once."""
        for item in self.limits(element):
            raise BackendError(str(item))
        most = round(self._sold.protocols["legacy"].picture_mb * 1e6)
        try:
            texts = tuple(
                self._pictures.picture(picture, None, most).text for picture in element.pictures
            )
        except StillError as error:
            raise BackendError(f"element {element.name}: {error}") from error
        request, what = build(element, key, texts), f"element {element.name}"
        try:
            reply = self._transport().order(
                request.path, request.body, protocol="legacy", what=what
            )
        except BadParameterError as error:
            found = self.find(key, confirm_absent=False)
            if isinstance(found, RegisteredElement):
                return found
            # That a key was used before is said with this code, in words nobody has published.
            if found == "unknown" or "external" in str(error):
                raise SubmitUncertain(f"{error}; it may be registered already") from error
            raise
        try:
            row = parse_row(reply.data)
        except WireError as error:
            raise SubmitUncertain(f"{what}: {error}; it may be registered") from error
        if row.key and row.key != key:
            raise SubmitUncertain(f"{what}: the answer is about another key; look it up")
        return row

    def find(self, key: str, *, confirm_absent: bool) -> ElementLookup:
        """By our key, then in the whole list by our key or mark."""
        found = self._known(key)
        if found == "absent" and confirm_absent:
            if self._transport().sleep(self._settle_s):
                return "unknown"
            found = self._known(key)
        return found

    def poll(self, job: str) -> RegisteredElement | None:
        """Where a registration is."""
        reply = self._one(job)
        return None if reply.code == codes.BAD_PARAMETER else self._scrubbed(parse_row(reply.data))

    def list_elements(self) -> tuple[RegisteredElement, ...]:
        """Every element there is; rows that make no sense are left out."""
        return tuple(row for row in self._rows() if row.state is not ElementState.DELETED)

    def delete(self, element_id: str) -> None:
        """Ask for it once; one that is gone already is no error."""
        what = f"element {element_id}"
        try:
            self._transport().order(
                DELETE_PATH, {"element_id": element_id}, protocol="legacy", what=what
            )
        except BadParameterError as error:
            log.info("%s", error)  # whether it is gone is for the caller to ask
        except (SubmitUncertain, BackendError) as error:
            raise ServiceError(f"{error}; run the same again") from error

    def _known(self, key: str) -> ElementLookup:
        """What is said of a key, asked once."""
        try:
            reply = self._one(key)
            if reply.code != codes.BAD_PARAMETER:
                row = self._scrubbed(parse_row(reply.data))
                return row if row.key == key else "unknown"
            mark, nameless = _mark(key), False
            for row in self._rows():
                if row.key == key or (not row.key and row.title.endswith(mark)):
                    return row
                # One that is not done shows no title, so without a key it may be ours.
                nameless |= row.state is ElementState.WAITING and not row.key and not row.title
        except (ServiceError, AccountError) as error:
            log.warning("element %s: cannot be looked up: %s", key, error)
            return "unknown"
        return "unknown" if nameless else "absent"

    def _one(self, identity: str) -> Reply:
        return self._transport().ask(
            f"{PATH}/{quoted(identity, safe='')}",
            protocol="legacy",
            accept=(codes.BAD_PARAMETER,),
        )

    def _rows(self) -> Iterator[RegisteredElement]:
        for page in range(1, _MOST_PAGES + 1):
            params = {"pageNum": str(page), "pageSize": str(_PAGE)}
            reply = self._transport().ask(PATH, params, protocol="legacy")
            rows = reply.data or []
            if not isinstance(rows, list):
                raise WireError("kling: the answer holds no list of elements")
            for data in rows:
                try:
                    yield self._scrubbed(parse_row(data))
                except WireError as error:
                    log.warning("%s; left out", error)
            if len(rows) < _PAGE:
                return
        raise WireError(f"kling: the account has more than {_PAGE * _MOST_PAGES} elements")

    def _scrubbed(self, row: RegisteredElement) -> RegisteredElement:
        return replace(row, message=self._transport().scrubbed(row.message))


def _blocks(element: Element, value: str, says: str) -> Unsupported:
    return Unsupported(f"elements.{element.name}", value, says, blocking=True)
