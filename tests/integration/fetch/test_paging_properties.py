"""Whatever goes wrong at whatever request: a pass that calls itself complete has read every image."""

from __future__ import annotations

import json
from typing import Any, Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.demo.cloud import Cloud
from catalog.fetch.http.connection import Connection
from catalog.fetch.listing.service import open_service
from tests.integration.fetch.conftest import HASTY
from tests.support import faults
from tests.support.cloud_server import CloudServer
from tests.support.examples import examples
from tests.support.records import image


def abroad(listing: dict[str, Any]) -> None:
    if "next" in listing:
        listing["next"] = "http://elsewhere.invalid" + listing["next"]


FAULTS = {
    "500": faults.status(500),
    "429": faults.status(429, retry_after="0"),
    "400": faults.status(400),
    "404": faults.status(404),
    "html": faults.html(),
    "null": faults.images_null(),
    "close": faults.close(),
    "cut": faults.cut(),
    "cut chunk": faults.cut(0.3, chunked=True),
    "first page": faults.first_page(),
    "foreign next": faults.altered(abroad),
    "zipped": faults.zipped(),
}
PLANS = st.lists(
    st.tuples(st.sampled_from(sorted(FAULTS)), st.integers(1, 6), st.sampled_from([1, 2, 5])), max_size=3
)


@settings(max_examples=examples(40), deadline=None)
@given(
    kind=st.sampled_from(["glance", "ims"]),
    count=st.integers(0, 14),
    page_size=st.integers(2, 6),  # by one a page, "only the marker" and "the first page again" look the same
    plan=PLANS,
    gone=st.sets(st.integers(0, 13)),
)
@example(kind="ims", count=6, page_size=3, plan=[("first page", 2, 1)], gone=set())
@example(kind="glance", count=5, page_size=2, plan=[("400", 3, 1)], gone=set())
def test_complete_means_that_every_image_was_read(
    kind: Literal["glance", "ims"],
    count: int,
    page_size: int,
    plan: list[tuple[str, int, int]],
    gone: set[int],
) -> None:
    """Images that vanish after the first page may be missing; no other may."""
    cloud = Cloud(kind, [image(number) for number in range(count)])
    source = SourceSettings("test", kind, page_size=page_size)
    with CloudServer(cloud) as server:
        for fault, at, times in plan:
            server.faults.add(FAULTS[fault], at=at, times=times)
        service = open_service(source, Deadline(20), Connection(server.endpoint), patience=HASTY)
        listing = service.listing("listed")
        read: set[Any] = set()
        for number, page in enumerate(listing):
            read.update(json.loads(bytes(record))["id"] for record in page.records)
            if number == 0:
                for vanished in gone & set(range(count)):
                    cloud.delete(f"image-{vanished:03d}")
        service.close()
    stayed = {record["id"] for record in cloud.records}
    if listing.verdict == "complete" and not listing.refused:
        assert read >= stayed
    else:
        assert listing.error is not None or listing.refused
    assert len(server.requests) < 120
