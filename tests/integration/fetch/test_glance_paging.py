"""A Glance pass is followed to its end, and to no other place (semantics 4.1 and 4.2)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from catalog.demo.answers import Answer, Request, answer_json
from catalog.demo.cloud import Cloud
from catalog.demo.images import example_images
from tests.integration.fetch.conftest import Opened, assert_no_reader_left, cloud_of, ids
from tests.support.faults import altered, first_page, hang, next_link
from tests.support.records import image


def test_every_page_is_read_and_each_image_listed_once(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 10))
    listing = opened.service(server, "glance").listing("listed")
    assert ids(listing) == [f"image-{number:03d}" for number in range(10)]
    assert (listing.verdict, listing.pages, listing.records) == ("complete", 4, 10)
    assert (listing.last_marker, listing.error, listing.refused) == ("image-009", None, False)


def test_an_exact_multiple_of_the_page_size_ends_with_an_empty_page(opened: Opened) -> None:
    listing = opened.service(opened.server(cloud_of("glance", 6)), "glance").listing("listed")
    assert len(ids(listing)) == 6
    assert (listing.verdict, listing.pages) == ("complete", 3)


def test_an_empty_cloud_is_a_complete_pass_of_nothing(opened: Opened) -> None:
    listing = opened.service(opened.server(Cloud("glance")), "glance").listing("listed")
    assert ids(listing) == []
    assert (listing.verdict, listing.records) == ("complete", 0)


def test_both_passes_together_show_all_that_the_cloud_answers_by_id(opened: Opened) -> None:
    cloud = Cloud("glance", example_images("glance", 40))
    cloud.accept(example_images("glance", 40)[5]["id"], "pending")
    service = opened.service(opened.server(cloud), "glance", page_size=7)
    listed = ids(service.listing("listed")) + ids(service.listing("hidden"))
    assert sorted(listed) == sorted(record["id"] for record in cloud.records)


def test_records_come_as_the_bytes_that_were_sent(opened: Opened) -> None:
    cloud = cloud_of("glance", 4)
    service = opened.service(opened.server(cloud), "glance")
    sent = [json.dumps(record).encode() for record in cloud.records]
    assert [bytes(record) for page in service.listing("listed") for record in page.records] == sent


@pytest.mark.parametrize("prefix", ["", "/image", "/cloud/image"])
@pytest.mark.parametrize("suffix", ["", "/", "/v2", "/v2/", "/v1", "/v2.9"])
def test_every_form_of_an_endpoint_leads_to_the_same_service(
    opened: Opened, prefix: str, suffix: str
) -> None:
    server = opened.server(cloud_of("glance", 5), prefix)
    service = opened.service(server, "glance", endpoint=server.endpoint + suffix)
    listing = service.listing("listed")
    assert len(ids(listing)) == 5
    assert listing.verdict == "complete"
    assert service.endpoint == server.endpoint
    assert {request.path for request in server.requests} == {f"{prefix}/v2/images"}


@pytest.mark.parametrize(
    "place", ["http://10.0.0.5:9292", "https://elsewhere.invalid", "//elsewhere.invalid"]
)
def test_a_next_on_another_host_is_followed_on_the_configured_one(opened: Opened, place: str) -> None:
    server = opened.server(cloud_of("glance", 5), "/image")
    server.faults.add(next_link(f"{place}/v2/images?marker=image-002"), at=1)
    listing = opened.service(server, "glance").listing("listed")
    assert len(ids(listing)) == 5
    assert listing.verdict == "complete"


def test_a_next_that_forgets_or_bends_our_parameters_stays_in_this_pass(opened: Opened) -> None:
    cloud = Cloud("glance", [image(number, os_hidden=number % 2 == 0) for number in range(12)])
    server = opened.server(cloud)
    server.faults.add(next_link("/v2/images?marker=image-004&os_hidden=false"), at=1)
    listing = opened.service(server, "glance", filters={"status": "active"}).listing("hidden")
    assert ids(listing) == [f"image-{number:03d}" for number in range(0, 12, 2)]
    assert all(request.query["os_hidden"] == "true" for request in server.requests)
    assert all(request.query["status"] == "active" for request in server.requests)


@pytest.mark.parametrize(
    "more", ["visibility=public", "name=name%200", "os_hidden=true", "owner=p&member_status=x"]
)
def test_a_next_that_adds_a_filter_cuts_nothing_out(opened: Opened, more: str) -> None:
    """The listing would end early, complete, and the rest would look deleted."""
    cloud = Cloud(
        "glance", [image(number, visibility=("public", "shared")[number % 2]) for number in range(9)]
    )
    server = opened.server(cloud)
    server.faults.add(next_link(f"/v2/images?marker=image-002&limit=2&{more}"), at=1)
    listing = opened.service(server, "glance").listing("listed")
    assert (len(ids(listing)), listing.verdict) == (9, "complete")


def test_filters_go_with_every_page_and_beat_our_own_parameters(opened: Opened) -> None:
    visibilities = ("public", "community")
    cloud = Cloud("glance", [image(n, visibility=visibilities[n % 2]) for n in range(14)])
    server = opened.server(cloud)
    listing = opened.service(server, "glance", filters={"visibility": "public"}).listing("listed")
    assert ids(listing) == [f"image-{number:03d}" for number in range(0, 14, 2)]
    assert {request.query["visibility"] for request in server.requests} == {"public"}


def test_an_order_that_next_spells_in_the_old_way_is_not_mixed_with_ours(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 5))
    server.faults.add(next_link("/v2/images?marker=image-002&sort_key=created_at&sort_dir=asc&limit=3"), at=1)
    listing = opened.service(server, "glance").listing("listed")
    # the simulated Glance answers 400 to `sort` beside `sort_key`, like a real one
    assert len(ids(listing)) == 5


def test_an_empty_page_in_the_middle_is_not_the_end(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 5))

    def emptied(listing: dict[str, Any]) -> dict[str, Any]:
        return {"images": [], "next": "/v2/images?marker=image-002&limit=2"}

    server.faults.add(altered(emptied), at=2)
    listing = opened.service(server, "glance").listing("listed")
    assert len(ids(listing)) == 5
    assert listing.verdict == "complete"


def test_empty_pages_that_lead_to_one_another_end_as_a_failure(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 5))
    server.faults.add(altered(lambda _: {"images": [], "next": "/v2/images?marker=image-002"}), times=None)
    listing = opened.service(server, "glance").listing("listed")
    assert ids(listing) == []
    assert listing.verdict == "failed"
    assert len(server.requests) == 2


def test_the_same_next_for_ever_fails_the_pass_and_keeps_what_was_read(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9))
    server.faults.add(first_page(), at=2, times=None)
    listing = opened.service(server, "glance").listing("listed")
    assert len(ids(listing)) == 3
    assert listing.verdict == "failed"
    assert listing.error is not None
    assert listing.error.error_kind == "bad_listing"
    assert len(server.requests) == 2


def test_a_next_that_is_no_link_fails_the_pass_and_keeps_its_page(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9))
    server.faults.add(next_link("http://["), at=2)
    listing = opened.service(server, "glance").listing("listed")
    assert len(ids(listing)) == 6
    assert listing.verdict == "failed"
    assert "not an address" in str(listing.error)


def test_a_next_among_other_links_is_followed(opened: Opened) -> None:
    def change(listing: dict[str, Any]) -> None:
        listing["links"] = [{"rel": "self", "href": "x"}, {"rel": "next", "href": listing.pop("next", None)}]

    server = opened.server(cloud_of("glance", 7))
    server.faults.add(altered(change), times=None)
    listing = opened.service(server, "glance").listing("listed")
    assert (len(ids(listing)), listing.verdict) == (7, "complete")


@pytest.mark.parametrize("link", [False, 0, [], {}, {"href": "/v2/images"}, 7, ["x"]])
def test_a_next_that_is_not_text_is_not_the_end(opened: Opened, link: Any) -> None:
    server = opened.server(cloud_of("glance", 2))
    server.faults.add(altered(lambda listing: listing.update(next=link)))
    listing = opened.service(server, "glance").listing("listed")
    assert (len(ids(listing)), listing.verdict) == (2, "failed")


def test_a_last_page_that_repeats_fails_the_pass_too(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 5))
    server.faults.add(
        altered(lambda _: {"images": [image(0), image(1)]}), when=lambda request: "marker" in request.query
    )
    listing = opened.service(server, "glance").listing("listed")
    assert len(ids(listing)) == 3
    assert listing.verdict == "failed"


def test_a_page_that_repeats_in_part_is_read(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 5))
    overlap = {"images": [image(2), image(3), image(4)]}
    server.faults.add(altered(lambda _: overlap), at=2)
    listing = opened.service(server, "glance").listing("listed")
    assert set(ids(listing)) == {f"image-{number:03d}" for number in range(5)}
    assert listing.verdict == "complete"


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_marker_deleted_in_mid_listing_costs_no_image(opened: Opened, gone: int) -> None:
    cloud = cloud_of("glance", 12)
    service = opened.service(opened.server(cloud), "glance", page_size=4)
    listing = service.listing("listed")
    pages = iter(listing)
    read = [json.loads(bytes(record))["id"] for record in next(pages).records]
    prefetched = [json.loads(bytes(record))["id"] for record in next(pages).records]
    for number in range(8 - gone, 8):
        cloud.delete(f"image-{number:03d}")
    rest = [json.loads(bytes(record))["id"] for page in pages for record in page.records]
    assert read + prefetched + rest == [f"image-{number:03d}" for number in range(12)]
    assert listing.verdict == "complete"


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_marker_that_is_refused_in_any_way_is_stepped_back_from(opened: Opened, status: int) -> None:
    inner = cloud_of("glance", 9)
    server = opened.server(inner)
    healthy = server.service

    def refusing(request: Request) -> Answer:
        if request.query.get("marker") in ("image-002", "image-001"):
            return Answer(status, b"{}")
        return healthy(request)

    server.service = refusing
    listing = opened.service(server, "glance").listing("listed")
    assert set(ids(listing)) == {f"image-{number:03d}" for number in range(9)}
    assert listing.verdict == "complete"


def test_all_that_was_read_may_vanish_and_the_listing_begins_anew(opened: Opened) -> None:
    cloud = cloud_of("glance", 4)
    service = opened.service(opened.server(cloud), "glance", page_size=1)
    server_side = service.listing("listed")
    pages = iter(server_side)
    next(pages)
    read = json.loads(bytes(next(pages).records[0]))["id"]
    for number in range(2):
        cloud.delete(f"image-{number:03d}")
    rest = [json.loads(bytes(record))["id"] for page in pages for record in page.records]
    assert read == "image-001"
    assert rest[-1] == "image-003"
    assert server_side.verdict == "complete"


def test_steps_back_are_bounded(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 40))
    healthy = server.service
    server.service = lambda asked: Answer(400, b"{}") if "marker" in asked.query else healthy(asked)
    listing = opened.service(server, "glance", page_size=20).listing("listed")
    assert len(ids(listing)) == 20
    assert listing.verdict == "failed"
    assert len(server.requests) <= 12


def test_a_service_that_knows_no_marker_fails_within_bounds(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 5))
    healthy = server.service
    server.service = lambda asked: Answer(400, b"{}") if "marker" in asked.query else healthy(asked)
    listing = opened.service(server, "glance").listing("listed")
    assert len(set(ids(listing))) == 3
    assert listing.verdict == "failed"
    assert len(server.requests) < 30


def test_a_service_that_invents_a_new_marker_each_time_fails_within_bounds(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 5))
    healthy = server.service

    def inventing(asked: Request) -> Answer:
        if asked.query.get("marker", "").startswith("new"):
            return Answer(400, b"{}")
        listing = json.loads(healthy(Request("GET", asked.path, {"limit": "3"}, {})).body)
        return answer_json(listing | {"next": f"/v2/images?marker=new-{len(server.requests)}"})

    server.service = inventing
    listing = opened.service(server, "glance").listing("listed")
    ids(listing)
    assert listing.verdict == "failed"
    assert len(server.requests) < 30


def test_a_server_that_caps_the_page_size_is_read_to_its_end(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 1100))
    listing = opened.service(server, "glance", page_size=5000).listing("listed")
    assert len(ids(listing)) == 1100
    assert (listing.verdict, listing.pages) == ("complete", 2)


def test_max_pages_with_more_to_come_truncates_the_pass(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9))
    listing = opened.service(server, "glance", max_pages=2).listing("listed")
    assert len(ids(listing)) == 6
    assert listing.verdict == "truncated"
    assert "max_pages" in str(listing.error)
    assert len(server.requests) == 2


def test_newcomers_land_at_the_end_of_the_listing_that_is_read(opened: Opened) -> None:
    cloud = cloud_of("glance", 6)
    listing = opened.service(opened.server(cloud), "glance").listing("listed")
    pages = iter(listing)
    next(pages)
    cloud.add(image(500))
    rest = [json.loads(bytes(record))["id"] for page in pages for record in page.records]
    assert rest[-1] == "image-500"


def test_one_page_is_read_ahead_and_no_more(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 30))
    pages = iter(opened.service(server, "glance").listing("listed"))
    for read in range(1, 5):
        next(pages)
        assert read <= len(server.requests) <= read + 1
    pages.close()  # type: ignore[attr-defined]


def test_the_next_page_is_read_while_the_last_one_is_worked_on(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9))
    pages = iter(opened.service(server, "glance").listing("listed"))
    next(pages)
    until = time.monotonic() + 10
    while len(server.requests) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(server.requests) == 2
    pages.close()  # type: ignore[attr-defined]


def test_a_listing_left_in_the_middle_is_not_complete_and_leaves_no_thread(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 30))
    server.faults.add(hang(), at=2)
    listing = opened.service(server, "glance").listing("listed")
    pages = iter(listing)
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert listing.verdict == "failed"
    assert_no_reader_left()
