"""Query jobs by id or by our own external id, in either protocol."""

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Literal
from urllib.parse import quote as url_quote

from lab.backends.contract import Job, JobState, JobStatus
from lab.backends.kling import codes, legacy, modern
from lab.backends.kling.account import Account
from lab.backends.kling.catalogue import Catalogue, Protocol
from lab.backends.kling.transport import Transport
from lab.backends.kling.wire import SUCCEEDED, JobInfo, WireError, log
from lab.errors import AccountError, ServiceError

_BATCH_SIZE = 100
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_WAITING_STATES = ("submitted", "processing")


class JobQueries:
    """Queries the jobs of one account. Safe to share between threads."""

    def __init__(
        self, account: Account, catalogue: Catalogue, transport: Callable[[], Transport]
    ) -> None:
        self._account = account
        self._unit_prices = catalogue.unit_prices
        self._transport = transport
        self._lock = threading.Lock()
        self._logged: set[str] = set()

    def look_up(
        self, external_id: str, *, protocol: Protocol, path: str, label: str
    ) -> JobInfo | Literal["absent", "unknown"]:
        """The job with our external id, queried once in one protocol. label: the take, for the log.

        "absent" if the service replies that it has no such job; "unknown" if the query fails or the
        reply has no job with our external id.
        """
        transport = self._transport()
        try:
            if protocol == "new":
                reply = transport.query(
                    modern.TASKS, modern.external_id_query(external_id), protocol=protocol
                )
                if reply.data == []:
                    return "absent"
                matches = modern.parse_jobs(reply, unit_prices=self._unit_prices)
            else:
                reply = transport.query(
                    f"{path}/{url_quote(external_id, safe='')}",
                    protocol=protocol,
                    accept=(codes.BAD_PARAMETER,),
                )
                if reply.code == codes.BAD_PARAMETER:
                    return "absent"
                matches = (legacy.parse_job(reply, unit_prices=self._unit_prices),)
        except (ServiceError, AccountError) as error:
            log.warning("%s: cannot be looked up: %s", label, error)
            return "unknown"
        return next((match for match in matches if match.external_id == external_id), "unknown")

    def query_jobs(self, jobs: Sequence[Job]) -> dict[str, JobInfo]:
        """The current state of jobs, by id. Jobs whose state is unknown are left out.

        Raises ServiceError if no query was answered, and AccountError if there is no key.
        """
        groups: dict[tuple[Protocol, str], list[Job]] = {}
        for job in jobs:
            if (route := self.route(job)) is not None:
                groups.setdefault(route, []).append(job)
        infos: dict[str, JobInfo] = {}
        last_error: ServiceError | None = None
        answered = False
        for (protocol, path), group in groups.items():
            for batch in _batches(group, _BATCH_SIZE if protocol == "new" else 1):
                try:
                    batch_infos = self.query_by_ids([job.id for job in batch], protocol, path)
                except WireError as error:
                    last_error = error
                    continue
                except ServiceError as error:
                    last_error = error
                    break
                answered = True
                for job in batch:
                    if job.id in batch_infos:
                        infos[job.id] = batch_infos[job.id]
                    else:
                        self._log_once(
                            f"job {job.id}: is missing from the reply of {self._account.origin}"
                        )
        if last_error is not None and not answered:
            raise last_error
        return infos

    def query_by_ids(self, ids: Sequence[str], protocol: Protocol, path: str) -> dict[str, JobInfo]:
        """The jobs with these ids. Jobs that the service does not know are left out."""
        transport = self._transport()
        policy = transport.policies.poll
        if protocol == "new":
            reply = transport.query(path, modern.ids_query(ids), protocol=protocol, policy=policy)
            return {job.id: job for job in modern.parse_jobs(reply, unit_prices=self._unit_prices)}
        infos = {}
        for job_id in ids:
            reply = transport.query(
                f"{path}/{url_quote(job_id, safe='')}",
                protocol=protocol,
                policy=policy,
                accept=(codes.BAD_PARAMETER,),
            )
            if reply.code != codes.BAD_PARAMETER:
                info = legacy.parse_job(reply, unit_prices=self._unit_prices)
                infos[info.id] = info
        return infos

    def route(self, job: Job) -> tuple[Protocol, str] | None:
        """The protocol and the path for queries about a job; None if this account cannot query it.

        Logs the reason for None once. Raises AccountError if there is no key at all.
        """
        stored, path = job.data.get("protocol"), str(job.data.get("path"))
        protocol: Protocol = "legacy" if stored == "legacy" else "new"
        if not self._account.has_key_for("legacy"):
            self._account.require_key(protocol)
        host, origin = job.data.get("host"), self._account.origin
        if stored != protocol or not _PATH.fullmatch(path):
            self._log_once(f"job {job.id}: has no protocol or path, so it cannot be queried")
        elif host != origin:
            self._log_once(f"jobs at {host} cannot be queried from {origin}")
        elif not self._account.has_key_for(protocol):
            self._log_once(f"jobs of the {protocol} protocol cannot be queried; set KLING_API_KEY")
        else:
            return protocol, (path if protocol == "legacy" else modern.TASKS)
        return None

    def status(self, info: JobInfo) -> JobStatus:
        """A job's status in the terms of the backend contract."""
        message = self._transport().redact(info.message)
        if info.state == "done":
            length = f"{info.duration_s:g} s" if info.duration_s is not None else ""
            # A cost of 0 means that the bill is still missing, so the cost is unknown.
            return JobStatus(JobState.DONE, message or length, info.cost_usd or None)
        if info.state == "failed":
            refused = codes.is_refusal(message)
            return JobStatus(
                JobState.REFUSED if refused else JobState.FAILED,
                message or "it failed, and no reason was given",
                # Failed jobs cost nothing unless the bill says otherwise.
                info.cost_usd or 0.0,
            )
        if info.raw_state in SUCCEEDED:
            self._log_once(f"job {info.id}: succeeded, but has no link to a clip yet; waiting")
        elif info.raw_state not in _WAITING_STATES:
            self._log_once(f"state {info.raw_state!r} is unknown; such jobs count as waiting")
        return JobStatus(JobState.WAITING, message)

    def _log_once(self, message: str) -> None:
        with self._lock:
            if message in self._logged:
                return
            self._logged.add(message)
        log.warning("%s", message)


def _batches(jobs: Iterable[Job], size: int) -> Iterable[tuple[Job, ...]]:
    remaining = iter(jobs)
    while batch := tuple(islice(remaining, size)):
        yield batch
