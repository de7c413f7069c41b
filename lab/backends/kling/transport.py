"""Asks the service, patiently where asking is free and exactly once where it costs money."""

import json
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from lab.backends.kling.account import Account
from lab.backends.kling.catalogue import Protocol
from lab.backends.kling.codes import (
    BAD_PARAMETER,
    Action,
    action_of,
    hint_of,
    meaning_of,
)
from lab.backends.kling.tokens import Minter
from lab.backends.kling.wire import Reply, WireError, reply_of, text_of
from lab.errors import (
    AccountError,
    BackendError,
    NoSlot,
    Refusal,
    ServiceError,
    SubmitUncertain,
)

MAX_REPLY_BYTES = 8_000_000
MAX_REPLY_S = 120.0
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]*\.[\w-]*|(?i:bearer)\s+\S+|whsec_\S+")
# Only these say for sure that no byte of an order left this machine.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


@dataclass(frozen=True)
class Budget:
    """How often and how long something is tried again: waits grow from first_s to most_s."""

    tries: int
    seconds: float
    first_s: float = 1.0
    most_s: float = 30.0

    def wait_s(self, failures: int, luck: float) -> float:
        """The wait after that many failures; luck, 0..1, keeps clients from coming in step."""
        return float(min(self.most_s, self.first_s * 2 ** (failures - 1)) * (0.5 + luck / 2))


class Tries:
    """What is left of a budget: tries, and the seconds that failed tries and waits took."""

    def __init__(
        self,
        budget: Budget,
        closing: threading.Event,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], bool],
        luck: Callable[[], float],
    ) -> None:
        self._budget = budget
        self._closing = closing
        self._clock = clock
        self._sleep = sleep
        self._luck = luck
        self._tried_at_s = 0.0
        self._spent_s = 0.0
        self._failures = 0

    def start(self) -> None:
        """A try begins."""
        self._tried_at_s = self._clock()

    def again(self) -> bool:
        """The try failed: wait before another. False when the budget is spent or all is closed."""
        self._failures += 1
        wait_s = self._budget.wait_s(self._failures, self._luck())
        self._spent_s += self._clock() - self._tried_at_s + wait_s
        spent = self._spent_s > self._budget.seconds
        if self._failures >= self._budget.tries or spent or self._closing.is_set():
            return False
        return not self._sleep(wait_s)

    def progress(self) -> None:
        """It is getting on: only tries that bring nothing count."""
        self._failures = 0


@dataclass(frozen=True)
class Budgets:
    """Each kind of waiting has its own bound, so that none eats another's.

    connect: an order whose connection was never made. retry: a question that failed. rate: a
    question that came too fast. poll: one round of asking for states; the runner asks again.
    download: bringing one clip. settle_s: before a job that was not found is looked up once more.
    """

    connect: Budget = Budget(tries=3, seconds=20.0, first_s=0.5)
    retry: Budget = Budget(tries=5, seconds=90.0)
    rate: Budget = Budget(tries=10, seconds=300.0)
    poll: Budget = Budget(tries=3, seconds=45.0)
    download: Budget = Budget(tries=6, seconds=1800.0)
    settle_s: float = 2.0


class BadParameterError(BackendError):
    """An order was turned down for a parameter; the service says so for a key used twice, too."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its status, its body as JSON (None when it is none), the server's time."""

    status: int
    payload: object = field(repr=False)
    server_time_s: float | None = None


