"""Store the tasks of an account: slots, prices, states and download links."""

import hashlib
import heapq
import hmac
import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

from lab.emulator.account import Account
from lab.emulator.assumptions import Assumptions
from lab.emulator.element_store import ElementStore
from lab.emulator.images import ImageStore
from lab.emulator.replies import ApiError
from lab.emulator.task_spec import TaskSpec
from lab.emulator.timing import State, TaskTiming

_FOLDERS = {
    "image-to-video": "image2video",
    "text-to-video": "text2video",
    "omni-video": "omni-video",
    "image": "image",
}
_USER = "1234567890"


@dataclass(frozen=True, slots=True)
class Task:
    """One accepted task. It is immutable; its state is a function of time.

    number: its index among all tasks. created_s: a time of the emulator's clock. submitted_s,
    processing_s: how long the task is in each state. stuck: the task stays in the state processing.
    """

    id: str
    number: int
    spec: TaskSpec
    created_s: float
    submitted_s: float
    processing_s: float
    stuck: bool = False

    @property
    def ends_s(self) -> float:
        """When the task ends, unless it is stuck."""
        return self.created_s + self.submitted_s + self.processing_s

    @property
    def units(self) -> Decimal:
        """Price in units of its family; a task that fails is free."""
        return Decimal(0) if self.spec.failure else self.spec.units

    @property
    def usd(self) -> Decimal:
        """Price in US dollars; a task that fails is free."""
        return Decimal(0) if self.spec.failure else self.spec.usd

    def state(self, now_s: float) -> State:
        """The state at a time."""
        if now_s < self.created_s + self.submitted_s:
            return "submitted"
        if self.stuck or now_s < self.ends_s:
            return "processing"
        return "failed" if self.spec.failure else "succeeded"

    def updated_s(self, now_s: float) -> float:
        """When the task entered the state that it has at `now_s`."""
        match self.state(now_s):
            case "submitted":
                return self.created_s
            case "processing":
                return self.created_s + self.submitted_s
            case _:
                return self.ends_s

    def message(self, now_s: float) -> str:
        """Why the task failed; "" until it has failed."""
        return self.spec.failure if self.state(now_s) == "failed" else ""

    def ended(self, now_s: float) -> bool:
        """True once the task has succeeded or failed."""
        return self.state(now_s) in ("succeeded", "failed")


@dataclass
class _Slots:
    """The slots of one kind. occupied: a heap of (end time, number of slots)."""

    quota: int
    occupied_count: int = 0
    occupied: list[tuple[float, int]] = field(default_factory=list)

    def check_free(self, count: int, now_s: float) -> None:
        while self.occupied and self.occupied[0][0] <= now_s:
            self.occupied_count -= heapq.heappop(self.occupied)[1]
        if self.occupied_count + count > self.quota:
            raise ApiError(1303)

    def occupy(self, count: int, until_s: float) -> None:
        self.occupied_count += count
        heapq.heappush(self.occupied, (until_s, count))


