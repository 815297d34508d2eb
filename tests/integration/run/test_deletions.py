"""Deletions: what a missing image's look-up says, and what is remembered of it (semantics 4.5)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.faults import by_address, hang, status
from tests.support.records import image, name_of
from tests.support.rows import snapshot
from tests.support.world import LEDGER, Sites, moved

KINDS = ("glance", "ims")


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_image_that_is_not_found_is_deleted(sites: Sites, kind: str) -> None:
    """As of the observation that lacked it; tags, flags and properties stay as last delivered."""
    site = sites.open(kind, 4)
    site.sweep()
    site.cloud.delete(name_of(2))
    run = site.sweep()
    assert (run.deleted, run.looked_up, run.held, run.unlisted) == (1, 1, 0, 0)
    row = site.images()[name_of(2)]
    assert (row["deletion_reason"], row["deleted_at"]) == ("not_found", run.observed_at)
    assert (row["status"], row["tags"], row["capabilities"]) == ("active", ["t"], ["kvm"])
    assert site.spells(name_of(2)) == ["active", "deleted"]
    assert site.sweep().looked_up == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_image_that_is_forbidden_is_deleted_for_that_reason(sites: Sites, kind: str) -> None:
    site = sites.open(kind, 4)
    site.sweep()
    site.cloud.forbid(name_of(2))
    assert site.sweep().deleted == 1
    assert site.reasons() == {name_of(2): "no_access"}


def test_an_image_found_but_unlisted_lives_and_is_asked_for_once_a_day(sites: Sites) -> None:
    """It is merged as if listed, and marked; asking again changes nothing but when it was asked."""
    site = sites.open("ims", 3)
    site.sweep()
    site.cloud.hide(name_of(1))
    site.cloud.change(name_of(1), name="renamed")
    run = site.sweep()
    assert (run.looked_up, run.updated, run.unlisted, run.deleted, run.listed) == (1, 1, 1, 0, 2)
    row = site.images()[name_of(1)]
    assert (row["name"], row["deleted_at"], row["unlisted_since"]) == ("renamed", None, run.observed_at)
    site.cloud.change(name_of(1), name="renamed again")
    again = site.sweep()
    assert (again.looked_up, again.updated, again.unlisted) == (0, 0, 1)
    assert site.images()[name_of(1)]["name"] == "renamed"
    site.a_day_later()
    assert (site.sweep().updated, site.images()[name_of(1)]["name"]) == (1, "renamed again")
    assert site.images()[name_of(1)]["unlisted_since"] == run.observed_at
    site.a_day_later()
    before = snapshot(site.database, LEDGER | {"lookups"})
    assert site.sweep().looked_up == 1
    assert snapshot(site.database, LEDGER | {"lookups"}) == before


def test_once_a_day_goes_by_the_clock_where_observations_are_ahead_of_it(sites: Sites) -> None:
    """After the database's clock was wrong for a while, each observation is dated just after the last one."""
    site = sites.open("ims", 3)
    site.sweep()
    site.cloud.hide(name_of(1))
    with site.database.transaction() as connection:
        connection.execute(f"UPDATE observations SET {moved('observed_at', '30 days')}")
    assert site.sweep().looked_up == 1
    assert site.sweep().looked_up == 0
    with site.database.transaction() as connection:
        connection.execute(f"UPDATE lookups SET {moved('clock_at', '-1 day')}")
    assert site.sweep().looked_up == 1


def test_once_a_day_goes_by_the_clock_after_it_was_ahead(sites: Sites) -> None:
    """Else nobody would ask until that time is reached."""
    site = sites.open("ims", 3)
    site.sweep()
    site.cloud.hide(name_of(1))
    assert site.sweep().looked_up == 1
    with site.database.transaction() as connection:
        connection.execute(f"UPDATE lookups SET {moved('asked_at', '30 days')}")
        connection.execute(f"UPDATE observations SET {moved('observed_at', '30 days')}")
    assert site.sweep().looked_up == 1
    assert site.sweep().looked_up == 0


