"""Buys clips from Kling: the backend contract on top of the two protocols."""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal
from urllib.parse import quote as quoted

from lab.backends.contract import (
    Capabilities,
    CheckResult,
    FetchResult,
    Job,
    JobState,
    JobStatus,
    Lookup,
    Option,
    Quote,
    Secret,
    Setting,
    Unsupported,
)
from lab.backends.kling import codes, legacy, modern, prices
from lab.backends.kling.account import Account, configured_secrets, given_settings
from lab.backends.kling.callbacks import Listener
from lab.backends.kling.catalogue import DEFAULT_MODEL, Catalogue, Protocol, catalogue
from lab.backends.kling.doctor import NOT_ASKED, Doctor
from lab.backends.kling.download import Downloader, LinkExpiredError
from lab.backends.kling.elements import KlingElements
from lab.backends.kling.limits import limits
from lab.backends.kling.pictures import Pictures
from lab.backends.kling.received import compared
from lab.backends.kling.transport import BadParameterError, Budgets, Transport
from lab.backends.kling.wire import Extras, Request, Row, WireError, log
from lab.backends.kling.wire import Pictures as SentPictures
from lab.errors import (
    AccountError,
    BackendError,
    FetchError,
    ServiceError,
    StillError,
    SubmitUncertain,
)
from lab.shots import Shot
from lab.takes import Take
from lab.units import RATIOS, SHORT_SIDE_PX

_BATCH = 100
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_LINKS_KEPT = 2048
_KNOWN_WORDS = ("submitted", "processing")


def capabilities_of(
    sold: Catalogue,
    *,
    concurrency: int = 20,
    poll_every_s: float = 10.0,
    job_wait_s: float = 3 * 3600.0,
) -> Capabilities:
    """What the models of a catalogue can do, taken together; `limits` says which cannot."""
    models = sold.models.values()
    tiers = {tier for model in models for tier in model.resolutions}
    low, high = sold.span_s
    return Capabilities(
        duration_s=(float(low), float(high)),
        duration_step_s=1.0,
        aspect_ratios=tuple(RATIOS),
        resolutions=tuple(tier for tier in SHORT_SIDE_PX if tier in tiers),
        # 24 by the omni page; others were seen with 30, so the file itself is what counts.
        fps=(24.0,),
        seed=False,
        end_frame=any(model.last_frame for model in models),
        elements=any(model.elements.from_still for model in models),
        registers_elements=True,
        multi_shot=any(model.multi_shot for model in models),
        sound=any(model.sound for model in models),
        text_to_video=any(model.new_paths.text for model in models),
        creates_stills=True,
        lookup=True,
        cancel=False,
        concurrency=concurrency,
        poll_every_s=poll_every_s,
        job_wait_s=job_wait_s,
        options=(
            Option(
                name="model",
                default=DEFAULT_MODEL,
                description="which of Kling's models makes the clip",
                choices=tuple(sold.models),
            ),
        ),
        rejected_settings=tuple(
            (name, f"{row.says} ({row.source}, {row.read_on})")
            for row in sold.rejected_settings
            for name in row.settings
        ),
    )


