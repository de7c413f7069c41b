"""Queries are retried within their limits; a submission is sent once and its result is exact."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.backends.kling import Account
from lab.backends.kling import transport as transport_module
from lab.backends.kling.retries import Clock, RetryPolicies, RetryPolicy
from lab.backends.kling.tokens import sign_token
from lab.backends.kling.transport import BadParameterError, Transport
from lab.errors import (
    AccountError,
    BackendError,
    LabError,
    NoSlot,
    Refusal,
    ServiceError,
    SubmitUncertain,
)

KEY = "api-key-kling-0123456789abcdefghijklmnopqrstuvwxyz"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def transport_of(service: Any, slept: list[float]) -> Iterator[Callable[..., Transport]]:
    """A factory of transports to the scripted server. Waits are recorded, not waited."""
    opened: list[Transport] = []
    now = [0.0]

    def build(policies: RetryPolicies | None = None, **account: Any) -> Transport:
        def sleep(seconds: float) -> bool:
            slept.append(seconds)
            now[0] += seconds
            return False

        keys = {} if "access_key" in account else {"api_key": KEY}
        mine = Account(**{"url": service.url, **keys, **account})
        opened.append(
            Transport(
                mine,
                policies=policies,
                clock=Clock(now=lambda: now[0], sleep=sleep, jitter=lambda: 1.0),
            )
        )
        return opened[-1]

    yield build
    for transport in opened:
        transport.close()


def _order(transport: Transport, protocol: Any = "new") -> Any:
    return transport.submit("/order", {"a": "picture"}, protocol=protocol, label="take abc")


class TestSubmissions:
    """Submissions, which cost money."""

    def test_an_accepted_submission(
        self, service: Any, transport_of: Callable[..., Transport]
    ) -> None:
        """The key is in a header, and the body is JSON."""
        service.script(service.reply.data({"id": "1"}))
        assert _order(transport_of()).data == {"id": "1"}
        (received,) = service.requests
        assert received.headers["authorization"] == f"Bearer {KEY}"
        assert received.json == {"a": "picture"}

    @pytest.mark.parametrize(
        ("code", "status", "kind"),
        [
            *((code, 401, AccountError) for code in range(1000, 1005)),
            *((code, 429, AccountError) for code in (1100, 1101, 1102, 1304)),
            (1103, 403, AccountError),
            (1200, 400, BackendError),
            (1201, 400, BadParameterError),
            (1202, 404, BackendError),
            (1203, 404, BackendError),
            (1300, 400, Refusal),
            (1301, 400, Refusal),
            (1302, 429, NoSlot),
            (1303, 429, NoSlot),
            (5000, 500, SubmitUncertain),
            (5001, 503, ServiceError),
            (5002, 504, SubmitUncertain),
            (1102, 200, AccountError),
            (7, 200, SubmitUncertain),
            (7, 400, BackendError),
        ],
    )
    def test_every_code(
        self,
        service: Any,
        transport_of: Callable[..., Transport],
        code: int,
        status: int,
        kind: type[LabError],
    ) -> None:
        """The exception says what can be done and names the take; one request is sent."""
        service.script(service.reply.code(code, status, "the reason\nin two lines"))
        with pytest.raises(kind) as error:
            _order(transport_of())
        assert type(error.value) is kind
        assert str(error.value).startswith("take abc: ")
        assert f"code {code}" in str(error.value)
        assert "the reason in two lines" in str(error.value)
        assert "\n" not in str(error.value)
        assert len(service.requests) == 1

    @pytest.mark.parametrize(
        ("status", "body", "kind"),
        [
            (502, b"<html>Bad Gateway</html>", SubmitUncertain),
            (503, b"<html>", SubmitUncertain),
            (504, b"", SubmitUncertain),
            (408, b"", SubmitUncertain),
            (200, b"<html>", SubmitUncertain),
            (200, b"[]", SubmitUncertain),
            (200, b'{"code": "0"}', SubmitUncertain),
            (200, b"\xff\xfe", SubmitUncertain),
            (200, b"[" * 100_000, SubmitUncertain),
            (500, b'{"code": 0, "data": {"id": "1"}}', SubmitUncertain),
            (302, b"", ServiceError),
            (404, b"<html>", ServiceError),
            (446, b"", ServiceError),
            (429, b"slow down", NoSlot),
            (401, b"", AccountError),
            (413, b"", BackendError),
        ],
    )
    def test_other_bodies(
        self,
        service: Any,
        transport_of: Callable[..., Transport],
        status: int,
        body: bytes,
        kind: type[LabError],
    ) -> None:
        """A gateway's page is no reply; only a clear rejection counts as one."""
        service.script(service.reply(status, body, {"location": "http://127.0.0.1:1/"}))
        with pytest.raises(kind) as error:
            _order(transport_of())
        assert type(error.value) is kind
        assert len(service.requests) == 1

    def test_a_connection_lost_after_sending(
        self, service: Any, transport_of: Callable[..., Transport], slept: list[float]
    ) -> None:
        """The take may have been bought, so it is not sent again."""
        service.script(service.reply(drop=True))
        with pytest.raises(SubmitUncertain, match="take abc"):
            _order(transport_of())
        assert (len(service.requests), slept) == (1, [])

    def test_a_truncated_reply(self, service: Any, transport_of: Callable[..., Transport]) -> None:
        """The take may have been bought, so it is not sent again."""
        service.script(service.reply(200, b'{"code": 0, "data"', length=100))
        with pytest.raises(SubmitUncertain):
            _order(transport_of())

    def test_an_endless_reply(
        self,
        service: Any,
        transport_of: Callable[..., Transport],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The reply is read up to a size limit."""
        monkeypatch.setattr(transport_module, "MAX_REPLY_BYTES", 1000)
        service.script(service.reply(200, b" " * 100_000))
        with pytest.raises(SubmitUncertain, match="exceeds"):
            _order(transport_of())

    def test_a_slow_reply(self, service: Any) -> None:
        """The reply is read up to a time limit."""
        service.script(service.reply.data([]))
        ticks = iter(range(0, 100_000, 130))
        transport = Transport(
            Account(url=service.url, api_key=KEY), clock=Clock(now=lambda: next(ticks))
        )
        with pytest.raises(SubmitUncertain, match="120 s"):
            _order(transport)
        transport.close()

    def test_no_connection(
        self, transport_of: Callable[..., Transport], slept: list[float]
    ) -> None:
        """Certainly nothing was sent. It is retried, and the message names the address."""
        with pytest.raises(
            ServiceError, match=r"127\.0\.0\.1:1: cannot be reached; nothing"
        ) as error:
            _order(transport_of(url=NOWHERE))
        assert type(error.value) is ServiceError
        assert slept == [0.5, 1.0]

    def test_after_closing(self, service: Any, transport_of: Callable[..., Transport]) -> None:
        """Nothing is sent."""
        transport = transport_of()
        transport.close()
        with pytest.raises(ServiceError, match="closed"):
            _order(transport)
        assert not service.requests


class TestTokens:
    """Accounts with a key pair."""

    @pytest.mark.parametrize("code", [1003, 1004])
    def test_a_token_that_is_off_is_made_again_once(
        self, service: Any, transport_of: Callable[..., Transport], code: int
    ) -> None:
        """It follows the server's clock; the rejected submission was not accepted."""
        late = {"date": "Thu, 01 Jan 2032 00:00:00 GMT"}
        service.script(
            service.reply(401, json.dumps({"code": code, "message": ""}).encode(), late),
            service.reply.data({"task_id": "1"}),
        )
        transport = transport_of(access_key="ak", secret_key="sk" * 20)
        _order(transport, "legacy")
        first, second = (received.headers["authorization"] for received in service.requests)
        assert first != second
        right = sign_token("ak", "sk" * 20, 1956528000)
        assert second.removeprefix("Bearer ")[:60] == right[:60]

    def test_not_twice(self, service: Any, transport_of: Callable[..., Transport]) -> None:
        """If the second token is rejected too, a person has to act."""
        service.script(service.reply.code(1004, 401))
        with pytest.raises(AccountError, match="clock"):
            transport_of(access_key="ak", secret_key="sk").query("/x", protocol="legacy")
        assert len(service.requests) == 2

    def test_an_api_key_comes_first(
        self, service: Any, transport_of: Callable[..., Transport]
    ) -> None:
        """In both protocols."""
        service.script(service.reply.data({}))
        transport = transport_of(access_key="ak", secret_key="sk", api_key=KEY)
        transport.query("/x", protocol="legacy")
        assert service.requests[0].headers["authorization"] == f"Bearer {KEY}"


class TestQueries:
    """Queries, which cost nothing."""

    @pytest.mark.parametrize(
        "reply",
        [
            {"status": 502, "body": b"<html>"},
            {"status": 500, "body": b'{"code": 5000}'},
            {"status": 504, "body": b'{"code": 5002}'},
            {"status": 503, "body": b'{"code": 5001}'},
            {"status": 200, "body": b"<html>"},
            {"drop": True},
            {"body": b"{", "length": 9},
        ],
    )
    def test_failures_are_retried(
        self,
        service: Any,
        transport_of: Callable[..., Transport],
        slept: list[float],
        reply: dict[str, Any],
    ) -> None:
        """Queries are retried after growing waits."""
        wrong = service.reply(**reply)
        service.script(wrong, wrong, service.reply.data([1]))
        assert transport_of().query("/tasks", {"task_ids": "a,b"}, protocol="new").data == [1]
        assert slept == [1.0, 2.0]
        assert {received.query["task_ids"] for received in service.requests} == {"a,b"}

    def test_a_lasting_failure(
        self, service: Any, transport_of: Callable[..., Transport], slept: list[float]
    ) -> None:
        """The retry limit ends it with one line."""
        service.script(service.reply(502, b"<html>"))
        with pytest.raises(ServiceError, match="HTTP 502"):
            transport_of().query("/tasks", protocol="new")
        assert len(service.requests) == 5
        assert slept == [1.0, 2.0, 4.0, 8.0]

    def test_being_too_fast_has_its_own_budget(
        self, service: Any, transport_of: Callable[..., Transport], slept: list[float]
    ) -> None:
        """Rate-limit waits do not use up the tries for failures."""
        fast, broken = service.reply.code(1302, 429), service.reply(502)
        service.script(*[fast] * 8, *[broken] * 4, service.reply.data([]))
        assert transport_of().query("/tasks", protocol="new").data == []
        assert max(slept) == 30

    def test_time_bounds_as_well(
        self, service: Any, transport_of: Callable[..., Transport], slept: list[float]
    ) -> None:
        """Slow tries are fewer."""
        service.script(service.reply(502))
        with pytest.raises(ServiceError):
            transport_of().query("/x", protocol="new", policy=RetryPolicy(tries=50, seconds=10))
        assert sum(slept) <= 10

    @pytest.mark.parametrize("code", [1000, 1002, 1101, 1103, 1304])
    def test_the_account_ends_it(
        self, service: Any, transport_of: Callable[..., Transport], code: int
    ) -> None:
        """An account error is not retried."""
        service.script(service.reply.code(code, 429))
        with pytest.raises(AccountError):
            transport_of().query("/tasks", protocol="new")
        assert len(service.requests) == 1

    def test_a_code_the_caller_expects(
        self, service: Any, transport_of: Callable[..., Transport]
    ) -> None:
        """An accepted code is returned; without that it is an error."""
        service.script(service.reply.code(1201, 400))
        transport = transport_of()
        assert transport.query("/x", protocol="new", accept=(1201,)).code == 1201
        with pytest.raises(ServiceError, match="1201"):
            transport.query("/x", protocol="new")

    def test_redirects_are_not_followed(
        self, service: Any, transport_of: Callable[..., Transport]
    ) -> None:
        """The key goes to one address only."""
        service.script(service.reply(302, b"", {"location": f"{service.url}/other"}))
        with pytest.raises(ServiceError, match="Kling's address"):
            transport_of(RetryPolicies(query=RetryPolicy(tries=1, seconds=1))).query(
                "/x", protocol="new"
            )
        assert service.paths() == ["/x"]

    def test_closing_ends_a_wait(self, service: Any) -> None:
        """A wait for another try ends at once."""
        service.script(service.reply(502))
        transport = Transport(
            Account(url=service.url, api_key=KEY), clock=Clock(jitter=lambda: 1.0)
        )
        outcome: list[Exception] = []
        waiting = threading.Event()

        def query() -> None:
            try:
                transport.query("/x", protocol="new", policy=RetryPolicy(9, 9000, 1000, 1000))
            except ServiceError as error:
                outcome.append(error)

        real = transport.clock.closing.wait
        transport.clock.sleep = lambda seconds: waiting.set() or real(seconds)  # type: ignore[func-returns-value]
        thread = threading.Thread(target=query)
        thread.start()
        assert waiting.wait(10)
        transport.close()
        thread.join(10)
        assert not thread.is_alive()
        assert len(outcome) == 1


class TestSecrets:
    """Replies that contain secrets."""

    @pytest.mark.parametrize(
        "echo", [KEY, f"Bearer {KEY}", "eyJhbGciOi.eyJpc3Mi.abc-_", "key whsec_abcdef"]
    )
    def test_an_echoed_secret_is_redacted(
        self, service: Any, transport_of: Callable[..., Transport], echo: str
    ) -> None:
        """A message that repeats a key or a token is redacted."""
        service.script(service.reply.code(1201, 400, f"bad header {echo} here"))
        transport = transport_of()
        for query in (_order, lambda each: each.query("/x", protocol="new")):
            with pytest.raises(LabError) as error:
                query(transport)
            assert echo not in str(error.value)
            assert "bad header" in str(error.value)

    def test_its_repr(self, transport_of: Callable[..., Transport]) -> None:
        """The repr contains the address only."""
        assert re.fullmatch(r"Transport\(http://127\.0\.0\.1:\d+\)", repr(transport_of()))
