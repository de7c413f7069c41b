"""Remember the links of the latest finished jobs."""

import threading
from collections import OrderedDict

_MAX_JOBS = 2048


class LinkCache:
    """The links of jobs by id. The oldest are dropped. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._links: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._links)

    def get(self, job_id: str) -> tuple[str, ...]:
        """The links of a job; empty if there are none."""
        with self._lock:
            return self._links.get(job_id, ())

    def put(self, job_id: str, links: tuple[str, ...]) -> None:
        """Store the links of a job."""
        with self._lock:
            self._links[job_id] = links
            self._links.move_to_end(job_id)
            while len(self._links) > _MAX_JOBS:
                self._links.popitem(last=False)
