"""A service that asks to wait for longer than there is time is asked nothing more (semantics 4.5 and 5)."""

from __future__ import annotations

import pytest

from tests.integration.run.cloud_entry import later_page, lookup
from tests.support.faults import status
from tests.support.records import name_of
from tests.support.world import Sites

KINDS = ("glance", "ims")
SECOND = {"glance": "hidden", "ims": "pending"}
IN_AN_HOUR = status(429, retry_after="3600")


@pytest.mark.parametrize("kind", KINDS)
def test_look_ups_end_when_the_service_asks_to_wait(sites: Sites, kind: str) -> None:
    """One request; the images that were not asked for keep their place in the queue."""
    site = sites.open(kind, 8)
    site.sweep()
    for n in range(4):
        site.cloud.delete(name_of(n))
    site.server.requests.clear()
    site.server.faults.add(IN_AN_HOUR, when=lookup, times=None)
    run = site.sweep()
    assert (run.outcome, run.deleted, run.unlisted, run.looked_up) == ("complete", 0, 4, 1)
    assert len([request for request in site.server.requests if lookup(request)]) == 1
    site.server.faults.clear()
    assert site.sweep(changed={"lookup_limit": 3}).deleted == 3
    assert site.unlisted() == {name_of(0)}


@pytest.mark.parametrize("kind", KINDS)
def test_no_second_pass_is_asked_for_when_the_first_was_told_to_wait(sites: Sites, kind: str) -> None:
    """It fails for the same reason, unasked."""
    site = sites.open(kind, 5)
    site.sweep()
    site.server.requests.clear()
    site.server.faults.add(IN_AN_HOUR, when=lambda request: not later_page(request), times=1)
    run = site.sweep()
    assert (run.outcome, run.error_kind, run.requests) == ("failed", "throttled", 1)
    assert len(site.server.requests) == 1
    passes = site.rows("SELECT * FROM run_passes WHERE source_id = $ AND run_id = %s", run.run_id)
    assert {row["pass"]: (row["verdict"], row["pages"]) for row in passes} == {
        "listed": ("failed", 0),
        SECOND[kind]: ("failed", 0),
    }
    (reason,) = {row["error"] for row in passes}
    assert "asking to slow down (HTTP 429)" in reason


def test_what_was_read_before_is_merged(sites: Sites) -> None:
    site = sites.open(images=5)
    site.sweep()
    site.cloud.change(name_of(0), name="renamed")
    site.cloud.delete(name_of(4))
    site.server.requests.clear()
    site.server.faults.add(IN_AN_HOUR, when=later_page)
    run = site.sweep()
    assert (run.outcome, run.error_kind, run.updated, run.deleted) == ("partial", "throttled", 1, 0)
    assert site.passes(run) == {"listed": "failed", "hidden": "failed"}
    assert len(site.server.requests) == 2
