"""Fixtures: served emulators with a manual clock, and requests to send to them."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from lab.emulator import Account, Emulator, TaskTiming, serving
from lab.stills import Still

START_S = 1_795_000_000.0


class Clock:
    """A manual clock."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class Served:
    """A served emulator and a client with its key."""

    def __init__(self, running: Any, clock: Clock) -> None:
        self.running = running
        self.emulator: Emulator = running.emulator
        self.clock = clock
        self.client = httpx.Client(
            base_url=running.url,
            headers={"Authorization": f"Bearer {running.environment['KLING_API_KEY']}"},
            trust_env=False,
            timeout=60,
        )

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.client.post(path, json=body, **options)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.client.get(path, params=query)

    def row(self, job_id: str) -> dict[str, Any]:
        (row,) = self.get("/tasks", task_ids=job_id).json()["data"]
        return row

    def download(self, url: str, **options: Any) -> httpx.Response:
        return httpx.get(url, trust_env=False, timeout=60, **options)


@pytest.fixture
def clock() -> Clock:
    """The clock of the test's emulators."""
    return Clock()


@pytest.fixture
def emulate(clock: Clock) -> Iterator[Callable[..., Served]]:
    """Serve emulators, by default with instant tasks and small clips."""
    with ExitStack() as stack:

        def begin(**options: Any) -> Served:
            defaults = {"timing": TaskTiming.instant(), "short_side_px": 96, "clock": clock}
            running = stack.enter_context(serving(Emulator(**{**defaults, **options})))
            served = Served(running, clock)
            stack.callback(served.client.close)
            return served

        yield begin


@pytest.fixture
def served(emulate: Callable[..., Served]) -> Served:
    """An emulator whose tasks finish at once."""
    return emulate()


@pytest.fixture
def slow(emulate: Callable[..., Served]) -> Served:
    """An emulator with tasks of 1 s plus 4 s, two video slots and 100 units."""
    return emulate(
        timing=TaskTiming(jitter=0),
        account=Account(concurrency=2, image_concurrency=3, balance_units=100),
    )


@pytest.fixture(scope="session")
def still_base64(coffee: Still, stills_dir: Path) -> str:
    """A valid still, 600x400, as base64."""
    return base64.b64encode((stills_dir / "coffee.jpg").read_bytes()).decode()


@pytest.fixture(scope="session")
def image_of() -> Callable[[int, int], str]:
    """Make a PNG of a given size, as base64."""

    def build(width: int, height: int) -> str:
        rng = np.random.default_rng(width * 10_000 + height)
        coarse = rng.integers(0, 255, (9, 9, 3), np.uint8)
        pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        return base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()

    return build


@pytest.fixture(scope="session")
def modern_body(still_base64: str) -> Callable[..., dict[str, Any]]:
    """Build a request body of the newer protocol, with extra settings and options."""

    def build(
        prompt: str = "slow push in; steam rises",
        *,
        still: str = still_base64,
        end: str = "",
        external_id: str = "",
        options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        contents = [{"type": "prompt", "text": prompt}, {"type": "first_frame", "url": still}]
        if end:
            contents.append({"type": "last_frame", "url": end})
        defaults = {"multi_shot": False, "duration": 3}
        more = {"external_task_id": external_id} if external_id else {}
        return {
            "contents": contents,
            "settings": {**defaults, **settings},
            "options": {**more, **(options or {})},
        }

    return build


@pytest.fixture(scope="session")
def legacy_body(still_base64: str) -> Callable[..., dict[str, Any]]:
    """Build a request body of the legacy protocol."""

    def build(prompt: str = "slow push in", **fields: Any) -> dict[str, Any]:
        defaults = {"model_name": "kling-v3", "image": still_base64, "duration": "3"}
        return {**defaults, "prompt": prompt, **fields}

    return build


@pytest.fixture
def token_of(clock: Clock) -> Callable[..., str]:
    """Sign a token as the vendor's sample does, with parts replaced."""

    def build(*, head: dict[str, Any] | None = None, secret: str = "", **payload: Any) -> str:
        account = Account()
        claims = {"iss": account.access_key, "exp": clock() + 1800, "nbf": clock() - 5, **payload}
        parts = [head or {"alg": "HS256", "typ": "JWT"}, claims]
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in parts)
        key = (secret or account.secret_key).encode()
        return f"{signed}.{_base64url(hmac.digest(key, signed.encode(), 'sha256'))}"

    return build


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
