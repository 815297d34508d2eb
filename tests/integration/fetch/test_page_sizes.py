"""A gateway that gives up on large pages: the listing goes on with smaller ones (semantics 4.2)."""

from __future__ import annotations

import pytest

from catalog.errors import NetworkError
from catalog.fetch.http.client import Limits
from tests.integration.fetch.conftest import Opened, cloud_of, ids
from tests.support.faults import hang, status


@pytest.mark.parametrize("kind", ["glance", "ims"])
@pytest.mark.parametrize("code", [408, 413, 502, 504])
def test_a_page_that_a_gateway_gives_up_on_is_asked_for_in_halves(
    opened: Opened, kind: str, code: int
) -> None:
    """It answers 250 images at a time and no more; what works is kept for all later pages and passes."""
    server = opened.server(cloud_of(kind, 600))
    server.faults.add(status(code), when=lambda asked: int(asked.query.get("limit", "0")) > 250, times=None)
    service = opened.service(server, kind, page_size=1000)
    listing = service.listing("listed")
    assert len(ids(listing)) == 600
    assert (listing.verdict, listing.error) == ("complete", None)
    sizes = [request.query["limit"] for request in server.requests]
    assert sizes[:4] == ["1000", "1000", "500", "500"]
    assert set(sizes[4:]) == {"250"}
    server.requests.clear()
    ids(service.listing("hidden" if kind == "glance" else "pending"))
    assert {request.query["limit"] for request in server.requests} == {"250"}


def test_a_page_that_never_comes_in_time_is_asked_for_in_halves_down_to_25(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 30))
    server.faults.add(hang(), when=lambda asked: int(asked.query["limit"]) > 25, times=None)
    service = opened.service(server, "glance", page_size=60, limits=Limits(read_timeout=0.1))
    assert len(ids(service.listing("listed"))) == 30
    server.faults.add(hang(), times=None)
    listing = opened.service(server, "glance", page_size=60, limits=Limits(read_timeout=0.1)).listing(
        "listed"
    )
    assert ids(listing) == []
    assert isinstance(listing.error, NetworkError)
    assert [request.query["limit"] for request in server.requests[-8:]] == ["60"] * 2 + ["30"] * 2 + [
        "25"
    ] * 4
