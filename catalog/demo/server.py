"""A simulated cloud behind HTTP/1.1 on loopback, with a log of what it was asked and faults on demand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from catalog.demo.answers import Answer, Request, Service
from catalog.demo.cloud import Cloud
from catalog.demo.faults import Exchange, Faults
from catalog.demo.glance import glance_service
from catalog.demo.ims import ims_service


class CloudServer:
    """Serves a cloud, or any `Service`, while its `with` block runs.

    `endpoint` is what a configuration names; `prefix` puts the service under a path of its host. With
    `tokens` every request needs one of them in X-Auth-Token. `requests` holds every request, oldest first.
    """

    def __init__(
        self, cloud: Cloud | Service, prefix: str = "", *, tokens: Iterable[str] | None = None, port: int = 0
    ) -> None:
        self.prefix = prefix.rstrip("/")
        self.tokens = None if tokens is None else set(tokens)
        self.faults = Faults()
        self.requests: list[Request] = []
        self._service = _service(cloud) if isinstance(cloud, Cloud) else cloud
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._http = _Http(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="demo-cloud")

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def endpoint(self) -> str:
        return self.origin + self.prefix

    def __enter__(self) -> CloudServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._http.drop_connections()
        self._http.server_close()
        self._thread.join()

    def exchange(self, request: Request, handler: _Handler) -> None:
        """Answers one request on its connection."""
        with self._counting:
            self.requests.append(request)
            number = len(self.requests)
        fault = self.faults.take(number, request)
        exchange = Exchange(request, self._answer, handler.write, self._stopping)
        if fault is not None:
            fault(exchange)
        else:
            exchange.send(self._answer(request))
        handler.close_connection = exchange.close or request.headers.get("connection") == "close"

    def _answer(self, request: Request) -> Answer:
        if self.tokens is not None and request.headers.get("x-auth-token") not in self.tokens:
            return Answer(401, b'{"error": {"code": 401, "title": "Unauthorized"}}')
        if request.method != "GET":
            return Answer(405, b'{"message": "the simulated cloud only answers GET"}')
        if not request.path.startswith(self.prefix):
            return Answer(404, b'{"message": "nothing here"}')
        path = request.path.removeprefix(self.prefix)
        return self._service(Request(request.method, path, request.query, request.headers))


def _service(cloud: Cloud) -> Service:
    return ims_service(cloud) if cloud.kind == "ims" else glance_service(cloud)


class _Http(ThreadingHTTPServer):
    """Knows its open connections, so that their threads end with it."""

    daemon_threads = False
    request_queue_size = 128
    server_bind = TCPServer.server_bind  # http.server's looks the host's name up, which may take seconds

    def __init__(self, address: tuple[str, int], cloud: CloudServer) -> None:
        self.cloud = cloud
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: half of the faults are about clients that go away in mid-answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.cloud.exchange(Request(self.command, target.path, query, headers), self)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET

    def write(self, data: bytes) -> None:
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error: `CloudServer.requests` is the log."""
