"""Scripted faults: the effect of each kind, the affected requests, and the frequency."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.emulator import Fault, load_faults
from lab.emulator.faults import KINDS, Faults
from lab.errors import InputError
from tests.waiting import until

Body = Callable[..., dict[str, Any]]
PATH = "/image-to-video/kling-3.0"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault("rate_limited"), 429, 1302),
        (Fault("no_slot"), 429, 1303),
        (Fault("api_error", code=1101), 429, 1101),
        (Fault("api_error", code=1103), 403, 1103),
        (Fault("server_error"), 500, 5000),
        (Fault("server_error", code=5001), 503, 5001),
        (Fault("server_error", code=5002), 504, 5002),
    ],
)
def test_errors_in_the_envelope(
    served: Any, modern_body: Body, fault: Fault, status: int, code: int
) -> None:
    """The error has its documented status and code, and no task is created."""
    served.emulator.add_fault(fault)
    reply = served.post(PATH, modern_body())
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert served.emulator.jobs == []
    served.emulator.clear_faults()
    assert served.post(PATH, modern_body()).status_code == 200


def test_an_accepted_error_creates_a_task(served: Any, modern_body: Body) -> None:
    """With `accepted`, the task exists although the reply is an error or an HTML page."""
    served.emulator.add_fault(Fault("server_error", times=1, accepted=True))
    served.emulator.add_fault(Fault("html_502", times=1, accepted=True))
    assert served.post(PATH, modern_body()).status_code == 500
    page = served.post(PATH, modern_body())
    assert page.status_code == 502
    assert page.headers["content-type"].startswith("text/html")
    assert served.emulator.charged_jobs == 2


def test_accept_then_drop_creates_exactly_one_task(served: Any, modern_body: Body) -> None:
    """The connection breaks, and the task is found by its external id."""
    served.emulator.add_fault(Fault("accept_then_drop", times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        served.post(PATH, modern_body(external_id="once"))
    assert served.emulator.charged_jobs == 1
    rows = served.get("/tasks", external_task_ids="once").json()["data"]
    assert len(rows) == 1
    assert served.post(PATH, modern_body(external_id="once")).json()["code"] == 1201
    assert served.emulator.requests["POST /image-to-video/{model} dropped"] == 1


def test_drop_before_creates_no_task(served: Any, modern_body: Body) -> None:
    """The connection breaks and no task exists."""
    served.emulator.add_fault(Fault("drop_before", times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        served.post(PATH, modern_body())
    assert served.emulator.jobs == []
    assert served.post(PATH, modern_body()).status_code == 200


def test_a_slow_reply_follows_the_task(served: Any, modern_body: Body) -> None:
    """A client that times out has bought the task."""
    served.emulator.add_fault(Fault("slow", times=1, seconds=30))
    with pytest.raises(httpx.ReadTimeout):
        served.post(PATH, modern_body(external_id="late"), timeout=0.3)
    until(lambda: served.emulator.charged_jobs == 1)


def test_duplicate_external_id(served: Any, modern_body: Body) -> None:
    """The reply is 400/1201; the task is created unless `accepted` is false."""
    served.emulator.add_fault(Fault("duplicate_external_id", times=1))
    served.emulator.add_fault(Fault("duplicate_external_id", times=1, accepted=False))
    for created in (1, 1):
        reply = served.post(PATH, modern_body())
        assert (reply.status_code, reply.json()["code"]) == (400, 1201)
        assert len(served.emulator.jobs) == created


def test_an_unknown_status(served: Any, modern_body: Body) -> None:
    """It replaces the status in `times` queries of both protocols, then ends."""
    job = served.post(PATH, modern_body()).json()["data"]["id"]
    served.emulator.add_fault(Fault("unknown_status", times=2))
    assert served.row(job)["status"] == "archived_soon"
    row = served.get(f"/v1/videos/image2video/{job}").json()["data"]
    assert row["task_status"] == "archived_soon"
    assert "task_result" not in row
    assert served.row(job)["status"] == "succeeded"


def test_lost_tasks(served: Any, modern_body: Body) -> None:
    """Queries and lists are empty `times` times; then the task is found again."""
    job = served.post(PATH, modern_body()).json()["data"]["id"]
    served.emulator.add_fault(Fault("lost_tasks", times=4))
    assert served.get("/tasks", task_ids=job).json()["data"] == []
    assert served.post("/tasks", {}).json()["data"] == {"count": 0, "has_more": False}
    assert served.get(f"/v1/videos/image2video/{job}").json()["code"] == 1201
    assert served.get("/v1/videos/image2video").json()["data"] == []
    assert served.row(job)["id"] == job


def test_a_truncated_reply(served: Any, modern_body: Body) -> None:
    """The reply is 200 with half of the JSON; the task is created."""
    served.emulator.add_fault(Fault("bad_json", times=1))
    reply = served.post(PATH, modern_body())
    assert reply.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        reply.json()
    assert served.emulator.charged_jobs == 1


def _pattern(fault: Fault, count: int = 12, seed: int = 0) -> str:
    faults = Faults([fault], seed)
    return "".join("x" if faults.select("create", "POST", PATH)[0] else "." for _ in range(count))


def test_the_frequency_of_a_fault() -> None:
    """times, after and every count requests; share is random but repeats with its seed."""
    assert _pattern(Fault("no_slot")) == "x" * 12
    assert _pattern(Fault("no_slot", 2)) == "xx.........."
    assert _pattern(Fault("no_slot", 2, after=3)) == "...xx......."
    assert _pattern(Fault("no_slot", every=4)) == "...x...x...x"
    assert _pattern(Fault("no_slot", 2, every=3)) == "..x..x......"
    chance = Fault("no_slot", share=0.5)
    assert _pattern(chance, 400).count("x") == pytest.approx(200, abs=40)
    assert _pattern(chance) == _pattern(chance)
    assert _pattern(chance, 40) != _pattern(chance, 40, seed=1)


def test_the_requests_that_a_fault_affects() -> None:
    """path is a prefix, method is exact, and each kind has its own requests."""
    faults = Faults([Fault("rate_limited", path="/v1/videos", method="get")], 0)
    assert faults.select("query", "GET", "/v1/videos/image2video/1")[0]
    assert faults.select("create", "POST", "/v1/videos/image2video")[0] is None
    assert faults.select("query", "GET", "/tasks")[0] is None
    downloads = Faults([Fault("cut_download"), Fault("no_slot")], 0)
    assert downloads.select("create", "POST", PATH)[0] == Fault("no_slot")
    assert downloads.select("query", "GET", "/tasks")[0] is None
    assert downloads.select("download", "GET", "/a.mp4")[0] == Fault("cut_download")


def test_the_first_matching_fault_applies() -> None:
    """A request gets one fault; clock skew combines with any."""
    faults = Faults([Fault("no_slot", 1), Fault("rate_limited", 1), Fault("clock_skew", 3)], 0)
    applied = [faults.select("create", "POST", PATH) for _ in range(3)]
    assert applied == [
        (Fault("no_slot", 1), 5.0),
        (Fault("rate_limited", 1), 5.0),
        (None, 5.0),
    ]


def test_faults_over_the_control_endpoint(served: Any, modern_body: Body) -> None:
    """Faults are added, listed with their counts and cleared; an invalid one gets one line."""
    added = served.client.post("/emulator/faults", json={"kind": "no_slot", "times": 1})
    assert added.json() == [{"kind": "no_slot", "times": 1, "met": 0, "struck": 0}]
    assert served.post(PATH, modern_body()).json()["code"] == 1303
    assert served.get("/emulator/faults").json()[0]["struck"] == 1
    two = [{"kind": "rate_limited"}, {"kind": "slow", "seconds": 0.1}]
    assert len(served.client.post("/emulator/faults", json=two).json()) == 3
    assert served.client.delete("/emulator/faults").json() == []
    assert served.post(PATH, modern_body()).status_code == 200
    bad = served.client.post("/emulator/faults", json={"kind": "no_slots"})
    assert bad.status_code == 422
    assert bad.json() == {"error": "fault 'no_slots': did you mean 'no_slot'?"}
    for content in (b"", b"[1]", b"{"):
        assert served.client.post("/emulator/faults", content=content).status_code == 422
    assert served.client.put("/emulator/state").status_code == 404


def test_a_faults_file(tmp_path: Path) -> None:
    """The [[fault]] tables are read in order."""
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nkind = "no_slot"\ntimes = 3\n\n[[fault]]\nkind = "html_502"\n')
    assert load_faults(path) == (Fault("no_slot", 3), Fault("html_502"))
    path.write_text("")
    assert load_faults(path) == ()


@pytest.mark.parametrize(
    ("text", "message_part"),
    [
        ("[[fault]]", "a fault needs a kind; accepted: "),
        ('[[fault]]\nkind = "rate_limit"', "did you mean 'rate_limited'?"),
        ('[[fault]]\nkind = "no_slot"\ntime = 3', "did you mean 'times'?"),
        ('[[fault]]\nkind = "no_slot"\ntimes = "3"', "times cannot be '3'"),
        ('[[fault]]\nkind = "no_slot"\ntimes = 0', "times 0 is out of range"),
        ('[[fault]]\nkind = "no_slot"\nshare = 2.0', "share 2.0 is out of range"),
        ('[[fault]]\nkind = "server_error"\ncode = 1302', "accepted: 5000, 5001, 5002"),
        ('[[fault]]\nkind = "redirect_download"', "`to` must be the URL"),
        ('[[fault]]\nkind = "slow"\nseconds = nan', "seconds nan is out of range"),
        ('[fault]\nkind = "no_slot"', "only [[fault]] tables are accepted"),
        ('[[faults]]\nkind = "no_slot"', "faults: only [[fault]] tables are accepted"),
        ("fault = [1]", "a fault needs a kind"),
        ("kind =", "is not valid TOML"),
    ],
)
def test_a_bad_faults_file_gets_one_line(tmp_path: Path, text: str, message_part: str) -> None:
    """The line names the file and says what is accepted."""
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_faults(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message_part in message
    assert "\n" not in message


def test_a_missing_faults_file(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(InputError, match="no such file"):
        load_faults(tmp_path / "none.toml")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_round_trips_as_plain_data(kind: str) -> None:
    """from_mapping inverts to_mapping."""
    extra = {"to": "http://127.0.0.1/"} if kind == "redirect_download" else {}
    fault = Fault(kind, 2, path="/v1", share=0.25, **extra)
    assert Fault.from_mapping(fault.to_mapping()) == fault
