"""Run the API host and the media host on one event loop."""

import asyncio
import socket
import time
from collections.abc import Callable

from uvicorn import Config, Server

from lab.emulator.connection import TransportInScopeProtocol
from lab.emulator.emulator import Emulator
from lab.emulator.web import ApiApp, App, MediaApp, StopSignal

_SHUTDOWN_TIMEOUT_S = 5.0
_POLL_S = 0.002


async def serve_both_hosts(
    emulator: Emulator,
    sockets: list[socket.socket],
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Serve until `stop` is set; call `ready` once both hosts accept requests."""
    stop_signal = StopSignal(stop)
    apps: tuple[App, App] = (ApiApp(emulator, stop_signal), MediaApp(emulator, stop_signal))
    servers = [_StoppableServer(_config(app), stop) for app in apps]
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, listener in zip(servers, sockets, strict=True)
    ]
    while not all(server.started for server in servers):
        await asyncio.sleep(0)
    ready()
    await asyncio.gather(*tasks)


class _StoppableServer(Server):
    """A server that stops when an event is set. uvicorn's own server polls a flag instead."""

    def __init__(self, config: Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop_event = stop

    async def main_loop(self) -> None:
        """Wait for the stop event."""
        await self._stop_event.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port and all connections: idle ones at once, busy ones after their reply."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        deadline_s = time.monotonic() + _SHUTDOWN_TIMEOUT_S
        while state.connections or state.tasks:
            if time.monotonic() > deadline_s:
                for task in state.tasks:
                    task.cancel()
                return
            await asyncio.sleep(_POLL_S)


def _config(app: App) -> Config:
    return Config(
        app,
        http=TransportInScopeProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=30,
    )
