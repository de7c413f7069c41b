"""Download a clip from a link in a reply, trusting neither the link nor the file."""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import httpx

from lab.backends.kling.account import Account
from lab.backends.kling.catalogue import load_catalogue
from lab.backends.kling.ip_addresses import is_public
from lab.backends.kling.retries import Clock, Retries, RetryPolicies, RetryPolicy
from lab.backends.kling.transport import tls_context
from lab.backends.kling.wire import MediaKind
from lab.errors import ClipError, FetchError, StillError
from lab.files import atomic_write
from lab.loopback import is_loopback
from lab.media import open_image, probe
from lab.units import bytes_text

MAX_BYTES = {"clip": 2_000_000_000, "still": 100_000_000}
MAX_REDIRECTS = 3
# The first bytes of accepted files: offset and value.
_SIGNATURES = {
    "clip": ((4, b"ftyp"),),
    "still": ((0, b"\x89PNG\r\n\x1a\n"), (0, b"\xff\xd8\xff")),
}
_SIGNATURE_BYTES = 16
_FORMATS = {"clip": "an MP4 clip", "still": "a PNG or JPEG picture"}
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LINK_EXPIRED = (403, 404, 410)
_REDIRECT = (301, 302, 303, 307, 308)

Resolve = Callable[[str, int], Sequence[str]]


class LinkExpiredError(FetchError):
    """The link is no longer valid. A new link may work."""


class _TransientError(Exception):
    """The download stopped, but another try may continue it."""


@dataclass(frozen=True)
class _Target:
    """A checked link: the name and path to request, and the IP address to connect to."""

    scheme: str
    host: str
    port: int
    path: str
    address: str


