"""The simulated cloud with a log of what it was asked, tokens, a path in front, and faults on demand.

cloud = Cloud("glance")
cloud.add(record)
with CloudServer(cloud) as server:
    server.endpoint, server.requests, server.faults.add(status(503), at=2)
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from catalog.demo import server as demo
from catalog.demo.answers import Answer, Request, Service
from catalog.demo.cloud import Cloud


@dataclass(slots=True)
class Exchange:
    """One request to be answered badly: the raw way out, and what the healthy service would say."""

    request: Request
    service: Service
    write: Callable[[bytes], Any]
    stopping: threading.Event
    close: bool = False
    """Set: the connection ends after this exchange."""

    def send(self, answer: Answer, length: int | None = None) -> None:
        """The answer with a Content-Length, its own if none is given."""
        self.write(head(answer, {"Content-Length": str(len(answer.body) if length is None else length)}))
        self.write(answer.body)

    def healthy(self) -> Answer:
        return self.service(self.request)


Fault = Callable[[Exchange], None]


@dataclass(slots=True)
class _Planned:
    fault: Fault
    at: int | None
    when: Callable[[Request], bool] | None
    left: int | None


@dataclass(slots=True)
class Faults:
    """Faults in wait. The first that fits a request is played instead of the answer."""

    _planned: list[_Planned] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        fault: Fault,
        *,
        at: int | None = None,
        when: Callable[[Request], bool] | None = None,
        times: int | None = 1,
    ) -> None:
        """Plans a fault.

        `at`: from the n-th request to the server on, counted from 1; `when`: only requests that it accepts;
        `times`: how often, None for ever.
        """
        with self._lock:
            self._planned.append(_Planned(fault, at, when, times))

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    def take(self, number: int, request: Request) -> Fault | None:
        """The fault to play at this request, if any; it is used up."""
        with self._lock:
            for planned in self._planned:
                fits = (planned.at is None or number >= planned.at) and planned.left != 0
                if fits and (planned.when is None or planned.when(request)):
                    if planned.left is not None:
                        planned.left -= 1
                    return planned.fault
        return None


def head(answer: Answer, more: dict[str, str] | None = None) -> bytes:
    """The status line and headers of an answer."""
    lines = [
        f"HTTP/1.1 {answer.status} -",
        *(f"{k}: {v}" for k, v in {**answer.headers, **(more or {})}.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Handler(demo.Handler):
    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = demo.Handler.do_GET


class CloudServer(demo.CloudServer):
    """`prefix` puts the service under a path of its host. With `tokens` every request needs one of them in
    X-Auth-Token. `requests` holds every request, oldest first; `service` may be replaced.
    """

    handler = _Handler
    daemon_threads = False

    def __init__(
        self, cloud: Cloud | Service, prefix: str = "", *, tokens: Iterable[str] | None = None, port: int = 0
    ) -> None:
        self.prefix = prefix.rstrip("/")
        self.tokens = None if tokens is None else set(tokens)
        self.faults = Faults()
        self.requests: list[Request] = []
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(cloud, port)

    @property
    def origin(self) -> str:
        return super().endpoint

    @property
    def endpoint(self) -> str:
        return self.origin + self.prefix

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster
        super().__exit__(*error)

    def exchange(self, request: Request, handler: demo.Handler) -> None:
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        fault = self.faults.take(number, request)
        exchange = Exchange(request, self._answer, handler.wfile.write, self._stopping)
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
        return self.service(Request(request.method, path, request.query, request.headers))

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: half of the faults are about clients that go away in mid-answer."""
