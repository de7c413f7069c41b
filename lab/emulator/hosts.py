"""The two web servers: the API host and the media host, on one event loop."""

import asyncio
import socket
import time
from collections.abc import Callable

from uvicorn import Config, Server

from lab.emulator.emulator import Emulator
from lab.emulator.web import ApiApp, App, MediaApp, Stop
from lab.emulator.wire import Wire

_PATIENCE_S = 5.0
_PAUSE_S = 0.002


async def serve_both(
    emulator: Emulator,
    sockets: list[socket.socket],
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Serve until `stop` is set; `ready` is called once both hosts answer."""
    until = Stop(stop)
    apps: tuple[App, App] = (ApiApp(emulator, until), MediaApp(emulator, until))
    hosts = [_Host(_config(app), stop) for app in apps]
    tasks = [
        asyncio.create_task(host.serve(sockets=[each]))
        for host, each in zip(hosts, sockets, strict=True)
    ]
    while not all(host.started for host in hosts):
        await asyncio.sleep(0)
    ready()
    await asyncio.gather(*tasks)


class _Host(Server):
    """A server that stops when it is told to, not at the next tick."""

    def __init__(self, config: Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop_event = stop

    async def main_loop(self) -> None:
        """Wait to be stopped."""
        await self._stop_event.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go of the port and of every connection: idle ones at once, busy ones when done."""
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        deadline_s = time.monotonic() + _PATIENCE_S
        while state.connections or state.tasks:
            if time.monotonic() > deadline_s:
                for task in state.tasks:
                    task.cancel()
                return
            await asyncio.sleep(_PAUSE_S)


def _config(app: App) -> Config:
    return Config(
        app,
        http=Wire,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=30,
    )
