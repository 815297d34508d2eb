"""A login that reaches less than the one before it proves no absence (semantics 4.5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.config.settings import SourceSettings
from catalog.demo.answers import Request
from catalog.store.state import sources as stored_sources
from catalog.sync.approve_or_keep import decide
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.sweep import sweep
from tests.identity import PASSWORD
from tests.integration.run.cloud_entry import CloudEntry, expire, later_page, lookup
from tests.support.cloud_server import Exchange
from tests.support.faults import status
from tests.support.records import image, listing, name_of, write
from tests.support.world import Site, Sites, hasty


def roles(entry: CloudEntry, *names: str, **token: Any) -> None:
    """What tokens say from now on."""

    def bend(answer: dict[str, Any]) -> dict[str, Any]:
        answer["token"] |= {"roles": [{"id": "0", "name": name} for name in names], **token}
        return answer

    entry.identity.bend = bend


@pytest.fixture
def site(sites: Sites, entry: CloudEntry) -> Site:
    """Twenty images, of which an administrator saw all."""
    site = entry.lead_to(sites.open(images=20), page_size=100)
    roles(entry, "admin", "reader")
    assert site.sweep().inserted == 20
    return site


def lose_sight(site: Site, *numbers: int) -> list[dict[str, Any]]:
    """Images of other projects: without the role neither listed nor found."""
    return [_taken(site, n) for n in numbers]


def _taken(site: Site, number: int) -> dict[str, Any]:
    held = site.cloud.find(name_of(number))
    assert held is not None
    site.cloud.delete(name_of(number))
    return held.record


def test_a_role_that_was_lost_deletes_nothing(site: Site, entry: CloudEntry) -> None:
    """However few they are, however often it is swept, even where deletions are accepted."""
    lost = lose_sight(site, *range(5))
    roles(entry, "reader")
    planned = sweep(site.database, site.source, plan=True, opener=hasty)
    assert (planned.held, planned.deleted) == (5, 0)
    for options in ({}, {"accept_deletions": True}, {"changed": {"lookup_limit": 0}}, {}):
        run = site.sweep(**options)
        assert (run.outcome, run.deleted, run.held) == ("complete", 0, 5)
        assert "no longer role admin" in str(run.note)
        assert site.run_rows()[-1]["note"] == run.note
    assert site.held_for() == dict.fromkeys(map(name_of, range(5)), "login_changed")
    roles(entry, "reader", "admin", "more")
    for record in lost[1:]:
        site.cloud.add(record)
    run = site.sweep()
    assert (run.deleted, run.held, run.note) == (1, 0, None)
    assert site.reasons() == {name_of(0): "not_found"}


def test_what_was_read_with_less_proves_no_absence_of_older_images_either(
    site: Site, entry: CloudEntry
) -> None:
    """In the ledger it is no complete observation."""
    lose_sight(site, 1)
    roles(entry, "reader")
    site.sweep()
    rows = site.rows("SELECT complete FROM observations WHERE source_id = $ ORDER BY observed_at")
    assert [row["complete"] for row in rows] == [True, False]


def test_what_is_held_for_the_login_outlives_an_adoption(site: Site, entry: CloudEntry) -> None:
    """The new login is the measure from then on, of what it misses itself; of these it never knew anything."""
    lost = lose_sight(site, 0, 1)
    roles(entry, "reader")
    site.sweep()
    with site.database.transaction() as connection:
        assert stored_sources.adopt(connection, site.source.name, None) == 2
    adopted = {name_of(0): "adopted", name_of(1): "adopted"}
    site.cloud.delete(name_of(2))
    assert (site.sweep().deleted, site.reasons(), site.held_for()) == (1, {name_of(2): "not_found"}, adopted)
    roles(entry, "other")
    assert (site.sweep().deleted, site.held_for()) == (0, adopted)
    roles(entry, "reader", "other")
    assert (site.sweep().deleted, site.held_for()) == (0, adopted)
    site.cloud.add(lost[0])
    assert (site.sweep().deleted, site.held_for()) == (0, {name_of(1): "adopted"})


def test_what_the_limit_holds_stays_so_when_a_lesser_login_came_in_between(
    site: Site, entry: CloudEntry
) -> None:
    """An outage that recovers a part at a time, and a role that was lost meanwhile."""
    gone = lose_sight(site, *range(15))
    assert site.sweep().held == 15
    roles(entry, "reader")
    site.sweep()
    roles(entry, "admin", "reader")
    for record in gone[5:]:
        site.cloud.add(record)
    assert (site.sweep().deleted, site.held_for()) == (0, dict.fromkeys(map(name_of, range(5)), "limit"))


def test_a_saved_listing_ends_no_decision_to_keep(site: Site, entry: CloudEntry, tmp_path: Path) -> None:
    """An administrator's lists what this login doesn't reach: only a sweep that lists the image does."""
    lost = lose_sight(site, 0, 1)
    roles(entry, "reader")
    site.sweep()
    source_id = site.source_id
    decide(site.database, source_id, "keep", MappingAdapter.of(site.source), by="test")
    [row] = site.rows("SELECT clock_timestamp() AS now FROM sources WHERE source_id = $")
    path = write(tmp_path, "dump.json", listing(*range(20)))
    backfill(site.database, site.source, [path], observed_at=row["now"], complete=True, confirmed=True)
    site.sweep()
    assert site.sweep().deleted == 0
    assert len(site.live()) == 20
    for record in lost:
        site.cloud.add(record)
    site.sweep()
    decisions = site.rows("SELECT DISTINCT decision FROM held_deletions WHERE source_id = $")
    assert decisions == [{"decision": "returned"}]


def test_approved_they_go_and_the_login_that_reaches_less_is_the_measure(
    site: Site, entry: CloudEntry
) -> None:
    lose_sight(site, 0, 1)
    roles(entry, "reader")
    held = site.sweep()
    source_id = site.source_id
    decide(site.database, source_id, "approve", MappingAdapter.of(site.source), by="test")
    assert site.images()[name_of(0)]["deleted_at"] == held.observed_at
    assert site.sweep().held == 0
    site.cloud.delete(name_of(2))
    assert (site.sweep().deleted, site.reasons()[name_of(2)]) == (1, "not_found")


def test_deletions_that_somebody_took_back_are_not_made_again_by_a_login_that_reaches_less(
    site: Site, entry: CloudEntry
) -> None:
    """What the login of a forgotten sweep was measured by says nothing of images that live again by forgetting it."""
    roles(entry, "reader")
    measured = site.sweep()
    lost = lose_sight(site, 0, 1)
    narrowed = site.sweep()
    assert narrowed.deleted == 2
    for run in (narrowed, measured):
        forget(site.database, site.source, run.run_id)
    assert len(site.live()) == 20
    again = site.sweep()
    assert (again.deleted, site.held_for()) == (0, {name_of(0): "login_changed", name_of(1): "login_changed"})
    for record in lost:
        site.cloud.add(record)
    assert (site.sweep().held, site.sweep().unchanged) == (0, 20)
    site.cloud.delete(name_of(2))
    assert site.sweep().deleted == 1  # a sweep that missed nothing is the measure


def test_a_login_that_reaches_less_and_still_sees_all_is_the_measure(site: Site, entry: CloudEntry) -> None:
    """A role that was of no use here."""
    roles(entry, "reader")
    assert (site.sweep().held, site.sweep().unchanged) == (0, 20)
    site.cloud.delete(name_of(2))
    assert site.sweep().deleted == 1


def test_images_that_another_login_found_by_id_are_asked_for_again_at_once(
    sites: Sites, entry: CloudEntry
) -> None:
    site = entry.lead_to(sites.open("ims", 6), page_size=100)
    roles(entry, "admin", "reader")
    site.sweep()
    for n in (0, 1):
        site.cloud.hide(name_of(n))
    assert site.sweep().unlisted == 2
    lose_sight(site, 0)
    roles(entry, "reader")
    assert (site.sweep().held, site.held_for()) == (1, {name_of(0): "login_changed"})
    site.a_day_later()
    assert (site.sweep().held, len(site.live())) == (1, 6)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"is_admin_project": True}, {"is_admin_project": False}),
        ({"domain": {"id": "d", "name": "D"}}, {}),
        ({"system": {"all": True}}, {}),
    ],
)
def test_each_part_of_a_login_counts(
    sites: Sites, entry: CloudEntry, before: dict[str, Any], after: dict[str, Any]
) -> None:
    site = entry.lead_to(sites.open(images=6), page_size=100)
    roles(entry, "reader", **before)
    site.sweep()
    lose_sight(site, 0)
    roles(entry, "reader", **after)
    assert (site.sweep().held, site.reasons()) == (1, {})
    roles(entry, "reader", **before)
    assert site.sweep().deleted == 1


def test_a_role_for_a_feature_under_trial_is_a_role(site: Site, entry: CloudEntry) -> None:
    """Huawei's tokens carry dozens, which open and close. One may have shown images of its own; where nothing is
    missing as it closes, nothing waits for anybody."""
    roles(entry, "admin", "reader", "op_gated_new_disks", "op_gated_new_images")
    site.sweep()
    roles(entry, "admin", "reader", "op_gated_new_images")
    site.sweep()
    site.cloud.delete(name_of(2))
    assert site.sweep().deleted == 1
    roles(entry, "admin", "reader")
    lose_sight(site, 4)
    run = site.sweep()
    assert (run.deleted, site.held_for()) == (0, {name_of(4): "login_changed"})
    assert "no longer role op_gated_new_images" in str(run.note)


@pytest.mark.parametrize("when", [later_page, lookup], ids=["listing", "look-ups"])
def test_a_role_that_is_lost_in_the_middle_of_a_sweep_counts(
    site: Site, entry: CloudEntry, when: Any
) -> None:
    """The token ends, and the next one reaches less: so does the sweep."""
    lose_sight(site, 4)
    expire(site, when, lambda: roles(entry, "reader"))
    run = site.sweep(changed={"page_size": 7})
    assert (run.outcome, run.deleted, run.held) == ("complete", 0, 1)
    roles(entry, "admin", "reader")
    assert site.sweep().deleted == 1


@pytest.mark.parametrize("when", [later_page, lookup], ids=["listing", "look-ups"])
def test_a_role_that_only_this_sweep_had_is_lost_as_well(sites: Sites, entry: CloudEntry, when: Any) -> None:
    """Granted while the sweep before was listing, which was shown more by it: no complete sweep's token tells of it."""
    site = entry.lead_to(sites.open(images=20), page_size=7)
    roles(entry, "reader")
    site.sweep()
    roles(entry, "admin", "reader")
    (record,) = lose_sight(site, 4)
    expire(site, when, lambda: roles(entry, "reader"))
    run = site.sweep()
    assert (run.outcome, run.deleted, site.held_for()) == ("complete", 0, {name_of(4): "login_changed"})
    assert "reaches less than before (no longer role admin)" in str(run.note)
    assert (site.sweep().deleted, site.sweep().held) == (0, 1)
    site.cloud.add(record)
    roles(entry, "admin", "reader")
    assert (site.sweep().held, site.reasons()) == (0, {})


