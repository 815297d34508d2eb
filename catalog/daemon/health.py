"""`/healthz`, `/readyz` and `/metrics`: what a supervisor and Prometheus ask, on a port of its own.

Every answer comes within a bounded time, also while the database hangs: it is read in a thread that is left
to itself after `PATIENCE`, and no second one is started while that one still waits.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

import structlog

from catalog.daemon.metrics import CONTENT_TYPE
from catalog.errors import CatalogError, DatabaseUnavailable, SchemaError
from catalog.listening import bound, listen

log = structlog.get_logger("catalog.health")
T = TypeVar("T")

PATIENCE = 3.0
"""Seconds until the database counts as away."""
HEAD_SECONDS = 5.0
"""Seconds that a client has for the whole head of its request."""
MAX_CLIENTS = 16
"""Requests at a time, so that nobody can use up our threads; the slowest head makes room for a newcomer."""

READINESS: dict[type[CatalogError], str] = {
    DatabaseUnavailable: "the database cannot be reached; see the log",
    SchemaError: "the database has not the schema that this release needs; run `catalog db upgrade`",
}
"""Answers of `/readyz` to an error."""

Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type, body."""


class Probe(Generic[T]):
    """Reads something that may hang, one reading at a time; who asks meanwhile shares its result."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._reading: Future[T] | None = None

    def ask(self) -> T:
        """Raises what the reading raises, and DatabaseUnavailable after PATIENCE."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = Future()
                arguments = (self._reading,)
                threading.Thread(target=self._run, args=arguments, name="probe", daemon=True).start()
            reading = self._reading
        try:
            return reading.result(timeout=PATIENCE)
        except TimeoutError:
            raise DatabaseUnavailable(f"the database does not answer within {PATIENCE:g} s") from None

    def _run(self, reading: Future[T]) -> None:
        try:
            reading.set_result(self._read())
        except BaseException as error:
            reading.set_exception(error)


class HealthServer:
    """Listens from construction on, answers while its `with` block runs. `address` is "host:port".

    `check` raises a CatalogError while the daemon is not ready; `metrics` gives the text format. Raises
    ConfigurationError where it can't listen.
    """

    def __init__(self, bind: str, check: Callable[[], None], metrics: Callable[[], bytes]) -> None:
        self._check = check
        self._metrics = metrics
        self._http = _Server(listen(bind, "CATALOG_HTTP_BIND"), self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.2}, name="health", daemon=True
        )

    @property
    def address(self) -> str:
        return bound(self._http.socket)

    def __enter__(self) -> HealthServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str) -> Answer:
        text = "text/plain; charset=utf-8"
        match path:
            case "/healthz":
                return HTTPStatus.OK, text, b"alive\n"
            case "/readyz":
                try:
                    self._check()
                except CatalogError as error:
                    # the error itself may name role, host and database: it is for the log
                    reason = READINESS.get(type(error), "the database does not serve; see the log")
                    return HTTPStatus.SERVICE_UNAVAILABLE, text, f"{reason}\n".encode()
                return HTTPStatus.OK, text, b"ready\n"
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE, self._metrics()
        return HTTPStatus.NOT_FOUND, text, b"known: /healthz, /readyz, /metrics\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, health: HealthServer) -> None:
        self.health = health
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, float | None] = {}
        """When each came, oldest first; None once its head was read."""
        super().__init__(listening.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._clients) >= MAX_CLIENTS:
                self._drop([client for client, came in self._clients.items() if came is not None][:1])
            if is_full := len(self._clients) >= MAX_CLIENTS:
                self.shutdown_request(request)
            else:
                self._clients[request] = time.monotonic()
        if not is_full:
            super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Called several times a second: drops whoever is too slow with its head."""
        latest = time.monotonic() - HEAD_SECONDS
        with self._lock:
            self._drop(
                [client for client, came in self._clients.items() if came is not None and came < latest]
            )

    def _drop(self, clients: list[socket.socket]) -> None:
        for client in clients:
            del self._clients[client]
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)  # ends the thread that reads from it

    def head_read(self, request: socket.socket) -> None:
        with self._lock:
            if request in self._clients:
                self._clients[request] = None

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._clients.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a client may go away."""


class _Handler(BaseHTTPRequestHandler):
    timeout = HEAD_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self.server.head_read(self.connection)
        try:
            status, content_type, body = self.server.health.answer(self.path.partition("?")[0])
        except Exception:
            log.exception("health server could not answer", path=self.path)
            status, content_type, body = HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", b"see the log\n"
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def version_string(self) -> str:
        return "catalog"

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds; they are not logged."""