class KlingBackend:
    """Clips from Kling, over its new protocol or its legacy one.

    Prices, limits and plans need no key. A job names the address, the protocol and the path it was
    ordered at, so that any process with a key for that address can carry on. Safe to share between
    threads.
    """

    name = "kling"
    capabilities = capabilities_of(catalogue())

    def __init__(
        self,
        *,
        account: Account | None = None,
        sold: Catalogue | None = None,
        budgets: Budgets | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._account = account or Account.load()
        self._sold = sold or catalogue()
        self._budgets = budgets or Budgets(settle_s=self._account.settle_s)
        self.origin = self._account.origin
        self.account = self._account.fingerprint
        self.capabilities = capabilities_of(
            self._sold,
            concurrency=self._account.concurrency,
            poll_every_s=self._account.poll_s,
            job_wait_s=self._account.wait_s,
        )
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._closed = threading.Event()
        self._kept_transport = transport
        self._kept_downloader: Downloader | None = None
        self._listener: Listener | None = None
        self._listens = False
        self._pictures = Pictures()
        self._links: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"KlingBackend({self.origin}, {self._account.speaks} protocol)"

    @classmethod
    def secrets(cls) -> tuple[Secret, ...]:
        """The keys in the environment and in the settings file."""
        return configured_secrets()

    def quote(self, shot: Shot) -> Quote:
        """Kling's table price; up to the catalogue's margin more, as prices may have moved."""
        return prices.quote(shot, self._sold)

    def limits(self, shot: Shot) -> tuple[Unsupported, ...]:
        """What the chosen model, or the protocol, does not do; and what is done to the still."""
        return limits(shot, self._sold, self._account.speaks)

    def prepare(self) -> None:
        """Make sure there is a key. Raises AccountError naming the variables and the file."""
        self._account.need(self._account.speaks)

    def submit(self, take: Take, key: str) -> Job:
        """Order a take, once."""
        protocol = self._protocol(take.shot)
        self._account.need(protocol)
        for item in self.limits(take.shot):
            if item.blocking:
                raise BackendError(f"take {take.id}: {item}")
        request, notes = self._request(take, key, protocol)
        what = f"take {take.id}"
        try:
            reply = self._transport.order(request.path, request.body, protocol=protocol, what=what)
        except BadParameterError as error:
            found = self.lookup(take, key)
            if isinstance(found, Job):
                return replace(found, data={**found.data, "notes": list(notes)})
            # That a key was used before is said with this code, in words nobody has published.
            if found == "unknown" or "external" in str(error):
                raise SubmitUncertain(f"{error}; it may have been bought before") from error
            raise
        try:
            parse = modern.parse_created if protocol == "new" else legacy.parse_created
            row = parse(reply, money=self._sold.money)
        except WireError as error:
            raise SubmitUncertain(f"{what}: {error}; it may have been bought") from error
        if row.key and row.key != key:
            raise SubmitUncertain(f"{what}: the answer is about another key; look it up")
        return self._job(take, key, protocol, request.path, row.id, notes)

    def lookup(self, take: Take, key: str) -> Lookup:
        """The job of that key; "absent" only if nobody knows it, asked twice, in both protocols.

        The take may have been ordered in the protocol that is not this process's own.
        """
        own = self._protocol(take.shot)
        others: tuple[Protocol, ...] = ("new", "legacy")
        protocols = [own, *(each for each in others if each != own and self._has(take, each))]
        for again in (False, True):
            if again and self._transport.sleep(self._budgets.settle_s):
                return "unknown"
            for protocol in protocols:
                found = self._known(take, key, protocol)
                if isinstance(found, Row):
                    path = self._path(take.shot, protocol)
                    return self._job(take, key, protocol, path, found.id, ())
                if found == "unknown":
                    return "unknown"
        return "absent"

    def adopt(self, take: Take, job_id: str) -> Job:
        """The job of a take that a person has found in the service's console."""
        protocol = self._protocol(take.shot)
        return self._job(take, "", protocol, self._path(take.shot, protocol), job_id, ())

    def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """States by job id, up to a hundred to a request where the protocol allows it."""
        groups: dict[tuple[Protocol, str], list[Job]] = {}
        for job in jobs:
            if (place := self._place(job)) is not None:
                groups.setdefault(place, []).append(job)
        statuses: dict[str, JobStatus] = {}
        trouble: ServiceError | None = None
        answered = False
        for (protocol, path), wanted in groups.items():
            size = _BATCH if protocol == "new" else 1
            for batch in _batches(wanted, size):
                try:
                    rows = self._rows(protocol, path, [job.id for job in batch])
                except WireError as error:
                    trouble = error
                    continue
                except ServiceError as error:
                    trouble = error
                    break
                answered = True
                for job in batch:
                    if job.id in rows:
                        statuses[job.id] = self._status(rows[job.id])
                    else:
                        self._tell(f"job {job.id}: {self.origin} says nothing of it")
        if trouble is not None and not answered:
            raise trouble
        return statuses

    def pause(self, seconds: float) -> None:
        """Return after that long; sooner on signed news of a job, or on `close`."""
        self._listen()
        if self._news.wait(seconds) and not self._closed.is_set():
            self._news.clear()

    def fetch(self, job: Job, path: Path) -> FetchResult:
        """Bring a done job's clip, or still, by the link it was last seen with or a fresh one."""
        what = f"job {job.id}"
        made: Literal["clip", "still"] = "still" if job.data.get("makes") == "still" else "clip"
        with self._lock:
            links = self._links.get(job.id, ())
        if links:
            try:
                self._downloader.fetch(links[0], path, made=made, what=what)
            except LinkExpiredError:
                links = ()
        if not links:
            links = self._fresh_links(job)
            self._downloader.fetch(links[0], path, made=made, what=what)
        return compared(job, path, made=made)

    def given_settings(self) -> tuple[Setting, ...]:
        """The variables, and the lines of the settings file, that were read."""
        return given_settings()

    def describe(self) -> Mapping[str, str]:
        """Address, protocol, kind of key, and what no free question shows."""
        account = self._account
        return {
            "address": self.origin if account.url else f"{self.origin} (region {account.region})",
            "protocol": account.speaks,
            "key": "an API key" if account.api_key is not None else "a key pair",
            "clips_from": ", ".join((*self._sold.media.hosts, *account.media_hosts)),
            "jobs_at_once": f"{account.concurrency} (KLING_CONCURRENCY; no answer tells)",
            "not_checked": NOT_ASKED,
        }

    def check(self) -> Iterator[CheckResult]:
        """Ask what is free to ask. Raises AccountError when there is no key to ask with."""
        self.prepare()
        return Doctor(self._account, self._sold, self._transport, self._downloader).check()

    def element_library(self) -> KlingElements:
        """The account's elements."""
        return KlingElements(
            transport=lambda: self._transport,
            pictures=self._pictures,
            sold=self._sold,
            settle_s=self._budgets.settle_s,
        )

    def close(self) -> None:
        """Let go of connections; waits end at once."""
        self._closed.set()
        self._news.set()
        with self._lock:
            transport, downloader = self._kept_transport, self._kept_downloader
            listener, self._listener = self._listener, None
        for held in (transport, downloader, listener):
            if held is not None:
                held.close()

    @property
    def _transport(self) -> Transport:
        with self._lock:
            if self._kept_transport is None:
                self._kept_transport = Transport(self._account, budgets=self._budgets)
                if self._closed.is_set():
                    self._kept_transport.close()
            return self._kept_transport

    @property
    def _downloader(self) -> Downloader:
        with self._lock:
            if self._kept_downloader is None:
                self._kept_downloader = Downloader(self._account, budget=self._budgets.download)
                if self._closed.is_set():
                    self._kept_downloader.close()
            return self._kept_downloader

    def _protocol(self, shot: Shot) -> Protocol:
        """Stills are made in the legacy protocol; no path of the new one is known for them."""
        return "legacy" if shot.makes == "still" else self._account.speaks

    def _has(self, take: Take, protocol: Protocol) -> bool:
        """A take like this can have been ordered in that protocol with the keys at hand."""
        if take.shot.makes == "still" and protocol == "new":
            return False
        return self._account.can_speak(protocol) and bool(self._path(take.shot, protocol))

    def _path(self, shot: Shot, protocol: Protocol) -> str:
        """The path a shot is ordered at; "" where the protocol has none for it."""
        if shot.makes == "still":
            return self._sold.stills.path
        model = self._sold.model_of(shot)
        return model.path(protocol, from_image=shot.still is not None) or ""

    def _request(self, take: Take, key: str, protocol: Protocol) -> tuple[Request, tuple[str, ...]]:
        shot, extras = take.shot, Extras(self._account.callback_url or "")
        if shot.makes == "still":
            return legacy.build_still(take, key, stills=self._sold.stills, extras=extras), ()
        most = round(self._sold.protocols[protocol].picture_mb * 1e6)
        notes: list[str] = []
        texts: list[str | None] = []
        for role, still in (("still", shot.still), ("end_still", shot.end_still)):
            if still is None:
                texts.append(None)
                continue
            try:
                picture = self._pictures.picture(still, shot.settings.aspect_ratio, most)
            except StillError as error:
                raise BackendError(f"take {take.id}: {error}") from error
            texts.append(picture.text)
            notes += [f"{role}: {note}" for note in picture.notes]
        request = (modern.build if protocol == "new" else legacy.build)(
            take,
            key,
            model=self._sold.model_of(shot),
            pictures=SentPictures(*texts),
            extras=extras,
        )
        return request, tuple(notes)

    def _job(
        self,
        take: Take,
        key: str,
        protocol: Protocol,
        path: str,
        identity: str,
        notes: Iterable[str],
    ) -> Job:
        shot, asked = take.shot, take.shot.settings
        return Job(
            self.name,
            identity,
            take.id,
            {
                "host": self.origin,
                "region": "" if self._account.url else self._account.region,
                "protocol": protocol,
                "path": path,
                "model": self._sold.stills.model
                if shot.makes == "still"
                else self._sold.name_of(shot),
                "key": key,
                "makes": shot.makes,
                "asked": {
                    "duration_s": asked.duration_s,
                    "aspect_ratio": asked.aspect_ratio,
                    "resolution": asked.resolution,
                    "fps": asked.fps,
                    "sound": asked.sound,
                    "seed": asked.seed,
                },
                "notes": list(notes),
            },
        )

    def _known(
        self, take: Take, key: str, protocol: Protocol
    ) -> Row | Literal["absent", "unknown"]:
        """What one protocol says of a key, asked once."""
        path = self._path(take.shot, protocol)
        money = self._sold.money
        try:
            if protocol == "new":
                reply = self._transport.ask(modern.TASKS, modern.by_key(key), protocol=protocol)
                if reply.data == []:
                    return "absent"
                rows = modern.parse_rows(reply, money=money)
            else:
                reply = self._transport.ask(
                    f"{path}/{quoted(key, safe='')}",
                    protocol=protocol,
                    accept=(codes.BAD_PARAMETER,),
                )
                if reply.code == codes.BAD_PARAMETER:
                    return "absent"
                rows = (legacy.parse_row(reply, money=money),)
        except (ServiceError, AccountError) as error:
            log.warning("take %s: cannot be looked up: %s", take.id, error)
            return "unknown"
        return next((row for row in rows if row.key == key), "unknown")

    def _rows(self, protocol: Protocol, path: str, ids: Sequence[str]) -> dict[str, Row]:
        """What is said of these jobs, by id; a job nobody knows is missing."""
        money, budget = self._sold.money, self._budgets.poll
        if protocol == "new":
            reply = self._transport.ask(path, modern.by_ids(ids), protocol=protocol, budget=budget)
            return {row.id: row for row in modern.parse_rows(reply, money=money)}
        rows = {}
        for identity in ids:
            reply = self._transport.ask(
                f"{path}/{quoted(identity, safe='')}",
                protocol=protocol,
                budget=budget,
                accept=(codes.BAD_PARAMETER,),
            )
            if reply.code == codes.BAD_PARAMETER:
                continue
            row = legacy.parse_row(reply, money=money)
            rows[row.id] = row
        return rows

    def _status(self, row: Row) -> JobStatus:
        message = self._transport.scrubbed(row.message)
        if row.state == "done":
            self._keep_links(row)
            said = f"{row.seconds:g} s" if row.seconds is not None else ""
            # A clip for nothing is a bill that has not come yet: unknown, so counted at its worst.
            return JobStatus(JobState.DONE, message or said, row.cost_usd or None)
        if row.state == "failed":
            refused = codes.is_refusal(message)
            return JobStatus(
                JobState.REFUSED if refused else JobState.FAILED,
                message or "it failed, and no reason was given",
                # Failed jobs are not charged, unless the bill says otherwise.
                row.cost_usd or 0.0,
            )
        if row.word in ("succeed", "succeeded"):
            self._tell(f"job {row.id}: has succeeded, but no clip is named yet; waiting")
        elif row.word not in _KNOWN_WORDS:
            self._tell(f"state {row.word!r} is not known; jobs in it are waited for")
        return JobStatus(JobState.WAITING, message)

    def _keep_links(self, row: Row) -> None:
        with self._lock:
            self._links[row.id] = row.links
            self._links.move_to_end(row.id)
            while len(self._links) > _LINKS_KEPT:
                self._links.popitem(last=False)

    def _fresh_links(self, job: Job) -> tuple[str, ...]:
        """Where the clip can be had now. Raises FetchError when that cannot be said."""
        what = f"job {job.id}"
        try:
            place = self._place(job)
            if place is None:
                raise FetchError(
                    f"{what}: lies at {job.data.get('host')}; set KLING_REGION or KLING_URL, and "
                    "the keys, to that place"
                )
            rows = self._rows(*place, [job.id])
        except (ServiceError, AccountError) as error:
            raise FetchError(f"{what}: {error}") from error
        row = rows.get(job.id)
        if row is None:
            raise FetchError(
                f"{what}: {self.origin} no longer knows it; clips are kept for 30 days"
            )
        if row.state != "done":
            said = self._transport.scrubbed(row.message) or row.word
            raise FetchError(f"{what}: there is no clip to fetch ({said})")
        self._keep_links(row)
        return row.links

    def _place(self, job: Job) -> tuple[Protocol, str] | None:
        """Where a job is asked about: protocol and path; None, said once, if this account cannot.

        Raises AccountError when there is no key at all.
        """
        said, path = job.data.get("protocol"), str(job.data.get("path"))
        protocol: Protocol = "legacy" if said == "legacy" else "new"
        if not self._account.can_speak("legacy"):
            self._account.need(protocol)
        if said != protocol or not _PATH.fullmatch(path):
            self._tell(f"job {job.id}: does not say where it was ordered")
        elif job.data.get("host") != self.origin:
            self._tell(f"jobs at {job.data.get('host')} cannot be asked about from {self.origin}")
        elif not self._account.can_speak(protocol):
            self._tell(f"jobs of the {protocol} protocol need KLING_API_KEY to be asked about")
        else:
            return protocol, (path if protocol == "legacy" else modern.TASKS)
        return None

    def _listen(self) -> None:
        """Start to hear news, where the account says how; without it, asking is enough."""
        account = self._account
        if account.callback_port is None or not (account.callback_url and account.webhook_secret):
            return
        with self._lock:
            if self._listens or self._closed.is_set():
                return
            self._listens = True
            secret = account.webhook_secret.get_secret_value()
            try:
                self._listener = Listener(account.callback_port, secret, self._news.set)
            except OSError as error:
                log.warning(
                    "KLING_CALLBACK_PORT %d: cannot listen (%s); jobs are asked about instead",
                    account.callback_port,
                    error.strerror,
                )

    def _tell(self, said: str) -> None:
        """Log a remark once."""
        with self._lock:
            if said in self._told:
                return
            self._told.add(said)
        log.warning("%s", said)


def _batches(jobs: Iterable[Job], size: int) -> Iterable[tuple[Job, ...]]:
    remaining = iter(jobs)
    while batch := tuple(islice(remaining, size)):
        yield batch
