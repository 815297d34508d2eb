"""Passes and what they prove: a sweep is complete, or it deletes nothing (semantics 4.1, 4.4, 4.7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import DatabaseSettings
from catalog.demo.answers import Request
from catalog.store.db.connection import Database
from tests.support import citus
from tests.support.faults import body, close, cut, first_page, html, images_null, status
from tests.support.records import body_of, image, name_of
from tests.support.rows import rows, snapshot
from tests.support.world import LEDGER, Site, Sites

KINDS = ("glance", "ims")
_HERE = Path()
SECOND = {"glance": "hidden", "ims": "pending"}


def later_page(request: Request) -> bool:
    return "marker" in request.query


def of_pass(name: str) -> Any:
    key = {"hidden": "os_hidden", "pending": "member_status"}.get(name)
    return lambda request: (request.query.get(key) in ("true", "pending")) if key else True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "error_kind"),
    [
        (status(503), "upstream"),
        (status(404), "bad_listing"),  # taken for a marker that vanished: a step back leads in a circle
        (status(403), "bad_listing"),
        (status(401), "login"),
        (status(429), "throttled"),
        (html(), "bad_listing"),
        (images_null(), "bad_listing"),
        (body(b'{"error": {"code": "IMG.0001"}}'), "bad_listing"),
        (close(), "network"),
        (cut(), "network"),
        (first_page(), "bad_listing"),
    ],
    ids=["503", "404", "403", "401", "429", "html", "null", "error-object", "close", "cut", "repeat"],
)
def test_a_page_that_fails_deletes_nothing(sites: Sites, kind: str, fault: Any, error_kind: str) -> None:
    """What was read before is merged, what was not read stays, and the run says why."""
    site = sites.open(kind, 5)
    assert site.sweep().outcome == "complete"
    site.cloud.change(name_of(0), name="renamed")
    site.cloud.delete(name_of(1))
    site.cloud.delete(name_of(4))
    site.server.faults.add(fault, when=later_page, times=None)
    run = site.sweep()
    assert (run.outcome, run.error_kind, run.deleted) == ("partial", error_kind, 0)
    assert site.live() == {name_of(n) for n in range(5)}
    assert site.images()[name_of(0)]["name"] == "renamed"
    assert site.passes(run)["listed"] == "failed"
    row = site.run_rows()[-1]
    assert (row["outcome"], row["error_kind"]) == ("partial", error_kind)
    assert row["error"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_page_that_fails_changes_nothing(sites: Sites, kind: str) -> None:
    """A failed sweep writes its ledger rows and the event that it fails, and says nothing of any image."""
    site = sites.open(kind, 3)
    site.sweep()
    observations = site.rows("SELECT FROM observations WHERE source_id = $")
    before = snapshot(site.database, LEDGER | {"events"})
    site.server.faults.add(status(500), times=None)
    run = site.sweep()
    assert run.outcome == "failed"
    assert (run.listed, run.inserted, run.updated, run.deleted, run.unchanged) == (0, 0, 0, 0, 0)
    assert snapshot(site.database, LEDGER | {"events"}) == before
    assert site.rows("SELECT FROM observations WHERE source_id = $") == observations


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_pass_that_fails_deletes_nothing(sites: Sites, kind: str) -> None:
    """Images missing from one pass may be in the other: both must be complete."""
    site = sites.open(kind, 3)
    site.sweep()
    site.cloud.delete(name_of(1))
    site.server.faults.add(status(500), when=of_pass(SECOND[kind]), times=None)
    run = site.sweep()
    assert run.outcome == "partial"
    assert site.passes(run) == {"listed": "complete", SECOND[kind]: "failed"}
    assert len(site.live()) == 3
    assert site.look_ups() == []
    site.server.faults.clear()
    assert site.sweep().deleted == 1
    assert site.reasons() == {name_of(1): "not_found"}


def test_a_truncated_pass_deletes_nothing(sites: Sites) -> None:
    """`max_pages` reached is no end of a listing."""
    site = sites.open(images=6)
    site.sweep()
    site.cloud.delete(name_of(5))
    run = site.sweep(changed={"max_pages": 2})
    assert (run.outcome, site.passes(run)["listed"]) == ("partial", "truncated")
    assert len(site.live()) == 6


def test_hidden_images_are_live(sites: Sites) -> None:
    """An image that its cloud hides keeps its row, its history and its life."""
    site = sites.open(images=3)
    site.sweep()
    site.cloud.hide(name_of(1))
    assert site.sweep().updated == 1
    assert site.live() == {name_of(n) for n in range(3)}
    assert site.images()[name_of(1)]["hidden"] is True
    assert site.unlisted() == set()
    assert site.look_ups() == []


def test_shares_not_yet_accepted_are_seen(sites: Sites) -> None:
    site = sites.open("ims", 1)
    shared = image(7, owner="another", visibility="shared", __imagetype="shared")
    site.cloud.add(shared, member_status="pending")
    assert site.sweep().inserted == 2
    site.cloud.accept(name_of(7))
    assert site.sweep().unchanged == 2
    assert site.live() == {name_of(0), name_of(7)}


@pytest.mark.parametrize(
    ("kind", "refused"), [("glance", "visibility"), ("glance", "sort"), ("ims", "sort_key")]
)
def test_a_refused_parameter_infers_no_absence_alone(sites: Sites, kind: str, refused: str) -> None:
    """The pass goes on without the parameter and is complete; what it misses must be looked up."""
    site = sites.open(kind, 5, refuses=[refused])
    assert site.sweep().outcome == "complete"
    assert len(site.live()) == 5
    site.cloud.delete(name_of(2))
    run = site.sweep(changed={"lookup_limit": 0})
    assert (run.outcome, run.deleted) == ("complete", 0)
    assert site.unlisted() == {name_of(2)}
    assert site.sweep().deleted == 1
    assert site.reasons() == {name_of(2): "not_found"}


@pytest.mark.parametrize(("kind", "own"), [("glance", "os_hidden"), ("ims", "member_status")])
def test_a_cloud_that_knows_no_such_pass_is_still_swept(sites: Sites, kind: str, own: str) -> None:
    """A pass that is refused as such holds no records; the sweep is complete, and only look-ups delete."""
    site = sites.open(kind, 4, refuses=[own])
    site.sweep()
    site.cloud.delete(name_of(1))
    run = site.sweep(changed={"lookup_limit": 0})
    assert (run.outcome, run.deleted) == ("complete", 0)
    assert site.sweep().deleted == 1


@pytest.mark.parametrize("changed", [{"passes": ("listed",)}, {"filters": {"visibility": "public"}}])
def test_fewer_passes_and_filters_delete_only_what_was_looked_up(
    sites: Sites, changed: dict[str, Any]
) -> None:
    site = sites.open(images=4)
    site.cloud.change(name_of(3), os_hidden=True)
    site.cloud.change(name_of(2), visibility="private", owner=site.cloud.project)
    site.sweep()
    site.cloud.delete(name_of(0))
    run = site.sweep(changed={**changed, "lookup_limit": 0})
    assert (run.outcome, run.deleted) == ("complete", 0)
    assert len(site.live()) == 4
    site.a_day_later()
    assert site.sweep(changed=changed).deleted == 1
    assert site.reasons() == {name_of(0): "not_found"}


def test_an_empty_main_pass_deletes_nothing_unasked_whatever_another_pass_lists(sites: Sites) -> None:
    site = sites.open(images=4, lookup_limit=0)
    site.cloud.change(name_of(3), os_hidden=True)
    site.sweep()
    site.server.faults.add(body(body_of([])), at=len(site.server.requests) + 1)
    run = site.sweep()
    assert (run.outcome, run.deleted, run.held) == ("complete", 0, 3)


@pytest.mark.parametrize("options", [{"changed": {"lookup_limit": 0}}, {"accept_deletions": True}])
def test_the_market_left_out_again_deletes_none_of_its_images(sites: Sites, options: dict[str, Any]) -> None:
    records = [image(n, __imagetype="market" if n > 1 else "gold") for n in range(6)]
    site = sites.open("ims", records, lookup_limit=1)
    assert site.sweep(changed={"passes": ("listed", "pending", "market")}).inserted == 6
    site.cloud.delete(name_of(0))
    run = site.sweep(**options)
    assert (run.outcome, run.held, site.live()) == ("complete", 0, {name_of(n) for n in range(1, 6)})
    assert site.unlisted() == {name_of(n) for n in range(2, 6)}


@pytest.mark.parametrize(
    ("kind", "hidden", "parameter"),
    [("ims", {"member_status": "pending"}, "member_status"), ("glance", {"os_hidden": True}, "os_hidden")],
)
@pytest.mark.parametrize(
    "refusal", [status(400), status(400, b'{"error": {"code": "IMG.0001", "message": "busy"}}')]
)
def test_a_pass_that_is_refused_after_it_brought_images_fails(
    sites: Sites, kind: str, hidden: dict[str, Any], parameter: str, refusal: Any
) -> None:
    """One that never did is none that the service knows."""
    site = sites.open(kind, 4, page_size=50)
    beside = {"__imagetype": "shared", "visibility": "shared", "owner": "b"} if kind == "ims" else hidden
    site.cloud.add(image(9, **beside), **({} if kind == "glance" else hidden))
    assert site.sweep().listed == 5
    site.server.faults.add(
        refusal, when=lambda r: parameter in r.query and r.query[parameter] != "all", times=None
    )
    site.server.faults.add(status(404), when=lambda r: r.path.endswith(name_of(9)), times=None)
    for _ in range(2):
        run = site.sweep()
        assert (run.outcome, run.deleted, len(site.live())) == ("partial", 0, 5)
        assert "leave it out of `passes`" in str(run.error)
    assert site.sweep(changed={"passes": ("listed",)}).outcome == "complete"


@pytest.mark.parametrize("limit", [2, 20])
def test_the_market_left_out_again_is_held_where_look_ups_miss_it(sites: Sites, limit: int) -> None:
    """Not as many a sweep as may be looked up: of images that wait for that, as many count as of those asked about."""
    records = [image(n, __imagetype="market" if n > 5 else "gold") for n in range(12)]
    limits = {"deletion_limit_count": 2, "deletion_limit_percent": 25.0}
    site = sites.open("ims", records, lookup_limit=limit, page_size=50, **limits)
    site.sweep(changed={"passes": ("listed", "pending", "market")})
    lose(site, range(6, 12))
    for n in (1, 2, 3):
        assert (site.sweep().deleted, len(site.held_for()), len(site.live())) == (0, min(6, n * limit), 12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("gone", "deleted"), [(9, 0), (1, 1)])
def test_unlisted_images_that_wait_for_their_look_up_count_as_those_that_were_asked_about(
    sites: Sites, kind: str, gone: int, deleted: int
) -> None:
    """Found yesterday: today a part of the service answers "not found" for all of them, or one is gone."""
    limits = {"deletion_limit_count": 4, "deletion_limit_percent": 25.0}
    site = sites.open(kind, 24, page_size=50, lookup_limit=3, **limits)
    site.sweep()
    for n in range(9):
        site.cloud.find(name_of(n)).unlisted = True
    for _ in range(3):
        site.sweep()
    assert (site.unlisted(), len(site.live())) == ({name_of(n) for n in range(9)}, 24)
    site.a_day_later()
    lose(site, range(gone))
    assert (site.sweep().deleted, site.sweep().deleted, site.sweep().deleted) == (deleted, 0, 0)
    assert len(site.held_for()) == (0 if deleted else 9)


def lose(site: Site, numbers: Iterable[int]) -> None:
    """Images that are not listed have no address either."""
    for n in numbers:
        site.cloud.find(name_of(n)).unlisted = True
        site.server.faults.add(status(404), when=lambda r, n=n: r.path.endswith(name_of(n)), times=None)
        site.server.faults.add(
            body(body_of([])), when=lambda r, n=n: r.query.get("id") == name_of(n), times=None
        )


def test_no_accepted_deletion_goes_unasked_where_absence_proves_nothing(sites: Sites) -> None:
    """Not even --accept-deletions deletes an image because a filter leaves it out."""
    site = sites.open(images=4)
    site.sweep()
    run = site.sweep(changed={"filters": {"visibility": "private"}, "lookup_limit": 1}, accept_deletions=True)
    assert run.deleted == 0
    assert len(site.live()) == 4


@citus.unfit("the nodes count what is written")
@pytest.mark.parametrize("kind", KINDS)
def test_an_unchanged_sweep_writes_its_ledger_rows_only(sites: Sites, kind: str, database_url: str) -> None:
    """No insert, update or delete in any other table: by each row's own version, and by the server's count."""
    site = sites.open(kind, [image(n, __support_new=f"{n}", extra={"a": [n]}) for n in range(5)])
    site.cloud.hide(name_of(0))  # on this service listed no more, found by id: asked once a day
    site.cloud.delete(name_of(1))
    site.cloud.change(name_of(2), status="deleted")
    site.sweep()
    site.cloud.hide(name_of(3))
    site.sweep()
    site.sweep()
    wait_until_backends_ended(site.database)
    before, counted = snapshot(site.database, LEDGER), writes(site.database)
    with Database(DatabaseSettings(url=database_url, data_dir=_HERE)) as own:
        site.database, shared = own, site.database
        run = site.sweep()
        site.database = shared
    assert (run.outcome, run.unchanged) == ("complete", run.listed)
    assert snapshot(site.database, LEDGER) == before
    wait_until_backends_ended(site.database)
    now = writes(site.database)
    assert {table for table in now if now[table] != counted[table]} <= LEDGER
    assert now["runs"] > counted["runs"]


def writes(database: Database) -> dict[str, int]:
    """Rows inserted, updated and deleted by table, as the server counts them."""
    with database.transaction() as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        query = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables"
        return dict(connection.execute(query).fetchall())


def wait_until_backends_ended(database: Database) -> None:
    """A server process hands in its counts when it ends."""
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    database.close()
    for _ in range(500):
        if not rows(database, query):
            return
        time.sleep(0.01)
    pytest.fail("the server's processes did not end")


def test_another_order_of_keys_and_tags_is_no_change(sites: Sites) -> None:
    site = sites.open(images=[image(0, tags=["a", "b", "c"])])
    site.sweep()
    before = snapshot(site.database, LEDGER)
    shuffled = dict(reversed(image(0, tags=["c", "a", "b", "a"]).items()))
    site.cloud.add({**shuffled, "description": None, "os_distro": ""})
    assert site.sweep().unchanged == 1
    assert snapshot(site.database, LEDGER) == before


def test_readers_see_the_old_state_or_the_new_one(sites: Sites, database_url: str) -> None:
    """While a sweep writes, a statement shows every image wholly as it was; after it, wholly as it is."""
    site = sites.open(images=[_version(n, "old") for n in range(5)])
    site.sweep()
    for n in range(4):
        site.cloud.add(_version(n, "new"))
    site.cloud.delete(name_of(4))
    site.cloud.add(_version(5, "new"))
    with Database(DatabaseSettings(url=database_url, data_dir=_HERE)) as blocker:
        with blocker.session() as connection:
            # readers pass, writers wait: the sweep stops in the middle of its merge
            connection.execute("LOCK TABLE image_properties IN SHARE MODE")
            sweeping = threading.Thread(target=site.sweep)
            sweeping.start()
            wait_for_a_blocked_writer(blocker)
            during = _state(blocker)
            connection.rollback()
        sweeping.join()
    old = {(name_of(n), "old", ("old",), ("old",), '"old"') for n in range(5)}
    new = {(name_of(n), "new", ("new",), ("new",), '"new"') for n in (0, 1, 2, 3, 5)}
    assert during == old
    assert _state(site.database) == new


def wait_for_a_blocked_writer(database: Database) -> None:
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(500):
        if rows(database, query):
            return
        time.sleep(0.01)
    pytest.fail("no writer came to the locked table")


def _version(number: int, version: str) -> dict[str, Any]:
    record = image(number, name=version, tags=[version], purpose=version, **{f"__support_{version}": "true"})
    return {key: value for key, value in record.items() if key != "__support_kvm"}


def _state(database: Database) -> set[Any]:
    query = """
        SELECT image_id, name,
          (SELECT array_agg(tag) FROM image_tags t
              WHERE t.source_id = i.source_id AND t.image_id = i.image_id) AS tags,
          (SELECT array_agg(capability) FROM image_capabilities c
              WHERE c.source_id = i.source_id AND c.image_id = i.image_id) AS flags,
          (SELECT value::text FROM image_properties p
              WHERE p.source_id = i.source_id AND p.image_id = i.image_id AND p.name = 'purpose') AS p
        FROM images i WHERE deleted_at IS NULL"""
    return {
        (r["image_id"], r["name"], tuple(r["tags"]), tuple(r["flags"]), r["p"]) for r in rows(database, query)
    }


def test_an_image_that_comes_back_lives_in_the_same_row(sites: Sites) -> None:
    """`restored`: one row, one history, its first sight kept."""
    site = sites.open(images=2)
    site.sweep()
    first = site.images()[name_of(1)]["first_seen_at"]
    site.cloud.delete(name_of(1))
    assert site.sweep().deleted == 1
    gone = site.images()[name_of(1)]
    assert gone["tags"] == ["t"]
    assert gone["properties"] == {"purpose": "test"}
    site.cloud.add(image(1))
    run = site.sweep()
    assert (run.restored, run.inserted) == (1, 0)
    row = site.images()[name_of(1)]
    assert (row["deleted_at"], row["deletion_reason"], row["first_seen_at"]) == (None, None, first)
    assert [change for change, _ in site.history(name_of(1))] == ["created", "deleted", "restored"]
    assert site.spells(name_of(1)) == ["active", "deleted", "active"]


def test_an_empty_cloud_is_swept_completely(sites: Sites) -> None:
    site = sites.open(images=0)
    run = site.sweep()
    assert (run.outcome, run.listed, run.held) == ("complete", 0, 0)


def test_a_listing_may_be_only_records_that_cannot_be_stored(sites: Sites) -> None:
    """They are kept with their reason, though nothing else was read."""
    site = sites.open(images=1)
    site.sweep()
    site.server.faults.add(body(body_of(["oops"])), times=1)
    run = site.sweep()
    assert (run.outcome, run.rejected) == ("complete", 1)
    assert site.live() == {name_of(0)}
