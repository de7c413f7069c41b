"""A web page in a browser on this machine cannot reach the emulator."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.emulator.guard import rejection_reason

FAULT = {"kind": "stuck"}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8790", "127.0.0.1", "127.9.9.9:1", "localhost:8790", "LOCALHOST", "[::1]:80"],
)
def test_loopback_names_are_accepted(host: str) -> None:
    """Any loopback name or address, and the emulator's own page."""
    assert rejection_reason({"host": host}, is_control=True) == ""
    assert rejection_reason({"host": host, "origin": f"http://{host}"}, is_control=True) == ""


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:8790", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0:8790"),
        *("192.168.0.7:8790", "[::ffff:10.0.0.1]", "2130706433", "user@evil.example", "[::1", ""),
    ],
)
@pytest.mark.parametrize("path", ["/emulator/state", "/tasks", "/nowhere"])
def test_other_host_names_are_rejected(served: Any, host: str, path: str) -> None:
    """A foreign name that resolves to 127.0.0.1 is rejected and not counted."""
    reply = served.client.get(path, headers={"host": host})
    assert reply.status_code in (400, 403)
    assert "jobs" not in reply.text
    assert served.emulator.requests == {}


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://127.0.0.1:8888", "http://localhost:8888", ""),
        *("http://127.0.0.1", "https://127.0.0.1:{port}"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/emulator/faults"), ("DELETE", "/emulator/faults"), ("GET", "/emulator/state")],
)
def test_no_other_page_sets_faults(served: Any, origin: str, method: str, path: str) -> None:
    """A form or a script of another page changes nothing, even of a page on this machine."""
    served.client.post("/emulator/faults", json={"kind": "slow", "seconds": 0})
    port = served.running.url.rpartition(":")[2]
    headers = {"origin": origin.format(port=port), "content-type": "text/plain"}
    reply = served.client.request(method, path, json=FAULT, headers=headers)
    assert reply.status_code == 403
    assert [row["kind"] for row in served.emulator.faults.to_json()] == ["slow"]


def test_its_own_page_and_programs_set_faults(served: Any) -> None:
    """The emulator's own origin and a missing origin are accepted."""
    for headers in ({}, {"origin": served.running.url}):
        reply = served.client.post("/emulator/faults", json=FAULT, headers=headers)
        assert reply.status_code == 200
    assert len(served.emulator.faults.to_json()) == 2


def test_the_media_host_rejects_other_names_too(
    served: Any, modern_body: Callable[..., Any]
) -> None:
    """A link requested under another host name is rejected and not counted."""
    job = served.post("/image-to-video/kling-3.0", modern_body()).json()["data"]["id"]
    url = served.row(job)["outputs"][0]["url"]
    assert served.download(url, headers={"host": "evil.example"}).status_code == 403
    assert served.emulator.downloads == 0
