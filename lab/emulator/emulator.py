"""The service itself, without the network: its tasks, its faults and its books."""

import shutil
import tempfile
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict

from lab.emulator.account import Account, Region
from lab.emulator.assumptions import Assumptions
from lab.emulator.clock import Pace
from lab.emulator.elements import ElementEntry
from lab.emulator.elements import plain as plain_element
from lab.emulator.faults import Fault, Faults
from lab.emulator.store import Job, Store


class JobEntry(TypedDict):
    """A task as the emulator's books show it."""

    id: str
    external_id: str | None
    state: str
    protocol: str
    family: str
    model: str
    prompt: str
    duration_s: int
    resolution: str
    sound: bool
    multi_shot: bool
    count: int
    message: str
    charged_units: float
    charged_usd: float
    created_s: float


class Emulator:
    """A stand-in for the paid service, with one account. Costs nothing and keeps count.

    clock: seconds since 1970; states, links and tokens follow it. short_side_px: render clips
    smaller than was asked for, to save time. region: of the host that it plays. seed: of delays
    and of faults that strike by chance. Safe to use from several threads.
    """

    def __init__(
        self,
        *,
        account: Account | None = None,
        pace: Pace | None = None,
        faults: Iterable[Fault] = (),
        clock: Callable[[], float] = time.time,
        short_side_px: int | None = None,
        seed: int = 0,
        region: Region = "singapore",
        assumptions: Assumptions | None = None,
    ) -> None:
        self.account = account or Account()
        self.pace = pace or Pace()
        self.clock = clock
        self.short_side_px = short_side_px
        self.region = region
        self.assumptions = assumptions or Assumptions()
        self.folder = Path(tempfile.mkdtemp(prefix="kling-emulator-"))
        # Not TemporaryDirectory: that one warns when nobody closed it.
        self._gone = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.store = Store(
            account=self.account,
            pace=self.pace,
            assumptions=self.assumptions,
            seed=seed,
            folder=self.folder,
        )
        self.faults = Faults(faults, seed)
        self._requests: Counter[str] = Counter()
        self._downloads = 0
        self._callbacks = 0
        self._lock = threading.Lock()

    @property
    def charged_jobs(self) -> int:
        """Tasks that cost money: every accepted one that will not fail, finished or not."""
        return sum(1 for job in self.store.all() if job.units)

    @property
    def charges_usd(self) -> float:
        """What those tasks cost together, in dollars."""
        return float(sum((job.usd for job in self.store.all()), Decimal(0)))

    @property
    def jobs(self) -> list[JobEntry]:
        """Every accepted task in the order of arrival, as plain data."""
        now_s = self.clock()
        return [_plain(job, now_s) for job in self.store.all()]

    @property
    def elements(self) -> list[ElementEntry]:
        """Every accepted registration of an element in the order of arrival, as plain data."""
        now_s = self.clock()
        return [plain_element(entry, now_s) for entry in self.store.library.all()]

    @property
    def requests(self) -> Counter[str]:
        """How often each "METHOD /path/{template} STATUS" was served; "dropped" is a status."""
        with self._lock:
            return Counter(self._requests)

    @property
    def downloads(self) -> int:
        """How often the media host was asked for a file, whatever it answered."""
        return self._downloads

    @property
    def callbacks(self) -> int:
        """How many callbacks were sent, delivered or not."""
        return self._callbacks

    def state(self) -> dict[str, Any]:
        """The books as plain data: jobs, charges (also by external id), requests, downloads."""
        jobs = self.jobs
        charges = {
            job["external_id"] or job["id"]: {
                "units": job["charged_units"],
                "usd": job["charged_usd"],
            }
            for job in jobs
        }
        return {
            "jobs": jobs,
            "charged_jobs": self.charged_jobs,
            "charges_usd": self.charges_usd,
            "charges": charges,
            "elements": self.elements,
            "requests": dict(self.requests),
            "downloads": self.downloads,
            "callbacks": self.callbacks,
            "faults": self.faults.listed(),
        }

    def add_fault(self, fault: Fault) -> None:
        """Put one more fault in force."""
        self.faults.add(fault)

    def clear_faults(self) -> None:
        """Let everything go well again."""
        self.faults.clear()

    def count_request(self, method: str, template: str, outcome: str) -> None:
        """Note one request and how it ended."""
        with self._lock:
            self._requests[f"{method} {template} {outcome}"] += 1

    def count_download(self) -> None:
        """Note one request for a file."""
        with self._lock:
            self._downloads += 1

    def count_callback(self) -> None:
        """Note one callback."""
        with self._lock:
            self._callbacks += 1


def _plain(job: Job, now_s: float) -> JobEntry:
    order = job.order
    return {
        "id": job.id,
        "external_id": order.external_id,
        "state": job.state(now_s),
        "protocol": order.protocol,
        "family": order.family,
        "model": order.model,
        "prompt": order.prompt,
        "duration_s": order.duration_s,
        "resolution": order.resolution,
        "sound": order.sound,
        "multi_shot": bool(order.cuts),
        "count": order.count,
        "message": job.message(now_s),
        "charged_units": float(job.units),
        "charged_usd": float(job.usd),
        "created_s": job.created_s,
    }
