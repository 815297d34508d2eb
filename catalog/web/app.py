"""The application: addresses, and who answers at each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from catalog.errors import CatalogError
from catalog.store.db import schema
from catalog.store.db.connection import Database
from catalog.web import api, pages
from catalog.web.answers import answer, refusal
from catalog.web.cache import Cache
from catalog.web.guard import Guard
from catalog.web.reading import STATEMENT_SECONDS, Reader

CONNECTIONS = 8
"""To the database, at most; who comes then waits."""
_STYLE = Path(__file__).with_name("static") / "style.css"


def application(
    database: Database,
    *,
    token: str | None = None,
    own_names_only: bool = False,
    seconds: float = STATEMENT_SECONDS,
) -> ASGIApp:
    """All of `catalog web` as an ASGI application."""
    reader, cache = Reader(database, seconds), Cache()

    def ready(request: Request) -> Response:
        try:
            schema.require(database)
        except CatalogError:
            return PlainTextResponse(
                "the database does not serve; see the log\n", HTTPStatus.SERVICE_UNAVAILABLE
            )
        return PlainTextResponse("ready\n")

    routes = [
        Route("/healthz", _alive),
        Route("/readyz", ready),
        Route("/static/style.css", _style),
        *api.routes(reader, cache),
        *pages.routes(reader, cache),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused}, lifespan=_lifespan)
    app.router.redirect_slashes = False
    return Guard(app, token, own_names_only=own_names_only)


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = CONNECTIONS
    yield


async def _alive(request: Request) -> Response:
    return PlainTextResponse("alive\n")


def _style(request: Request) -> Response:
    return answer(_STYLE.read_text(encoding="utf-8"), "text/css").response(request)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = "nothing has this address" if status == HTTPStatus.NOT_FOUND else status.phrase
    return refusal(request, status, detail, dict(error.headers or {}))
