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
def test_this_machine_is_answered(host: str) -> None:
    """By any of its own names and addresses, and by its own page."""
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
def test_no_other_name_leads_here(served: Any, host: str, path: str) -> None:
    """A page's own name that was made to lead to 127.0.0.1 gets nothing, with a key or without."""
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
    """A form or a script of another page, even one that this machine serves, changes nothing."""
    served.client.post("/emulator/faults", json={"kind": "slow", "seconds": 0})
    port = served.running.url.rpartition(":")[2]
    said = {"origin": origin.format(port=port), "content-type": "text/plain"}
    reply = served.client.request(method, path, json=FAULT, headers=said)
    assert reply.status_code == 403
    assert [row["kind"] for row in served.emulator.faults.listed()] == ["slow"]


def test_its_own_page_and_programs_do(served: Any) -> None:
    """The origin of the emulator itself, and no origin at all."""
    for headers in ({}, {"origin": served.running.url}):
        reply = served.client.post("/emulator/faults", json=FAULT, headers=headers)
        assert reply.status_code == 200
    assert len(served.emulator.faults.listed()) == 2


def test_clips_are_for_this_machine_too(served: Any, modern_body: Callable[..., Any]) -> None:
    """A link fetched under another name is refused and not counted."""
    job = served.post("/image-to-video/kling-3.0", modern_body()).json()["data"]["id"]
    url = served.row(job)["outputs"][0]["url"]
    assert served.download(url, headers={"host": "evil.example"}).status_code == 403
    assert served.emulator.downloads == 0
