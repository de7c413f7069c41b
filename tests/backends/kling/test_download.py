"""A clip is fetched completely, from an allowed host, without a key."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lab.backends.kling import Account, download
from lab.backends.kling.download import Downloader, LinkExpiredError
from lab.backends.kling.retries import Clock, RetryPolicy
from lab.errors import FetchError
from lab.media import probe

LINK = "https://cdn.klingai.com/clip.mp4?sign=secret"


@pytest.fixture
def downloader_of(service: Any, slept: list[float]) -> Iterator[Callable[..., Downloader]]:
    """A factory of downloaders for an account at the scripted server."""
    opened: list[Downloader] = []

    def build(account: Account | None = None, **how: Any) -> Downloader:
        def sleep(seconds: float) -> bool:
            slept.append(seconds)
            return False

        opened.append(
            Downloader(
                account or Account(url=service.url),
                **{
                    "policy": RetryPolicy(tries=3, seconds=100),
                    "clock": Clock(sleep=sleep, jitter=lambda: 1.0),
                    **how,
                },
            )
        )
        return opened[-1]

    yield build
    for downloader in opened:
        downloader.close()


@pytest.fixture
def fetch(
    service: Any, downloader_of: Callable[..., Downloader], tmp_path: Path
) -> Callable[..., Path]:
    """Fetches from the scripted server into an empty folder."""

    def act(path: str = "/clip.mp4", kind: Any = "clip", name: str = "clip.mp4") -> Path:
        folder = tmp_path / "clips"
        folder.mkdir(exist_ok=True)
        downloader_of().fetch(service.url + path, folder / name, kind=kind, label="job 1")
        return folder / name

    return act


class TestFetching:
    """Downloads that succeed."""

    def test_a_clip(self, service: Any, fetch: Callable[..., Path], clip: bytes) -> None:
        """The file has the bytes that were sent, and the request has no key."""
        service.script(service.reply(200, clip))
        assert fetch().read_bytes() == clip
        (received,) = service.requests
        assert not {"authorization", "cookie"} & set(received.headers)

    def test_no_length_given(self, service: Any, fetch: Callable[..., Path], clip: bytes) -> None:
        """Without a length, the file ends with the connection; it must still be a clip."""
        service.script(service.reply(200, clip, length=-1))
        assert probe(fetch()).frames == 8

    def test_a_still(self, service: Any, fetch: Callable[..., Path], tmp_path: Path) -> None:
        """A still made from text must be a picture."""
        Image.new("RGB", (320, 320)).save(tmp_path / "a.png")
        service.script(service.reply(200, (tmp_path / "a.png").read_bytes()))
        assert fetch(kind="still", name="still.png").stat().st_size > 0

    def test_failures_are_retried(
        self, service: Any, fetch: Callable[..., Path], clip: bytes, slept: list[float]
    ) -> None:
        """Failures and lost connections are retried."""
        service.script(service.reply(502), service.reply(drop=True), service.reply(200, clip))
        assert fetch().read_bytes() == clip
        assert slept == [1.0, 2.0]

    def test_it_resumes(self, service: Any, fetch: Callable[..., Path], clip: bytes) -> None:
        """If the file has not changed, only the rest is requested."""
        tag = {"etag": '"v1"'}

        def answer(received: Any) -> Any:
            span = received.headers.get("range")
            if span is None:
                return service.reply(200, clip, tag, drop_after=3000)
            start = int(span.removeprefix("bytes=").removesuffix("-"))
            assert received.headers["if-range"] == '"v1"'
            head = {**tag, "content-range": f"bytes {start}-{len(clip) - 1}/{len(clip)}"}
            return service.reply(206, clip[start:], head, drop_after=3000)

        service.answer = answer
        assert fetch().read_bytes() == clip
        assert len(service.requests) == -(-len(clip) // 3000)

    def test_a_file_without_version_starts_anew(
        self, service: Any, fetch: Callable[..., Path], clip: bytes
    ) -> None:
        """Parts of different files are never joined."""
        service.script(service.reply(200, clip, drop_after=2000), service.reply(200, clip))
        assert fetch().read_bytes() == clip
        assert all("range" not in received.headers for received in service.requests)

    def test_a_part_at_another_position(
        self, service: Any, fetch: Callable[..., Path], clip: bytes
    ) -> None:
        """A part that starts at another position is discarded."""
        tag = {"etag": '"v1"'}
        service.script(
            service.reply(200, clip, tag, drop_after=2000),
            service.reply(206, clip[5:], {**tag, "content-range": f"bytes 5-9/{len(clip)}"}),
            service.reply(200, clip, tag),
        )
        assert fetch().read_bytes() == clip

    def test_redirects(self, service: Any, fetch: Callable[..., Path], clip: bytes) -> None:
        """Up to three redirects are followed, each after its check."""
        hop = service.reply(302, b"", {"location": "/next"})
        service.script(hop, hop, hop, service.reply(200, clip))
        assert fetch().read_bytes() == clip


class TestFailing:
    """Downloads that fail leave one line and no file."""

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            ({"status": 500}, "HTTP 500"),
            ({"status": 200, "body": b"<html>no</html> and more"}, "not an MP4 clip"),
            ({"status": 200, "body": b""}, "not an MP4 clip"),
            ({"status": 200, "body": b"\0\0\0\x18ftypmp42" + b"\0" * 500}, "unusable"),
            (
                {"status": 200, "body": b"\0\0\0\x18ftypmp42", "length": 99},
                "connection lost after 12 B",
            ),
            ({"status": 200, "length": 3_000_000_000}, "larger than 2.0 GB"),
            ({"status": 302, "headers": {"location": "/again"}}, "redirected more than 3"),
            ({"status": 302, "headers": {"location": "https://evil.example/"}}, "evil.example"),
            ({"status": 302, "headers": {"location": "file:///etc/passwd"}}, "plain URL"),
            ({"status": 302, "headers": {"location": "http://[bad"}}, "to a valid URL"),
            ({"status": 200, "headers": {"content-encoding": "gzip"}}, "compressed"),
            ({"drop": True}, "connection lost"),
        ],
    )
    def test_every_way(
        self,
        service: Any,
        fetch: Callable[..., Path],
        tmp_path: Path,
        reply: dict[str, Any],
        reason: str,
    ) -> None:
        """The message names the job and the reason."""
        service.script(service.reply(**reply))
        with pytest.raises(FetchError, match=reason) as error:
            fetch()
        assert str(error.value).startswith("job 1: ")
        assert "\n" not in str(error.value)
        assert list((tmp_path / "clips").iterdir()) == []

    def test_an_existing_file_stays(
        self, service: Any, fetch: Callable[..., Path], clip: bytes
    ) -> None:
        """A failed second fetch does not destroy the first file."""
        service.script(service.reply(200, clip))
        path = fetch()
        service.script(service.reply(500))
        with pytest.raises(FetchError):
            fetch()
        assert path.read_bytes() == clip

    @pytest.mark.parametrize("status", [403, 404, 410])
    def test_an_expired_link(self, service: Any, fetch: Callable[..., Path], status: int) -> None:
        """An expired link has its own exception and is not retried."""
        service.script(service.reply(status))
        with pytest.raises(LinkExpiredError):
            fetch()
        assert len(service.requests) == 1

    def test_too_much(
        self,
        service: Any,
        fetch: Callable[..., Path],
        clip: bytes,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A file of unknown length is stopped at the size limit."""
        monkeypatch.setitem(download.MAX_BYTES, "clip", 1000)
        service.script(service.reply(200, clip, length=-1))
        with pytest.raises(FetchError, match="larger than"):
            fetch()

    def test_a_trickle(
        self, service: Any, downloader_of: Callable[..., Downloader], clip: bytes, tmp_path: Path
    ) -> None:
        """A download that never stalls and never ends is stopped."""
        service.script(service.reply(200, clip))
        ticks = iter(range(0, 10_000, 60))
        downloader = downloader_of(clock=Clock(now=lambda: float(next(ticks))))
        with pytest.raises(FetchError, match="arrived in 100 s"):
            downloader.fetch(service.url, tmp_path / "clip.mp4", kind="clip", label="job 1")

    def test_a_folder_that_is_not_there(
        self, service: Any, downloader_of: Callable[..., Downloader], tmp_path: Path
    ) -> None:
        """Nothing is requested."""
        with pytest.raises(FetchError, match="cannot write"):
            downloader_of().fetch(
                service.url, tmp_path / "none" / "clip.mp4", kind="clip", label="job 1"
            )
        assert not service.requests


