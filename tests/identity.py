"""An identity service on loopback, for tests of logins."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PASSWORD = "p$a'b\"c%d{x}"


class IdentityService(ThreadingHTTPServer):
    """An identity service on loopback that knows one user, two regions and three projects."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.scheme = "http"
        self.password = PASSWORD
        self.tokens = 0
        self.logins: list[dict[str, Any]] = []
        self.scoped = True
        self.status: int | None = None
        self.refusals: int | None = None
        """How many logins get `status`; None: all."""
        self.retry_after: str | None = None
        self.words = f"no: {PASSWORD}"
        """What it says of itself with `status`."""
        self.echo: Callable[[object], str] | None = None
        """What it says instead, made of what it was sent."""
        self.bend: Callable[[dict[str, Any]], object] = lambda answer: answer
        """Makes another body of the one that grants a login."""
        self.redirect: str | None = None
        self.life = timedelta(hours=1)
        self.token_header = "X-Subject-Token"
        self.stream: Callable[[str], Iterator[bytes] | None] = lambda path: None
        """Raw HTTP that answers requests to a path instead, as long as somebody reads it."""
        self.hold = threading.Event()
        self.hangs = False
        self.catalogue = [
            service_entry(
                "image", north="https://image.north.test/image/v2", south="https://image.south.test"
            ),
            service_entry("compute", north="https://compute.test"),
        ]
        self.projects = [
            {"id": "1" * 32, "name": "hay", "enabled": True, "domain_id": "default"},
            {"id": "2" * 32, "name": "straw", "enabled": True, "domain_id": "other"},
            {"id": "3" * 32, "name": "mud", "enabled": False, "domain_id": "default"},
        ]
        self.may_list_all = False
        self.when_asked: Callable[[str], None] = lambda path: None
        """Told the path of each question, before it is answered."""
        self.raw_refusal: bytes | None = None
        """Instead of the body with `status`."""
        self.refuse_projects: Callable[[str], str] | None = None
        """What it says of itself, made of the token, instead of the list of projects."""
        self.raw_projects: bytes | None = None
        """Instead of the list of projects."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.server_address[1]}/v3"

    @contextmanager
    def running(self) -> Iterator[IdentityService]:
        """Answers until the end of the block; what hangs by then is let go."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.hold.set()
            self.shutdown()
            self.server_close()
            thread.join()


def service_entry(kind: str, **regions: str) -> dict[str, Any]:
    endpoints = [
        {
            "id": f"{kind}-{region}-{interface}",
            "interface": interface,
            "region": region,
            "region_id": region,
            "url": url,
        }
        for region, base in regions.items()
        for interface, url in (("public", base), ("internal", base.replace("https://", "http://in-")))
    ]
    return {"id": kind, "type": kind, "name": kind, "endpoints": endpoints}


class _Answers(BaseHTTPRequestHandler):
    server: IdentityService

    def do_GET(self) -> None:
        self.server.when_asked(self.path)
        token = self.headers.get("X-Auth-Token", "")
        if self._streamed():
            return
        if self.path == "/v3/auth/projects" and self.server.refuse_projects is not None:
            self._answer(403, {"error": {"message": self.server.refuse_projects(token), "code": 403}})
        elif self.path == "/v3":
            version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": self.server.url}]}
            self._answer(200, {"version": version})
        elif self.path == "/v3/auth/projects":
            self._answer(200, self.server.raw_projects or {"projects": self.server.projects})
        elif self.path == "/v3/projects" and self.server.may_list_all:
            self._answer(200, {"projects": self.server.projects[:2]})
        else:
            self._answer(403, {"error": {"message": "You are not authorized.", "code": 403}})

    def do_POST(self) -> None:
        server = self.server
        auth = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["auth"]
        server.logins.append(auth)
        if self._streamed():
            return
        if server.hangs:
            server.hold.wait(20)
        if server.redirect is not None:
            self._answer(307, {}, {"Location": server.redirect})
            return
        if server.status is not None and (server.refusals is None or len(server.logins) <= server.refusals):
            headers = {} if server.retry_after is None else {"Retry-After": server.retry_after}
            words = server.words if server.echo is None else server.echo(auth)
            refusal = {"error": {"message": words, "code": server.status}}
            self._answer(server.status, server.raw_refusal or refusal, headers)
            return
        given = auth["identity"].get("password", {}).get("user", {}).get("password")
        if given != server.password:
            self._answer(401, {"error": {"message": f"{given} is wrong.\nGo away.", "code": 401}})
            return
        server.tokens += 1
        token: dict[str, Any] = {
            "methods": ["password"],
            "user": {"id": "u", "name": "ann", "domain": {"id": "default", "name": "Default"}},
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": (datetime.now(UTC) + server.life).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        if server.scoped:
            scope = auth.get("scope", {}).get("project", {})
            token["project"] = {
                "id": scope.get("id", "1" * 32),
                "name": scope.get("name", "hay"),
                "domain": {"id": "default", "name": "Default"},
            }
            token["catalog"] = server.catalogue
        self._answer(201, server.bend({"token": token}), {server.token_header: f"token-{server.tokens}"})

    def _streamed(self) -> bool:
        chunks = self.server.stream(self.path)
        if chunks is not None:
            self.close_connection = True
            with suppress(OSError):
                for chunk in chunks:
                    self.wfile.write(chunk)
        return chunks is not None

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""
