"""Only a signed callback ends a pause early."""

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
    """The vendor's own example, and variations of it."""

    @pytest.mark.parametrize("off_s", [0, 300, -300])
    def test_the_vendors_example(self, off_s: float) -> None:
        """It is valid for five minutes before and after its timestamp."""
        assert is_signed(HEADERS, BODY, SECRET, now_s=NOW_S + off_s)

    @pytest.mark.parametrize("others", ["{other} {own}", "{own} {other}", "v2,x {own}"])
    def test_several_signatures(self, others: str) -> None:
        """One valid signature is enough while a secret is being rotated."""
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
        """Another body, secret, time, id or signature is not valid."""
        assert not is_signed({**HEADERS, **changed}, body, secret, now_s=now_s)

    def test_no_headers(self) -> None:
        """A request without headers is unsigned."""
        assert not is_signed({}, BODY, SECRET, now_s=NOW_S)


@pytest.fixture
def called() -> threading.Event:
    """Set when a callback was accepted."""
    return threading.Event()


@pytest.fixture
def post(called: threading.Event) -> Iterator[Callable[..., int]]:
    """Posts to a callback server; returns the status of its reply."""
    listener = CallbackServer(0, SECRET, called.set, clock=lambda: NOW_S)

    def send(body: bytes, headers: dict[str, str], method: str = "POST") -> int:
        connection = HTTPConnection("127.0.0.1", listener.port, timeout=10)
        try:
            connection.request(method, "/", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    yield send
    listener.close()


class TestCallbackServer:
    """The callback server on loopback."""

    def test_a_signed_callback(self, post: Callable[..., int], called: threading.Event) -> None:
        """A signed callback is accepted."""
        assert post(BODY, HEADERS) == 204
        assert called.is_set()

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
        called: threading.Event,
        body: bytes,
        headers: dict[str, str],
        method: str,
        status: int,
    ) -> None:
        """Any other request is rejected and has no effect."""
        headers = {name: value for name, value in headers.items() if value.isascii()}
        assert post(body, headers, method) == (status if headers or body else 401)
        assert not called.is_set()


def _signed_now() -> dict[str, str]:
    """Headers that sign the example's body at this moment."""
    stamp = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"id.{stamp}.".encode() + BODY, "sha256")
    signature = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": "id", "webhook-timestamp": stamp, "webhook-signature": signature}


class TestPause:
    """What a runner does between two polls."""

    def test_a_callback_ends_it(self, backend_of: Callable[..., KlingBackend]) -> None:
        """A signed callback ends the pause; the next pause lasts again."""
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
        """Closing ends this pause and all later ones."""
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
    def test_incomplete_settings(
        self, backend_of: Callable[..., KlingBackend], account: dict[str, Any]
    ) -> None:
        """Without address, port and secret no server starts, and polling is enough."""
        backend = backend_of(**account)
        backend.pause(0)
        assert backend._callbacks.server is None

    def test_a_port_that_is_taken(
        self,
        service: Any,
        backend_of: Callable[..., KlingBackend],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """It is logged once, and polling is enough."""
        port = int(service.url.rsplit(":", 1)[1])
        backend = backend_of(
            callback_url="https://me.example/", callback_port=port, webhook_secret=SECRET
        )
        backend.pause(0)
        backend.pause(0)
        assert len(caplog.records) == 1
        assert f"KLING_CALLBACK_PORT {port}" in caplog.text