def test_a_role_that_is_gained_in_the_middle_of_a_sweep_holds_for_one(
    sites: Sites, entry: CloudEntry
) -> None:
    """What is missing by then may have been left out of the lesser one's pages; the next sweep tells."""
    site = entry.lead_to(sites.open(images=20), page_size=7)
    roles(entry, "reader")
    site.sweep()
    site.cloud.delete(name_of(4))
    expire(site, later_page, lambda: roles(entry, "admin", "reader"))
    assert (site.sweep().deleted, site.held_for()) == (0, {name_of(4): "login_changed"})
    assert (site.sweep().deleted, site.held_for()) == (1, {})


def test_a_partial_sweep_is_no_measure(site: Site, entry: CloudEntry) -> None:
    roles(entry, "reader")
    site.server.faults.add(status(500), when=lambda r: "os_hidden" in r.query, times=None)
    assert site.sweep().outcome == "partial"
    site.server.faults.clear()
    lose_sight(site, 4)
    assert (site.sweep().held, site.reasons()) == (1, {})


@pytest.mark.parametrize("after", [("reader",), ("reader", "other")], ids=["less", "neither less nor more"])
def test_a_login_that_changes_when_all_is_listed_is_no_measure(
    site: Site, entry: CloudEntry, after: tuple[str, ...]
) -> None:
    """Nearly all was listed with the login before: the one that ends the sweep never saw it."""
    expire(site, lambda r: "os_hidden" in r.query, lambda: roles(entry, *after))
    assert site.sweep().unchanged == 20
    lose_sight(site, 4)
    assert (site.sweep().held, site.reasons()) == (1, {})


