"""Answers: with an ETag, as JSON or as a page; and what a failure looks like in both."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from catalog.errors import CatalogError, DatabaseError, UsageError
from catalog.fingerprint import fingerprint
from catalog.report.terminal import json_line
from catalog.web.reading import NotThere, TookTooLong
from catalog.web.templates import render

log = structlog.get_logger("catalog.web")

JSON = "application/json"
PROBLEM = "application/problem+json"
API = "/api/"
AWAY = "the database does not serve at the moment; try again later"
"""Its error may name role, host and database: it is for the log."""


def answer(request: Request, body: str, media_type: str, **headers: str) -> Response:
    """The body, or 304 if whoever asks has it already."""
    content = body.encode()
    tag = f'"{fingerprint(content).hex()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def json_answer(request: Request, value: Any) -> Response:
    return answer(request, json_line(value) + "\n", JSON)


def page(request: Request, template: str, **context: Any) -> Response:
    return answer(request, render(template, path=request.url.path, **context), "text/html")


def failure(request: Request, error: Exception) -> Response:
    """Describes a failure to a person or a program; what they can't mend goes to the log."""
    match error:
        case NotThere():
            return refusal(request, HTTPStatus.NOT_FOUND, str(error))
        case UsageError():
            return refusal(request, HTTPStatus.BAD_REQUEST, str(error))
        case TookTooLong():
            log.warning("statement took too long", path=request.url.path)
            return refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        case DatabaseError():
            log.warning("database does not serve", path=request.url.path, reason=str(error))
            return refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, AWAY, {"Retry-After": "10"})
        case CatalogError():
            return refusal(request, HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return refusal(
        request, HTTPStatus.INTERNAL_SERVER_ERROR, "a bug in catalog; please report it with what the log says"
    )


def refusal(
    request: Request, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """A status other than success: a problem (RFC 9457) to programs, a page to people."""
    headers = {"Cache-Control": "no-store"} | (headers or {})
    if request.url.path.startswith(API):
        body = json_line({"title": status.phrase, "status": status.value, "detail": detail}) + "\n"
        return Response(body, status, headers, PROBLEM)
    text = render("error", path=request.url.path, status=status, detail=detail)
    return Response(text, status, headers, "text/html")
