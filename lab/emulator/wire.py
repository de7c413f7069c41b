"""The connection beneath a request: close it as a failing network would."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "lab.transport"


class Wire(H11Protocol):
    """HTTP/1.1 that lets the application reach the connection itself."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the application, so that each of its requests knows the connection."""
        super().connection_made(transport)
        # The loop does so only for sockets it opened itself; without it a reply takes 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        application: Callable[[Any, Any, Any], Awaitable[None]] = self.app

        async def connected(scope: Any, receive: Any, send: Any) -> None:
            await application({**scope, _TRANSPORT: transport}, receive, send)

        self.app = connected


def gone(scope: Any) -> bool:
    """True when nobody is at the other end any more."""
    return bool(scope[_TRANSPORT].is_closing())


async def drop(scope: Any) -> None:
    """Close the connection after what was already written, without ending the reply."""
    transport = scope[_TRANSPORT]
    transport.close()
    while transport.get_write_buffer_size():
        await asyncio.sleep(0.005)
    # The server notices in a later turn of the loop, and must have before the application ends.
    for _ in range(3):
        await asyncio.sleep(0)