@pytest.mark.parametrize("outcome", ["complete", "partial"])
def test_what_a_greater_login_brought_for_a_while_is_not_judged_by_the_lesser_one(
    sites: Sites, entry: CloudEntry, outcome: str
) -> None:
    site = entry.lead_to(sites.open(images=10), page_size=5)
    roles(entry, "reader")
    site.sweep()

    def grow() -> None:
        roles(entry, "reader", "admin")
        for n in range(10, 14):
            site.cloud.add(image(n))

    if outcome == "complete":
        expire(site, later_page, grow)
    else:
        grow()
        site.server.faults.add(status(403), when=lambda r: "os_hidden" in r.query, times=None)
    run = site.sweep()
    assert (run.outcome, run.inserted) == (outcome, 4)
    site.server.faults.clear()
    roles(entry, "reader")
    lose_sight(site, *range(10, 14))
    assert (site.sweep().held, site.reasons()) == (4, {})


def test_a_login_of_another_kind_may_reach_less(site: Site, tmp_path: Path) -> None:
    """A token from a file says nothing of itself."""
    lose_sight(site, 4)
    secret = tmp_path / "token"
    secret.write_text("s3cret")
    kind: dict[str, Any] = {"auth": "token", "token_file": secret, "page_size": 100, "deadline": 20.0}
    site.source = SourceSettings(
        "s", "glance", endpoint=site.server.endpoint, region="north", project_id="1" * 32, **kind
    )
    run = site.sweep()
    assert (run.outcome, run.deleted, run.held) == ("complete", 0, 1), run.error
    site.cloud.add(image(4))
    site.sweep()
    site.cloud.delete(name_of(4))
    assert site.sweep().deleted == 1


