"""Deletions that are held: what an observation after them says, and what it must not say."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from catalog.demo import Cloud
from tests.acceptance.cli.conftest import Desk
from tests.support.records import image, name_of, too_deep


def _images(numbers: range) -> list[Any]:
    return [image(number) for number in numbers]


def _saved(desk: Desk, name: str, records: list[Any]) -> str:
    path = desk.folder / name
    path.write_text(json.dumps({"images": records}))
    return str(path)


def _live(desk: Desk) -> int:
    ((count,),) = desk.query("SELECT count(*) FROM images WHERE deleted_at IS NULL")
    assert isinstance(count, int)
    return count


def _decisions(desk: Desk) -> dict[str, int]:
    return dict(desk.query("SELECT decision, count(*) FROM held_deletions GROUP BY 1"))


@pytest.fixture
def cloud() -> Cloud:
    return Cloud("glance", _images(range(20)))


@pytest.fixture
def swept(desk: Desk, cloud: Cloud) -> datetime:
    """A moment between the sweep of twenty images and the one that held twelve."""
    desk.add_source("lab", cloud)
    assert desk.run("sync").code == 0
    ((moment,),) = desk.query("SELECT now()")
    assert isinstance(moment, datetime)
    for number in range(12):
        cloud.delete(name_of(number))
    assert desk.run("sync").code == 4
    return moment


def test_a_rejected_record_returns_what_was_held(desk: Desk, cloud: Cloud, swept: datetime) -> None:
    """Its image counts as present (semantics 4.5), so that `approve` has nothing to say of it."""
    cloud.add(too_deep(name_of(0)))
    desk.run("sync")
    assert _decisions(desk) == {"open": 11, "returned": 1}
    # nor does a listing that was taken before, and comes after
    older = _saved(desk, "older.json", _images(range(20)))
    desk.run("backfill", "lab", older, "--complete", "--observed-at", swept.isoformat())
    assert _decisions(desk) == {"open": 11, "returned": 1}
    assert desk.run("deletions", "approve", "lab").code == 0
    assert _live(desk) == 9


def test_a_rejected_record_in_a_saved_listing_returns_what_was_held(desk: Desk) -> None:
    desk.add_source("lab")
    rejected = [too_deep(name_of(number)) for number in range(1, 20)]
    listings = [_images(range(20)), _images(range(3)), [image(0), *rejected]]
    for day, (records, code) in enumerate(zip(listings, (0, 4, 0), strict=True), 1):
        path = _saved(desk, f"2026030{day}T000000Z.json", records)
        assert desk.run("backfill", "lab", path, "--complete").code == code
    assert _decisions(desk) == {"returned": 17}
    assert desk.run("deletions", "approve", "lab").code == 0
    assert _live(desk) == 20


@pytest.mark.parametrize("when", ["before it was held", "after it was held"])
@pytest.mark.parametrize("reason", ["limit", "login_changed"])
def test_a_saved_listing_ends_nothing_that_is_held(
    desk: Desk, swept: datetime, when: str, reason: str
) -> None:
    """It doesn't say what its login could see: what lacks there stays held, and why."""
    if reason == "login_changed":
        desk.query("UPDATE held_deletions SET reason = %s", reason)
        desk.query("UPDATE id_sets SET kind = 'held_for_login' WHERE kind = 'held'")
    ((now,),) = desk.query("SELECT now()")
    at = swept if when.startswith("before") else now
    listing = _saved(desk, "listing.json", _images(range(1, 20)))
    assert desk.run("backfill", "lab", listing, "--complete", "--observed-at", at.isoformat()).code in (0, 4)
    assert _live(desk) == 20
    assert desk.query("SELECT DISTINCT reason FROM held_deletions WHERE decision = 'open'") == [(reason,)]


def test_nothing_is_forgotten_that_would_delete_beyond_the_limit(desk: Desk) -> None:
    desk.add_source("lab")
    for day, count in ((1, 40), (3, 40), (2, 1)):
        path = _saved(desk, f"2026030{day}T000000Z.json", _images(range(count)))
        assert desk.run("backfill", "lab", path, "--complete").code == 0
    ((run,),) = desk.query("SELECT run_id::text FROM runs WHERE observed_at = '2026-03-03Z'")
    refused = desk.run("backfill", "lab", "--forget", run, "--yes")
    assert (refused.code, "39 of 40" in refused.error, _live(desk)) == (2, True, 40)
    assert desk.run("backfill", "lab", "--forget", run, "--yes", "--accept-deletions").code == 0
    assert _live(desk) == 1


def test_an_archive_of_another_cloud_is_refused(desk: Desk) -> None:
    """Two clouds that name neither region nor project."""
    folder = desk.folder / "archive"
    for name, first in (("a", 0), ("b", 100)):
        desk.add_source(name, Cloud("glance", _images(range(first, first + 8))), archive=str(folder))
    assert desk.run("sync").code == 0
    for path in (folder / "a", folder):
        refused = desk.run("backfill", "b", str(path))
        assert (refused.code, "'a'" in refused.error) == (2, True)
    assert _live(desk) == 16
