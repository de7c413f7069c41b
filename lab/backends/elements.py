"""The contract of backends that register elements: recurring subjects that takes refer to by id."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, cast

from lab.backends.contract import Backend, Unsupported
from lab.elements import Element
from lab.errors import BackendError


class ElementState(StrEnum):
    """The state of an element at the service. `ready`: takes can use its id."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True)
class RegisteredElement:
    """One element as the service reports it.

    registration_id: the service's id of the registration. id: the element's id, which takes refer
    to; "" before it is ready. title: its name in the service's console. key: our own name for the
    registration, "" if another program made the element. charged: the bill in the service's units,
    "" if it reports none.
    """

    registration_id: str
    state: ElementState
    id: str = ""
    title: str = ""
    key: str = ""
    message: str = ""
    charged: str = ""


ElementLookup = RegisteredElement | Literal["absent", "unknown"]


class ElementLibrary(Protocol):
    """The elements of an account. Methods block and never repeat a paid request by themselves."""

    def limits(self, element: Element) -> tuple[Unsupported, ...]:
        """Why the service would reject these pictures or this description. Sends nothing."""

    def register(self, element: Element, key: str) -> RegisteredElement:
        """Start a registration. It may cost money.

        key: our own name for the registration, stored before this call.

        Raises Refusal if the service refuses the content, and BackendError if it cannot make the
        element. Raises NoSlot, AccountError or ServiceError if nothing was registered, and
        SubmitUncertain if the request may have arrived.
        """

    def find(self, key: str, *, confirm_absent: bool) -> ElementLookup:
        """The element registered with our key; "unknown" if the service gives no clear answer.

        confirm_absent: return "absent" only if a second look-up finds nothing either. The delay
        before it gives a new registration time to become visible.
        """

    def poll(self, registration_id: str) -> RegisteredElement | None:
        """The current state of a registration; None if the service does not know it.

        Raises ServiceError or AccountError if there is no answer.
        """

    def list_elements(self) -> tuple[RegisteredElement, ...]:
        """Every element of the account that is not deleted, newest first. Raises like `poll`."""

    def delete(self, element_id: str) -> None:
        """Request the deletion of an element. May be repeated.

        Raises ServiceError or AccountError if the request may not have arrived.
        """


class _HasElementLibrary(Protocol):
    def element_library(self) -> ElementLibrary: ...


def element_library(backend: Backend) -> ElementLibrary:
    """The elements of a backend's account. Raises BackendError if it registers none."""
    if not backend.capabilities.registers_elements:
        raise BackendError(f"backend {backend.name}: registers no elements from pictures")
    return cast(_HasElementLibrary, backend).element_library()
