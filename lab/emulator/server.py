"""Serve the emulator on loopback, with an API port and a media port, in a background thread."""

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.emulator.callbacks import CallbackQueue, send
from lab.emulator.emulator import Emulator
from lab.errors import InputError
from lab.loopback import is_loopback

_NO_WEB_SERVER = 'the emulator needs a web server; pip install "i2v-lab[emulator]"'
_CALLBACK_POLL_S = 0.05
DEFAULT_PORT = 8790


@dataclass(frozen=True)
class RunningServer:
    """A served emulator.

    url, media_url: base URLs of its two hosts. environment: the variables that a client needs.
    """

    url: str
    media_url: str
    emulator: Emulator
    environment: Mapping[str, str] = field(repr=False)
    _stop: Callable[[], None] = field(repr=False)

    def stop(self) -> None:
        """Stop serving and close the ports. Further calls do nothing."""
        self._stop()


def start(
    emulator: Emulator | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    media_port: int = 0,
) -> RunningServer:
    """Serve in the background until `stop` is called. Port 0 selects a free port.

    Raises InputError when the web server is not installed, a port is in use, or the host is not a
    loopback address. Other hosts are refused because the emulator's controls (/emulator/…) need no
    key.
    """
    emulator = emulator or Emulator()
    serve_both_hosts = _import_serve_both_hosts()
    sockets: list[socket.socket] = []
    try:
        for number in (port, media_port):
            sockets.append(_listen(host, number))
        urls = [_url(listener) for listener in sockets]
        emulator.store.media_url = urls[1]
        thread = _ServerThread(emulator, sockets, serve_both_hosts)
        thread.start()
    except BaseException:
        for listener in sockets:
            listener.close()
        raise
    environment = {"KLING_URL": urls[0], "KLING_API_KEY": emulator.account.api_key}
    return RunningServer(urls[0], urls[1], emulator, environment, thread.stop)


@contextmanager
def serving(
    emulator: Emulator | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    media_port: int = 0,
) -> Iterator[RunningServer]:
    """Serve for the duration of a `with` block. Raises like `start`."""
    running = start(emulator, host=host, port=port, media_port=media_port)
    try:
        yield running
    finally:
        running.stop()


def serve(
    emulator: Emulator | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    media_port: int = 0,
    announce: Callable[[str], Any] = lambda line: sys.stdout.write(f"{line}\n"),
) -> None:
    """Print the variables that a client needs, then serve until Ctrl-C. Raises like `start`."""
    with serving(emulator, host=host, port=port, media_port=media_port) as running:
        try:
            for name, value in running.environment.items():
                announce(f"export {name}={value}")
            announce(f"# media: {running.media_url}  state: {running.url}/emulator/state")
            sys.stdout.flush()
            threading.Event().wait()
        except KeyboardInterrupt:
            return


class _ServerThread:
    """The background thread of a server."""

    def __init__(
        self, emulator: Emulator, sockets: list[socket.socket], serve_both_hosts: Callable[..., Any]
    ) -> None:
        self._emulator = emulator
        self._sockets = sockets
        self._serve_both_hosts = serve_both_hosts
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kling-emulator", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        if self._thread.is_alive() and self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised again in `start`
            self._failure = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        callbacks = asyncio.create_task(_send_callbacks(self._emulator, self._stop))
        await self._serve_both_hosts(self._emulator, self._sockets, self._stop, self._ready.set)
        await callbacks


async def _send_callbacks(emulator: Emulator, stop: asyncio.Event) -> None:
    """Send callbacks one by one as they become due."""
    queue = CallbackQueue(emulator)
    while not stop.is_set():
        for callback in queue.due():
            await asyncio.to_thread(send, emulator, callback)
        try:
            await asyncio.wait_for(stop.wait(), _CALLBACK_POLL_S)
        except TimeoutError:
            continue


def _import_serve_both_hosts() -> Callable[..., Any]:
    try:
        from lab.emulator.hosts import serve_both_hosts
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("starlette", "uvicorn"):
            raise InputError(_NO_WEB_SERVER) from None
        raise
    return serve_both_hosts


def _listen(host: str, port: int) -> socket.socket:
    if not is_loopback(host):
        raise InputError(f"host {host!r}: the emulator serves loopback only; use 127.0.0.1")
    if not 0 <= port <= 65_535:
        raise InputError(f"port {port}: use a port from 1 to 65535, or 0 for any free one")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(f"port {port}: cannot be used ({error}); choose another") from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
