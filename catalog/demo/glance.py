"""Plays Glance v2 as a real one behaves for a project's member."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlencode

from catalog.demo.answers import (
    Answer,
    RefusedQuery,
    Request,
    Service,
    after_marker,
    answer_json,
    first_of,
    one_image,
    ordered,
    page_of,
    whole_number,
)
from catalog.demo.cloud import Cloud, Held

DEFAULT_LIMIT = 25
LARGEST_LIMIT = 1000
_IMAGES = "/v2/images"
_FORBIDDEN = "You are not authorized to complete this action."
_VISIBILITIES = ("public", "private", "shared", "community", "all")
_MEMBER_STATUSES = ("accepted", "pending", "rejected", "all")
_PAGING = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir"})
_SPECIAL = _PAGING | {"visibility", "member_status", "os_hidden"}


def glance_service(cloud: Cloud) -> Service:
    """Answers from this cloud."""

    def answer(request: Request) -> Answer:
        try:
            return _route(cloud, request)
        except RefusedQuery as refusal:
            return _error(request, refusal.status, str(refusal))

    return answer


def _route(cloud: Cloud, request: Request) -> Answer:
    if request.path in ("", "/", "/versions"):
        link = {"rel": "self", "href": "http://inner.invalid:9292/v2/"}
        return answer_json({"versions": [{"id": "v2.9", "status": "CURRENT", "links": [link]}]}, 300)
    if request.path == _IMAGES:
        return _listing(cloud, request.query)
    if request.path.startswith(_IMAGES + "/"):
        image_id = unquote(request.path.removeprefix(_IMAGES + "/"))
        return one_image(cloud, image_id, f"No image found with ID {image_id}", _FORBIDDEN)
    raise RefusedQuery(404, "The resource could not be found.")


def _listing(cloud: Cloud, query: Mapping[str, str]) -> Answer:
    for name in sorted(cloud.refuses & query.keys()):
        raise RefusedQuery(400, f"Invalid {name} value: {query[name]}")
    limit = min(whole_number(query.get("limit", str(DEFAULT_LIMIT)), "limit"), LARGEST_LIMIT)
    rows = after_marker(_order(cloud, query), _marker(cloud, query))
    filters = {key: value for key, value in query.items() if key not in _SPECIAL}
    page = first_of(rows, limit, _visible(cloud, query), filters)
    rest = {"first": _link(query, None), "schema": "/v2/schemas/images"}
    if page and len(page) == limit:  # full: there may be more, and the next page will show it
        rest["next"] = _link(query, page[-1].record["id"])
    return page_of(page, rest)


def _order(cloud: Cloud, query: Mapping[str, str]) -> list[Held]:
    if "sort" in query:
        if "sort_key" in query or "sort_dir" in query:
            raise RefusedQuery(400, "Old and new sorting syntax cannot be combined")
        key, _, direction = query["sort"].partition(":")
        return ordered(cloud, key, direction or "desc")
    return ordered(cloud, query.get("sort_key", "created_at"), query.get("sort_dir", "desc"))


def _marker(cloud: Cloud, query: Mapping[str, str]) -> str | None:
    marker = query.get("marker")
    if marker is not None:
        held = cloud.find(marker)
        if held is None:
            raise RefusedQuery(400, f"No image found with ID {marker}")
        if held.forbidden:
            raise RefusedQuery(403, _FORBIDDEN)
    return marker


def _visible(cloud: Cloud, query: Mapping[str, str]) -> Callable[[Held], bool]:
    """Selects the images that a listing shows: hidden or not, others' community images, shares by decision."""
    visibility = query.get("visibility")
    member_status = query.get("member_status", "accepted")
    hidden = query.get("os_hidden", "false").lower()
    if visibility is not None and visibility not in _VISIBILITIES:
        raise RefusedQuery(400, f"Invalid visibility value: {visibility}")
    if member_status not in _MEMBER_STATUSES:
        raise RefusedQuery(400, f"Invalid member_status value: {member_status}")
    if hidden not in ("true", "false"):
        raise RefusedQuery(400, f"Invalid os_hidden value: {hidden}")

    def shows(held: Held) -> bool:
        record = held.record
        if held.forbidden or held.unlisted or bool(record.get("os_hidden")) != (hidden == "true"):
            return False
        if visibility not in (None, "all") and record.get("visibility") != visibility:
            return False
        if record.get("owner") == cloud.project:
            return True
        if record.get("visibility") == "community":
            return visibility is not None
        if record.get("visibility") == "shared":
            return member_status in ("all", held.member_status)
        return True

    return shows


def _link(query: Mapping[str, str], marker: str | None) -> str:
    kept = {key: value for key, value in query.items() if key != "marker"}
    if marker is not None:
        kept["marker"] = marker
    return f"{_IMAGES}?{urlencode(kept)}" if kept else _IMAGES


def _error(request: Request, status: int, message: str) -> Answer:
    """HTML, unless the client prefers JSON."""
    if "application/json" in request.headers.get("accept", ""):
        return answer_json({"message": message, "code": f"{status}", "title": "Error"}, status)
    text = f"<html><head><title>{status}</title></head><body>{html.escape(message)}</body></html>"
    return Answer(status, text.encode(), {"Content-Type": "text/html; charset=UTF-8"})