def test_an_unlisted_image_that_is_listed_again_is_no_longer_marked(sites: Sites) -> None:
    site = sites.open("ims", 3)
    site.sweep()
    site.cloud.hide(name_of(1))
    site.sweep()
    held = site.cloud.find(name_of(1))
    assert held is not None
    held.unlisted = False
    run = site.sweep()
    assert (run.unlisted, run.unchanged) == (0, 3)
    assert site.unlisted() == set()
    assert site.rows("SELECT FROM lookups WHERE source_id = $") == []
    assert [change for change, _ in site.history(name_of(1))] == ["created"]


@pytest.mark.parametrize("code", [500, 401, 429, 418])
def test_an_undecided_look_up_keeps_the_image_and_is_made_again(sites: Sites, code: int) -> None:
    site = sites.open(images=3)
    site.sweep()
    site.cloud.delete(name_of(1))
    site.server.faults.add(status(code), when=by_address, times=None)
    run = site.sweep()
    assert (run.outcome, run.looked_up, run.deleted, run.unlisted) == ("complete", 1, 0, 1)
    assert site.unlisted() == {name_of(1)}
    site.server.faults.clear()
    assert site.sweep().deleted == 1
    assert site.reasons() == {name_of(1): "not_found"}


def test_at_most_lookup_limit_images_are_asked_for_and_all_get_their_turn(sites: Sites) -> None:
    """The longest unasked first; those that wait live on, marked as unlisted."""
    site = sites.open("ims", 9, lookup_limit=2)
    site.sweep()
    for n in range(1, 6):
        site.cloud.hide(name_of(n))
    turns = []
    for _ in range(3):
        before = len(site.look_ups())
        run = site.sweep()
        assert run.deleted == 0
        assert run.looked_up <= 2
        turns += site.look_ups()[before:]
        assert site.unlisted() == {name_of(n) for n in range(1, 6)}
    assert sorted(turns) == [name_of(n) for n in range(1, 6)]
    site.a_day_later()
    before = len(site.look_ups())
    site.sweep()
    assert site.look_ups()[before:] == turns[:2]


def test_undecided_look_ups_do_not_starve_the_others(sites: Sites) -> None:
    """An image whose look-up never brings an answer goes to the end of the queue."""
    site = sites.open(images=6, lookup_limit=1)
    site.sweep()
    for n in (0, 1, 2):
        site.cloud.delete(name_of(n))
    site.server.faults.add(status(500), when=lambda r: r.path.endswith(name_of(0)), times=None)
    for _ in range(3):
        site.sweep()
    assert set(site.reasons()) == {name_of(1), name_of(2)}


def test_look_ups_end_while_the_sweep_can_still_be_merged(sites: Sites) -> None:
    """A look-up that hangs ends before the deadline; it and those behind it are unanswered, and asked first
    next time those that were not asked."""
    site = sites.open(images=5, deadline=1.5)
    site.sweep()
    site.cloud.change(name_of(4), name="renamed")
    for n in (0, 1):
        site.cloud.delete(name_of(n))
    site.server.faults.add(hang(), when=lambda r: r.path.endswith(name_of(0)), times=None)
    run = site.sweep()
    assert (run.outcome, run.updated, run.deleted, run.error_kind) == ("complete", 1, 0, None)
    assert site.unlisted() == {name_of(0), name_of(1)}
    site.sweep()
    assert site.reasons() == {name_of(1): "not_found"}


def test_a_stop_during_look_ups_deletes_no_image_that_was_not_answered_for(sites: Sites) -> None:
    site = sites.open(images=4)
    site.sweep()
    site.cloud.delete(name_of(1))
    stop = threading.Event()

    def stopping(exchange: Any) -> None:
        stop.set()
        hang()(exchange)

    site.server.faults.add(stopping, when=by_address)
    site.sweep(stop=stop, accept_deletions=True, changed={"lookup_limit": 5})
    assert len(site.live()) == 4


