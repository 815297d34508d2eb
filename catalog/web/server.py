"""The HTTP server of `catalog web`, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import AbstractContextManager, nullcontext
from types import FrameType

import h11
import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from catalog.listening import QUEUE, bound

MAX_CLIENTS = 256
"""Connections at a time; more are refused at once (503)."""
STOPPING_SECONDS = 8
"""Seconds that answers under way get to end."""
IDLE_SECONDS = 15
HEAD_SECONDS = 20
"""Seconds in which a request must come, from the connection or the answer before; longer than IDLE_SECONDS."""
LARGEST_HEAD = 640 * 1024
"""Bytes of a request's head: as many values as may be asked for, each as long as it may be, percent-encoded."""


def address_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    return f"http://{bound(listening)}/"


class Protocol(H11Protocol):
    """uvicorn's, and whoever sends a request byte by byte is left in the end."""

    seconds: float = HEAD_SECONDS
    _limit: asyncio.TimerHandle | None = None

    def _watch(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._unwatch()
        elif self._limit is None:
            self._limit = self.loop.call_later(self.seconds, self.transport.abort)

    def _unwatch(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """uvicorn's, with our bounds."""

    def __init__(self, app: ASGIApp, head_seconds: float = HEAD_SECONDS) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="on",
                http=type("Protocol", (Protocol,), {"seconds": head_seconds}),
                ws="none",
                limit_concurrency=MAX_CLIENTS,
                backlog=QUEUE,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=STOPPING_SECONDS,
                h11_max_incomplete_event_size=LARGEST_HEAD,
            )
        )

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leaves signals to `serve`: uvicorn raises them again in the end, as if the stop were a fault."""
        return nullcontext()


def serve(app: ASGIApp, listening: socket.socket) -> int:
    """Answers until SIGTERM or SIGINT. Main thread only."""
    server = Server(app)

    def stop(number: int, frame: FrameType | None) -> None:
        structlog.get_logger("catalog.web").info("stopping", signal=signal.Signals(number).name)
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
