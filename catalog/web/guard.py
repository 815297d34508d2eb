"""Guards every answer: the token, the host names that we answer to, and what browsers shall refuse."""

from __future__ import annotations

import hmac
from base64 import b64decode
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.web.answers import API, refusal

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
"""No script at all, whatever a cloud puts into a name."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
UNGUARDED = ("/healthz", "/readyz")
"""For supervisors: they tell nothing of the catalog."""
OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Guard:
    """`token` None: nobody is asked for one. `own_names_only`: a page elsewhere whose name was made to lead to this
    machine is refused."""

    def __init__(self, app: ASGIApp, token: str | None, *, own_names_only: bool) -> None:
        self.app = app
        self._token = None if token is None else token.encode()
        self._own_names_only = own_names_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refuse(Request(scope), Headers(scope=scope))
        if refused is None:
            # routes go by the path as it was sent: an id may hold a slash
            inner = dict(scope, path=scope["raw_path"].decode("latin-1"))
            await self.app(inner, receive, send_with_headers)
        else:
            await refused(scope, receive, send_with_headers)

    def _refuse(self, request: Request, headers: Headers) -> Response | None:
        path = request.url.path
        if path in UNGUARDED:
            return None
        if self._own_names_only and _host(headers.get("host", "")) not in OWN_NAMES:
            return refusal(
                request,
                HTTPStatus.MISDIRECTED_REQUEST,
                "only localhost is answered; behind a proxy set CATALOG_WEB_TOKEN, or start with --no-token",
            )
        if self._token is None or hmac.compare_digest(_credentials(headers), self._token):
            return None
        scheme = "Bearer" if path.startswith(API) else "Basic"
        return refusal(
            request,
            HTTPStatus.UNAUTHORIZED,
            "the token of this catalog is needed: as a bearer token, or as the password of any user",
            {"WWW-Authenticate": f'{scheme} realm="catalog"'},
        )


def _host(host: str) -> str:
    """Without its port."""
    return (host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]).lower()


def _credentials(headers: Headers) -> bytes:
    """A bearer token, or the password by which browsers send it."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    value = value.strip()
    match scheme.lower():
        case "bearer":
            return value.encode("utf-8", "replace")
        case "basic":
            try:
                return b64decode(value, validate=True).partition(b":")[2]
            except ValueError:
                return b""
    return b""