def test_without_look_ups_absence_from_a_complete_sweep_deletes(sites: Sites) -> None:
    """`lookup_limit = 0`: `not_listed`."""
    site = sites.open(images=4, lookup_limit=0)
    site.sweep()
    site.cloud.hide(name_of(1))
    site.cloud.delete(name_of(2))
    site.sweep()
    assert site.reasons() == {name_of(2): "not_listed"}
    assert site.look_ups() == []


def test_an_image_once_found_by_id_is_not_kept_for_ever_without_look_ups(sites: Sites) -> None:
    """Its last answer stands for a day, as it does with look-ups."""
    site = sites.open("ims", 4)
    site.sweep()
    site.cloud.hide(name_of(1))
    site.sweep()
    assert site.sweep(changed={"lookup_limit": 0}).deleted == 0
    site.a_day_later()
    site.sweep(changed={"lookup_limit": 0})
    assert site.reasons() == {name_of(1): "not_listed"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_status", [True, False])
def test_a_record_that_says_deleted_is_a_deletion_whatever_else_failed(
    sites: Sites, kind: str, with_status: bool
) -> None:
    """`reported`: at the cloud's own time; `status` stays what the cloud last said."""
    site = sites.open(kind, 3)
    site.sweep()
    told = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    keys: dict[str, Any] = {"deleted_at": told.isoformat()} | ({"status": "deleted"} if with_status else {})
    site.cloud.change(name_of(0), **keys)
    site.server.faults.add(status(500), when=lambda r: "marker" in r.query, times=None)
    run = site.sweep()
    assert (run.outcome, run.deleted) == ("partial", 1)
    row = site.images()[name_of(0)]
    assert (row["deletion_reason"], row["deleted_at"]) == ("reported", told)
    assert row["status"] == ("deleted" if with_status else "active")
    assert site.spells(name_of(0)) == ["active", "deleted"]
    site.server.faults.clear()
    assert (site.sweep().deleted, site.images()[name_of(0)]["deleted_at"]) == (0, told)


def test_a_reported_deletion_without_a_time_or_with_one_to_come_is_dated_by_its_spell(sites: Sites) -> None:
    site = sites.open(images=2)
    site.sweep()
    future = (datetime.now(UTC) + timedelta(days=900)).isoformat()
    site.cloud.change(name_of(0), status="deleted", updated_at="2026-01-02T00:00:00Z")
    site.cloud.change(name_of(1), deleted_at=future, updated_at="2026-01-02T00:00:00Z")
    run = site.sweep()
    assert {row["deleted_at"] for row in site.images().values()} == {run.observed_at}
    site.sweep()
    assert {row["deleted_at"] for row in site.images().values()} == {run.observed_at}


def test_a_reported_deletion_that_is_listed_no_more_stays_as_reported(sites: Sites) -> None:
    site = sites.open(images=3)
    site.sweep()
    site.cloud.change(name_of(0), status="deleted")
    site.sweep()
    before = site.images()[name_of(0)]
    site.cloud.delete(name_of(0))
    run = site.sweep()
    assert (run.deleted, run.looked_up, run.held) == (0, 0, 0)
    after = site.images()[name_of(0)]
    assert (after["deleted_at"], after["deletion_reason"]) == (before["deleted_at"], "reported")
    assert site.spells(name_of(0)) == ["active", "deleted"]
    site.cloud.add(image(0))
    assert site.sweep().restored == 1


def test_an_image_first_known_as_deleted_is_a_deleted_image(sites: Sites) -> None:
    site = sites.open(images=[image(0, status="deleted"), image(1)])
    run = site.sweep()
    assert (run.outcome, site.live()) == ("complete", {name_of(1)})
    assert [change for change, _ in site.history(name_of(0))] == ["deleted"]
