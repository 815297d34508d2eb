"""A receiver of webhooks on loopback: it remembers what came, and misbehaves as it is told to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request; `headers` in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes
    accepted: bool

    @property
    def events(self) -> list[dict[str, Any]]:
        found = json.loads(self.body)
        assert isinstance(found, list)
        return found


Behaviour = Callable[["_Handler"], None]


@dataclass
class Receiver:
    """Listens while its `with` block runs. `misbehave` is done instead of an answer while it is set."""

    port: int = 0
    requests: list[Received] = field(default_factory=list)
    misbehave: Behaviour | None = None
    refuses: set[str] = field(default_factory=set)
    """Images of which it takes no event, nor what comes with it."""
    answer: int = 204
    seconds: float = 0.0
    """How long it takes to accept something."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Receiver:
        self.stopping.clear()
        self._http = _Server(("127.0.0.1", self.port), self)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/tellnobody"

    @property
    def accepted(self) -> list[Received]:
        return [request for request in self.requests if request.accepted]

    def events(self) -> list[dict[str, Any]]:
        """Events of accepted requests, as they came."""
        return [event for request in self.accepted for event in request.events]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    server_bind = TCPServer.server_bind

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a client may go away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        behaviour = receiver.misbehave
        if receiver.refuses and receiver.refuses & {event.get("subject") for event in json.loads(body)}:
            behaviour = status(422)
        receiver.requests.append(Received(self.path, headers, body, behaviour is None))
        if behaviour is not None:
            behaviour(self)
        else:
            receiver.stopping.wait(receiver.seconds)
            self.send_response(receiver.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error: `requests` is the log."""


# ---- behaviours --------------------------------------------------------------------------------------------


def status(code: int, **headers: str) -> Behaviour:
    def act(handler: _Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return act


def hang(handler: _Handler) -> None:
    handler.server.receiver.stopping.wait()


def drip(handler: _Handler) -> None:
    """A head that never ends, a byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        if handler.server.receiver.stopping.wait(0.05):
            return


def endless(handler: _Handler) -> None:
    """Headers without end, as fast as they are taken."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.receiver.stopping.is_set():
        handler.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")


def close(handler: _Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def babble(handler: _Handler) -> None:
    handler.wfile.write(b"\x00\xff this is not HTTP\r\n\r\n")
