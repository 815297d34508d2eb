"""The simulated services behave as the real ones were seen to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.prepared import PreparedListing, benchmark_images
from catalog.demo.answers import Answer, Request, Service
from catalog.demo.cloud import PROJECT, Cloud
from catalog.demo.glance import glance_service
from catalog.demo.ims import ims_service


def image(number: int, **keys: Any) -> dict[str, Any]:
    return {"id": f"i{number}", "name": f"n{number}", "created_at": f"2026-01-01T00:00:{number:02d}Z"} | {
        "visibility": "public",
        "status": "active",
        **keys,
    }


def ask(service: Service, path: str, **query: str) -> Answer:
    return service(Request("GET", path, query, {"accept": "application/json"}))


def listed(service: Service, path: str = "/v2/images", **query: str) -> list[str]:
    answer = ask(service, path, **query)
    assert answer.status == 200, answer.body
    return [record["id"] for record in json.loads(answer.body)["images"]]


def test_glance_pages_by_25_newest_first_and_links_relatively() -> None:
    glance = glance_service(Cloud("glance", [image(number) for number in range(30)]))
    page = json.loads(ask(glance, "/v2/images").body)
    assert len(page["images"]) == 25
    assert page["images"][0]["id"] == "i29"
    assert page["next"] == "/v2/images?marker=i5"
    assert listed(glance, marker="i5") == ["i4", "i3", "i2", "i1", "i0"]


def test_glance_caps_the_limit_at_1000_but_links_with_the_number_asked_for() -> None:
    records = [image(0) | {"id": f"i{number:04d}"} for number in range(1001)]
    page = json.loads(ask(glance_service(Cloud("glance", records)), "/v2/images", limit="5000").body)
    assert len(page["images"]) == 1000
    assert "limit=5000" in page["next"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "-1"},
        {"limit": "x"},
        {"marker": "unknown"},
        {"sort": "colour:asc"},
        {"sort": "name:asc", "sort_key": "id"},
        {"visibility": "nobody"},
        {"member_status": "maybe"},
        {"os_hidden": "perhaps"},
    ],
)
def test_glance_answers_400_to_what_it_does_not_take(query: dict[str, str]) -> None:
    assert ask(glance_service(Cloud("glance", [image(0)])), "/v2/images", **query).status == 400


def test_glance_shows_a_member_what_a_member_sees() -> None:
    cloud = Cloud("glance", [image(0), image(1, os_hidden=True)])
    cloud.add(image(2, visibility="community", owner="other"))
    cloud.add(image(3, visibility="community", owner=PROJECT))
    cloud.add(image(4, visibility="shared", owner="other"))
    cloud.add(image(5, visibility="shared", owner="other"), member_status="pending")
    cloud.add(image(6))
    cloud.forbid("i6")
    glance = glance_service(cloud)
    oldest = {"sort": "created_at:asc"}
    assert listed(glance, **oldest) == ["i0", "i3", "i4"]
    assert listed(glance, visibility="all", member_status="all", **oldest) == ["i0", "i2", "i3", "i4", "i5"]
    assert listed(glance, os_hidden="true") == ["i1"]
    assert listed(glance, visibility="community", **oldest) == ["i2", "i3"]
    assert listed(glance, status="deleted") == []
    assert listed(glance, colour="red") == []
    assert [ask(glance, f"/v2/images/i{number}").status for number in (1, 6, 9)] == [200, 403, 404]
    assert ask(glance, "/v2/images", marker="i6").status == 403


def test_glance_errors_are_html_unless_json_is_preferred() -> None:
    glance = glance_service(Cloud("glance"))
    answer = glance(Request("GET", "/v2/images/x", {}, {"accept": "*/*"}))
    assert answer.headers["Content-Type"].startswith("text/html")
    assert json.loads(ask(glance, "/v2/images/x").body)["code"] == "404"
    assert ask(glance, "/").status == 300


def test_ims_pages_by_marker_without_links() -> None:
    ims = ims_service(Cloud("ims", [image(number, __imagetype="gold") for number in range(4)]))
    oldest = {"sort_key": "created_at", "sort_dir": "asc", "limit": "3"}
    body = json.loads(ask(ims, "/v2/cloudimages", **oldest).body)
    assert body.keys() == {"images"}
    assert listed(ims, "/v2/cloudimages", marker="i2", **oldest) == ["i3"]
    assert listed(ims, "/v2/cloudimages", marker="i3", **oldest) == []
    assert listed(ims, "/v2/cloudimages", id="i1") == ["i1"]
    assert listed(ims, "/v2/cloudimages", id="nowhere") == []
    refused = ask(ims, "/v2/cloudimages", marker="nowhere")
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (400, "IMG.0011")


def test_ims_lists_pending_shares_and_the_market_only_on_request() -> None:
    cloud = Cloud("ims", [image(0, __imagetype="gold"), image(1, __imagetype="market")])
    cloud.add(image(2, __imagetype="shared", owner="other", visibility="shared"))
    cloud.add(image(3, __imagetype="shared", owner="other", visibility="shared"), member_status="pending")
    cloud.add(image(4, __imagetype="private", __isregistered="false"))
    ims = ims_service(cloud)
    path = "/v2/cloudimages"
    assert listed(ims, path, sort_dir="asc") == ["i0", "i2"]
    assert listed(ims, path, visibility="shared", member_status="pending") == ["i3"]
    assert listed(ims, path, __imagetype="market") == ["i1"]
    assert ask(ims, "/v2/images/i4").status == 200
    assert ask(ims, "/v2/images/i9").status == 404


def test_a_change_moves_updated_at_and_can_take_a_key_away() -> None:
    cloud = Cloud("glance", [image(0, colour="red")])
    record = cloud.change("i0", name="new", colour=...)
    assert record["name"] == "new"
    assert "colour" not in record
    assert record["updated_at"] > "2026"
    assert cloud.records == [record]


@pytest.mark.parametrize("kind", ["glance", "ims"])
def test_a_prepared_listing_pages_like_the_service(kind: Any) -> None:
    records = list(benchmark_images(25))
    prepared = PreparedListing(kind, records, page_size=10)
    path = "/v2/cloudimages" if kind == "ims" else "/v2/images"
    markers: list[str | None] = [None, records[9]["id"], records[19]["id"]]
    pages = [listed(prepared, path, **({"marker": marker} if marker else {})) for marker in markers]
    assert [image_id for page in pages for image_id in page] == [record["id"] for record in records]
    assert listed(prepared, path, marker=records[24]["id"]) == []
    assert listed(prepared, path, os_hidden="true") == []