class TestAllowedHosts:
    """The hosts and addresses that are allowed. Nothing here uses the network."""

    @pytest.mark.parametrize(
        ("link", "reason"),
        [
            ("http://cdn.klingai.com/a.mp4", "not https"),
            ("https://cdn.example.com/a.mp4", "KLING_MEDIA_HOSTS=cdn.example.com"),
            ("https://notklingai.com/a.mp4", "KLING_MEDIA_HOSTS"),
            ("https://klingai.com.evil.example/a.mp4", "KLING_MEDIA_HOSTS"),
            ("https://user:word@cdn.klingai.com/a.mp4", "plain URL"),
            ("https://127.0.0.1/a.mp4", "KLING_MEDIA_HOSTS"),
            ("https://localhost/a.mp4", "KLING_MEDIA_HOSTS"),
            ("https://cdn.klingai.com:99999/a.mp4", "not a valid URL"),
            ("file:///etc/passwd", "plain URL"),
            ("https:///a.mp4", "plain URL"),
            ("https://[::1/a.mp4", "not a valid URL"),
        ],
    )
    def test_links_that_are_not_followed(
        self, downloader_of: Callable[..., Downloader], tmp_path: Path, link: str, reason: str
    ) -> None:
        """The message says why and how to allow it, without the signed part of the link."""
        downloader = downloader_of(Account(), resolve=lambda *_: pytest.fail("looked up"))
        with pytest.raises(FetchError, match=reason) as error:
            downloader.fetch(f"{link}?sign=secret", tmp_path / "a.mp4", kind="clip", label="job 1")
        assert "secret" not in str(error.value)
        assert "word" not in str(error.value)

    @pytest.mark.parametrize(
        "addresses",
        [
            ["127.0.0.1"],
            ["10.0.0.1"],
            ["169.254.169.254"],
            ["192.168.1.1"],
            ["100.64.0.1"],
            ["0.0.0.0"],
            ["224.0.0.1"],
            ["::1"],
            ["fe80::1%eth0"],
            ["fd00::1"],
            ["::ffff:10.0.0.1"],
            ["64:ff9b::a00:1"],
            ["2002:a00:1::"],
            ["8.8.8.8", "10.0.0.1"],
            [],
        ],
    )
    def test_private_addresses(
        self, downloader_of: Callable[..., Downloader], tmp_path: Path, addresses: list[str]
    ) -> None:
        """One private address of a host is enough to reject it."""
        downloader = downloader_of(Account(), resolve=lambda *_: addresses)
        with pytest.raises(FetchError, match="public address"):
            downloader.fetch(LINK, tmp_path / "a.mp4", kind="clip", label="job 1")

    def test_the_connection_goes_to_the_checked_address(
        self,
        service: Any,
        downloader_of: Callable[..., Downloader],
        tmp_path: Path,
        clip: bytes,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The name is resolved once, checked, and not resolved again."""
        port = int(service.url.rsplit(":", 1)[1])
        received: list[tuple[str, int]] = []

        def resolve(host: str, wanted: int) -> list[str]:
            received.append((host, wanted))
            return ["127.0.0.1"]

        def never(host: Any, *rest: Any, **more: Any) -> Any:
            assert host in ("127.0.0.1", b"127.0.0.1")
            return real(host, *rest, **more)

        real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", never)
        service.script(service.reply(200, clip))
        downloader = downloader_of(resolve=resolve)
        link = f"http://localhost:{port}/clip.mp4"
        downloader.fetch(link, tmp_path / "a.mp4", kind="clip", label="job 1")
        assert received == [("localhost", port)]
        assert service.requests[0].headers["host"] == f"localhost:{port}"

    def test_the_name_stays_the_name_for_tls(
        self, downloader_of: Callable[..., Downloader], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The connection uses the address; the certificate check and the header use the name."""
        downloader = downloader_of(Account(), resolve=lambda *_: ["8.8.8.8"])
        target = downloader._check_link(LINK, 0, "job 1")
        file = download._PartialFile(None, kind="clip", label="job 1")  # type: ignore[arg-type]
        request = downloader._open(target, file, "job 1").request
        assert str(request.url) == "https://8.8.8.8/clip.mp4?sign=secret"
        assert request.headers["host"] == "cdn.klingai.com"
        assert request.extensions["sni_hostname"] == "cdn.klingai.com"

    def test_an_invalid_link(
        self, downloader_of: Callable[..., Downloader], tmp_path: Path
    ) -> None:
        """Characters that no URL may contain give an error message."""
        downloader = downloader_of(Account(), resolve=lambda *_: ["8.8.8.8"])
        with pytest.raises(FetchError, match="not a valid URL"):
            downloader.fetch(
                "https://cdn.klingai.com/\x00\x7f", tmp_path / "a.mp4", kind="clip", label="job 1"
            )

    def test_hosts_of_the_account(self, downloader_of: Callable[..., Downloader]) -> None:
        """Configured hosts and their subdomains are allowed; retries rotate the addresses."""
        account = Account(media_hosts=("example.com",))
        downloader = downloader_of(account, resolve=lambda *_: ["8.8.8.8", "9.9.9.9"])
        for attempt, address in enumerate(("8.8.8.8", "9.9.9.9", "8.8.8.8")):
            target = downloader._check_link("https://cdn.example.com/a", attempt, "job 1")
            assert target.address == address

    def test_an_unknown_host(
        self, downloader_of: Callable[..., Downloader], tmp_path: Path, slept: list[float]
    ) -> None:
        """It is retried, because the network may come back."""

        def resolve(*_: Any) -> list[str]:
            raise socket.gaierror

        with pytest.raises(FetchError, match=r"cdn\.klingai\.com cannot be resolved"):
            downloader_of(Account(), resolve=resolve).fetch(
                LINK, tmp_path / "a.mp4", kind="clip", label="job 1"
            )
        assert len(slept) == 2
