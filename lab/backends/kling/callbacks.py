"""News of a job that the service posts: a reason to ask sooner, and nothing more.

Signed as Standard Webhooks (standardwebhooks.com); kling.ai/document-api/api/get-started/callbacks.
What a callback says is never believed: the job is asked for anyway.
"""

import base64
import binascii
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_S = 300
MOST_BYTES = 1_000_000


def is_signed(
    headers: Mapping[str, str], body: bytes, secret: str, *, now_s: float | None = None
) -> bool:
    """The body was signed with that secret (whsec_...) within the last five minutes.

    headers: names in lower case. During a change of secrets there may be several signatures.
    """
    identity, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not identity or not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    if abs((time.time() if now_s is None else now_s) - int(stamp)) > TOLERANCE_S:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        content = f"{identity}.{stamp}.".encode("latin-1") + body
    except (binascii.Error, ValueError):
        return False
    if not key:
        return False
    expected = b"v1," + base64.b64encode(hmac.digest(key, content, sha256))
    given = headers.get("webhook-signature", "").encode("latin-1", "replace").split(b" ")
    # Every one is compared, so that the time taken says nothing.
    return any([hmac.compare_digest(expected, each) for each in given])


class Listener:
    """Hears news on 127.0.0.1 until closed. What is unsigned is answered 401 and forgotten."""

    def __init__(
        self,
        port: int,
        secret: str,
        heard: Callable[[], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                length = self.headers.get("content-length", "")
                if not (length.isascii() and length.isdigit()) or int(length[:12]) > MOST_BYTES:
                    self._answer(413)
                    return
                body = self.rfile.read(int(length))
                named = {name.lower(): value for name, value in self.headers.items()}
                if is_signed(named, body, secret, now_s=clock()):
                    heard()
                    self._answer(204)
                else:
                    self._answer(401)

            def _answer(self, status: int) -> None:
                self.send_response_only(status)
                self.send_header("connection", "close")
                self.end_headers()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """What strangers send is not written anywhere."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                """A connection that breaks is the sender's business."""

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
