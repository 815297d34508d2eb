"""The API: JSON, read-only, with cursors."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from catalog.events import cursor
from catalog.events.cloudevents import envelope
from catalog.events.filters import chosen_types
from catalog.report.find import Found, image_of
from catalog.report.images import ImageFilter, page_of_images
from catalog.report.latest import Wanted, latest_images
from catalog.report.one_image import show_image
from catalog.report.pages import page_of_changes, page_of_history
from catalog.report.queries import ask
from catalog.report.sources import asked_sources
from catalog.report.statements import statement
from catalog.store.db.connection import Connection
from catalog.store.state import events as log
from catalog.web import cursors, openapi
from catalog.web.answers import json_answer
from catalog.web.cache import Cache
from catalog.web.endpoint import Asked, Show, endpoint
from catalog.web.reading import NotThere, Reader

Work = Callable[[Connection, Asked, Request], Any]


def routes(reader: Reader, cache: Cache) -> list[BaseRoute]:
    """One for each path of the API's document, and the document."""
    work: dict[str, Work] = {
        "/api/v1/images": images,
        "/api/v1/images/{source_id}/{image_id}": image,
        "/api/v1/images/{source_id}/{image_id}/history": history,
        "/api/v1/latest": latest,
        "/api/v1/changes": changes,
        "/api/v1/events": events,
        "/api/v1/sources": sources,
    }
    found: list[BaseRoute] = [
        Route(path, endpoint(reader, None if work[path] is sources else cache, _as_json(work[path]), known))
        for path, known in openapi.PARAMETERS.items()
    ]
    return [*found, Route("/api/v1/openapi.json", document)]


def _as_json(work: Work) -> Show:
    return lambda connection, asked, request: json_answer(work(connection, asked, request))


def document(request: Request) -> Response:
    return json_answer(openapi.DOCUMENT).response(request)


def image_filter(asked: Asked) -> ImageFilter:
    """The question to the listing, without how much of it is shown."""
    return ImageFilter(**{name: value for name, value in asked.items() if name not in ("limit", "after")})


def images(connection: Connection, asked: Asked, request: Request) -> Any:
    page = page_of_images(connection, image_filter(asked), asked["limit"], asked["after"])
    return {"images": page.images, "next": cursors.IMAGES.render(page.next)}


def found_image(connection: Connection, request: Request) -> Found:
    """The image that the path names. Raises NotThere."""
    source_id, image_id = (unquote(request.path_params[name]) for name in ("source_id", "image_id"))
    found = None if "\0" in source_id + image_id else image_of(connection, source_id, image_id)
    if found is None:
        raise NotThere(
            "no image has this id in this source; `source_id` is the key of `sources`, not its name"
        )
    return found


def image(connection: Connection, asked: Asked, request: Request) -> Any:
    return show_image(connection, found_image(connection, request), explain=True)


def history(connection: Connection, asked: Asked, request: Request) -> Any:
    found = found_image(connection, request)
    rows, last = page_of_history(connection, found.source_id, found.image_id, asked["limit"], asked["after"])
    return {"revisions": rows, "next": cursors.HISTORY.render([last] if last else None)}


def latest(connection: Connection, asked: Asked, request: Request) -> Any:
    return {"images": latest_images(connection, Wanted(**asked)).dicts()}


def changes(connection: Connection, asked: Asked, request: Request) -> Any:
    rows, place = page_of_changes(connection, **asked)
    return {"changes": rows, "next": cursors.CHANGES.render(place)}


def events(connection: Connection, asked: Asked, request: Request) -> Any:
    types = chosen_types(asked["type"])
    positions = cursor.places(connection, asked["source"], asked["after"] or {})
    found = list(islice(log.read(connection, positions, types), asked["limit"]))
    for event in found:
        positions[event.source_id] = event.number
    return {"events": [envelope(event) for event in found], "next": cursor.render(positions) or None}


def sources(connection: Connection, asked: Asked, request: Request) -> Any:
    values = {"sources": asked_sources(connection, asked["source"])}
    return {"sources": ask(connection, statement("page/sources"), values).dicts()}
