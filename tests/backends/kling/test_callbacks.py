"""News is believed to be news if it is signed, and ends a pause; nothing else does."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from lab.backends.kling import KlingBackend
from lab.backends.kling.callbacks import CallbackServer, is_signed

GOLDEN = Path(__file__).parents[2] / "data" / "kling" / "new" / "callback_signed.json"
EXAMPLE = json.loads(GOLDEN.read_text(encoding="utf-8"))["request"]
HEADERS, BODY, SECRET = EXAMPLE["headers"], EXAMPLE["body"].encode(), EXAMPLE["secret"]
NOW_S = 1781080794.0
OTHER = "v1,AAAAJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="


class TestSignature:
    """The vendor's own example, and what is not quite it."""

    @pytest.mark.parametrize("off_s", [0, 300, -300])
    def test_the_vendors_example(self, off_s: float) -> None:
        """Good for five minutes either way."""
        assert is_signed(HEADERS, BODY, SECRET, now_s=NOW_S + off_s)

    @pytest.mark.parametrize("others", ["{other} {own}", "{own} {other}", "v2,x {own}"])
    def test_several_signatures(self, others: str) -> None:
        """One right one is enough, while a secret is being changed."""
        given = others.format(other=OTHER, own=HEADERS["webhook-signature"])
        assert is_signed({**HEADERS, "webhook-signature": given}, BODY, SECRET, now_s=NOW_S)

    @pytest.mark.parametrize(
        ("changed", "body", "secret", "now_s"),
        [
            ({}, BODY + b" ", SECRET, NOW_S),
            ({}, BODY.replace(b"succeeded", b"failed"), SECRET, NOW_S),
            ({}, BODY, "whsec_AAAA", NOW_S),
            ({}, BODY, "whsec_", NOW_S),
            ({}, BODY, "not base64", NOW_S),
            ({}, BODY, SECRET, NOW_S + 301),
            ({}, BODY, SECRET, NOW_S - 301),
            ({"webhook-signature": OTHER}, BODY, SECRET, NOW_S),
            ({"webhook-signature": ""}, BODY, SECRET, NOW_S),
            ({"webhook-signature": "v1,"}, BODY, SECRET, NOW_S),
            ({"webhook-signature": "ü☃"}, BODY, SECRET, NOW_S),
            ({"webhook-id": "other"}, BODY, SECRET, NOW_S),
            ({"webhook-id": ""}, BODY, SECRET, NOW_S),
            ({"webhook-id": "☃"}, BODY, SECRET, NOW_S),
            ({"webhook-timestamp": "1781080795"}, BODY, SECRET, NOW_S),
            ({"webhook-timestamp": "soon"}, BODY, SECRET, NOW_S),
            ({"webhook-timestamp": "9" * 5000}, BODY, SECRET, NOW_S),
        ],
    )
    def test_anything_else(
        self, changed: dict[str, str], body: bytes, secret: str, now_s: float
    ) -> None:
        """Another body, secret, time, id or signature."""
        assert not is_signed({**HEADERS, **changed}, body, secret, now_s=now_s)

    def test_no_headers(self) -> None:
        """Unsigned."""
        assert not is_signed({}, BODY, SECRET, now_s=NOW_S)


@pytest.fixture
def heard() -> threading.Event:
    """Set when news came."""
    return threading.Event()


@pytest.fixture
def post(heard: threading.Event) -> Iterator[Callable[..., int]]:
    """Post to a listener; returns the status it answers with."""
    listener = CallbackServer(0, SECRET, heard.set, clock=lambda: NOW_S)

    def send(body: bytes, headers: dict[str, str], method: str = "POST") -> int:
        connection = HTTPConnection("127.0.0.1", listener.port, timeout=10)
        try:
            connection.request(method, "/", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    yield send
    listener.close()


class TestListener:
    """On loopback."""

    def test_signed_news(self, post: Callable[..., int], heard: threading.Event) -> None:
        """Is heard."""
        assert post(BODY, HEADERS) == 204
        assert heard.is_set()

    @pytest.mark.parametrize(
        ("body", "headers", "method", "status"),
        [
            (BODY, {}, "POST", 401),
            (BODY + b" ", HEADERS, "POST", 401),
            (b"", {"content-length": "9999999999999"}, "POST", 413),
            (b"", {"content-length": "-1"}, "POST", 413),
            (b"", {"content-length": "²"}, "POST", 413),
            (BODY, HEADERS, "PUT", 501),
        ],
    )
    def test_anything_else(
        self,
        post: Callable[..., int],
        heard: threading.Event,
        body: bytes,
        headers: dict[str, str],
        method: str,
        status: int,
    ) -> None:
        """Is turned away, and nobody hears of it."""
        headers = {name: value for name, value in headers.items() if value.isascii()}
        assert post(body, headers, method) == (status if headers or body else 401)
        assert not heard.is_set()


def _signed_now() -> dict[str, str]:
    """Headers that make the example's body news of this moment."""
    stamp = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"id.{stamp}.".encode() + BODY, "sha256")
    signature = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": "id", "webhook-timestamp": stamp, "webhook-signature": signature}


class TestPause:
    """What a runner does between two questions."""

    def test_news_ends_it(self, backend_of: Callable[..., KlingBackend]) -> None:
        """A signed callback, and then the next pause lasts again."""
        backend = backend_of(
            callback_url="https://me.example/", callback_port=0, webhook_secret=SECRET
        )
        backend.pause(0)
        thread = threading.Thread(target=backend.pause, args=(1000,))
        thread.start()
        connection = HTTPConnection("127.0.0.1", backend._callbacks.server.port, timeout=10)  # type: ignore[union-attr]
        connection.request("POST", "/", BODY, _signed_now())
        assert connection.getresponse().status == 204
        connection.close()
        thread.join(10)
        assert not thread.is_alive()
        assert not backend._callbacks._wake.is_set()

    def test_closing_ends_it(self, backend: KlingBackend) -> None:
        """For good."""
        thread = threading.Thread(target=backend.pause, args=(1000,))
        thread.start()
        backend.close()
        thread.join(10)
        assert not thread.is_alive()
        backend.pause(1000)

    @pytest.mark.parametrize(
        "account",
        [
            {"callback_port": 0},
            {"callback_url": "https://me.example/", "callback_port": 0},
            {"callback_url": "https://me.example/", "webhook_secret": SECRET},
        ],
    )
    def test_half_of_it_is_none(
        self, backend_of: Callable[..., KlingBackend], account: dict[str, Any]
    ) -> None:
        """Without address, port and secret nobody listens; asking is enough."""
        backend = backend_of(**account)
        backend.pause(0)
        assert backend._callbacks.server is None

    def test_a_port_that_is_taken(
        self,
        service: Any,
        backend_of: Callable[..., KlingBackend],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Said once; asking is enough."""
        port = int(service.url.rsplit(":", 1)[1])
        backend = backend_of(
            callback_url="https://me.example/", callback_port=port, webhook_secret=SECRET
        )
        backend.pause(0)
        backend.pause(0)
        assert len(caplog.records) == 1
        assert f"KLING_CALLBACK_PORT {port}" in caplog.text
