"""Asks the service what costs nothing, and says which documented assumptions hold for this account.

Only questions: by an id nobody used, for lists of jobs, for the account's packs. Queries take no
slot and are not charged (kling.ai/document-api/api/get-started/concurrency-rules), and
/account/costs is free.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as quoted

from lab.backends.contract import CheckResult, Outcome
from lab.backends.kling import codes, legacy, modern
from lab.backends.kling.account import Account
from lab.backends.kling.catalogue import Catalogue, Protocol
from lab.backends.kling.codes import Action
from lab.backends.kling.download import Downloader
from lab.backends.kling.tokens import BACKDATE_S, LIFETIME_S
from lab.backends.kling.transport import Budget, Transport
from lab.backends.kling.wire import Reply, Row, WireError, mappings, number_of, text_of
from lab.errors import AccountError, FetchError, LabError, ServiceError

_PACKS = "/account/costs"
# A pack is listed only if it was bought in the span asked for; a year's pack must be in it.
_SPAN_S = 400 * 86_400
_PATIENCE = Budget(tries=2, seconds=20.0)
_LINKS = 3
# Codes that another try would not change; the rest is tried again, or fails as it does in a run.
_TELLING = tuple(
    code
    for code, row in codes.CODES.items()
    if row.question in (Action.STOP, Action.FAIL, Action.REFUSE)
)
_DOCUMENTS = "https://kling.ai/document-api/"
_LEGACY_PAGE = f"{_DOCUMENTS}api/video/3-0-omni/image-to-video/legacy"
_PROBES = "published probes of the live service"


@dataclass(frozen=True)
class _Assumption:
    """What is assumed, and where and when that was read."""

    name: str
    says: str
    source: str
    read_on: str

    def found(self, outcome: Outcome, seen: str) -> CheckResult:
        return CheckResult(self.name, self.says, outcome, seen, self.source, self.read_on)

    def held(self, seen: str) -> CheckResult:
        return self.found("held", seen)

    def broken(self, seen: str) -> CheckResult:
        return self.found("did not hold", seen)

    def unknown(self, why: str) -> CheckResult:
        return self.found("could not be checked", why)


ADDRESS = _Assumption(
    "address",
    "the service answers here",
    f"{_DOCUMENTS}, general information of the legacy pages",
    "2026-03-27",
)
KEY = _Assumption(
    "key",
    "the key is known here (it is good in one region only)",
    f"{_DOCUMENTS}api/get-started/authentication",
    "2026-11-22",
)
CLOCK = _Assumption(
    "clock",
    f"a token dated {BACKDATE_S} s back and good for {LIFETIME_S // 60} min suits its clock",
    f"{_DOCUMENTS}api/get-started/authentication",
    "2026-11-22",
)
UNKNOWN_NEW = _Assumption(
    "unknown id, new protocol",
    "an external id nobody used is answered with an empty list (crash recovery takes it for a take "
    "that never arrived)",
    _PROBES,
    "2026-08-26",
)
UNKNOWN_LEGACY = _Assumption(
    "unknown id, legacy protocol",
    "an external id nobody used is answered with 400/1201 on every path (crash recovery takes it "
    "for a take that never arrived)",
    f"{_PROBES}, for text2video",
    "2026-08-26",
)
KNOWN = _Assumption(
    "known id",
    "a job is found again by the external id it was ordered with",
    _LEGACY_PAGE,
    "2026-03-27",
)
HOSTS = _Assumption(
    "media hosts",
    "clips lie on the hosts they are fetched from, over https, at public addresses",
    "a published reply (cdn.klingai.com); kling.ai is assumed",
    "2026-11-22",
)
PACKS = _Assumption(
    "packs",
    "the account's resource packs can be read, as they were 12 hours ago",
    f"{_DOCUMENTS}api/assets/billing-deduction/package",
    "2026-11-22",
)
NOT_ASKED = (
    "that an external id used twice is refused, that a failed job costs nothing, how many jobs may "
    "run at once: only orders show that; begin with a small cap"
)


class Doctor:
    """One examination of one account.

    budget: patience with a service that does not answer. now: seconds since 1970.
    """

    def __init__(
        self,
        account: Account,
        sold: Catalogue,
        transport: Transport,
        downloader: Downloader,
        *,
        budget: Budget = _PATIENCE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._sold = sold
        self._transport = transport
        self._downloader = downloader
        self._budget = budget
        self._now = now
        self._nobodys = f"i2v-doctor-{secrets.token_hex(8)}"

    def check(self) -> Iterator[CheckResult]:
        """Each assumption in turn, what all others rest on first. Orders nothing."""
        others = [UNKNOWN_LEGACY, KNOWN, HOSTS, PACKS]
        if self._account.can_speak("new"):
            others.insert(0, UNKNOWN_NEW)
        try:
            first = self._unknown(self._account.speaks, self._paths[0])
        except ServiceError as error:
            yield ADDRESS.broken(str(error))
            yield from (each.unknown("nobody answers at the address") for each in [KEY, *others])
            return
        except AccountError as error:
            refused = str(error)
        else:
            refused = self._said(first) if self._stops(first) else ""
        yield ADDRESS.held(f"{self._account.origin} answers")
        if self._account.api_key is None:
            yield self._clock()
        if refused:
            yield KEY.broken(refused)
            yield from (each.unknown("the account is refused") for each in others)
            return
        yield KEY.held(f"a question was answered in the {self._account.speaks} protocol")
        if self._account.can_speak("new"):
            yield self._tried(UNKNOWN_NEW, self._unknown_new)
        yield self._tried(UNKNOWN_LEGACY, self._unknown_legacy)
        jobs = self._jobs()
        yield self._tried(KNOWN, lambda: self._known(jobs))
        yield self._tried(HOSTS, lambda: self._hosts(jobs))
        yield self._tried(PACKS, self._packs)

    @property
    def _paths(self) -> list[str]:
        """Every path of the legacy protocol that jobs are ordered and looked up at."""
        found = []
        for model in self._sold.models.values():
            if model.legacy_paths is not None:
                found += [model.legacy_paths.image, model.legacy_paths.text or ""]
        return list(dict.fromkeys(path for path in [*found, self._sold.stills.path] if path))

    def _ask(
        self, path: str, params: Mapping[str, str] | None = None, *, protocol: Protocol = "legacy"
    ) -> Reply:
        return self._transport.ask(
            path, params, protocol=protocol, budget=self._budget, accept=_TELLING
        )

    def _unknown(self, protocol: Protocol, path: str) -> Reply:
        if protocol == "new":
            return self._ask(modern.TASKS, modern.by_key(self._nobodys), protocol="new")
        return self._ask(f"{path}/{self._nobodys}")

    @staticmethod
    def _tried(assumption: _Assumption, check: Callable[[], CheckResult]) -> CheckResult:
        try:
            return check()
        except LabError as error:
            return assumption.unknown(str(error))

    @staticmethod
    def _stops(reply: Reply) -> bool:
        known = codes.CODES.get(reply.code)
        return known is not None and known.question is Action.STOP

    def _said(self, reply: Reply) -> str:
        parts = [codes.meaning_of(reply.code, 200), self._quoted(reply), codes.hint_of(reply.code)]
        return "; ".join(part for part in parts if part)

    def _quoted(self, reply: Reply) -> str:
        said = self._transport.scrubbed(text_of(reply.message))
        return f'"{said}"' if said else ""

    def _clock(self) -> CheckResult:
        ahead_s = self._transport.ahead_s
        if ahead_s is None:
            return CLOCK.unknown("its answers do not tell the time")
        seen = f"its clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s >= 0 else 'behind'} ours"
        # Its time comes in whole seconds.
        if -BACKDATE_S - 1 <= ahead_s < LIFETIME_S:
            return CLOCK.held(seen)
        return CLOCK.broken(f"{seen}; set this machine's clock right")

    def _unknown_new(self) -> CheckResult:
        reply = self._unknown("new", "")
        if reply.code == 0 and reply.data == []:
            return UNKNOWN_NEW.held("it is")
        said = "something else than an empty list" if reply.code == 0 else self._said(reply)
        return UNKNOWN_NEW.broken(f"{said}; a take whose answer is lost stays uncertain")

    def _unknown_legacy(self) -> CheckResult:
        others = []
        for path in self._paths:
            reply = self._unknown("legacy", path)
            if reply.code != codes.BAD_PARAMETER:
                others.append(f"{path}: {self._said(reply)}")
        if not others:
            return UNKNOWN_LEGACY.held(f"it is, on all {len(self._paths)} paths")
        listed = "; ".join(others)
        return UNKNOWN_LEGACY.broken(f"{listed}; a take whose answer is lost stays uncertain there")

    def _jobs(self) -> list[tuple[str, Row]]:
        """The account's last jobs with the path each is listed on; none where nobody lists any."""
        found: list[tuple[str, Row]] = []
        for path in self._paths:
            try:
                reply = self._ask(path, {"pageNum": "1", "pageSize": "30"})
            except LabError:
                continue  # the lines that need a job say that there is none
            for item in mappings(reply.data):
                try:
                    row = legacy.parse_row(Reply(0, "", item), money=self._sold.money)
                except WireError:
                    continue
                found.append((path, row))
        return found

    def _known(self, jobs: list[tuple[str, Row]]) -> CheckResult:
        path, job = next(((path, row) for path, row in jobs if row.key), ("", None))
        if job is None:
            return KNOWN.unknown("the account's lists have no job with an external id yet")
        reply = self._ask(f"{path}/{quoted(job.key, safe='')}")
        if reply.code != 0 or legacy.parse_row(reply, money=self._sold.money).id != job.id:
            return KNOWN.broken(f"job {job.id} is not found by it on {path}")
        seen = f"job {job.id} is found on {path}"
        if self._account.can_speak("new"):
            asked = self._ask(modern.TASKS, modern.by_key(job.key), protocol="new")
            rows = modern.parse_rows(asked, money=self._sold.money) if asked.code == 0 else ()
            also = any(row.id == job.id for row in rows)
            seen += f"; the new protocol {'finds it too' if also else 'does not find that one'}"
        return KNOWN.held(seen)

    def _hosts(self, jobs: list[tuple[str, Row]]) -> CheckResult:
        links = [row.links[0] for _, row in jobs if row.links][:_LINKS]
        if not links:
            return HOSTS.unknown("the account's lists have no finished clip yet")
        try:
            hosts = {self._downloader.host_of(link, what="media hosts") for link in links}
        except FetchError as error:
            return HOSTS.broken(str(error).removeprefix("media hosts: "))
        return HOSTS.held(f"the last ones lie on {', '.join(sorted(hosts))}")

    def _packs(self) -> CheckResult:
        now_ms = int(self._now() * 1000)
        span = {"start_time": str(now_ms - _SPAN_S * 1000), "end_time": str(now_ms)}
        reply = self._ask(_PACKS, span)
        data = reply.data if isinstance(reply.data, dict) else {}
        # Beside the envelope's own code there is one inside.
        if reply.code != 0 or data.get("code", 0) != 0:
            return PACKS.broken(self._said(reply) if reply.code else text_of(data.get("msg")))
        packs = mappings(data.get("resource_pack_subscribe_infos"))
        if not packs:
            return PACKS.held("no pack; orders need one, or a balance")
        return PACKS.held("; ".join(self._pack(pack) for pack in packs))

    def _pack(self, pack: Mapping[str, Any]) -> str:
        name = self._transport.scrubbed(text_of(pack.get("resource_pack_name"))) or "a pack"
        left, whole = (number_of(pack.get(f"{part}_quantity")) for part in ("remaining", "total"))
        amount = "" if left is None or whole is None else f": {left:g} of {whole:g} units left"
        return f"{name}{amount} ({text_of(pack.get('status')) or 'state unknown'})"
