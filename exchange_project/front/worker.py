"""Gunicorn's ASGI worker with the bounds of a public server.

What it adds: the number of connections and the time of a first request are bounded, idle
connections end at once when the worker stops, and the worker ends with its master within a second.
"""

import asyncio
import os
from typing import Any

from gunicorn.asgi.lifespan import LifespanManager
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

_WATCH_SECONDS = 0.25
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


# Found out once, on the class that gunicorn asks for the result whatever the subclass.
ASGIProtocol._check_h1c_protocol_available()


class FrontProtocol(ASGIProtocol):
    """One connection."""

    def connection_made(self, transport: Any) -> None:
        """Take a connection, if there is room for it."""
        super().connection_made(transport)
        self.worker.connections.add(self)
        if self.worker.nr_conns > self.worker.worker_connections:
            transport.write(_TOO_MANY)
            transport.close()
        else:
            # It is canceled by the first request; later ones are timed by gunicorn.
            self._arm_keepalive_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def close_if_idle(self) -> None:
        """End the connection unless a request is being served on it."""
        if self._awaiting_request:
            self._keepalive_timeout()

    def _build_http_scope(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """ASGI's scope, with a way to hang up without a response."""
        scope: dict[str, Any] = super()._build_http_scope(*arguments, **options)
        scope.setdefault("extensions", {})["bourse.abort"] = self.transport.abort
        return scope


class FrontWorker(ASGIWorker):
    """A process of the front."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.connections: set[FrontProtocol] = set()
        self.alive = True

    async def _serve(self) -> None:
        """Serve until told to stop, or until the master is gone."""
        self.lifespan = LifespanManager(self.asgi, self.log, self.state)
        await self.lifespan.startup()
        for socket in self.sockets:
            self.servers.append(
                await self.loop.create_server(
                    lambda: FrontProtocol(self), sock=socket.sock, backlog=self.cfg.backlog
                )
            )
        while self.alive and self.ppid == os.getppid():
            self.notify()
            await asyncio.sleep(_WATCH_SECONDS)
        self.alive = False
        await self._shutdown()

    async def _shutdown(self) -> None:
        """Take nothing new, end what is idle, and wait for what is being answered."""
        for server in self.servers:
            server.close()
        for connection in tuple(self.connections):
            connection.close_if_idle()
        await super()._shutdown()