class Transport:
    """One connection pool to one service, with the account's credentials and nobody else's.

    Safe to share between threads. clock counts seconds; sleep waits for that many and returns True
    when it was cut short. Only tests pass their own.
    """

    def __init__(
        self,
        account: Account,
        *,
        budgets: Budgets | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], bool] | None = None,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self.budgets = budgets or Budgets()
        self.closing = threading.Event()
        self.clock = clock
        self.sleep = sleep or self.closing.wait
        self.luck = luck
        self.ahead_s: float | None = None
        """Seconds that the service's clock was ahead of ours when it last told the time."""
        self._account = account
        self._minter = _minter(account)
        self._client = httpx.Client(
            base_url=account.origin,
            # An order carries pictures of tens of megabytes.
            timeout=httpx.Timeout(connect=10, read=60, write=60, pool=30),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
            follow_redirects=False,
            trust_env=not account.on_loopback,
            verify=tls(),
            headers={"user-agent": "i2v-lab", "accept": "application/json"},
        )

    def __repr__(self) -> str:
        return f"Transport({self._account.origin})"

    def order(self, path: str, body: Mapping[str, Any], *, protocol: Protocol, what: str) -> Reply:
        """Post an order, once. what: the take, for messages.

        Raises Refusal, BackendError (a BadParameterError for one), NoSlot, AccountError or
        ServiceError when surely nothing was bought, and SubmitUncertain when that cannot be said.
        """
        connecting, minted = self._tries(self.budgets.connect), False
        content = json.dumps(body, separators=(",", ":")).encode()
        while True:
            connecting.start()
            try:
                answer = self._send("POST", path, protocol=protocol, content=content)
            except _NOT_SENT as error:
                if connecting.again():
                    continue
                raise ServiceError(f"{what}: {self._no_answer(error)}; nothing was sent") from None
            except (httpx.HTTPError, httpx.StreamError, _Overlong) as error:
                said = f"{what}: sent, but {self._no_answer(error)}; it may have been bought"
                raise SubmitUncertain(said) from None
            reply, action = self._judged(answer, order=True)
            if reply is not None and action is Action.OK:
                return reply
            if action is Action.REMINT and not minted and self._remint(answer):
                minted = True
                continue
            raise self._order_error(what, answer, reply, action)

    def ask(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        protocol: Protocol,
        budget: Budget | None = None,
        accept: tuple[int, ...] = (),
    ) -> Reply:
        """Ask a question that costs nothing, again and again within the budget.

        accept: codes other than 0 that the caller wants to see. Raises AccountError, or
        ServiceError when nobody answers or the answer cannot be understood.
        """
        failing = self._tries(budget or self.budgets.retry)
        hurrying, minted = self._tries(self.budgets.rate), False
        while True:
            failing.start()
            hurrying.start()
            try:
                answer = self._send("GET", path, protocol=protocol, params=params)
            except (httpx.HTTPError, httpx.StreamError, _Overlong) as error:
                if failing.again():
                    continue
                raise ServiceError(f"kling: {self._no_answer(error)}; go on later") from None
            reply, action = self._judged(answer, order=False)
            if reply is not None and (action is Action.OK or reply.code in accept):
                return reply
            if action is Action.REMINT and not minted and self._remint(answer):
                minted = True
                continue
            if action is Action.WAIT and hurrying.again():
                continue
            if action is Action.LATER and failing.again():
                continue
            said = f"kling: {self._said(answer, reply)}"
            if action in (Action.STOP, Action.REMINT):
                raise AccountError(said)
            raise ServiceError(said)

    def close(self) -> None:
        """End every wait and let go of connections."""
        self.closing.set()
        self._client.close()

    def scrubbed(self, text: str) -> str:
        """A text without anything that looks like a key, or is one of this account's."""
        for secret in self._account.secrets():
            text = text.replace(secret, "***")
            # A text that was cut may end in a part of one.
            for length in range(len(secret) - 1, 7, -1):
                if text.endswith(secret[:length]):
                    text = text[:-length] + "***"
                    break
        return _TOKEN.sub("***", text)

    def _send(
        self,
        method: str,
        path: str,
        *,
        protocol: Protocol,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        if self.closing.is_set():
            raise httpx.ConnectError("closed")
        headers = {"authorization": f"Bearer {self._credential(protocol)}"}
        if content is not None:
            headers["content-type"] = "application/json"
        request = self._client.build_request(
            method, path, params=params, content=content, headers=headers
        )
        try:
            response = self._client.send(request, stream=True)
        except RuntimeError:
            # Closed between the check above and here: nothing has left.
            raise httpx.ConnectError("closed") from None
        try:
            body, started_s = bytearray(), self.clock()
            for chunk in response.iter_bytes():
                body += chunk
                # Each read has its own bound, which a trickle never meets.
                if len(body) > MAX_REPLY_BYTES or self.clock() - started_s > MAX_REPLY_S:
                    raise _Overlong
        finally:
            response.close()
        server_time_s = _server_time(response)
        if server_time_s is not None:
            self.ahead_s = server_time_s - time.time()
        return Answer(response.status_code, _json(bytes(body)), server_time_s)

    def _credential(self, protocol: Protocol) -> str:
        self._account.need(protocol)
        if self._account.api_key is not None:
            return self._account.api_key.get_secret_value()
        assert self._minter is not None
        return self._minter.token()

    def _remint(self, answer: Answer) -> bool:
        """Make another token, if tokens are what is used here at all."""
        if self._minter is None:
            return False
        self._minter.renew(answer.server_time_s)
        return True

    def _tries(self, budget: Budget) -> "Tries":
        return Tries(budget, self.closing, clock=self.clock, sleep=self.sleep, luck=self.luck)

    @staticmethod
    def _judged(answer: Answer, *, order: bool) -> tuple[Reply | None, Action]:
        try:
            reply = reply_of(answer.payload)
        except WireError:
            if 200 <= answer.status < 300:
                return None, Action.UNCERTAIN if order else Action.LATER
            return None, action_of(None, answer.status, order=order)
        return reply, action_of(reply.code, answer.status, order=order)

    def _order_error(
        self, what: str, answer: Answer, reply: Reply | None, action: Action
    ) -> Exception:
        said = f"{what}: {self._said(answer, reply)}"
        if action is Action.UNCERTAIN:
            return SubmitUncertain(f"{said}; it may have been bought")
        if action is Action.FAIL and reply is not None and reply.code == BAD_PARAMETER:
            return BadParameterError(said)
        kinds: dict[Action, type[Exception]] = {
            Action.STOP: AccountError,
            Action.REMINT: AccountError,
            Action.WAIT: NoSlot,
            Action.REFUSE: Refusal,
            Action.FAIL: BackendError,
        }
        return kinds.get(action, ServiceError)(said)

    def _said(self, answer: Answer, reply: Reply | None) -> str:
        code = None if reply is None else reply.code
        parts = [meaning_of(code, answer.status)]
        if reply is not None and reply.message:
            parts.append(f'"{self.scrubbed(text_of(reply.message))}"')
        if hint := hint_of(code):
            parts.append(hint)
        if code is None and 300 <= answer.status < 500:
            parts.append(f"is {self._account.origin} Kling's address?")
        return "; ".join(parts)

    def _no_answer(self, error: Exception) -> str:
        """Why there was none, in words; httpx's own may show what was sent."""
        if self.closing.is_set():
            return "closed while waiting"
        reasons = {
            _Overlong: f"the answer exceeds {MAX_REPLY_BYTES // 1_000_000} MB or {MAX_REPLY_S:g} s",
            httpx.ConnectError: "cannot be reached",
            httpx.TimeoutException: "no answer in time",
            httpx.ProxyError: "the proxy lets nothing through",
        }
        said = next((text for kind, text in reasons.items() if isinstance(error, kind)), "")
        return f"{self._account.origin}: {said or f'connection lost ({type(error).__name__})'}"


@cache
def tls() -> ssl.SSLContext:
    """How servers prove who they are. Made once: reading the certificates takes its time."""
    return httpx.create_ssl_context()


class _Overlong(Exception):  # noqa: N818 - only ever translated
    """An answer larger, or slower, than any the service has reason to give."""


def _minter(account: Account) -> Minter | None:
    if account.api_key is not None or account.access_key is None or account.secret_key is None:
        return None
    return Minter(account.access_key.get_secret_value(), account.secret_key.get_secret_value())


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _server_time(response: httpx.Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
