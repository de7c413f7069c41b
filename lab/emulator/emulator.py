"""The emulated service without the network: its tasks, its faults and its counters."""

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
from lab.emulator.elements import ElementSummary, element_summary
from lab.emulator.faults import Fault, Faults
from lab.emulator.store import Store, Task
from lab.emulator.timing import TaskTiming


class TaskSummary(TypedDict):
    """A task as the emulator's own state report shows it."""

    id: str
    external_id: str
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
    """A free replacement for the paid service. It has one account and records every charge.

    clock: seconds since 1970; it determines task states and the expiry of links and tokens.
    short_side_px: render clips at this size instead of the requested one, to save time. region:
    region of the emulated host. seed: seeds the durations of tasks and the random faults. Safe to
    use from several threads.
    """

    def __init__(
        self,
        *,
        account: Account | None = None,
        timing: TaskTiming | None = None,
        faults: Iterable[Fault] = (),
        clock: Callable[[], float] = time.time,
        short_side_px: int | None = None,
        seed: int = 0,
        region: Region = "singapore",
        assumptions: Assumptions | None = None,
    ) -> None:
        self.account = account or Account()
        self.timing = timing or TaskTiming()
        self.clock = clock
        self.short_side_px = short_side_px
        self.region = region
        self.assumptions = assumptions or Assumptions()
        self.folder = Path(tempfile.mkdtemp(prefix="kling-emulator-"))
        # TemporaryDirectory would warn when it is never closed.
        self._cleanup = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.store = Store(
            account=self.account,
            timing=self.timing,
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
        """Number of accepted tasks that cost money, finished or not. Tasks that fail are free."""
        return sum(1 for task in self.store.all() if task.units)

    @property
    def charges_usd(self) -> float:
        """Total price of all accepted tasks, in US dollars."""
        return float(sum((task.usd for task in self.store.all()), Decimal(0)))

    @property
    def jobs(self) -> list[TaskSummary]:
        """Every accepted task as plain data, oldest first."""
        now_s = self.clock()
        return [_task_summary(task, now_s) for task in self.store.all()]

    @property
    def elements(self) -> list[ElementSummary]:
        """Every accepted element as plain data, oldest first."""
        now_s = self.clock()
        return [element_summary(element, now_s) for element in self.store.elements.all()]

    @property
    def requests(self) -> Counter[str]:
        """Number of requests by "METHOD /path/{template} STATUS".

        The status "dropped" means that the connection was closed without a reply.
        """
        with self._lock:
            return Counter(self._requests)

    @property
    def downloads(self) -> int:
        """Number of requests to the media host, whatever the reply."""
        return self._downloads

    @property
    def callbacks(self) -> int:
        """Number of callbacks sent, delivered or not."""
        return self._callbacks

    def state(self) -> dict[str, Any]:
        """Everything recorded, as plain data: jobs, charges, elements, requests and faults.

        `charges` is keyed by external id, or by task id if a task has no external id.
        """
        jobs = self.jobs
        charges = {
            task["external_id"] or task["id"]: {
                "units": task["charged_units"],
                "usd": task["charged_usd"],
            }
            for task in jobs
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
            "faults": self.faults.to_json(),
        }

    def add_fault(self, fault: Fault) -> None:
        """Activate one more fault."""
        self.faults.add(fault)

    def clear_faults(self) -> None:
        """Deactivate all faults."""
        self.faults.clear()

    def count_request(self, method: str, template: str, outcome: str) -> None:
        """Count one request and its outcome."""
        with self._lock:
            self._requests[f"{method} {template} {outcome}"] += 1

    def count_download(self) -> None:
        """Count one request for a file."""
        with self._lock:
            self._downloads += 1

    def count_callback(self) -> None:
        """Count one callback."""
        with self._lock:
            self._callbacks += 1


def _task_summary(task: Task, now_s: float) -> TaskSummary:
    spec = task.spec
    return {
        "id": task.id,
        "external_id": spec.external_id,
        "state": task.state(now_s),
        "protocol": spec.protocol,
        "family": spec.family,
        "model": spec.model,
        "prompt": spec.prompt,
        "duration_s": spec.duration_s,
        "resolution": spec.resolution,
        "sound": spec.sound,
        "multi_shot": bool(spec.segments),
        "count": spec.count,
        "message": task.message(now_s),
        "charged_units": float(task.units),
        "charged_usd": float(task.usd),
        "created_s": task.created_s,
    }
