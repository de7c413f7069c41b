"""Callbacks: one POST per change of state, in the protocol's format, signed with the secret."""

import base64
import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lab.emulator import Account, Assumptions, TaskTiming
from lab.emulator.callbacks import signature_headers

Body = Callable[..., dict[str, Any]]
PATH = "/image-to-video/kling-3.0"
SECRET = "whsec_" + base64.b64encode(b"testsecrettestsecretsecret12").decode()


class _Receiver:
    """A server that records the requests that it receives."""

    def __init__(self) -> None:
        self.received: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.put(({k.lower(): v for k, v in self.headers.items()}, content))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=1"

    def next(self) -> dict[str, Any]:
        return json.loads(self.received.get(timeout=10)[1])


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    """A running receiver of callbacks."""
    receiver = _Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def test_each_change_sends_a_callback(slow: Any, modern_body: Body, receiver: _Receiver) -> None:
    """For submitted, processing and succeeded: a query's row, without an envelope."""
    body = modern_body(external_id="e", options={"callback_url": receiver.url})
    job = slow.post(PATH, body).json()["data"]["id"]
    headers, content = receiver.received.get(timeout=10)
    assert "webhook-signature" not in headers
    first = json.loads(content)
    assert (first["id"], first["status"], first["external_id"]) == (job, "submitted", "e")
    slow.clock.advance(2)
    assert receiver.next()["status"] == "processing"
    slow.clock.advance(4)
    last = receiver.next()
    assert last["status"] == "succeeded"
    assert last.keys() == slow.row(job).keys()
    assert slow.emulator.callbacks == 3


def test_legacy_callbacks_have_their_own_body(
    served: Any, legacy_body: Body, receiver: _Receiver
) -> None:
    """They have the legacy keys and no envelope."""
    body = legacy_body("risk-control", callback_url=receiver.url, external_task_id="e")
    job = served.post("/v1/videos/image2video", body).json()["data"]["task_id"]
    callback = receiver.next()
    assert (callback["task_id"], callback["task_status"]) == (job, "failed")
    assert callback["task_status_msg"] == "Failure to pass the risk control system"
    assert callback["task_info"] == {"external_task_id": "e"}
    assert callback["final_unit_deduction"] == "0"
    assert "code" not in callback


def test_the_official_signature() -> None:
    """The signature of the vendor's own example is reproduced exactly."""
    content = (
        b'{"id":"1234567890","status":"succeeded","message":"",'
        b'"create_time":1781080778802,"update_time":1781080794151}'
    )
    secret = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
    assert signature_headers(secret, "9876543210", 1781080794, content) == {
        "webhook-id": "9876543210",
        "webhook-timestamp": "1781080794",
        "webhook-signature": "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4=",
    }


def test_callbacks_are_signed_with_the_accounts_secret(
    emulate: Any, modern_body: Body, receiver: _Receiver
) -> None:
    """The signature covers the id, the time and the raw body."""
    served = emulate(account=Account(webhook_secret=SECRET))
    served.post(PATH, modern_body(options={"callback_url": receiver.url}))
    headers, content = receiver.received.get(timeout=10)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert int(headers["webhook-timestamp"]) == int(served.clock())


def test_callbacks_can_repeat_and_arrive_in_reverse(
    emulate: Any, modern_body: Body, receiver: _Receiver
) -> None:
    """The assumptions select both."""
    served = emulate(
        timing=TaskTiming(jitter=0),
        assumptions=Assumptions(callbacks_twice=True, callbacks_backwards=True),
    )
    served.post(PATH, modern_body(options={"callback_url": receiver.url}))
    assert [receiver.next()["status"] for _ in range(2)] == ["submitted"] * 2
    served.clock.advance(9)
    statuses = [receiver.next()["status"] for _ in range(4)]
    assert statuses == ["succeeded", "succeeded", "processing", "processing"]


def test_unreachable_receivers_are_ignored(
    served: Any, modern_body: Body, receiver: _Receiver
) -> None:
    """After a closed port, another machine or an invalid URL, later callbacks are still sent."""
    for url in ("http://127.0.0.1:9/x", "http://example.com/x", "nonsense", "http://127.0.0.1:a/"):
        served.post(PATH, modern_body(options={"callback_url": url}))
    served.post(PATH, modern_body(options={"callback_url": receiver.url}))
    assert receiver.next()["id"] == served.emulator.jobs[-1]["id"]
