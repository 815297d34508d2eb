"""Serves a simulated cloud by HTTP/1.1 on loopback."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from catalog.demo.answers import Answer, Request, Service
from catalog.demo.cloud import Cloud
from catalog.demo.glance import glance_service
from catalog.demo.ims import ims_service


def service_of(cloud: Cloud | Service) -> Service:
    """The service that answers from a cloud; a service as it is."""
    if not isinstance(cloud, Cloud):
        return cloud
    return ims_service(cloud) if cloud.kind == "ims" else glance_service(cloud)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CloudServer

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.exchange(Request(self.command, target.path, query, headers), self)

    def send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in {**answer.headers, "Content-Length": len(answer.body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Writes nothing to standard error."""


class CloudServer(ThreadingHTTPServer):
    """Serves a cloud, or any `Service`, while its `with` block runs; `endpoint` is what a configuration names."""

    handler: type[Handler] = Handler
    daemon_threads = True
    request_queue_size = 128
    server_bind = TCPServer.server_bind  # http.server's looks the host's name up, which may take seconds

    def __init__(self, cloud: Cloud | Service, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), self.handler)
        self.service = service_of(cloud)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="demo-cloud")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def exchange(self, request: Request, handler: Handler) -> None:
        """Answers one request on its connection."""
        handler.send(self.service(request))
