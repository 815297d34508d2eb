"""`sync --plan`: says what the sweep would do, and writes nothing (docs/commands.md)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from catalog.model import RunResult
from catalog.sync.sweep import sweep
from tests.support.faults import status
from tests.support.records import image, name_of
from tests.support.rows import rows, snapshot
from tests.support.world import Site, Sites, hasty

SAID = (
    "outcome", "pages", "listed", "inserted", "updated", "unchanged", "deleted", "restored", "rejected",
    "unlisted", "held", "looked_up", "error_kind", "error",
)  # fmt: skip


def plan(site: Site, changed: dict[str, Any] | None = None, **options: Any) -> RunResult:
    source = dataclasses.replace(site.source, **(changed or {}))
    return sweep(site.database, source, plan=True, opener=hasty, **options)


def said(run: RunResult) -> dict[str, Any]:
    return {name: getattr(run, name) for name in SAID}


def test_a_plan_says_what_the_sweep_then_does_and_writes_nothing(sites: Sites) -> None:
    site = sites.open("ims", 9)
    before = snapshot(site.database)
    planned = plan(site)
    assert snapshot(site.database) == before
    assert rows(site.database, "SELECT FROM sources") == []
    assert said(planned) == said(site.sweep())
    assert planned.inserted == 9
    site.cloud.delete(name_of(8))
    site.cloud.hide(name_of(7))
    site.sweep()
    site.cloud.add(image(8))  # restored
    held = site.cloud.find(name_of(7))
    assert held is not None
    held.unlisted = False  # listed again
    site.cloud.change(name_of(0), name="renamed")
    site.cloud.change(name_of(1), status="deleted")
    site.cloud.delete(name_of(2))
    site.cloud.hide(name_of(3))
    site.cloud.add(image(20))
    before = snapshot(site.database)
    planned = plan(site)
    assert snapshot(site.database) == before
    done = site.sweep()
    assert said(planned) == said(done)
    assert (done.inserted, done.updated, done.deleted, done.restored, done.unlisted) == (1, 1, 2, 1, 1)
    again = plan(site)
    assert said(again) == said(site.sweep())
    assert (again.inserted, again.updated, again.deleted, again.restored) == (0, 0, 0, 0)


def test_a_deleted_image_that_is_listed_no_more_is_an_update_in_plan_and_sweep(sites: Sites) -> None:
    """It stays deleted, for another reason; once that is written, nothing is left to do."""
    site = sites.open(images=[image(0), image(1, status="deleted")])
    site.sweep()
    site.cloud.delete(name_of(1))
    planned = plan(site)
    assert (planned.updated, planned.deleted) == (1, 0)
    assert said(planned) == said(site.sweep())
    again = plan(site)
    assert (again.updated, again.deleted) == (0, 0)
    assert said(again) == said(site.sweep())


def test_a_plan_holds_back_what_the_sweep_would(sites: Sites) -> None:
    site = sites.open(images=6, deletion_limit_count=1, deletion_limit_percent=10.0)
    site.sweep()
    for n in range(3):
        site.cloud.delete(name_of(n))
    planned = plan(site)
    assert (planned.held, planned.deleted) == (3, 0)
    assert said(planned) == said(site.sweep())
    accepted = plan(site, accept_deletions=True)
    assert (accepted.held, accepted.deleted) == (0, 3)
    assert said(accepted) == said(site.sweep(accept_deletions=True))


def test_a_plan_of_a_listing_that_fails_says_so(sites: Sites) -> None:
    site = sites.open(images=6, deletion_limit_count=1, deletion_limit_percent=10.0)
    site.sweep()
    for n in range(3):
        site.cloud.delete(name_of(n))
    site.sweep()
    site.cloud.add(image(30))
    site.server.faults.add(status(500), when=lambda r: "os_hidden" in r.query, times=None)
    before = snapshot(site.database)
    planned = plan(site)
    assert snapshot(site.database) == before
    assert (planned.outcome, planned.error_kind, planned.held) == ("partial", "upstream", 3)
    assert said(planned) == said(site.sweep())


@pytest.mark.parametrize("changed", [{"region": "elsewhere"}, {"project_id": "another"}, {"kind": "ims"}])
def test_a_plan_refuses_what_the_sweep_would(sites: Sites, changed: dict[str, Any]) -> None:
    """Another kind, region or project than recorded: it fails before it lists."""
    site = sites.open(images=2, region="here", project_id="mine")
    site.sweep()
    del site.server.requests[:]
    planned = plan(site, changed)
    assert (planned.outcome, planned.error_kind) == ("failed", "config")
    assert "catalog sources adopt s" in (planned.error or "")
    assert site.server.requests == []
