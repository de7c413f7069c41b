"""Brings a clip here from an address that a reply named, trusting neither."""

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import urljoin, urlsplit

import httpx

from lab.backends.kling.account import Account, is_loopback
from lab.backends.kling.addresses import is_public
from lab.backends.kling.catalogue import catalogue
from lab.backends.kling.transport import Budget, Budgets, Tries, tls
from lab.errors import ClipError, FetchError, StillError
from lab.files import atomic_write
from lab.media import open_image, probe
from lab.units import bytes_text

MOST_BYTES = {"clip": 2_000_000_000, "still": 100_000_000}
MOST_REDIRECTS = 3
_KINDS = {
    "clip": ((4, b"ftyp"),),
    "still": ((0, b"\x89PNG\r\n\x1a\n"), (0, b"\xff\xd8\xff")),
}
_NAMES = {"clip": "an MP4 clip", "still": "a PNG or JPEG picture"}
_EXPIRED = (403, 404, 410)

Made = Literal["clip", "still"]
Resolve = Callable[[str, int], Sequence[str]]


class LinkExpiredError(FetchError):
    """The link was good once; a fresh one may be."""


class _Interrupted(Exception):  # noqa: N818 - only ever tried again
    """The connection, or the service, gave out on the way; what has come so far is kept."""


@dataclass(frozen=True)
class _Place:
    """Where a link leads, after every check: the address to connect to and the name to ask for."""

    scheme: str
    host: str
    port: int
    target: str
    address: str


