"""Implements the backend interface for Kling, over its new and its legacy protocol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab.backends.contract import (
    CheckResult,
    FetchResult,
    Job,
    JobStatus,
    Lookup,
    Quote,
    Secret,
    Setting,
    Unsupported,
)
from lab.backends.kling import prices
from lab.backends.kling.account import Account, configured_secrets, configured_settings
from lab.backends.kling.callbacks import CallbackWaiter
from lab.backends.kling.capabilities import capabilities_of
from lab.backends.kling.catalogue import Catalogue, load_catalogue
from lab.backends.kling.connections import Connections
from lab.backends.kling.doctor import NOT_CHECKED, Doctor
from lab.backends.kling.download import LinkExpiredError
from lab.backends.kling.elements import KlingElements
from lab.backends.kling.fetched_file import check_fetched_file
from lab.backends.kling.limits import unsupported_settings
from lab.backends.kling.links import LinkCache
from lab.backends.kling.pictures import PictureCache
from lab.backends.kling.queries import JobQueries
from lab.backends.kling.retries import RetryPolicies
from lab.backends.kling.submissions import NAME, Submissions
from lab.backends.kling.transport import BadParameterError, Transport
from lab.backends.kling.wire import JobInfo, MediaKind, WireError
from lab.errors import (
    AccountError,
    BackendError,
    FetchError,
    ServiceError,
    SubmitUncertain,
)
from lab.shots import Shot
from lab.takes import Take


class KlingBackend:
    """Clips from Kling, over its new protocol or its legacy one.

    Quotes, limits and plans need no key. A job contains the address, the protocol and the path of
    its submission, so any process with a key for that address can continue it. Safe to share
    between threads.
    """

    name = NAME
    capabilities = capabilities_of(load_catalogue())

    def __init__(
        self,
        *,
        account: Account | None = None,
        catalogue: Catalogue | None = None,
        policies: RetryPolicies | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._account = account or Account.load()
        self._catalogue = catalogue or load_catalogue()
        self._policies = policies or RetryPolicies(second_lookup_delay_s=self._account.settle_s)
        self.origin = self._account.origin
        self.account = self._account.fingerprint
        self.capabilities = capabilities_of(
            self._catalogue,
            concurrency=self._account.concurrency,
            poll_every_s=self._account.poll_s,
            job_wait_s=self._account.wait_s,
        )
        self._connections = Connections(self._account, self._policies, transport)
        self._callbacks = CallbackWaiter(self._account)
        self._pictures = PictureCache()
        self._submissions = Submissions(self._account, self._catalogue, self._pictures)
        self._queries = JobQueries(self._account, self._catalogue, self._connections.transport)
        self._links = LinkCache()

    def __repr__(self) -> str:
        return f"KlingBackend({self.origin}, {self._account.submit_protocol} protocol)"

    @classmethod
    def secrets(cls) -> tuple[Secret, ...]:
        """The keys in the environment and in the settings file."""
        return configured_secrets()

    def quote(self, shot: Shot) -> Quote:
        """A range: from the catalogue's price to that price plus the catalogue's margin."""
        return prices.quote(shot, self._catalogue)

    def limits(self, shot: Shot) -> tuple[Unsupported, ...]:
        """What the chosen model or protocol cannot do, and how the still will be cropped."""
        return unsupported_settings(shot, self._catalogue, self._account.submit_protocol)

    def prepare(self) -> None:
        """Check that there is a key. Raises AccountError with the settings to fill."""
        self._account.require_key(self._account.submit_protocol)

    def submit(self, take: Take, external_id: str) -> Job:
        """Submit a take, once."""
        protocol, label = self._submissions.protocol(take.shot), f"take {take.id}"
        self._account.require_key(protocol)
        for item in self.limits(take.shot):
            if item.blocking:
                raise BackendError(f"{label}: {item}")
        request, notes = self._submissions.request(take, external_id)
        try:
            reply = self._connections.transport().submit(
                request.path, request.body, protocol=protocol, label=label
            )
        except BadParameterError as error:
            existing = self.lookup(take, external_id)
            if isinstance(existing, Job):
                return replace(existing, data={**existing.data, "notes": list(notes)})
            # The service rejects a used external id with this code, too, and no document gives the
            # message.
            if existing == "unknown" or "external" in str(error):
                raise SubmitUncertain(f"{error}; it may have been bought before") from error
            raise
        try:
            created = self._submissions.parse_reply(take, reply)
        except WireError as error:
            raise SubmitUncertain(f"{label}: {error}; it may have been bought") from error
        if created.external_id and created.external_id != external_id:
            raise SubmitUncertain(
                f"{label}: the reply is about another external id; look the job up"
            )
        return self._submissions.job(
            take, created.id, external_id=external_id, protocol=protocol, notes=notes
        )

    def lookup(self, take: Take, external_id: str) -> Lookup:
        """The job with that external id.

        "absent" only if two look-ups in each protocol find nothing.
        """
        delay_s = self._policies.second_lookup_delay_s
        for attempt in range(2):
            if attempt > 0 and self._connections.transport().clock.sleep(delay_s):
                return "unknown"
            for protocol in self._submissions.possible_protocols(take.shot):
                path = self._submissions.path(take.shot, protocol)
                result = self._queries.look_up(
                    external_id, protocol=protocol, path=path, label=f"take {take.id}"
                )
                if isinstance(result, JobInfo):
                    return self._submissions.job(
                        take, result.id, external_id=external_id, protocol=protocol
                    )
                if result == "unknown":
                    return "unknown"
        return "absent"

    def adopt(self, take: Take, job_id: str) -> Job:
        """The job of a take, by the id that a person found in the service's console."""
        protocol = self._submissions.protocol(take.shot)
        return self._submissions.job(take, job_id, external_id="", protocol=protocol)

    def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """States by job id. The new protocol answers for up to a hundred jobs per request."""
        infos = self._queries.query_jobs(jobs)
        for info in infos.values():
            if info.state == "done":
                self._links.put(info.id, info.links)
        return {job_id: self._queries.status(info) for job_id, info in infos.items()}

    def pause(self, seconds: float) -> None:
        """Wait that long, or until a signed callback or `close`."""
        self._callbacks.wait(seconds)

    def fetch(self, job: Job, path: Path) -> FetchResult:
        """Download a done job's clip or still, from its last known link or a new one."""
        label, kind = f"job {job.id}", _kind_of(job)
        links, downloader = self._links.get(job.id), self._connections.downloader()
        if links:
            try:
                downloader.fetch(links[0], path, kind=kind, label=label)
            except LinkExpiredError:
                links = ()
        if not links:
            links = self._query_links(job)
            downloader.fetch(links[0], path, kind=kind, label=label)
        return check_fetched_file(job, path, kind=kind)

    def configured_settings(self) -> tuple[Setting, ...]:
        """The environment variables and lines of the settings file that have a value."""
        return configured_settings()

    def describe(self) -> Mapping[str, str]:
        """The address, the protocol, the kind of key, and what no free request can check."""
        account = self._account
        return {
            "address": self.origin if account.url else f"{self.origin} (region {account.region})",
            "protocol": account.submit_protocol,
            "key": "an API key" if account.api_key is not None else "a key pair",
            "clips_from": ", ".join((*self._catalogue.media.hosts, *account.media_hosts)),
            "jobs_at_once": f"{account.concurrency} (KLING_CONCURRENCY; not checked)",
            "not_checked": NOT_CHECKED,
        }

    def check(self) -> Iterator[CheckResult]:
        """Send free requests. Raises AccountError if there is no key for them."""
        self.prepare()
        transport, downloader = self._connections.transport(), self._connections.downloader()
        return Doctor(self._account, self._catalogue, transport, downloader).check()

    def element_library(self) -> KlingElements:
        """The account's elements."""
        return KlingElements(
            transport=self._connections.transport,
            pictures=self._pictures,
            catalogue=self._catalogue,
            second_lookup_delay_s=self._policies.second_lookup_delay_s,
        )

    def close(self) -> None:
        """Close connections. Waits end at once."""
        self._callbacks.close()
        self._connections.close()

    def _query_links(self, job: Job) -> tuple[str, ...]:
        """New links to a job's clip. Raises FetchError if there are none."""
        label = f"job {job.id}"
        try:
            route = self._queries.route(job)
            if route is None:
                raise FetchError(
                    f"{label}: belongs to {job.data.get('host')}; set KLING_REGION or KLING_URL "
                    "to that address, and use a key that works there"
                )
            info = self._queries.query_by_ids([job.id], *route).get(job.id)
        except (ServiceError, AccountError) as error:
            raise FetchError(f"{label}: {error}") from error
        if info is None:
            raise FetchError(
                f"{label}: {self.origin} no longer knows it; clips are stored for 30 days"
            )
        if info.state != "done":
            reason = self._connections.transport().redact(info.message) or info.raw_state
            raise FetchError(f"{label}: there is no clip to fetch ({reason})")
        self._links.put(info.id, info.links)
        return info.links


def _kind_of(job: Job) -> MediaKind:
    return "still" if job.data.get("makes") == "still" else "clip"
