"""Store the account's elements and the states of their registrations.

An element is a recurring figure that prompts cite. It is registered from pictures.
"""

import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.emulator.replies import ApiError
from lab.emulator.timing import State, TaskTiming

# These ids have as many digits as those of the service.
_FIRST_ELEMENT_ID = 322_705_206_000_000
_FIRST_TASK_ID = 842_250_903_000_000_000


@dataclass(slots=True)
class Element:
    """One registered element.

    element_id: the id that video tasks use. images: keys of `ImageStore`, the front first.
    failure: why the registration will fail, "" if it will succeed. created_s, deleted_s:
    times of the emulator's clock. submitted_s, processing_s: how long the registration is in each
    state.
    """

    task_id: str
    element_id: int
    name: str
    description: str
    images: tuple[str, ...]
    external_id: str
    tags: tuple[str, ...]
    failure: str
    created_s: float
    submitted_s: float
    processing_s: float
    stuck: bool = False
    deleted_s: float | None = field(default=None)

    def state(self, now_s: float) -> State:
        """The registration's state at a time."""
        if now_s < self.created_s + self.submitted_s:
            return "submitted"
        if self.stuck or now_s < self.created_s + self.submitted_s + self.processing_s:
            return "processing"
        return "failed" if self.failure else "succeeded"

    def updated_s(self, now_s: float) -> float:
        """When the registration entered the state that it has at `now_s`."""
        state = self.state(now_s)
        if state == "submitted":
            return self.created_s
        began_s = self.created_s + self.submitted_s
        return began_s if state == "processing" else began_s + self.processing_s

    def is_usable(self, now_s: float) -> bool:
        """True once the registration has succeeded, until the element is deleted."""
        return self.deleted_s is None and self.state(now_s) == "succeeded"


class ElementStore:
    """The elements of one account. Safe to use from several threads."""

    def __init__(self, timing: TaskTiming, seed: int) -> None:
        self._timing = timing
        self._seed = seed
        self._elements: list[Element] = []
        self._lock = threading.Lock()

    def add(
        self,
        *,
        name: str,
        description: str,
        images: tuple[str, ...],
        external_id: str,
        tags: tuple[str, ...],
        failure: str,
        now_s: float,
        stuck: bool,
    ) -> Element:
        """Accept a registration. Raises ApiError 1201 when its external id was used before."""
        with self._lock:
            if external_id and any(one.external_id == external_id for one in self._elements):
                raise ApiError(1201, "external_task_id already exists")
            number = len(self._elements)
            rng = random.Random(f"{self._seed} element {number}")  # noqa: S311 - jitter
            element = Element(
                str(_FIRST_TASK_ID + self._seed * 1_000_000 + number),
                _FIRST_ELEMENT_ID + self._seed * 1_000_000 + number,
                name,
                description,
                images,
                external_id,
                tags,
                failure,
                now_s,
                *self._timing.sample(rng),
                stuck=stuck,
            )
            self._elements.append(element)
            return element

    def get(self, some_id: str) -> Element | None:
        """The element with that task id or external id."""
        return next(
            (one for one in self.all() if some_id and some_id in (one.task_id, one.external_id)),
            None,
        )

    def all(self) -> list[Element]:
        """Every registration, oldest first, deleted ones included."""
        with self._lock:
            return list(self._elements)

    def delete(self, element_id: str, now_s: float) -> Element:
        """Delete a usable element. Raises ApiError 1201 when there is none with that id."""
        for element in self.all():
            if str(element.element_id) == element_id and element.is_usable(now_s):
                element.deleted_s = now_s
                return element
        raise ApiError(1201, "element not found")

    def check_usable(
        self, element_ids: Iterable[str], now_s: float, *, allow_unknown: bool
    ) -> None:
        """Raise ApiError 1201 for an id that a task cannot use.

        allow_unknown: accept ids that were never registered with this emulator.
        """
        by_id = {str(one.element_id): one for one in self.all()}
        for element_id in element_ids:
            element = by_id.get(element_id)
            if not (allow_unknown if element is None else element.is_usable(now_s)):
                raise ApiError(1201, f"element {element_id[:64]} does not exist")