class Store:
    """The tasks of one account, from both protocols. Safe to use from several threads."""

    def __init__(
        self,
        *,
        account: Account,
        timing: TaskTiming,
        assumptions: Assumptions,
        seed: int,
        folder: Path,
    ) -> None:
        self.account = account
        self.timing = timing
        self.assumptions = assumptions
        self.folder = folder
        self.images = ImageStore(folder / "pictures")
        self.elements = ElementStore(timing, seed)
        self.media_url = ""
        self._seed = seed
        self._secret = hashlib.sha256(f"links of {seed}".encode()).digest()
        self._tasks: list[Task] = []
        self._by_id: dict[str, Task] = {}
        self._by_external_id: dict[str, Task] = {}
        self._slots = {
            "video": _Slots(account.concurrency),
            "image": _Slots(account.image_concurrency),
        }
        self._video_units = Decimal(0)
        self._last_cost_query_s = float("-inf")
        self._lock = threading.RLock()

    def add(self, spec: TaskSpec, now_s: float, *, stuck: bool = False) -> Task:
        """Accept a task. Raises ApiError 1201 (external id used before), 1102 or 1303."""
        with self._lock:
            if spec.external_id in self._by_external_id:
                raise ApiError(1201, "external_task_id already exists")
            self._check_balance(spec)
            slots = self._slots["image" if spec.family == "image" else "video"]
            slots.check_free(spec.count, now_s)
            number = len(self._tasks)
            rng = random.Random(f"{self._seed} {number}")  # noqa: S311 - jitter, not a secret
            task = Task(
                _new_id(now_s, self._seed, number),
                number,
                spec,
                now_s,
                *self.timing.sample(rng),
                stuck=stuck,
            )
            slots.occupy(spec.count, float("inf") if stuck else task.ends_s)
            self._tasks.append(task)
            self._by_id[task.id] = task
            if spec.external_id:
                self._by_external_id[spec.external_id] = task
            if spec.family != "image":
                self._video_units += task.units
            return task

    def check_elements(self, element_ids: Iterable[str], now_s: float) -> None:
        """Raise ApiError 1201 for an element that a task cannot use."""
        allow_unknown = self.assumptions.unknown_elements
        self.elements.check_usable(element_ids, now_s, allow_unknown=allow_unknown)

    def get(self, task_id: str) -> Task | None:
        """The task with that id."""
        return self._by_id.get(task_id)

    def get_external(self, external_id: str) -> Task | None:
        """The task with that external id."""
        return self._by_external_id.get(external_id)

    def find(self, ids: Iterable[str], *, external: bool) -> list[Task]:
        """The tasks with those ids, each once, newest first; unknown ids are skipped."""
        index = self._by_external_id if external else self._by_id
        tasks = {task.number: task for task in map(index.get, ids) if task}
        return [tasks[number] for number in sorted(tasks, reverse=True)]

    def all(self) -> list[Task]:
        """Every task, oldest first."""
        with self._lock:
            return list(self._tasks)

    def all_from(self, number: int) -> list[Task]:
        """The tasks with that number or a higher one, oldest first."""
        with self._lock:
            return self._tasks[number:]

    def before(self, number: int) -> Iterable[Task]:
        """The tasks with lower numbers, newest first; a negative number means all."""
        last = len(self._tasks) if number < 0 else min(number, len(self._tasks))
        return (self._tasks[index] for index in range(last - 1, -1, -1))

    def remaining_units(self, before_s: float) -> Decimal | None:
        """Units left in the video pack at that time; None for an unlimited pack."""
        if self.account.balance_units is None:
            return None
        spent = sum(
            (
                task.units
                for task in self.all()
                if task.spec.family != "image" and task.ends_s <= before_s
            ),
            Decimal(0),
        )
        return Decimal(str(self.account.balance_units)) - spent

    def limit_cost_queries(self, now_s: float) -> None:
        """Raise ApiError 1302 for a second query of the account's costs within a second."""
        with self._lock:
            if 0 <= now_s - self._last_cost_query_s < 1:
                raise ApiError(1302)
            self._last_cost_query_s = now_s

    def link(self, task: Task, file: str, now_s: float) -> str:
        """A new signed URL of one of a task's files."""
        path = f"/bs2/upload-kling-api/{_USER}/{_FOLDERS[task.spec.family]}/{file}"
        expires = f"{now_s + self.timing.link_ttl_s:.3f}"
        query = urlencode({"expires": expires, "signature": self._signature(path, expires)})
        return f"{self.media_url}{path}?{query}"

    def signature_is_valid(self, path: str, expires: str, signature: str) -> bool:
        """True for a URL that `link` made, expired or not."""
        return hmac.compare_digest(
            self._signature(path, expires).encode(), signature.encode("utf-8", "replace")
        )

    def _signature(self, path: str, expires: str) -> str:
        signed = f"{path} {expires}".encode("utf-8", "replace")
        return hmac.new(self._secret, signed, hashlib.sha256).hexdigest()[:32]

    def _check_balance(self, spec: TaskSpec) -> None:
        if self.account.balance_units is None or spec.family == "image":
            return
        # The price is reserved at acceptance, so unfinished tasks cannot overdraw the pack.
        if self._video_units + spec.units > Decimal(str(self.account.balance_units)):
            raise ApiError(1102)


def file_names(task: Task) -> list[tuple[str, str]]:
    """The name of each of a task's files, and of its watermarked copy ("" for none)."""
    if task.spec.family == "image":
        return [(f"{task.id}-{index}_raw_image_1.png", "") for index in range(task.spec.count)]
    watermarked = f"{task.id}-0_watermark_video_1.mp4" if task.spec.watermark else ""
    return [(f"{task.id}-0_raw_video_1.mp4", watermarked)]


def _new_id(now_s: float, seed: int, number: int) -> str:
    """A unique id of 18 decimal digits, too many for a float to hold exactly."""
    milliseconds = int(now_s * 1000) % 800_000_000_000
    tail = (seed * 7919 + number) % 1_000_000
    return str(100_000_000_000_000_000 + milliseconds * 1_000_000 + tail)
