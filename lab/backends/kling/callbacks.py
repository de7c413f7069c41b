"""Receive callbacks about jobs. A callback only makes the next query start earlier.

Callbacks are signed as Standard Webhooks (standardwebhooks.com); see
kling.ai/document-api/api/get-started/callbacks. Their content is ignored: the state of a job always
comes from a query.
"""

import base64
import binascii
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab.backends.kling.account import Account
from lab.backends.kling.wire import log

TOLERANCE_S = 300
MAX_BODY_BYTES = 1_000_000


def is_signed(
    headers: Mapping[str, str], body: bytes, secret: str, *, now_s: float | None = None
) -> bool:
    """True if the body was signed with that secret (whsec_...) within the last five minutes.

    headers: names in lower case. While secrets are being rotated there may be several signatures.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > TOLERANCE_S:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        content = f"{message_id}.{timestamp}.".encode("latin-1") + body
    except (binascii.Error, ValueError):
        return False
    if not key:
        return False
    expected = b"v1," + base64.b64encode(hmac.digest(key, content, sha256))
    signatures = headers.get("webhook-signature", "").encode("latin-1", "replace").split(b" ")
    # Compare every signature, so that the response time reveals nothing.
    return any([hmac.compare_digest(expected, signature) for signature in signatures])


class CallbackServer:
    """Listens on 127.0.0.1 and calls `on_callback` for each signed callback.

    Unsigned requests get status 401.
    """

    def __init__(
        self,
        port: int,
        secret: str,
        on_callback: Callable[[], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                length = self.headers.get("content-length", "")
                if not (length.isascii() and length.isdigit()) or int(length[:12]) > MAX_BODY_BYTES:
                    self._respond(413)
                    return
                body = self.rfile.read(int(length))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if is_signed(headers, body, secret, now_s=clock()):
                    on_callback()
                    self._respond(204)
                else:
                    self._respond(401)

            def _respond(self, status: int) -> None:
                self.send_response_only(status)
                self.send_header("connection", "close")
                self.end_headers()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Log nothing: anyone on this machine may send requests."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                """Ignore broken connections: the sender has to retry."""

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class CallbackWaiter:
    """Waits until the next poll. A signed callback or `close` ends the wait.

    The server starts with the first wait, if the account has a port, a URL and a secret for
    callbacks.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._started = False
        self.server: CallbackServer | None = None

    def wait(self, seconds: float) -> None:
        """Wait that many seconds, or less."""
        self._start_server()
        if self._wake.wait(seconds) and not self._closed:
            self._wake.clear()

    def close(self) -> None:
        """End the current wait and every later one."""
        self._closed = True
        self._wake.set()
        with self._lock:
            server, self.server = self.server, None
        if server is not None:
            server.close()

    def _start_server(self) -> None:
        account = self._account
        if account.callback_port is None or not (account.callback_url and account.webhook_secret):
            return
        with self._lock:
            if self._started or self._closed:
                return
            self._started = True
            secret = account.webhook_secret.get_secret_value()
            try:
                self.server = CallbackServer(account.callback_port, secret, self._wake.set)
            except OSError as error:
                log.warning(
                    "KLING_CALLBACK_PORT %d: cannot listen (%s); jobs are polled instead",
                    account.callback_port,
                    error.strerror,
                )
