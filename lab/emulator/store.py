"""Every task there is, its place among the slots, its price and its links."""

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
from lab.emulator.clock import Pace, State
from lab.emulator.library import Library
from lab.emulator.orders import Order
from lab.emulator.pictures import Pictures
from lab.emulator.replies import ApiError

_FOLDERS = {
    "image-to-video": "image2video",
    "text-to-video": "text2video",
    "omni-video": "omni-video",
    "image": "image",
}
_USER = "1234567890"


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted task. Nothing in it changes: its state is a question of the time.

    number: 0 for the emulator's first. Times in seconds of the emulator's clock. stuck: it is
    processed for ever.
    """

    id: str
    number: int
    order: Order
    created_s: float
    submitted_s: float
    processing_s: float
    stuck: bool = False

    @property
    def ends_s(self) -> float:
        """When it will be done, unless it is stuck."""
        return self.created_s + self.submitted_s + self.processing_s

    @property
    def units(self) -> Decimal:
        """What it costs in units of its own kind; a task that fails is free."""
        return Decimal(0) if self.order.problem else self.order.units

    @property
    def usd(self) -> Decimal:
        """What it costs in dollars."""
        return Decimal(0) if self.order.problem else self.order.usd

    def state(self, now_s: float) -> State:
        """Where it is at that moment."""
        if now_s < self.created_s + self.submitted_s:
            return "submitted"
        if self.stuck or now_s < self.ends_s:
            return "processing"
        return "failed" if self.order.problem else "succeeded"

    def updated_s(self, now_s: float) -> float:
        """When it came to be in the state of that moment."""
        if self.state(now_s) == "submitted":
            return self.created_s
        return self.created_s + self.submitted_s if self._runs(now_s) else self.ends_s

    def message(self, now_s: float) -> str:
        """Why it has failed, "" before that."""
        return self.order.problem if self.state(now_s) == "failed" else ""

    def ended(self, now_s: float) -> bool:
        """True once it has succeeded or failed."""
        return self.state(now_s) in ("succeeded", "failed")

    def _runs(self, now_s: float) -> bool:
        return self.state(now_s) == "processing"


@dataclass
class _Slots:
    """How many of one kind of slot are taken, and until when."""

    quota: int
    taken: int = 0
    until: list[tuple[float, int]] = field(default_factory=list)

    def take(self, count: int, now_s: float) -> None:
        while self.until and self.until[0][0] <= now_s:
            self.taken -= heapq.heappop(self.until)[1]
        if self.taken + count > self.quota:
            raise ApiError(1303)

    def hold(self, count: int, until_s: float) -> None:
        self.taken += count
        heapq.heappush(self.until, (until_s, count))


class Store:
    """The tasks of one account, whichever protocol made them. Safe to use from several threads."""

    def __init__(
        self,
        *,
        account: Account,
        pace: Pace,
        assumptions: Assumptions,
        seed: int,
        folder: Path,
    ) -> None:
        self.account = account
        self.pace = pace
        self.assumptions = assumptions
        self.folder = folder
        self.pictures = Pictures(folder / "pictures")
        self.library = Library(pace, seed)
        self.media_url = ""
        self._seed = seed
        self._secret = hashlib.sha256(f"links of {seed}".encode()).digest()
        self._jobs: list[Job] = []
        self._by_id: dict[str, Job] = {}
        self._by_external_id: dict[str, Job] = {}
        self._slots = {
            "video": _Slots(account.concurrency),
            "image": _Slots(account.image_concurrency),
        }
        self._video_units = Decimal(0)
        self._costs_asked_s = float("-inf")
        self._lock = threading.RLock()

    def add(self, order: Order, now_s: float, *, stuck: bool = False) -> Job:
        """Accept an order. Raises ApiError 1201 (its external id is taken), 1102 or 1303."""
        with self._lock:
            if order.external_id in self._by_external_id:
                raise ApiError(1201, "external_task_id already exists")
            self._afford(order)
            slots = self._slots["image" if order.family == "image" else "video"]
            slots.take(order.count, now_s)
            number = len(self._jobs)
            luck = random.Random(f"{self._seed} {number}")  # noqa: S311 - jitter, not a secret
            job = Job(
                _job_id(now_s, self._seed, number),
                number,
                order,
                now_s,
                *self.pace.drawn(luck),
                stuck=stuck,
            )
            slots.hold(order.count, float("inf") if stuck else job.ends_s)
            self._jobs.append(job)
            self._by_id[job.id] = job
            if order.external_id:
                self._by_external_id[order.external_id] = job
            if order.family != "image":
                self._video_units += job.units
            return job

    def check_elements(self, element_ids: Iterable[str], now_s: float) -> None:
        """Raise ApiError 1201 for an element that an order cannot cite."""
        strangers = self.assumptions.unknown_elements
        self.library.check_cited(element_ids, now_s, strangers=strangers)

    def get(self, job_id: str) -> Job | None:
        """The task of that id."""
        return self._by_id.get(job_id)

    def get_external(self, external_id: str) -> Job | None:
        """The task of that external id."""
        return self._by_external_id.get(external_id)

    def known(self, ids: Iterable[str], *, external: bool) -> list[Job]:
        """The tasks of those ids, each once, newest first; ids nobody knows are left out."""
        table = self._by_external_id if external else self._by_id
        found = {job.number: job for job in map(table.get, ids) if job}
        return [found[number] for number in sorted(found, reverse=True)]

    def all(self) -> list[Job]:
        """Every task in the order of arrival."""
        with self._lock:
            return list(self._jobs)

    def all_from(self, number: int) -> list[Job]:
        """Tasks of that number and larger ones, in the order of arrival."""
        with self._lock:
            return self._jobs[number:]

    def before(self, number: int) -> Iterable[Job]:
        """Tasks with a smaller number, newest first; a negative number means all."""
        last = len(self._jobs) if number < 0 else min(number, len(self._jobs))
        return (self._jobs[place] for place in range(last - 1, -1, -1))

    def remaining_units(self, before_s: float) -> Decimal | None:
        """What was left of the video pack at that time; None when it never runs dry."""
        if self.account.balance_units is None:
            return None
        spent = sum(
            (
                job.units
                for job in self.all()
                if job.order.family != "image" and job.ends_s <= before_s
            ),
            Decimal(0),
        )
        return Decimal(str(self.account.balance_units)) - spent

    def costs_asked(self, now_s: float) -> None:
        """Raise ApiError 1302 when the account's costs are asked for twice within a second."""
        with self._lock:
            if 0 <= now_s - self._costs_asked_s < 1:
                raise ApiError(1302)
            self._costs_asked_s = now_s

    def link(self, job: Job, file: str, now_s: float) -> str:
        """A fresh address of one of a task's files."""
        path = f"/bs2/upload-kling-api/{_USER}/{_FOLDERS[job.order.family]}/{file}"
        expires = f"{now_s + self.pace.link_s:.3f}"
        query = urlencode({"expires": expires, "signature": self._signature(path, expires)})
        return f"{self.media_url}{path}?{query}"

    def link_is_ours(self, path: str, expires: str, signature: str) -> bool:
        """True for an address that `link` made, whether or not it has expired."""
        return hmac.compare_digest(
            self._signature(path, expires).encode(), signature.encode("utf-8", "replace")
        )

    def _signature(self, path: str, expires: str) -> str:
        told = f"{path} {expires}".encode("utf-8", "replace")
        return hmac.new(self._secret, told, hashlib.sha256).hexdigest()[:32]

    def _afford(self, order: Order) -> None:
        if self.account.balance_units is None or order.family == "image":
            return
        # Reserved when a task is accepted, so that tasks under way cannot overdraw the pack.
        if self._video_units + order.units > Decimal(str(self.account.balance_units)):
            raise ApiError(1102)


def files_of(job: Job) -> list[tuple[str, str]]:
    """Name of each of a task's files, and of its copy with a watermark ("" for none)."""
    if job.order.family == "image":
        return [(f"{job.id}-{index}_raw_image_1.png", "") for index in range(job.order.count)]
    marked = f"{job.id}-0_watermark_video_1.mp4" if job.order.watermark else ""
    return [(f"{job.id}-0_raw_video_1.mp4", marked)]


def _job_id(now_s: float, seed: int, number: int) -> str:
    """18 decimal digits, larger than any float can hold, different for every task."""
    milliseconds = int(now_s * 1000) % 800_000_000_000
    tail = (seed * 7919 + number) % 1_000_000
    return str(100_000_000_000_000_000 + milliseconds * 1_000_000 + tail)
