"""Callbacks: one POST a change, in the words of the protocol, signed if there is a secret."""

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


class _Ear:
    """Hears what is posted to it."""

    def __init__(self) -> None:
        self.heard: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                ear.heard.put(({k.lower(): v for k, v in self.headers.items()}, content))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=1"

    def next(self) -> dict[str, Any]:
        return json.loads(self.heard.get(timeout=10)[1])


@pytest.fixture
def ear() -> Iterator[_Ear]:
    """A server that listens."""
    ear = _Ear()
    thread = threading.Thread(target=ear.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield ear
    ear.server.shutdown()
    ear.server.server_close()
    thread.join()


def test_each_change_is_told(slow: Any, modern_body: Body, ear: _Ear) -> None:
    """Submitted, processing, succeeded: the row of a query, without an envelope."""
    body = modern_body(external_id="e", options={"callback_url": ear.url})
    job = slow.post(PATH, body).json()["data"]["id"]
    headers, content = ear.heard.get(timeout=10)
    assert "webhook-signature" not in headers
    first = json.loads(content)
    assert (first["id"], first["status"], first["external_id"]) == (job, "submitted", "e")
    slow.clock.passes(2)
    assert ear.next()["status"] == "processing"
    slow.clock.passes(4)
    last = ear.next()
    assert last["status"] == "succeeded"
    assert last.keys() == slow.row(job).keys()
    assert slow.emulator.callbacks == 3


def test_legacy_has_its_own_body(served: Any, legacy_body: Body, ear: _Ear) -> None:
    """task_id, task_status, task_info, task_result and the units; no envelope."""
    body = legacy_body("risk-control", callback_url=ear.url, external_task_id="e")
    job = served.post("/v1/videos/image2video", body).json()["data"]["task_id"]
    told = ear.next()
    assert (told["task_id"], told["task_status"]) == (job, "failed")
    assert told["task_status_msg"] == "Failure to pass the risk control system"
    assert told["task_info"] == {"external_task_id": "e"}
    assert told["final_unit_deduction"] == "0"
    assert "code" not in told


def test_the_official_signature() -> None:
    """The vendor's own example comes out to the letter."""
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


def test_callbacks_are_signed_with_the_account_s_secret(
    emulate: Any, modern_body: Body, ear: _Ear
) -> None:
    """Over the id, the time and the raw body."""
    served = emulate(account=Account(webhook_secret=SECRET))
    served.post(PATH, modern_body(options={"callback_url": ear.url}))
    headers, content = ear.heard.get(timeout=10)
    told = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mark = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mark}"
    assert int(headers["webhook-timestamp"]) == int(served.clock())


def test_callbacks_may_come_twice_and_backwards(emulate: Any, modern_body: Body, ear: _Ear) -> None:
    """If it is assumed so."""
    served = emulate(
        timing=TaskTiming(jitter=0),
        assumptions=Assumptions(callbacks_twice=True, callbacks_backwards=True),
    )
    served.post(PATH, modern_body(options={"callback_url": ear.url}))
    assert [ear.next()["status"] for _ in range(2)] == ["submitted"] * 2
    served.clock.passes(9)
    told = [ear.next()["status"] for _ in range(4)]
    assert told == ["succeeded", "succeeded", "processing", "processing"]


def test_nobody_there_is_no_matter(served: Any, modern_body: Body, ear: _Ear) -> None:
    """A closed port, another machine, nonsense: the task goes on, later callbacks too."""
    for url in ("http://127.0.0.1:9/x", "http://example.com/x", "nonsense", "http://127.0.0.1:a/"):
        served.post(PATH, modern_body(options={"callback_url": url}))
    served.post(PATH, modern_body(options={"callback_url": ear.url}))
    assert ear.next()["id"] == served.emulator.jobs[-1]["id"]
