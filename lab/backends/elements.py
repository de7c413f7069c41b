"""What a backend promises that keeps elements: figures registered once and cited by many takes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, cast

from lab.backends.contract import Backend, Unsupported
from lab.elements import Element
from lab.errors import BackendError


class ElementState(StrEnum):
    """Where an element is at the service. `ready`: takes can cite its id."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True)
class Registered:
    """What a service says of one element.

    job: its handle of the registration. id: what takes cite, "" before it is ready. title: what
    the service's console calls it. key: our own key, "" for one made elsewhere. charged: what the
    bill says, in the service's units, "" when it says nothing.
    """

    job: str
    state: ElementState
    id: str = ""
    title: str = ""
    key: str = ""
    message: str = ""
    charged: str = ""


Found = Registered | Literal["absent", "unknown"]


class ElementLibrary(Protocol):
    """An account's elements. Methods block; nothing is sent twice by itself."""

    def limits(self, element: Element) -> tuple[Unsupported, ...]:
        """Why the service would not take these pictures or words. Asks nobody."""

    def register(self, element: Element, key: str) -> Registered:
        """Start a registration; it may cost money. key: our own name for it, written down before.

        Raises Refusal and BackendError when it cannot be; NoSlot, AccountError or ServiceError
        when surely nothing was registered; SubmitUncertain when that is unknown.
        """

    def find(self, key: str, *, twice: bool) -> Found:
        """What is registered under our key; "unknown" when that cannot be said.

        twice: absent only if it is still absent after the time that a registration takes to show.
        """

    def poll(self, job: str) -> Registered | None:
        """Where a registration is; None when the service does not know it.

        Raises ServiceError or AccountError when nobody answers.
        """

    def listed(self) -> tuple[Registered, ...]:
        """Every element of the account that is not deleted, the newest first. Raises as `poll`."""

    def delete(self, element_id: str) -> None:
        """Ask for an element to be deleted. May be repeated.

        Raises ServiceError or AccountError when it is unknown whether that arrived.
        """


class _Keeper(Protocol):
    def element_library(self) -> ElementLibrary: ...


def element_library(backend: Backend) -> ElementLibrary:
    """The elements of a backend's account. Raises BackendError when it registers none."""
    if not backend.capabilities.registers_elements:
        raise BackendError(f"backend {backend.name}: registers no elements from pictures")
    return cast(_Keeper, backend).element_library()
