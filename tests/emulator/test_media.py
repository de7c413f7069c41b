"""Downloads: signed links that expire, ranges, and faults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from lab.emulator import Assumptions, Fault, TaskTiming
from lab.media import probe

Body = Callable[..., dict[str, Any]]
PATH = "/image-to-video/kling-3.0"


@pytest.fixture
def link(served: Any, modern_body: Body) -> Callable[[], str]:
    """Return a new link to a finished task's clip."""
    job = served.post(PATH, modern_body()).json()["data"]["id"]
    return lambda: served.row(job)["outputs"][0]["url"]


def test_media_has_another_origin_and_needs_no_key(
    served: Any, link: Callable[[], str], tmp_path: Path
) -> None:
    """The clip comes from another port, opens, and has the same bytes the second time."""
    url = link()
    assert urlsplit(url).netloc != urlsplit(served.running.url).netloc
    first, again = served.download(url), served.download(link())
    assert first.status_code == 200
    assert first.headers["content-type"] == "video/mp4"
    assert first.content == again.content
    (tmp_path / "a.mp4").write_bytes(first.content)
    assert probe(tmp_path / "a.mp4").frames == 73
    assert served.emulator.downloads == 2


def test_a_leaked_key_is_detected(
    served: Any, emulate: Any, link: Callable[[], str], modern_body: Body
) -> None:
    """A request with an Authorization header is 400, unless the assumption says otherwise."""
    headers = {"Authorization": "Bearer x"}
    assert served.download(link(), headers=headers).status_code == 400
    lenient = emulate(assumptions=Assumptions(media_ignores_authorization=True))
    job = lenient.post(PATH, modern_body()).json()["data"]["id"]
    url = lenient.row(job)["outputs"][0]["url"]
    assert lenient.download(url, headers=headers).status_code == 200


@pytest.mark.parametrize("status", [410, 403])
def test_a_link_expires_and_the_task_gives_a_fresh_one(
    emulate: Any, modern_body: Body, status: int
) -> None:
    """An expired link is 410, or 403 by assumption; a new link still works."""
    served = emulate(
        timing=TaskTiming(0, 0, 0, link_ttl_s=60), assumptions=Assumptions(expired_status=status)
    )
    job = served.post(PATH, modern_body()).json()["data"]["id"]
    old = served.row(job)["outputs"][0]["url"]
    served.clock.advance(61)
    assert served.download(old).status_code == status
    assert served.download(served.row(job)["outputs"][0]["url"]).status_code == 200


def test_a_forged_link_is_refused(served: Any, link: Callable[[], str]) -> None:
    """Another file, a later expiry or no signature is 403."""
    url = link()
    for forged in (url.replace("-0_raw", "-1_raw"), url.replace("expires=1", "expires=9")):
        assert served.download(forged).status_code == 403
    assert served.download(url.partition("?")[0]).status_code == 403
    assert served.download(served.running.media_url + "/../../etc/passwd").status_code == 403
    assert httpx.post(url, trust_env=False).status_code == 405


def test_range_requests(served: Any, link: Callable[[], str]) -> None:
    """A range is served, and an impossible one refused."""
    url = link()
    whole = served.download(url).content
    part = served.download(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert served.download(url, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    head = httpx.head(url, trust_env=False)
    assert (head.status_code, int(head.headers["content-length"])) == (200, len(whole))


def test_a_truncated_download(served: Any, link: Callable[[], str]) -> None:
    """The headers declare the full length and half of the bytes arrive."""
    served.emulator.add_fault(Fault("cut_download", 1))
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|peer closed"):
        served.download(link())
    assert served.download(link()).status_code == 200


def test_an_oversize_download(served: Any, link: Callable[[], str]) -> None:
    """It has the requested size and no Content-Length; a client may disconnect early."""
    served.emulator.add_fault(Fault("oversize_download", 1, bytes=2_000_000))
    reply = served.download(link())
    assert "content-length" not in reply.headers
    assert len(reply.content) == 2_000_000
    served.emulator.add_fault(Fault("oversize_download", 1, bytes=50_000_000_000))
    with httpx.stream("GET", link(), trust_env=False) as endless:
        assert len(next(endless.iter_bytes(100_000))) == 100_000
    assert served.download(link()).status_code == 200


def test_other_download_faults(served: Any, link: Callable[[], str]) -> None:
    """An HTML page, an expired link, a redirect and a dropped connection."""
    for fault in (
        Fault("wrong_type_download", 1),
        Fault("expired_link", 1),
        Fault("redirect_download", 1, to="http://127.0.0.1:9/leak"),
        Fault("drop_before", 1, path="/bs2"),
    ):
        served.emulator.add_fault(fault)
    page = served.download(link())
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert served.download(link()).status_code == 410
    redirect = served.download(link())
    assert (redirect.status_code, redirect.headers["location"]) == (302, "http://127.0.0.1:9/leak")
    with pytest.raises(httpx.RemoteProtocolError):
        served.download(link())


def test_an_unfinished_task_has_no_file(slow: Any, modern_body: Body) -> None:
    """A link made by hand for a running task is 404."""
    job = slow.post(PATH, modern_body()).json()["data"]["id"]
    store = slow.emulator.store
    url = store.link(store.get(job), f"{job}-0_raw_video_1.mp4", slow.clock())
    assert slow.download(url).status_code == 404
