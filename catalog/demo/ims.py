"""Plays the Image Management Service: pages without links, filters, its own envelope of errors."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

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

DEFAULT_LIMIT = 500
LARGEST_LIMIT = 1000
_LISTING = "/v2/cloudimages"
_IMAGES = "/v2/images/"
_SPECIAL = frozenset({"limit", "marker", "sort_key", "sort_dir", "member_status", "enterprise_project_id"})


def ims_service(cloud: Cloud) -> Service:
    """Answers from this cloud."""

    def answer(request: Request) -> Answer:
        try:
            if request.path == _LISTING:
                return _listing(cloud, request.query)
            if request.path.startswith(_IMAGES):
                image_id = unquote(request.path.removeprefix(_IMAGES))
                return one_image(cloud, image_id, "The image does not exist", "The image is not yours to see")
            raise RefusedQuery(404, "The API does not exist")
        except RefusedQuery as refusal:
            code = {400: "IMG.0011", 403: "IMG.0003", 404: "IMG.0086"}.get(refusal.status, "IMG.0001")
            return answer_json({"error": {"message": str(refusal), "code": code}}, refusal.status)

    return answer


def _listing(cloud: Cloud, query: Mapping[str, str]) -> Answer:
    for name in sorted(cloud.refuses & query.keys()):
        raise RefusedQuery(400, f"The parameter {name} is invalid")
    limit = min(whole_number(query.get("limit", str(DEFAULT_LIMIT)), "limit"), LARGEST_LIMIT)
    rows = ordered(cloud, query.get("sort_key", "created_at"), query.get("sort_dir", "desc"))
    marker = query.get("marker")
    if marker is not None and cloud.find(marker) is None:
        raise RefusedQuery(400, "The marker is not an image")
    filters = {key: value for key, value in query.items() if key not in _SPECIAL}
    shown = first_of(after_marker(rows, marker), limit, lambda held: _shows(cloud, held, query), filters)
    return page_of(shown)


def _shows(cloud: Cloud, held: Held, query: Mapping[str, str]) -> bool:
    """Registered images of every kind but the market's; shares by the decision on them."""
    record = held.record
    if held.forbidden or held.unlisted or str(record.get("__isregistered", "true")).lower() != "true":
        return False
    if record.get("__imagetype") == "market" and query.get("__imagetype") != "market":
        return False
    if record.get("__imagetype") == "shared" and record.get("owner") != cloud.project:
        # member_status only works together with visibility=shared
        wanted = query.get("member_status", "accepted") if query.get("visibility") == "shared" else "accepted"
        return held.member_status == wanted
    return "member_status" not in query or query.get("visibility") != "shared"
