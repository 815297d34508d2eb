"""An IMS pass goes on from its last id until nothing follows (semantics 4.1 and 4.2)."""

from __future__ import annotations

import json

import pytest

from catalog.demo.answers import Answer, Request
from catalog.demo.cloud import Cloud, Record
from catalog.demo.images import example_images
from tests.integration.fetch.conftest import Opened, cloud_of, ids
from tests.support.faults import first_page
from tests.support.records import image


def test_every_page_is_read_until_an_empty_one(opened: Opened) -> None:
    server = opened.server(cloud_of("ims", 7))
    listing = opened.service(server, "ims").listing("listed")
    assert ids(listing) == [f"image-{number:03d}" for number in range(7)]
    assert (listing.verdict, listing.records) == ("complete", 7)
    assert [request.query.get("marker") for request in server.requests] == [
        None,
        "image-002",
        "image-005",
        "image-006",
    ]


def test_a_short_page_is_not_taken_for_the_last(opened: Opened) -> None:
    server = opened.server(cloud_of("ims", 1500))
    listing = opened.service(server, "ims", page_size=5000).listing("listed")
    assert len(ids(listing)) == 1500


def test_each_pass_shows_its_own_images(opened: Opened) -> None:
    records = example_images("ims", 40)
    cloud = Cloud("ims", records)
    pending = [record["id"] for record in records if record["__imagetype"] == "shared"][:2]
    market = [record["id"] for record in records if record["__imagetype"] == "market"]
    for image_id in pending:
        cloud.accept(image_id, "pending")
    service = opened.service(opened.server(cloud), "ims", page_size=4)
    assert ids(service.listing("pending")) == pending
    assert ids(service.listing("market")) == market
    listed = ids(service.listing("listed"))
    assert sorted(listed + pending + market) == sorted(record["id"] for record in records)


class Inclusive:
    """A service whose pages begin with the marker itself; without `follows` it knows no markers at all."""

    def __init__(self, records: list[Record], *, follows: bool = True) -> None:
        self.records = records
        self.follows = follows

    def __call__(self, request: Request) -> Answer:
        marker = request.query.get("marker") if self.follows else None
        known = [record.get("id") for record in self.records]
        begin = known.index(marker) if marker else 0
        limit = int(request.query["limit"])
        return Answer(200, json.dumps({"images": self.records[begin : begin + limit]}).encode())


def test_a_page_that_holds_only_the_marker_is_the_end(opened: Opened) -> None:
    server = opened.server(Inclusive([image(number) for number in range(6)]))
    listing = opened.service(server, "ims").listing("listed")
    assert set(ids(listing)) == {f"image-{number:03d}" for number in range(6)}
    assert listing.verdict == "complete"


def test_a_service_that_ignores_the_marker_fails_the_pass(opened: Opened) -> None:
    server = opened.server(Inclusive([image(number) for number in range(6)], follows=False))
    listing = opened.service(server, "ims").listing("listed")
    assert len(ids(listing)) == 3
    assert listing.verdict == "failed"
    assert len(server.requests) == 2


def test_a_repeated_first_page_fails_the_pass(opened: Opened) -> None:
    server = opened.server(cloud_of("ims", 9))
    server.faults.add(first_page(), at=3)
    listing = opened.service(server, "ims").listing("listed")
    assert len(ids(listing)) == 6
    assert listing.verdict == "failed"


def test_a_marker_that_vanished_is_stepped_back_from(opened: Opened) -> None:
    cloud = cloud_of("ims", 12)
    listing = opened.service(opened.server(cloud), "ims", page_size=4).listing("listed")
    pages = iter(listing)
    next(pages)
    next(pages)
    cloud.delete("image-007")
    cloud.delete("image-006")
    rest = [json.loads(bytes(record))["id"] for page in pages for record in page.records]
    assert rest == ["image-008", "image-009", "image-010", "image-011"]
    assert listing.verdict == "complete"


@pytest.mark.parametrize("vanished", [["image-005"], ["image-005", "image-004"]])
def test_after_a_step_back_a_page_that_holds_only_the_marker_is_the_end(
    opened: Opened, vanished: list[str]
) -> None:
    healthy = Inclusive([image(number) for number in range(6)])

    def service(request: Request) -> Answer:
        marker = request.query.get("marker")
        if marker == "image-005":
            healthy.records = [record for record in healthy.records if record["id"] not in vanished]
        if marker in vanished:
            return Answer(400, b'{"error": {"code": "IMG.0001", "message": "marker not found"}}')
        return healthy(request)

    listing = opened.service(opened.server(service), "ims").listing("listed")
    assert set(ids(listing)) == {f"image-{number:03d}" for number in range(6)}
    assert (listing.verdict, listing.error) == ("complete", None)


def test_the_last_records_may_lack_an_id(opened: Opened) -> None:
    records = [image(number) for number in range(3)] + [{"name": "no id"}]
    healthy = Inclusive(records)

    def after_marker(request: Request) -> Answer:
        answer = healthy(request)
        if "marker" not in request.query:
            return answer
        return Answer(200, json.dumps({"images": json.loads(answer.body)["images"][1:]}).encode())

    listing = opened.service(opened.server(after_marker), "ims", page_size=10).listing("listed")
    assert sum(len(page.records) for page in listing) == 4
    assert listing.verdict == "complete"


@pytest.mark.parametrize("first", [0, 3], ids=["at-once", "behind-another"])
def test_a_page_without_any_id_is_kept_and_cannot_be_gone_on_from(opened: Opened, first: int) -> None:
    """Not even if it is short: a service may send less than was asked for, and more behind it."""
    nameless = [b'{"name": "no id"}', b"7"]
    page = Answer(200, b'{"images": [%b]}' % b",".join(nameless))
    server = opened.server(cloud_of("ims", first))
    listed = server.service

    def service(request: Request) -> Answer:
        answer = listed(request)
        return answer if json.loads(answer.body)["images"] else page

    server.service = service
    listing = opened.service(server, "ims").listing("listed")
    records = [bytes(record) for page in listing for record in page.records]
    assert records[first:] == nameless
    assert (len(records), listing.records, listing.verdict) == (first + 2, first + 2, "failed")
    assert "without a usable id" in str(listing.error)


def test_max_pages_truncates_the_pass(opened: Opened) -> None:
    listing = opened.service(opened.server(cloud_of("ims", 9)), "ims", max_pages=2).listing("listed")
    assert len(ids(listing)) == 6
    assert listing.verdict == "truncated"


def test_a_filter_beats_a_parameter_of_the_connection_in_listings_alone(opened: Opened) -> None:
    """What a filter leaves out is missing, and looked up among all that the login may see."""
    server = opened.server(cloud_of("ims", 4))
    service = opened.service(
        server,
        "ims",
        filters={"enterprise_project_id": "0"},
        extra_params={"enterprise_project_id": "all_granted_eps"},
    )
    assert len(ids(service.listing("listed"))) == 4
    assert {request.query["enterprise_project_id"] for request in server.requests} == {"0"}
    service.lookup("image-001")
    assert server.requests[-1].query["enterprise_project_id"] == "all_granted_eps"


@pytest.mark.parametrize("parameter", [{"enterprise_project_id": "all_granted_eps"}])
def test_parameters_of_the_connection_go_with_listings_and_look_ups(
    opened: Opened, parameter: dict[str, str]
) -> None:
    server = opened.server(cloud_of("ims", 4))
    service = opened.service(server, "ims", extra_params=parameter)
    assert len(ids(service.listing("listed"))) == 4
    assert service.lookup("image-001").answer == "found"
    assert all(parameter.items() <= request.query.items() for request in server.requests)
