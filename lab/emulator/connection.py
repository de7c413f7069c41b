"""Give the application access to the connection of a request, to simulate network faults."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "lab.transport"


class TransportInScopeProtocol(H11Protocol):
    """An HTTP/1.1 protocol that adds the transport to the scope of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the application so that each request's scope holds the transport."""
        super().connection_made(transport)
        # asyncio sets TCP_NODELAY only for its own sockets. Without it a reply takes 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        application: Callable[[Any, Any, Any], Awaitable[None]] = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            await application({**scope, _TRANSPORT: transport}, receive, send)

        self.app = with_transport


def is_disconnected(scope: Any) -> bool:
    """True when the client has closed the connection."""
    return bool(scope[_TRANSPORT].is_closing())


async def drop_connection(scope: Any) -> None:
    """Flush what was written, then close the connection without completing the reply."""
    transport = scope[_TRANSPORT]
    transport.close()
    while transport.get_write_buffer_size():
        await asyncio.sleep(0.005)
    # The server learns of the close in a later iteration of the event loop. The application must
    # not return before that.
    for _ in range(3):
        await asyncio.sleep(0)
