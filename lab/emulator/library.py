"""The account's elements: each registration, where it is at a moment, and what may be cited."""

import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.emulator.clock import Pace, State
from lab.emulator.replies import ApiError

_FIRST_ELEMENT = 322_705_206_000_000
_FIRST_TASK = 842_250_903_000_000_000


@dataclass(slots=True)
class Entry:
    """One registration. Times in seconds of the emulator's clock.

    element_id: what orders cite once it is done. pictures: keys of `Pictures`, the front first.
    problem: why it will fail, "" when it will not. deleted_s: when it was deleted.
    """

    task_id: str
    element_id: int
    name: str
    description: str
    pictures: tuple[str, ...]
    external_id: str
    tags: tuple[str, ...]
    problem: str
    created_s: float
    submitted_s: float
    processing_s: float
    stuck: bool = False
    deleted_s: float | None = field(default=None)

    def state(self, now_s: float) -> State:
        """Where the registration is."""
        if now_s < self.created_s + self.submitted_s:
            return "submitted"
        if self.stuck or now_s < self.created_s + self.submitted_s + self.processing_s:
            return "processing"
        return "failed" if self.problem else "succeeded"

    def updated_s(self, now_s: float) -> float:
        """When it came to be in that state."""
        state = self.state(now_s)
        if state == "submitted":
            return self.created_s
        began_s = self.created_s + self.submitted_s
        return began_s if state == "processing" else began_s + self.processing_s

    def can_be_cited(self, now_s: float) -> bool:
        """Registered, done and not deleted."""
        return self.deleted_s is None and self.state(now_s) == "succeeded"


class Library:
    """The elements of one account. Safe to use from several threads."""

    def __init__(self, pace: Pace, seed: int) -> None:
        self._pace = pace
        self._seed = seed
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(
        self,
        *,
        name: str,
        description: str,
        pictures: tuple[str, ...],
        external_id: str,
        tags: tuple[str, ...],
        problem: str,
        now_s: float,
        stuck: bool,
    ) -> Entry:
        """Accept a registration. Raises ApiError 1201 when its external id is taken."""
        with self._lock:
            if external_id and any(one.external_id == external_id for one in self._entries):
                raise ApiError(1201, "external_task_id already exists")
            number = len(self._entries)
            luck = random.Random(f"{self._seed} element {number}")  # noqa: S311 - jitter
            entry = Entry(
                str(_FIRST_TASK + self._seed * 1_000_000 + number),
                _FIRST_ELEMENT + self._seed * 1_000_000 + number,
                name,
                description,
                pictures,
                external_id,
                tags,
                problem,
                now_s,
                *self._pace.drawn(luck),
                stuck=stuck,
            )
            self._entries.append(entry)
            return entry

    def get(self, wanted: str) -> Entry | None:
        """The registration of that task id or external id."""
        return next(
            (one for one in self.all() if wanted and wanted in (one.task_id, one.external_id)), None
        )

    def all(self) -> list[Entry]:
        """Every registration in the order of arrival, deleted ones too."""
        with self._lock:
            return list(self._entries)

    def delete(self, element_id: str, now_s: float) -> Entry:
        """Delete an element. Raises ApiError 1201 for one that is not there."""
        for entry in self.all():
            if str(entry.element_id) == element_id and entry.can_be_cited(now_s):
                entry.deleted_s = now_s
                return entry
        raise ApiError(1201, "element not found")

    def check_cited(self, element_ids: Iterable[str], now_s: float, *, strangers: bool) -> None:
        """Raise ApiError 1201 for an id that an order cannot cite.

        strangers: ids that were never given here pass, as if made in the console.
        """
        known = {str(one.element_id): one for one in self.all()}
        for element_id in element_ids:
            entry = known.get(element_id)
            if not (strangers if entry is None else entry.can_be_cited(now_s)):
                raise ApiError(1201, f"element {element_id[:64]} does not exist")
