"""Send HTTP requests to the service: queries with retries, paid submissions at most once."""

import json
import re
import ssl
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
from lab.backends.kling.retries import Clock, Retries, RetryPolicies, RetryPolicy
from lab.backends.kling.tokens import TokenCache
from lab.backends.kling.wire import Reply, WireError, parse_reply, parse_text
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
# Only these errors mean that no byte of the request has left this machine.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class BadParameterError(BackendError):
    """The service rejected a parameter, or an external id that was used before.

    Both have the same code.
    """


class _ReplyLimitError(Exception):
    """A reply exceeded MAX_REPLY_BYTES or MAX_REPLY_S."""


_NO_REPLY = (httpx.HTTPError, httpx.StreamError, _ReplyLimitError)


@dataclass(frozen=True)
class HttpReply:
    """An HTTP reply: its status, its body as JSON (None if it is not JSON), the server's time."""

    status: int
    payload: object = field(repr=False)
    server_time_s: float | None = None


class Transport:
    """A connection pool to one service, with the credentials of one account.

    Safe to share between threads.
    """

    def __init__(
        self,
        account: Account,
        *,
        policies: RetryPolicies | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.policies = policies or RetryPolicies()
        self.clock = clock or Clock()
        self.clock_offset_s: float | None = None
        """How many seconds the service's clock was ahead of ours, from its last reply."""
        self._account = account
        self._tokens = _token_cache(account)
        self._client = httpx.Client(
            base_url=account.origin,
            # A submission contains pictures of tens of megabytes.
            timeout=httpx.Timeout(connect=10, read=60, write=60, pool=30),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
            follow_redirects=False,
            trust_env=not account.on_loopback,
            verify=tls_context(),
            headers={"user-agent": "i2v-lab", "accept": "application/json"},
        )

    def __repr__(self) -> str:
        return f"Transport({self._account.origin})"

    def submit(
        self, path: str, body: Mapping[str, Any], *, protocol: Protocol, label: str
    ) -> Reply:
        """POST a submission, once. label: the take or element, for messages.

        Raises Refusal, BackendError (among them BadParameterError), NoSlot, AccountError or
        ServiceError if it is certain that nothing was bought, and SubmitUncertain otherwise.
        """
        connect_retries, renewed = self._retries(self.policies.connect), False
        content = json.dumps(body, separators=(",", ":")).encode()
        while True:
            connect_retries.start_try()
            try:
                http_reply = self._send("POST", path, protocol=protocol, content=content)
            except _NOT_SENT as error:
                if connect_retries.wait():
                    continue
                reason = self._connection_error(error)
                raise ServiceError(f"{label}: {reason}; nothing was sent") from None
            except _NO_REPLY as error:
                reason = self._connection_error(error)
                message = f"{label}: sent, but {reason}; it may have been bought"
                raise SubmitUncertain(message) from None
            reply, action = _interpret(http_reply, submitting=True)
            if reply is not None and action is Action.OK:
                return reply
            if action is Action.RENEW and not renewed and self._renew_token(http_reply):
                renewed = True
                continue
            raise self._submit_error(label, http_reply, reply, action)

    def query(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        protocol: Protocol,
        policy: RetryPolicy | None = None,
        accept: tuple[int, ...] = (),
    ) -> Reply:
        """Send a GET query, which is free, with retries.

        accept: error codes that the caller handles. Raises AccountError, or ServiceError if there
        is no reply or it cannot be understood.
        """
        retries = self._retries(policy or self.policies.query)
        rate_retries, renewed = self._retries(self.policies.rate_limit), False
        while True:
            retries.start_try()
            rate_retries.start_try()
            try:
                http_reply = self._send("GET", path, protocol=protocol, params=params)
            except _NO_REPLY as error:
                if retries.wait():
                    continue
                reason = self._connection_error(error)
                raise ServiceError(f"kling: {reason}; try again later") from None
            reply, action = _interpret(http_reply, submitting=False)
            if reply is not None and (action is Action.OK or reply.code in accept):
                return reply
            if action is Action.RENEW and not renewed and self._renew_token(http_reply):
                renewed = True
                continue
            if action is Action.WAIT and rate_retries.wait():
                continue
            if action is Action.RETRY and retries.wait():
                continue
            message = f"kling: {self._describe(http_reply, reply)}"
            if action in (Action.STOP, Action.RENEW):
                raise AccountError(message)
            raise ServiceError(message)

    def close(self) -> None:
        """End every wait and close the connections."""
        self.clock.closing.set()
        self._client.close()

    def redact(self, text: str) -> str:
        """The text with *** in place of this account's secrets and of what looks like a key."""
        for secret in self._account.secrets():
            text = text.replace(secret, "***")
            # A truncated text may end with the beginning of a secret.
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
    ) -> HttpReply:
        if self.clock.closing.is_set():
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
            # The client was closed after the check above; nothing was sent.
            raise httpx.ConnectError("closed") from None
        try:
            body, started_s = bytearray(), self.clock.now()
            for chunk in response.iter_bytes():
                body += chunk
                # The read timeout applies to each chunk, so it does not end a very slow reply.
                if len(body) > MAX_REPLY_BYTES or self.clock.now() - started_s > MAX_REPLY_S:
                    raise _ReplyLimitError
        finally:
            response.close()
        server_time_s = _server_time_s(response)
        if server_time_s is not None:
            self.clock_offset_s = server_time_s - time.time()
        return HttpReply(response.status_code, _parse_json(bytes(body)), server_time_s)

    def _credential(self, protocol: Protocol) -> str:
        self._account.require_key(protocol)
        if self._account.api_key is not None:
            return self._account.api_key.get_secret_value()
        assert self._tokens is not None
        return self._tokens.token()

    def _renew_token(self, http_reply: HttpReply) -> bool:
        """Discard the current token. False if the account uses an API key instead of tokens."""
        if self._tokens is None:
            return False
        self._tokens.renew(http_reply.server_time_s)
        return True

    def _retries(self, policy: RetryPolicy) -> Retries:
        return Retries(policy, self.clock)

    def _submit_error(
        self, label: str, http_reply: HttpReply, reply: Reply | None, action: Action
    ) -> Exception:
        message = f"{label}: {self._describe(http_reply, reply)}"
        if action is Action.UNCERTAIN:
            return SubmitUncertain(f"{message}; it may have been bought")
        if action is Action.FAIL and reply is not None and reply.code == BAD_PARAMETER:
            return BadParameterError(message)
        errors: dict[Action, Callable[[str], Exception]] = {
            Action.STOP: AccountError,
            Action.RENEW: AccountError,
            Action.WAIT: NoSlot,
            Action.REFUSE: Refusal,
            Action.FAIL: BackendError,
        }
        return errors.get(action, ServiceError)(message)

    def _describe(self, http_reply: HttpReply, reply: Reply | None) -> str:
        """A reply in words: its meaning, the service's message, and a hint."""
        code = None if reply is None else reply.code
        parts = [meaning_of(code, http_reply.status)]
        if reply is not None and reply.message:
            parts.append(f'"{self.redact(parse_text(reply.message))}"')
        if hint := hint_of(code):
            parts.append(hint)
        if code is None and 300 <= http_reply.status < 500:
            parts.append(f"is {self._account.origin} Kling's address?")
        return "; ".join(parts)

    def _connection_error(self, error: Exception) -> str:
        """Why there was no reply. httpx's own message is not used: it may contain what was sent."""
        if self.clock.closing.is_set():
            return "closed while waiting"
        reasons = {
            _ReplyLimitError: (
                f"the reply exceeds {MAX_REPLY_BYTES // 1_000_000} MB or {MAX_REPLY_S:g} s"
            ),
            httpx.ConnectError: "cannot be reached",
            httpx.TimeoutException: "no reply in time",
            httpx.ProxyError: "the proxy refuses the connection",
        }
        reason = next((text for kind, text in reasons.items() if isinstance(error, kind)), "")
        return f"{self._account.origin}: {reason or f'connection lost ({type(error).__name__})'}"


@cache
def tls_context() -> ssl.SSLContext:
    """The TLS settings of every connection, loaded once because reading certificates is slow."""
    return httpx.create_ssl_context()


def _interpret(http_reply: HttpReply, *, submitting: bool) -> tuple[Reply | None, Action]:
    """The parsed reply, None if it is not in the service's format, and what to do next."""
    try:
        reply = parse_reply(http_reply.payload)
    except WireError:
        if 200 <= http_reply.status < 300:
            return None, Action.UNCERTAIN if submitting else Action.RETRY
        return None, action_of(None, http_reply.status, submitting=submitting)
    return reply, action_of(reply.code, http_reply.status, submitting=submitting)


def _token_cache(account: Account) -> TokenCache | None:
    if account.api_key is not None or account.access_key is None or account.secret_key is None:
        return None
    return TokenCache(account.access_key.get_secret_value(), account.secret_key.get_secret_value())


def _parse_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _server_time_s(response: httpx.Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