def test_a_reason_follows_what_holds_the_image_now(site: Site, entry: CloudEntry) -> None:
    lose_sight(site, *range(12))
    roles(entry, "reader")
    site.sweep()
    roles(entry, "admin", "reader")
    site.sweep()
    assert set(site.held_for().values()) == {"limit"}


def meanwhile(site: Site, change: Callable[[], Any], when: Callable[[Request], bool]) -> None:
    """Something changes just before the service answers such a request, as well as ever."""

    def play(exchange: Exchange) -> None:
        change()
        exchange.send(exchange.healthy())

    site.server.faults.add(play, when=when)


@pytest.mark.parametrize(
    ("when", "how"),
    [
        (lambda request: True, {}),
        (lambda request: True, {"changed": {"lookup_limit": 0}}),
        (lambda request: True, {"accept_deletions": True}),
        (lookup, {}),
    ],
    ids=["listing", "not looked up", "accepted", "look-ups"],
)
def test_a_role_that_is_withdrawn_while_its_token_still_works_deletes_nothing(
    site: Site, entry: CloudEntry, when: Callable[[Request], bool], how: dict[str, Any]
) -> None:
    """The service refuses no request: it goes by the roles that there are, whatever the token said first."""
    site.cloud.delete(name_of(0))

    def withdraw() -> None:
        roles(entry, "reader")
        site.cloud.delete(name_of(4))

    if when is lookup:
        site.cloud.delete(name_of(4))
    meanwhile(site, withdraw if when is not lookup else lambda: roles(entry, "reader"), when)
    run = site.sweep(**how)
    assert (run.outcome, run.deleted, run.held) == ("complete", 0, 2), run.error
    assert set(site.held_for().values()) == {"login_changed"}
    assert "no longer role admin" in str(run.note)
    roles(entry, "admin", "reader")
    assert site.sweep().deleted == 2


@pytest.mark.parametrize("how", [{}, {"accept_deletions": True}], ids=["", "accepted"])
def test_a_login_that_can_not_be_repeated_proves_no_absence(
    site: Site, entry: CloudEntry, how: dict[str, Any]
) -> None:
    """Who knows what it reaches now; and it is tried once."""
    site.cloud.delete(name_of(4))

    def lock() -> None:
        entry.identity.password = "another"

    meanwhile(site, lock, lambda request: "os_hidden" in request.query)
    entry.identity.logins.clear()
    run = site.sweep(**how)
    assert (run.outcome, run.deleted, run.held, run.unlisted, run.looked_up) == ("complete", 0, 0, 1, 0)
    assert "login" in str(run.note)
    assert len(entry.identity.logins) == 2
    ledger = site.rows("SELECT complete FROM observations WHERE source_id = $ ORDER BY observed_at")
    assert [row["complete"] for row in ledger] == [True, False]


def test_a_sweep_that_misses_nothing_logs_in_once(site: Site, entry: CloudEntry) -> None:
    entry.identity.logins.clear()
    site.sweep()
    assert len(entry.identity.logins) == 1
    site.cloud.delete(name_of(4))
    assert site.sweep().deleted == 1
    assert len(entry.identity.logins) == 4


def test_one_login_that_is_granted_less_by_mistake_is_no_measure(site: Site, entry: CloudEntry) -> None:
    """All is listed, so nobody notices; the next login tells that the role is still there."""
    counted = 0

    def flap(answer: dict[str, Any]) -> dict[str, Any]:
        nonlocal counted
        counted += 1
        names = ["reader"] if counted == 1 else ["admin", "reader"]
        answer["token"]["roles"] = [{"id": "0", "name": name} for name in names]
        return answer

    entry.identity.bend = flap
    assert site.sweep().unchanged == 20
    lose_sight(site, 4)
    roles(entry, "reader")
    assert (site.sweep().deleted, site.held_for()) == (0, {name_of(4): "login_changed"})


def test_a_lesser_login_that_can_not_be_repeated_is_no_measure(site: Site, entry: CloudEntry) -> None:
    roles(entry, "reader")

    def lock() -> None:
        entry.identity.password = "another"

    meanwhile(site, lock, lambda request: "os_hidden" in request.query)
    run = site.sweep()
    assert (run.outcome, run.unchanged) == ("complete", 20)
    entry.identity.password = PASSWORD
    lose_sight(site, 4)
    assert (site.sweep().deleted, site.held_for()) == (0, {name_of(4): "login_changed"})
