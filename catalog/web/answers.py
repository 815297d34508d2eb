"""Answers: with an ETag, as JSON or as a page; and what a failure looks like in both."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

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


class Answer(NamedTuple):
    """Sent to whoever asks, unless it is there already. `headers`: its ETag among them."""

    content: bytes
    media_type: str
    headers: dict[str, str]

    def response(self, request: Request) -> Response:
        """All of it, or 304 if whoever asks has it already."""
        known = request.headers.get("if-none-match", "").split(",")
        tags = {each.strip().removeprefix("W/") for each in known}
        if not tags.isdisjoint((self.headers["ETag"], "*")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=self.headers)
        return Response(self.content, media_type=self.media_type, headers=self.headers)


def answer(body: str, media_type: str, **headers: str) -> Answer:
    content = body.encode()
    standing = {"ETag": f'"{fingerprint(content).hex()}"', "Cache-Control": "private, no-cache"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(content, media_type, standing | named)


def json_answer(value: Any) -> Answer:
    return answer(json_line(value) + "\n", JSON)


def page(request: Request, template: str, **context: Any) -> Answer:
    return answer(render(template, path=request.url.path, **context), "text/html")


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
