"""The work of each address: reading its question, answering it in a transaction, or saying what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from catalog.store.db.connection import Connection
from catalog.web import parameters
from catalog.web.answers import Answer, failure
from catalog.web.cache import Cache
from catalog.web.reading import Reader

Asked = dict[str, Any]
Show = Callable[[Connection, Asked, Request], Answer]


def endpoint(
    reader: Reader, cache: Cache | None, show: Show, known: Sequence[parameters.Parameter]
) -> Callable[[Request], Response]:
    """`known`: the parameters that it takes. `cache`: where its answers are kept, but those to questions that name a
    time, which may be told from now."""

    def answered(request: Request) -> Response:
        try:
            asked = parameters.read(request.query_params, known)
            with reader.reading() as connection:
                if cache is None or any(isinstance(value, datetime) for value in asked.values()):
                    found = show(connection, asked, request)
                else:
                    question = f"{request.url.path}?{request.url.query}"
                    found = cache.answer(connection, question, lambda: show(connection, asked, request))
            return found.response(request)
        except Exception as error:
            return failure(request, error)

    return answered
