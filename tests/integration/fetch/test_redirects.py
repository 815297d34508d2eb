"""A redirect on the same origin leads to the listing that was asked for, and to no other."""

from __future__ import annotations

import dataclasses

import pytest

from catalog.demo.answers import Answer, Request
from catalog.demo.cloud import Cloud
from catalog.demo.server import CloudServer
from tests.integration.fetch.conftest import Opened, ids, image


def moved(opened: Opened, query: str) -> CloudServer:
    """Four images and four hidden ones at `/v2/images/`, where redirects lead with this query."""
    server = opened.server(Cloud("glance", [image(number, os_hidden=number >= 4) for number in range(8)]))
    listed = server._service

    def service(request: Request) -> Answer:
        if request.path == "/v2/images":
            return Answer(301, b"", {"Location": f"/v2/images/{query}"})
        asked = {key: value for key, value in request.query.items() if key != "via"}
        return listed(dataclasses.replace(request, path="/v2/images", query=asked))

    server._service = service
    return server


@pytest.mark.parametrize("query", ["", "?limit=3", "?os_hidden=false&member_status=pending"])
def test_a_redirect_that_forgets_or_bends_the_query_leads_to_no_other_listing(
    opened: Opened, query: str
) -> None:
    service = opened.service(moved(opened, query), "glance")
    for pass_name, numbers in (("listed", range(4)), ("hidden", range(4, 8))):
        listing = service.listing(pass_name)
        assert ids(listing) == [f"image-{number:03d}" for number in numbers]
        assert listing.verdict == "complete"


def test_what_a_redirect_adds_is_sent(opened: Opened) -> None:
    server = moved(opened, "?via=gateway")
    assert len(ids(opened.service(server, "glance").listing("hidden"))) == 4
    first, second = server.requests[:2]
    assert second.query == {**first.query, "via": "gateway"}
