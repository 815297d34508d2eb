"""A redirect on the same origin leads to the listing that was asked for, and to no other."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from catalog.demo.answers import Answer, Request
from catalog.demo.cloud import Cloud
from catalog.errors import BadListingError, FetchError
from tests.integration.fetch.conftest import Opened, cloud_of, ids
from tests.support.cloud_server import CloudServer
from tests.support.faults import altered, redirect
from tests.support.records import image


def moved(opened: Opened, query: str) -> CloudServer:
    """Four images and four hidden ones at `/v2/images/`, where redirects lead with this query."""
    server = opened.server(Cloud("glance", [image(number, os_hidden=number >= 4) for number in range(8)]))
    listed = server.service

    def service(request: Request) -> Answer:
        if request.path == "/v2/images":
            return Answer(301, b"", {"Location": f"/v2/images/{query}"})
        asked = {key: value for key, value in request.query.items() if key != "via"}
        return listed(dataclasses.replace(request, path="/v2/images", query=asked))

    server.service = service
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


@pytest.mark.parametrize("kind", ["glance", "ims"])
@pytest.mark.parametrize("after", [0, 1], ids=["first page", "second page"])
def test_a_listing_at_another_path_is_another_service_s(opened: Opened, kind: Any, after: int) -> None:
    """Of another region or project, say, behind the same gateway."""
    server, there = opened.server(cloud_of(kind, 6)), cloud_of(kind, 9)
    here, elsewhere = server.service, opened.server(there).service

    def service(request: Request) -> Answer:
        if request.path.startswith("/other"):
            return elsewhere(dataclasses.replace(request, path=request.path.removeprefix("/other")))
        if len(server.requests) > after:
            return Answer(307, b"", {"Location": "/other" + request.path})
        return here(request)

    server.service = service
    listing = opened.service(server, kind).listing("listed")
    assert ids(listing) == [f"image-{number:03d}" for number in range(3 * after)]
    assert (listing.verdict, "redirected to another place" in str(listing.error)) == ("failed", True)


def test_a_look_up_by_filter_at_another_path_finds_nothing(opened: Opened) -> None:
    server = opened.server(cloud_of("ims", 0))
    elsewhere = opened.server(cloud_of("ims", 1)).service

    def service(request: Request) -> Answer:
        if request.path.startswith("/other"):
            return elsewhere(dataclasses.replace(request, path=request.path.removeprefix("/other")))
        return Answer(307, b"", {"Location": "/other" + request.path})

    server.service = service
    assert opened.service(server, "ims").lookup("image-000").answer == "unanswered"


ODD_LOCATIONS = [
    "javascript:x",
    "data:x",
    "mailto:x",
    "urn:x:y",
    "http:",
    "http:\\\\h\\x",
    "//[",
    "http://xn--/",
    "x" * 66_000,
]


@pytest.mark.parametrize("location", ODD_LOCATIONS)
def test_an_odd_redirect_fails_its_page_and_no_other(opened: Opened, location: str) -> None:
    server = opened.server(cloud_of("glance", 6))
    server.faults.add(redirect(location), when=lambda request: "marker" in request.query, times=None)
    listing = opened.service(server, "glance").listing("listed")
    assert ids(listing) == [f"image-{number:03d}" for number in range(3)]
    assert listing.verdict == "failed"
    assert isinstance(listing.error, FetchError)


def test_a_next_that_no_address_can_be_keeps_its_page(opened: Opened) -> None:
    for link in ("/v2/images?marker=" + "x" * 70_000, {"a": 1}, 5):
        server = opened.server(cloud_of("glance", 6))
        server.faults.add(altered(lambda listing, link=link: {**listing, "next": link}), at=2)
        listing = opened.service(server, "glance").listing("listed")
        assert len(ids(listing)) == 6, (link, listing.error)
        assert listing.verdict == "failed"
        assert isinstance(listing.error, BadListingError)


def test_a_page_whose_next_is_none_is_kept_however_long_the_one_before_takes(opened: Opened) -> None:
    """It is read ahead: what is wrong with it is known while the first one is worked on."""
    server = opened.server(cloud_of("glance", 6))
    server.faults.add(altered(lambda listing: {**listing, "next": 5}), at=2)
    listing = opened.service(server, "glance").listing("listed")
    pages = []
    for page in listing:
        pages.append(len(page.records))
        time.sleep(0.3)
    assert (pages, listing.verdict) == ([3, 3], "failed")


def test_cookies_are_neither_read_nor_sent(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 6))
    healthy = server.service
    headers = {"Content-Type": "application/json", "Set-Cookie": "a=b; path=/"}
    server.service = lambda request: dataclasses.replace(healthy(request), headers=headers)
    assert len(ids(opened.service(server, "glance").listing("listed"))) == 6
    assert not any("cookie" in request.headers for request in server.requests)
