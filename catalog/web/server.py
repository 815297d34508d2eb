"""The HTTP server of `catalog web`, until it is told to stop."""

from __future__ import annotations

import signal
import socket
from contextlib import AbstractContextManager, nullcontext
from types import FrameType

import structlog
import uvicorn
from starlette.types import ASGIApp

from catalog.errors import ConfigurationError

MAX_CLIENTS = 256
"""Connections at a time; more are refused at once (503)."""
QUEUE = 128
STOPPING_SECONDS = 8
"""Seconds that answers under way get to end."""
IDLE_SECONDS = 15
LARGEST_HEAD = 64 * 1024
"""Bytes of a request's head."""


def listen(bind: str) -> socket.socket:
    """A socket on "host:port". Raises ConfigurationError where it can't listen."""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(QUEUE)
    except (OSError, OverflowError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"CATALOG_WEB_BIND: cannot listen on {bind}: {reason}; choose another address or port"
        ) from None
    return opened


def address_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Server(uvicorn.Server):
    """uvicorn's, with our bounds."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="on",
                http="h11",
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
