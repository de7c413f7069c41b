"""A scripted server on loopback, a backend that uses it, and a factory of takes.

Tests set the server's replies beforehand and read the requests it received afterwards.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lab.backends.kling import Account, Catalogue, KlingBackend
from lab.backends.kling.retries import Clock, RetryPolicies, RetryPolicy
from lab.backends.kling.transport import Transport
from lab.media import write_image
from lab.prompts import Prompt
from lab.shots import Shot, ShotSettings
from lab.stills import Still
from lab.takes import Take

KEY = "api-key-kling-0123456789abcdefghijklmnopqrstuvwxyz"
PATIENT = RetryPolicies(download=RetryPolicy(tries=3, seconds=60.0))


@dataclass(frozen=True)
class ReceivedRequest:
    """One received request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class ScriptedReply:
    """One reply of the server.

    drop: reset the connection instead, after `drop_after` bytes of the body (None: before any
    reply). length: the content-length header, if it differs from the real length; -1: no header.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    drop_after: int | None = None
    length: int | None = None

    @classmethod
    def data(
        cls, data: Any, code: int = 0, status: int = 200, message: str = "SUCCEED"
    ) -> "ScriptedReply":
        """The service's envelope around data."""
        body = {"code": code, "message": message, "request_id": "r", "data": data}
        return cls(status, json.dumps(body).encode(), {"content-type": "application/json"})

    @classmethod
    def code(cls, code: int, status: int = 400, message: str = "") -> "ScriptedReply":
        """The service's envelope around an error code."""
        body = {"code": code, "message": message, "request_id": "r"}
        return cls(status, json.dumps(body).encode())


Answer = Callable[[ReceivedRequest], ScriptedReply]


class Service:
    """The requests that the server received, in order, and the function that answers them."""

    reply = ScriptedReply

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[ReceivedRequest] = []
        self.answer: Answer = lambda received: ScriptedReply(404)

    def script(self, *answers: ScriptedReply) -> None:
        """Send these replies one after the other, and the last one for ever."""
        left = list(answers)
        lock = threading.Lock()

        def answer(received: ReceivedRequest) -> ScriptedReply:
            with lock:
                return left.pop(0) if len(left) > 1 else left[0]

        self.answer = answer

    def paths(self, method: str = "GET") -> list[str]:
        """The paths of the requests with that method."""
        return [received.path for received in self.requests if received.method == method]


@contextmanager
def serving() -> Iterator[Service]:
    """A server on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            parts = urlsplit(self.path)
            received = ReceivedRequest(
                self.command,
                parts.path,
                {name: values[0] for name, values in parse_qs(parts.query).items()},
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            service.requests.append(received)
            reply = service.answer(received)
            self.close_connection = True
            if reply.drop and reply.drop_after is None:
                self._reset()
                return
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.length != -1:
                length = len(reply.body) if reply.length is None else reply.length
                self.send_header("content-length", str(length))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(
                reply.body if reply.drop_after is None else reply.body[: reply.drop_after]
            )

        do_GET = do_POST = _any  # noqa: N815 - http.server's names

        def _reset(self) -> None:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # By default five callers may wait, and a busy machine resets the connection of others.
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    service = Service(f"http://127.0.0.1:{server.server_address[1]}")
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hides the keys of this machine's user. Returns the path of the settings file."""
    for name in os.environ:
        if name.startswith(("KLING_", "KLINGAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("I2VLAB_FETCH_WEIGHTS", "false")
    file = tmp_path / "kling.toml"
    monkeypatch.setenv("KLING_SETTINGS", str(file))
    return file


@pytest.fixture
def service() -> Iterator[Service]:
    """A scripted server."""
    with serving() as running:
        yield running


@pytest.fixture
def slept() -> list[float]:
    """Every requested wait in seconds. Tests do not really wait."""
    return []


@pytest.fixture
def backend_of(service: Service, slept: list[float]) -> Iterator[Callable[..., KlingBackend]]:
    """A factory of backends that use the scripted server and never sleep."""
    opened: list[KlingBackend] = []

    def build(
        policies: RetryPolicies = PATIENT, catalogue: Catalogue | None = None, **account: Any
    ) -> KlingBackend:
        mine = Account(**{"url": service.url, "api_key": KEY, **account})

        def sleep(seconds: float) -> bool:
            slept.append(seconds)
            return False

        transport = Transport(mine, policies=policies, clock=Clock(sleep=sleep, jitter=lambda: 1.0))
        opened.append(
            KlingBackend(account=mine, catalogue=catalogue, policies=policies, transport=transport)
        )
        return opened[-1]

    yield build
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(backend_of: Callable[..., KlingBackend]) -> KlingBackend:
    """A backend with an API key and the new protocol."""
    return backend_of()


@pytest.fixture
def emulated() -> Iterator[Callable[..., tuple[KlingBackend, Any]]]:
    """A factory of a backend and the emulator it uses, with faults and instant jobs."""
    pytest.importorskip("starlette")
    emulator = pytest.importorskip("lab.emulator")
    running: list[Any] = []
    opened: list[KlingBackend] = []

    def build(*faults: Any, pair: bool = False, **how: Any) -> tuple[KlingBackend, Any]:
        account = how.pop("account", emulator.Account())
        made = emulator.Emulator(
            account=account,
            timing=how.pop("timing", emulator.TaskTiming.instant()),
            faults=faults,
            short_side_px=72,
            # The real service ignores unknown fields. Here they are errors.
            assumptions=emulator.Assumptions(strict_fields=True, unknown_elements=True),
        )
        served = emulator.start(made)
        running.append(served)
        keys: dict[str, Any] = {"api_key": account.api_key}
        if pair:
            keys = {"access_key": account.access_key, "secret_key": account.secret_key}
        mine = Account(**{"url": served.url, **keys, **how})
        policies = RetryPolicies(second_lookup_delay_s=0.0)
        transport = Transport(mine, policies=policies, clock=Clock(sleep=lambda seconds: False))
        opened.append(KlingBackend(account=mine, policies=policies, transport=transport))
        return opened[-1], made

    yield build
    for backend in opened:
        backend.close()
    for served in running:
        served.stop()


@pytest.fixture(scope="session")
def wide(coffee: Still, tmp_path_factory: pytest.TempPathFactory) -> Still:
    """A still of 16:9, which is sent without cropping."""
    path = tmp_path_factory.mktemp("wide") / "wide.png"
    write_image(path, coffee.rgb()[30:368, :600])
    return Still.open(path)


@pytest.fixture(scope="session")
def take_with(wide: Still) -> Callable[..., Take]:
    """A factory of takes of the wide still, 5 s at 720p, with any part replaced."""
    of_shot = {"still", "end_still", "elements", "makes"}

    def build(prompt: str | Prompt = "slow push in; steam rises", **changed: Any) -> Take:
        words = prompt if isinstance(prompt, Prompt) else Prompt.from_text(prompt)
        repeat = changed.pop("repeat", 1)
        shot = {"still": wide} | {name: changed.pop(name) for name in of_shot & set(changed)}
        model = changed.pop("model", None)
        options = (("model", model),) if model else ()
        settings = ShotSettings(**{"duration_s": 5, "options": options, **changed})
        return Take(Shot(prompt=words, settings=settings, **shot), "kling", repeat)

    return build


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, pan_clip: Any, photo: Any) -> bytes:
    """The bytes of a small real clip of eight frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    pan_clip(path, photo[:160, :260], count=8)
    return path.read_bytes()