def resolved(host: str, port: int) -> tuple[str, ...]:
    """The addresses of a host, by the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Downloader:
    """Fetches over connections that carry no key and no cookie.

    Only https, only hosts on the list, only public addresses, and the connection goes to the very
    address that was checked. Where the service itself runs on this machine, so may its clips, and
    they may come over http.
    """

    def __init__(
        self,
        account: Account,
        *,
        budget: Budget | None = None,
        closing: threading.Event | None = None,
        resolve: Resolve = resolved,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], bool] | None = None,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._hosts = (*catalogue().media.hosts, *account.media_hosts)
        self._on_loopback = account.on_loopback
        self._budget = budget or Budgets().download
        self._closing = closing or threading.Event()
        self._resolve = resolve
        self._clock = clock
        self._sleep = sleep or self._closing.wait
        self._luck = luck
        self._client = httpx.Client(
            timeout=httpx.Timeout(connect=10, read=30, write=30, pool=60),
            # Connections are pooled by address, and two names may share one: a connection kept from
            # one name would serve the other without its certificate being looked at.
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            # A proxy would look the name up again, and might find another address.
            trust_env=False,
            verify=tls(),
            headers={"user-agent": "i2v-lab", "accept": "*/*", "accept-encoding": "identity"},
        )

    def fetch(self, link: str, path: Path, *, made: Made, what: str) -> None:
        """Bring what a link leads to, whole or not at all. what: the job, for messages.

        Raises LinkExpiredError when the link is no longer good, FetchError for every other failure.
        """
        try:
            with atomic_write(path) as part:
                self._fetch(link, part, made=made, what=what)
                _check(part, made=made, what=what)
        except OSError as error:
            raise FetchError(f"{what}: cannot write {path} ({error.strerror})") from error

    def host_of(self, link: str, *, what: str) -> str:
        """The host that a link leads to, after every check that comes before fetching from it.

        Raises FetchError when nothing would be fetched from there.
        """
        try:
            return self._checked(link, 0, what).host
        except _Interrupted as error:
            raise FetchError(f"{what}: {error}") from None

    def close(self) -> None:
        """Let go of connections."""
        self._closing.set()
        self._client.close()

    def _fetch(self, link: str, part: Path, *, made: Made, what: str) -> None:
        turn, best, started_s = 0, 0, self._clock()
        tries = Tries(
            self._budget, self._closing, clock=self._clock, sleep=self._sleep, luck=self._luck
        )
        with part.open("wb") as file:
            got = _Got(file, made=made, what=what)
            while True:
                tries.start()
                try:
                    self._attempt(link, got, turn=turn, started_s=started_s, what=what)
                    return
                except (_Interrupted, httpx.HTTPError, httpx.StreamError) as error:
                    if got.bytes > best:
                        tries.progress()
                        best = got.bytes
                    turn += 1
                    reason = str(error) if isinstance(error, _Interrupted) else "connection lost"
                    if not tries.again():
                        raise FetchError(
                            f"{what}: {reason} after {bytes_text(got.bytes)}; fetch it again"
                        ) from None

    def _attempt(self, link: str, got: "_Got", *, turn: int, started_s: float, what: str) -> None:
        for _ in range(MOST_REDIRECTS + 1):
            place = self._checked(link, turn, what)
            with self._open(place, got, what) as response:
                status = response.status_code
                if status in (301, 302, 303, 307, 308):
                    link = _onward(link, response.headers.get("location", ""), what)
                    continue
                if status in _EXPIRED:
                    raise LinkExpiredError(
                        f"{what}: {place.host} answers HTTP {status}; ask for a fresh link"
                    )
                if status == 416:
                    got.restart()
                    raise _Interrupted(f"{place.host} cannot go on where it stopped")
                if status not in (200, 206):
                    raise _Interrupted(f"{place.host} answers HTTP {status}")
                got.begin(response)
                for chunk in response.iter_raw():
                    if self._closing.is_set():
                        raise FetchError(f"{what}: closed while fetching; fetch it again")
                    if self._clock() - started_s > self._budget.seconds:
                        raise FetchError(
                            f"{what}: not here after {self._budget.seconds:g} s, only "
                            f"{bytes_text(got.bytes)}; fetch it again"
                        )
                    got.take(chunk)
                got.end()
                return
        raise FetchError(f"{what}: redirected more than {MOST_REDIRECTS} times")

    def _open(self, place: _Place, got: "_Got", what: str) -> "_Stream":
        named = f"[{place.address}]" if ":" in place.address else place.address
        shown = f"[{place.host}]" if ":" in place.host else place.host
        default = {"https": 443, "http": 80}[place.scheme]
        headers = {"host": shown if place.port == default else f"{shown}:{place.port}"}
        try:
            request = self._client.build_request(
                "GET",
                f"{place.scheme}://{named}:{place.port}{place.target}",
                headers={**headers, **got.resume_headers()},
                extensions={"sni_hostname": place.host},
            )
        except httpx.InvalidURL:
            raise FetchError(f"{what}: the clip's link is no address") from None
        return _Stream(self._client, request)

    def _checked(self, link: str, turn: int, what: str) -> _Place:
        """A link that may be followed; each turn takes another of its host's addresses.

        Raises FetchError saying why it may not be followed.
        """
        try:
            parts = urlsplit(link)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            raise FetchError(f"{what}: the clip's link is no address") from None
        if not re.fullmatch(r"[a-z0-9.:-]+", host) or parts.username or parts.password:
            raise FetchError(f"{what}: the clip's link is no plain address; expected https://host/")
        local = self._on_loopback and is_loopback(host)
        if parts.scheme != "https" and not (local and parts.scheme == "http"):
            raise FetchError(f"{what}: the clip's link to {host} is not https")
        if not local and not any(host == name or host.endswith(f".{name}") for name in self._hosts):
            raise FetchError(
                f"{what}: the clip lies on {host}, which is not on the list; if that is right, set "
                f"KLING_MEDIA_HOSTS={host} and fetch again"
            )
        port = port or {"https": 443, "http": 80}[parts.scheme]
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError):
            raise _Interrupted(f"{host} cannot be found") from None
        fits = is_loopback if local else is_public
        if not addresses or not all(fits(address) for address in addresses):
            expected = "this machine" if local else "a public address"
            raise FetchError(f"{what}: {host} leads to another place than {expected}")
        target = parts.path or "/"
        target += f"?{parts.query}" if parts.query else ""
        return _Place(parts.scheme, host, port, target, addresses[turn % len(addresses)])


class _Stream:
    """A response that is closed when the block ends."""

    def __init__(self, client: httpx.Client, request: httpx.Request) -> None:
        self._client = client
        self._request = request

    def __enter__(self) -> httpx.Response:
        try:
            self._response = self._client.send(self._request, stream=True)
        except RuntimeError:
            raise _Interrupted("closed") from None
        return self._response

    def __exit__(self, *_: object) -> None:
        self._response.close()


class _Got:
    """What has come so far of one file, over one connection or several."""

    def __init__(self, file: BinaryIO, *, made: Made, what: str) -> None:
        self._file = file
        self._made = made
        self._what = what
        self._most = MOST_BYTES[made]
        self._head = b""
        self._version = ""
        self._whole: int | None = None
        self.bytes = 0

    def restart(self) -> None:
        """Throw away what has come."""
        self._file.seek(0)
        self._file.truncate()
        self._head, self.bytes, self._whole, self._version = b"", 0, None, ""

    def resume_headers(self) -> dict[str, str]:
        """What to ask for so as to go on; a file that has changed comes anew."""
        if not self.bytes or not self._version:
            return {}
        return {"range": f"bytes={self.bytes}-", "if-range": self._version}

    def begin(self, response: httpx.Response) -> None:
        """Judge the head of an answer before its body."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FetchError(f"{self._what}: the file comes packed; expected it as it is")
        length = _length(response.headers.get("content-length"))
        if response.status_code == 206:
            found = re.fullmatch(
                r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", response.headers.get("content-range", "")
            )
            if found is None or int(found[1]) != self.bytes:
                self.restart()
                raise _Interrupted("the service goes on at another place than asked")
            self._whole = int(found[2])
        else:
            self.restart()
            self._whole = length
            tag = response.headers.get("etag", "")
            self._version = tag if tag.startswith('"') else ""
        self._check_size(self._whole or 0)

    def take(self, chunk: bytes) -> None:
        """Keep a piece, unless it is of another kind than expected, or too much."""
        self._check_size(self.bytes + len(chunk))
        if len(self._head) < 16:
            self._head += chunk[:16]
            if len(self._head) >= 16:
                self._check_kind()
        self._file.write(chunk)
        self.bytes += len(chunk)

    def end(self) -> None:
        """The connection says that this is all; raises when it is not."""
        if self._whole is not None and self.bytes != self._whole:
            if self.bytes > self._whole:
                self.restart()
            raise _Interrupted("the file came incomplete")
        self._check_kind()
        self._file.flush()

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise FetchError(f"{self._what}: larger than {bytes_text(self._most)}; not fetched")

    def _check_kind(self) -> None:
        kinds = _KINDS[self._made]
        if not any(self._head[at : at + len(magic)] == magic for at, magic in kinds):
            raise FetchError(
                f"{self._what}: what the link leads to is not {_NAMES[self._made]}; fetch it again"
            )


def _onward(link: str, location: str, what: str) -> str:
    try:
        return urljoin(link, location)
    except ValueError:
        raise FetchError(f"{what}: redirected to what is no address") from None


def _length(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,18}", text) else None


def _check(part: Path, *, made: Made, what: str) -> None:
    try:
        if made == "clip":
            probe(part)
        else:
            open_image(part)
    except (ClipError, StillError) as error:
        said = str(error).removeprefix(f"{part}: ")
        raise FetchError(f"{what}: what came is unusable: {said}; fetch it again") from error
