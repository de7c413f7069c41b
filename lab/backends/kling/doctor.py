"""Check with free requests which documented assumptions hold for this account.

It sends only queries: for an id that nobody used, for lists of jobs, and for the account's resource
packs. Queries take no slot and cost nothing
(kling.ai/document-api/api/get-started/concurrency-rules), and /account/costs is free.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as url_quote

from lab.backends.contract import CheckResult, Outcome
from lab.backends.kling import codes, legacy, modern
from lab.backends.kling.account import Account
from lab.backends.kling.catalogue import Catalogue, Protocol
from lab.backends.kling.codes import Action
from lab.backends.kling.download import Downloader
from lab.backends.kling.retries import RetryPolicy
from lab.backends.kling.tokens import BACKDATE_S, LIFETIME_S
from lab.backends.kling.transport import Transport
from lab.backends.kling.wire import (
    JobInfo,
    Reply,
    WireError,
    json_objects,
    parse_number,
    parse_text,
)
from lab.errors import AccountError, FetchError, LabError, ServiceError

_PACKS_PATH = "/account/costs"
# The list contains only packs bought within the queried period. Some packs last a year.
_PACKS_PERIOD_S = 400 * 86_400
_POLICY = RetryPolicy(tries=2, seconds=20.0)
_MAX_LINKS = 3
# Retrying does not help after these codes, so a check takes them as the answer. All other codes are
# handled as in a run.
_FINAL_CODES = tuple(
    code
    for code, row in codes.CODES.items()
    if row.on_query in (Action.STOP, Action.FAIL, Action.REFUSE)
)
_DOCUMENTS = "https://kling.ai/document-api/"
_LEGACY_PAGE = f"{_DOCUMENTS}api/video/3-0-omni/image-to-video/legacy"
_PROBES = "published probes of the live service"


@dataclass(frozen=True)
class _Assumption:
    """An assumption about the service, and where and when it was read."""

    name: str
    statement: str
    source: str
    read_on: str

    def result(self, outcome: Outcome, observed: str) -> CheckResult:
        return CheckResult(self.name, self.statement, outcome, observed, self.source, self.read_on)

    def held(self, observed: str) -> CheckResult:
        return self.result("held", observed)

    def failed(self, observed: str) -> CheckResult:
        return self.result("did not hold", observed)

    def unchecked(self, reason: str) -> CheckResult:
        return self.result("could not be checked", reason)


ADDRESS = _Assumption(
    "address",
    "the service answers at this address",
    f"{_DOCUMENTS}, general information of the legacy pages",
    "2026-03-27",
)
KEY = _Assumption(
    "key",
    "the service knows the key (a key works in one region only)",
    f"{_DOCUMENTS}api/get-started/authentication",
    "2026-11-22",
)
CLOCK = _Assumption(
    "clock",
    f"the service's clock is within a new token's validity: from {BACKDATE_S} s before this "
    f"machine's time to {LIFETIME_S // 60} min after it",
    f"{_DOCUMENTS}api/get-started/authentication",
    "2026-11-22",
)
UNUSED_ID_NEW = _Assumption(
    "unused id, new protocol",
    "the reply for an unused external id is an empty list (after a crash, this reply means that "
    "the take was never submitted)",
    _PROBES,
    "2026-08-26",
)
UNUSED_ID_LEGACY = _Assumption(
    "unused id, legacy protocol",
    "the reply for an unused external id is 400/1201 on every path (after a crash, this reply "
    "means that the take was never submitted)",
    f"{_PROBES}, for text2video",
    "2026-08-26",
)
USED_ID = _Assumption(
    "used id",
    "a query for the external id of a submission finds its job",
    _LEGACY_PAGE,
    "2026-03-27",
)
HOSTS = _Assumption(
    "media hosts",
    "clips are on the listed hosts, over https, at public addresses",
    "a published reply (cdn.klingai.com); kling.ai is assumed",
    "2026-11-22",
)
PACKS = _Assumption(
    "packs",
    "the account's resource packs can be read, with a delay of 12 hours",
    f"{_DOCUMENTS}api/assets/billing-deduction/package",
    "2026-11-22",
)
NOT_CHECKED = (
    "that the service refuses an external id used twice, that a failed job costs nothing, how many "
    "jobs may run at once: only paid submissions show that, so begin with a low "
    "spending cap (--cap)"
)


class Doctor:
    """The checks of one account.

    policy: retries of queries without a reply. now: seconds since 1970.
    """

    def __init__(
        self,
        account: Account,
        catalogue: Catalogue,
        transport: Transport,
        downloader: Downloader,
        *,
        policy: RetryPolicy = _POLICY,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._catalogue = catalogue
        self._transport = transport
        self._downloader = downloader
        self._policy = policy
        self._now = now
        self._unused_id = f"i2v-doctor-{secrets.token_hex(8)}"

    def check(self) -> Iterator[CheckResult]:
        """Check each assumption, first those that the others depend on. Submits nothing."""
        others = [UNUSED_ID_LEGACY, USED_ID, HOSTS, PACKS]
        if self._account.has_key_for("new"):
            others.insert(0, UNUSED_ID_NEW)
        try:
            reply = self._query_unused(self._account.submit_protocol, self._legacy_paths[0])
        except ServiceError as error:
            yield ADDRESS.failed(str(error))
            for assumption in [KEY, *others]:
                yield assumption.unchecked("there is no answer at the address")
            return
        except AccountError as error:
            refusal = str(error)
        else:
            refusal = self._describe(reply) if _is_account_error(reply) else ""
        yield ADDRESS.held(f"{self._account.origin} answers")
        if self._account.api_key is None:
            yield self._check_clock()
        if refusal:
            yield KEY.failed(refusal)
            for assumption in others:
                yield assumption.unchecked("the service refuses the account")
            return
        yield KEY.held(f"a query was answered in the {self._account.submit_protocol} protocol")
        if self._account.has_key_for("new"):
            yield _run(UNUSED_ID_NEW, self._check_unused_new)
        yield _run(UNUSED_ID_LEGACY, self._check_unused_legacy)
        jobs = self._recent_jobs()
        yield _run(USED_ID, lambda: self._check_used(jobs))
        yield _run(HOSTS, lambda: self._check_hosts(jobs))
        yield _run(PACKS, self._check_packs)

    @property
    def _legacy_paths(self) -> list[str]:
        """Every path of the legacy protocol for submissions and look-ups, each once."""
        paths = []
        for model in self._catalogue.models.values():
            if model.legacy_paths is not None:
                paths += [model.legacy_paths.image, model.legacy_paths.text or ""]
        paths.append(self._catalogue.stills.path)
        return list(dict.fromkeys(path for path in paths if path))

    def _query(
        self, path: str, params: Mapping[str, str] | None = None, *, protocol: Protocol = "legacy"
    ) -> Reply:
        return self._transport.query(
            path, params, protocol=protocol, policy=self._policy, accept=_FINAL_CODES
        )

    def _query_unused(self, protocol: Protocol, path: str) -> Reply:
        """The reply for an id that nobody used."""
        if protocol == "new":
            return self._query(
                modern.TASKS, modern.external_id_query(self._unused_id), protocol="new"
            )
        return self._query(f"{path}/{self._unused_id}")

    def _describe(self, reply: Reply) -> str:
        """A reply in words: its meaning, the service's message, and a hint."""
        message = self._transport.redact(parse_text(reply.message))
        quoted = f'"{message}"' if message else ""
        parts = [codes.meaning_of(reply.code, 200), quoted, codes.hint_of(reply.code)]
        return "; ".join(part for part in parts if part)

    def _check_clock(self) -> CheckResult:
        offset_s = self._transport.clock_offset_s
        if offset_s is None:
            return CLOCK.unchecked("its replies do not contain the time")
        direction = "ahead of" if offset_s >= 0 else "behind"
        observed = f"its clock is {abs(offset_s):.0f} s {direction} ours"
        # One second of tolerance, because the server's time is in whole seconds.
        if -BACKDATE_S - 1 <= offset_s < LIFETIME_S:
            return CLOCK.held(observed)
        return CLOCK.failed(f"{observed}; set this machine's clock right")

    def _check_unused_new(self) -> CheckResult:
        reply = self._query_unused("new", "")
        if reply.code == 0 and reply.data == []:
            return UNUSED_ID_NEW.held("the list is empty")
        observed = "not an empty list" if reply.code == 0 else self._describe(reply)
        return UNUSED_ID_NEW.failed(f"{observed}; a take whose reply is lost stays uncertain")

    def _check_unused_legacy(self) -> CheckResult:
        exceptions = []
        for path in self._legacy_paths:
            reply = self._query_unused("legacy", path)
            if reply.code != codes.BAD_PARAMETER:
                exceptions.append(f"{path}: {self._describe(reply)}")
        if not exceptions:
            return UNUSED_ID_LEGACY.held(f"400/1201 on all {len(self._legacy_paths)} paths")
        observed = "; ".join(exceptions)
        return UNUSED_ID_LEGACY.failed(
            f"{observed}; a take on these paths whose reply is lost stays uncertain"
        )

    def _recent_jobs(self) -> list[tuple[str, JobInfo]]:
        """The account's latest jobs, each with its path. A path without a list is left out."""
        jobs: list[tuple[str, JobInfo]] = []
        for path in self._legacy_paths:
            try:
                reply = self._query(path, {"pageNum": "1", "pageSize": "30"})
            except LabError:
                continue  # with no job at all, the checks that need one say so
            for item in json_objects(reply.data):
                try:
                    job = legacy.parse_job(
                        Reply(0, "", item), unit_prices=self._catalogue.unit_prices
                    )
                except WireError:
                    continue
                jobs.append((path, job))
        return jobs

    def _check_used(self, jobs: list[tuple[str, JobInfo]]) -> CheckResult:
        unit_prices = self._catalogue.unit_prices
        path, job = next(((path, job) for path, job in jobs if job.external_id), ("", None))
        if job is None:
            return USED_ID.unchecked("the account's lists contain no job with an external id yet")
        reply = self._query(f"{path}/{url_quote(job.external_id, safe='')}")
        if reply.code != 0 or legacy.parse_job(reply, unit_prices=unit_prices).id != job.id:
            return USED_ID.failed(f"the query on {path} does not find job {job.id}")
        observed = f"the query on {path} finds job {job.id}"
        if self._account.has_key_for("new"):
            reply = self._query(
                modern.TASKS, modern.external_id_query(job.external_id), protocol="new"
            )
            matches = modern.parse_jobs(reply, unit_prices=unit_prices) if reply.code == 0 else ()
            in_both = any(match.id == job.id for match in matches)
            observed += f"; the new protocol {'finds it too' if in_both else 'does not find it'}"
        return USED_ID.held(observed)

    def _check_hosts(self, jobs: list[tuple[str, JobInfo]]) -> CheckResult:
        links = [job.links[0] for _, job in jobs if job.links][:_MAX_LINKS]
        if not links:
            return HOSTS.unchecked("the account's lists contain no finished clip yet")
        try:
            hosts = {self._downloader.host_of(link, label="media hosts") for link in links}
        except FetchError as error:
            return HOSTS.failed(str(error).removeprefix("media hosts: "))
        return HOSTS.held(f"the latest clips are on {', '.join(sorted(hosts))}")

    def _check_packs(self) -> CheckResult:
        now_ms = int(self._now() * 1000)
        params = {"start_time": str(now_ms - _PACKS_PERIOD_S * 1000), "end_time": str(now_ms)}
        reply = self._query(_PACKS_PATH, params)
        data = reply.data if isinstance(reply.data, dict) else {}
        # The data contains a second code beside that of the envelope.
        if reply.code != 0 or data.get("code", 0) != 0:
            return PACKS.failed(
                self._describe(reply) if reply.code else parse_text(data.get("msg"))
            )
        packs = json_objects(data.get("resource_pack_subscribe_infos"))
        if not packs:
            return PACKS.held("no pack; submissions need a pack or a balance")
        return PACKS.held("; ".join(self._describe_pack(pack) for pack in packs))

    def _describe_pack(self, pack: Mapping[str, Any]) -> str:
        name = self._transport.redact(parse_text(pack.get("resource_pack_name"))) or "a pack"
        remaining, total = (
            parse_number(pack.get(f"{part}_quantity")) for part in ("remaining", "total")
        )
        amount = ""
        if remaining is not None and total is not None:
            amount = f": {remaining:g} of {total:g} units left"
        return f"{name}{amount} ({parse_text(pack.get('status')) or 'state unknown'})"


def _run(assumption: _Assumption, check: Callable[[], CheckResult]) -> CheckResult:
    try:
        return check()
    except LabError as error:
        return assumption.unchecked(str(error))


def _is_account_error(reply: Reply) -> bool:
    known = codes.CODES.get(reply.code)
    return known is not None and known.on_query is Action.STOP