def resolve_host(host: str, port: int) -> tuple[str, ...]:
    """The IP addresses of a host, from the system's resolver. Raises OSError."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))


class Downloader:
    """Downloads files without sending a key or a cookie.

    It accepts only https, only listed hosts and only public IP addresses. It connects to exactly
    the address that it checked. If the service itself runs on this machine, clips may also come
    from this machine, and over http.
    """

    def __init__(
        self,
        account: Account,
        *,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
        resolve: Resolve = resolve_host,
    ) -> None:
        self._hosts = (*load_catalogue().media.hosts, *account.media_hosts)
        self._on_loopback = account.on_loopback
        self._policy = policy or RetryPolicies().download
        self._clock = clock or Clock()
        self._resolve = resolve
        self._client = httpx.Client(
            timeout=httpx.Timeout(connect=10, read=30, write=30, pool=60),
            # The pool is keyed by IP address, which two host names may share. A reused connection
            # would serve the second name without a check of its certificate.
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            # A proxy would resolve the name again, perhaps to another address.
            trust_env=False,
            verify=tls_context(),
            headers={"user-agent": "i2v-lab", "accept": "*/*", "accept-encoding": "identity"},
        )

    def fetch(self, link: str, path: Path, *, kind: MediaKind, label: str) -> None:
        """Download a link to `path`, completely or not at all. label: the job, for messages.

        Raises LinkExpiredError if the link is no longer valid, and FetchError for other failures.
        """
        try:
            with atomic_write(path) as part:
                self._download(link, part, kind=kind, label=label)
                _check_file(part, kind=kind, label=label)
        except OSError as error:
            raise FetchError(f"{label}: cannot write {path} ({error.strerror})") from error

    def host_of(self, link: str, *, label: str) -> str:
        """The host of a link, after all checks that are made before a download.

        Raises FetchError if the link would not be downloaded.
        """
        try:
            return self._check_link(link, 0, label).host
        except _TransientError as error:
            raise FetchError(f"{label}: {error}") from None

    def close(self) -> None:
        """End every wait and close the connections."""
        self._clock.closing.set()
        self._client.close()

    def _download(self, link: str, part: Path, *, kind: MediaKind, label: str) -> None:
        attempt, most_received, started_s = 0, 0, self._clock.now()
        retries = Retries(self._policy, self._clock)
        with part.open("wb") as stream:
            file = _PartialFile(stream, kind=kind, label=label)
            while True:
                retries.start_try()
                try:
                    self._try_once(link, file, attempt=attempt, started_s=started_s, label=label)
                    return
                except (_TransientError, httpx.HTTPError, httpx.StreamError) as error:
                    if file.received > most_received:
                        retries.reset()
                        most_received = file.received
                    attempt += 1
                    reason = str(error) if isinstance(error, _TransientError) else "connection lost"
                    if not retries.wait():
                        raise FetchError(
                            f"{label}: {reason} after {bytes_text(file.received)}; fetch it again"
                        ) from None

    def _try_once(
        self, link: str, file: "_PartialFile", *, attempt: int, started_s: float, label: str
    ) -> None:
        """Follow redirects and receive the file, starting where the last attempt stopped."""
        for _ in range(MAX_REDIRECTS + 1):
            target = self._check_link(link, attempt, label)
            with self._open(target, file, label) as response:
                status = response.status_code
                if status in _REDIRECT:
                    link = _redirect_link(link, response.headers.get("location", ""), label)
                    continue
                if status in _LINK_EXPIRED:
                    raise LinkExpiredError(
                        f"{label}: {target.host} answers HTTP {status}; ask for a new link"
                    )
                if status == 416:
                    file.restart()
                    raise _TransientError(f"{target.host} cannot resume the download")
                if status not in (200, 206):
                    raise _TransientError(f"{target.host} answers HTTP {status}")
                file.start_response(response)
                for chunk in response.iter_raw():
                    self._check_may_continue(file, started_s, label)
                    file.write(chunk)
                file.finish()
                return
        raise FetchError(f"{label}: redirected more than {MAX_REDIRECTS} times")

    def _check_may_continue(self, file: "_PartialFile", started_s: float, label: str) -> None:
        """Raises FetchError if the downloader was closed or the time limit is reached."""
        if self._clock.closing.is_set():
            raise FetchError(f"{label}: closed while fetching; fetch it again")
        if self._clock.now() - started_s > self._policy.seconds:
            raise FetchError(
                f"{label}: only {bytes_text(file.received)} arrived in {self._policy.seconds:g} s; "
                "fetch it again"
            )

    def _open(self, target: _Target, file: "_PartialFile", label: str) -> "_Stream":
        address, host = _bracketed(target.address), _bracketed(target.host)
        default_port = target.port == _DEFAULT_PORTS[target.scheme]
        headers = {"host": host if default_port else f"{host}:{target.port}"}
        try:
            request = self._client.build_request(
                "GET",
                f"{target.scheme}://{address}:{target.port}{target.path}",
                headers={**headers, **file.resume_headers()},
                extensions={"sni_hostname": target.host},
            )
        except httpx.InvalidURL:
            raise FetchError(f"{label}: the clip's link is not a valid URL") from None
        return _Stream(self._client, request)

    def _check_link(self, link: str, attempt: int, label: str) -> _Target:
        """The target of a link. Each attempt uses the next IP address of the host.

        Raises FetchError if the link must not be followed.
        """
        try:
            parts = urlsplit(link)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            raise FetchError(f"{label}: the clip's link is not a valid URL") from None
        if not re.fullmatch(r"[a-z0-9.:-]+", host) or parts.username or parts.password:
            raise FetchError(f"{label}: the clip's link is not a plain URL; expected https://host/")
        local = self._on_loopback and is_loopback(host)
        if parts.scheme != "https" and not (local and parts.scheme == "http"):
            raise FetchError(f"{label}: the clip's link to {host} is not https")
        if not local and not any(host == name or host.endswith(f".{name}") for name in self._hosts):
            raise FetchError(
                f"{label}: the clip is on {host}, which is not a listed host; if that is right, "
                f"set KLING_MEDIA_HOSTS={host} and fetch again"
            )
        port = port or _DEFAULT_PORTS[parts.scheme]
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError):
            raise _TransientError(f"{host} cannot be resolved") from None
        accepted = is_loopback if local else is_public
        if not addresses or not all(accepted(address) for address in addresses):
            expected = "this machine" if local else "a public address"
            raise FetchError(f"{label}: {host} does not resolve to {expected}")
        path = parts.path or "/"
        path += f"?{parts.query}" if parts.query else ""
        return _Target(parts.scheme, host, port, path, addresses[attempt % len(addresses)])


class _Stream:
    """A context manager that sends a request and closes its response."""

    def __init__(self, client: httpx.Client, request: httpx.Request) -> None:
        self._client = client
        self.request = request

    def __enter__(self) -> httpx.Response:
        try:
            self._response = self._client.send(self.request, stream=True)
        except RuntimeError:
            raise _TransientError("closed") from None
        return self._response

    def __exit__(self, *_: object) -> None:
        self._response.close()


class _PartialFile:
    """A file that arrives over one or several responses. received: its bytes so far."""

    def __init__(self, stream: BinaryIO, *, kind: MediaKind, label: str) -> None:
        self._stream = stream
        self._kind = kind
        self._label = label
        self._head = b""
        self._etag = ""
        self._total: int | None = None
        self.received = 0

    def restart(self) -> None:
        """Discard what has arrived."""
        self._stream.seek(0)
        self._stream.truncate()
        self._head, self.received, self._total, self._etag = b"", 0, None, ""

    def resume_headers(self) -> dict[str, str]:
        """Headers that request the rest of the file, or all of it if it has changed."""
        if not self.received or not self._etag:
            return {}
        return {"range": f"bytes={self.received}-", "if-range": self._etag}

    def start_response(self, response: httpx.Response) -> None:
        """Check the headers of a response before its body."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FetchError(f"{self._label}: the file is compressed; expected it uncompressed")
        if response.status_code == 206:
            range_match = re.fullmatch(
                r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", response.headers.get("content-range", "")
            )
            if range_match is None or int(range_match[1]) != self.received:
                self.restart()
                raise _TransientError("the service resumes at a different position than requested")
            self._total = int(range_match[2])
        else:
            self.restart()
            self._total = _parse_length(response.headers.get("content-length"))
            etag = response.headers.get("etag", "")
            self._etag = etag if etag.startswith('"') else ""
        self._check_size(self._total or 0)

    def write(self, chunk: bytes) -> None:
        """Append a chunk. Raises FetchError for a wrong file format or too many bytes."""
        self._check_size(self.received + len(chunk))
        if len(self._head) < _SIGNATURE_BYTES:
            self._head += chunk[:_SIGNATURE_BYTES]
            if len(self._head) >= _SIGNATURE_BYTES:
                self._check_format()
        self._stream.write(chunk)
        self.received += len(chunk)

    def finish(self) -> None:
        """Complete the file. Raises if it is incomplete or of a wrong format."""
        if self._total is not None and self.received != self._total:
            if self.received > self._total:
                self.restart()
            raise _TransientError("the file is incomplete")
        self._check_format()
        self._stream.flush()

    def _check_size(self, size: int) -> None:
        maximum = MAX_BYTES[self._kind]
        if size > maximum:
            raise FetchError(f"{self._label}: larger than {bytes_text(maximum)}; not fetched")

    def _check_format(self) -> None:
        if not any(
            self._head[offset : offset + len(magic)] == magic
            for offset, magic in _SIGNATURES[self._kind]
        ):
            raise FetchError(
                f"{self._label}: the fetched file is not {_FORMATS[self._kind]}; fetch it again"
            )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _redirect_link(link: str, location: str, label: str) -> str:
    try:
        return urljoin(link, location)
    except ValueError:
        raise FetchError(f"{label}: the redirect does not lead to a valid URL") from None


def _parse_length(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,18}", text) else None


def _check_file(part: Path, *, kind: MediaKind, label: str) -> None:
    """Raises FetchError if a complete file cannot be decoded."""
    try:
        if kind == "clip":
            probe(part)
        else:
            open_image(part)
    except (ClipError, StillError) as error:
        reason = str(error).removeprefix(f"{part}: ")
        raise FetchError(
            f"{label}: the fetched file is unusable: {reason}; fetch it again"
        ) from error
