"""What sweeps write into `events`, in the transaction that merges: what was merged is told, and nothing else."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import DatabaseSettings
from catalog.store.db.connection import Database, clock
from catalog.store.history.stage import Stage
from catalog.store.state import leases
from catalog.store.state.events import LOADED, EventWriter
from catalog.sync.approve_or_keep import decide
from catalog.sync.mapping_adapter import MappingAdapter
from tests.support import citus
from tests.support.faults import hang, status
from tests.support.records import image, name_of
from tests.support.rows import snapshot
from tests.support.world import LEDGER, Site, Sites


@pytest.fixture
def site(sites: Sites) -> Site:
    """A source of twelve images, loaded."""
    site = sites.open(images=12)
    site.sweep()
    return site


def told(site: Site) -> list[dict[str, Any]]:
    """All events of the source, oldest first."""
    return site.rows("SELECT * FROM events WHERE source_id = $ ORDER BY number")


def new(site: Site, after: int = 1) -> list[tuple[str, str | None]]:
    """Type without its beginning and subject of the events after a number; by default after the first load's."""
    rows = [row for row in told(site) if row["number"] > after]
    return [(row["type"].removeprefix("catalog."), row["subject"]) for row in rows]


def test_a_first_load_is_one_event(site: Site) -> None:
    (event,) = told(site)
    (run,) = site.run_rows()
    assert (event["number"], event["type"], event["subject"]) == (1, "catalog.source.loaded", None)
    assert event["data"] == {"images": 12, "complete": True}
    assert (event["run_id"], event["time"]) == (run["run_id"], run["observed_at"])


def test_each_changed_image_is_one_event_of_its_kind(site: Site) -> None:
    site.cloud.add(image(20))
    site.cloud.change(name_of(1), status="deactivated", tags=["golden", "t"])
    site.cloud.delete(name_of(2))
    run = site.sweep()
    assert sorted(new(site)) == [
        ("image.created", name_of(20)),
        ("image.deleted", name_of(2)),
        ("image.updated", name_of(1)),
    ]
    (updated,) = [row for row in told(site) if row["type"] == "catalog.image.updated"]
    assert updated["time"] == run.observed_at
    data = updated["data"]
    assert data["changed"]["status"] == ["active", "deactivated"]
    assert data["changed"]["tags"] == [["t"], ["golden", "t"]]
    assert (data["name"], data["status"], data["tags"]) == ("name 1", "deactivated", ["golden", "t"])
    (deleted,) = [row for row in told(site) if row["type"] == "catalog.image.deleted"]
    assert (deleted["data"]["name"], deleted["data"]["deletion_reason"]) == ("name 2", "not_found")
    assert deleted["data"]["tags"] == ["t"]
    site.cloud.add(image(2))
    site.sweep()
    assert new(site, after=4) == [("image.restored", name_of(2))]


def test_numbers_grow_by_one_and_times_never_go_back(site: Site) -> None:
    for number in range(5):
        site.cloud.change(name_of(number), name=f"new {number}")
        site.cloud.add(image(30 + number))
        site.sweep()
    rows = told(site)
    assert [row["number"] for row in rows] == list(range(1, 12))
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert site.rows("SELECT last_event FROM sources WHERE source_id = $") == [{"last_event": 11}]


def test_an_unchanged_sweep_writes_none_and_nothing_else(site: Site) -> None:
    before = snapshot(site.database, without=LEDGER)
    site.sweep()
    assert snapshot(site.database, without=LEDGER) == before


def test_a_deletion_that_is_reported_and_then_seen_is_told_once(site: Site) -> None:
    site.cloud.change(name_of(3), status="deleted")
    site.sweep()
    site.cloud.delete(name_of(3))
    site.sweep()
    assert new(site) == [("image.deleted", name_of(3))]


def test_an_image_that_is_no_longer_listed_is_told_once(sites: Sites) -> None:
    site = sites.open("ims", images=12)
    site.sweep()
    site.cloud.hide(name_of(4))
    for _ in range(2):
        site.sweep()
    assert new(site) == [("image.unlisted", name_of(4))]


def test_held_deletions_are_one_event_of_the_run_that_first_held_them(site: Site) -> None:
    for number in range(11):
        site.cloud.delete(name_of(number))
    for _ in range(2):
        site.sweep()
    events = [row for row in told(site) if row["type"] == "catalog.deletions.held"]
    assert len(events) == 1
    assert events[0]["data"]["held"] == events[0]["data"]["open"] == 11
    assert events[0]["data"]["image_ids"] == [name_of(number) for number in range(11)]
    assert events[0]["data"]["reason"] == "limit"
    assert {kind for kind, _ in new(site)} == {"deletions.held", "image.unlisted"}


def test_an_approved_deletion_is_told_once_and_a_kept_one_never(site: Site) -> None:
    gone = [name_of(number) for number in range(11)]
    for image_id in gone:
        site.cloud.delete(image_id)
    site.sweep()
    before, held = len(told(site)), told(site)[-1]["run_id"]
    (source_id,) = {row["source_id"] for row in told(site)}
    decided = partial(decide, site.database, source_id, rules=MappingAdapter.of(site.source), by="me")
    decided("keep", image_ids=gone[:1])
    assert new(site, before) == []
    decided("approve")
    assert sorted(new(site, before)) == [("image.deleted", image_id) for image_id in gone[1:]]
    last = told(site)[-1]
    assert (last["data"]["deletion_reason"], last["run_id"]) == ("not_listed", held)
    site.sweep()
    assert len(new(site, before)) == 10


def test_a_source_fails_and_recovers_once(site: Site) -> None:
    site.server.faults.add(status(401), times=None)
    for _ in range(3):
        site.sweep()
    assert new(site) == [("source.failing", None)]
    assert told(site)[1]["data"]["error_kind"] == "login"
    site.server.faults.clear()
    for _ in range(2):
        site.sweep()
    assert new(site) == [("source.failing", None), ("source.recovered", None)]


@pytest.mark.parametrize("fails", [False, True], ids=["well", "failing"])
def test_a_sweep_that_we_stopped_tells_nothing_of_its_source(site: Site, fails: bool) -> None:
    """A daemon that is restarted in the middle of a sweep rings nobody, and spoils no back-off."""
    before = len(told(site))
    if fails:
        site.server.faults.add(status(401), times=None)
        site.sweep()
    health = site.rows("SELECT failing_since, failures, error_kind FROM sources")
    stop = threading.Event()
    site.server.faults.clear()
    site.server.faults.add(lambda exchange: (stop.set(), hang()(exchange)))
    assert site.sweep(stop=stop).outcome == "failed"
    assert site.rows("SELECT failing_since, failures, error_kind FROM sources") == health
    assert new(site, before) == [("source.failing", None)] * fails


@citus.unfit("the nodes count what is read")
def test_what_is_no_longer_kept_goes_and_is_not_compared_with_all_that_is(site: Site) -> None:
    """The planner knows the table as it was before the sweep."""
    ((source_id, run_id),) = {(row["source_id"], row["run_id"]) for row in told(site)}
    with site.database.transaction() as connection, Stage(connection, source_id, run_id, clock(connection)):
        connection.execute("ANALYZE events")
        connection.execute("UPDATE events SET time = time - interval '31 days'")
        connection.execute(
            "INSERT INTO events (source_id, number, run_id, type, time, data)"
            " SELECT source_id, 1 + n, run_id, type, time + interval '31 days' * (n / 1001), data"
            " FROM events, generate_series(1, 2000) AS n"
        )
        EventWriter(connection, source_id, run_id).prune(clock(connection) - timedelta(days=30))
        read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'events'"
        ((rows_read,),) = connection.execute(read).fetchall()
    assert [row["number"] for row in told(site)] == list(range(1002, 2002))
    assert rows_read < 10_000


def test_a_load_that_broke_off_goes_on_without_an_event_for_each_image(sites: Sites) -> None:
    """Until the first complete sweep nobody knows what is new and what only was not read yet."""
    site = sites.open(images=10)
    site.sweep(changed={"max_pages": 2})
    site.cloud.change(name_of(0), name="changed")
    site.sweep()
    site.cloud.add(image(20))
    site.sweep()
    assert [kind for kind, _ in new(site, after=0)] == [
        "source.loaded", "source.failing", "image.updated", "source.loaded", "source.recovered", "image.created",
    ]  # fmt: skip
    loads = [row["data"] for row in told(site) if row["type"] == "catalog.source.loaded"]
    assert [load["complete"] for load in loads] == [False, True]
    assert sum(load["images"] for load in loads) == 10


def test_a_sweep_that_is_rolled_back_has_told_nothing(site: Site, database_url: str) -> None:
    """The lease is lost in the middle of the sweep: nothing is merged, and nothing told of it."""
    site.cloud.change(name_of(1), name="new")

    def steal(exchange: Any) -> None:
        with Database(DatabaseSettings(url=database_url, data_dir=Path())) as other:
            with other.transaction() as connection:
                connection.execute("UPDATE leases SET fence = fence + 1, holder = %s", (uuid.uuid4(),))
        exchange.send(exchange.healthy())

    site.server.faults.add(steal)
    assert site.sweep().outcome == "failed"
    assert new(site) == []


def test_a_sweep_that_was_killed_is_told_by_who_closes_its_row(site: Site) -> None:
    (source,) = site.rows("SELECT source_id FROM sources WHERE source_id = $")
    with site.database.transaction() as connection:
        leases.acquire(connection, source["source_id"], "00000000-0000-0000-0000-000000000001")
        connection.execute(
            "INSERT INTO runs (source_id, run_id, kind, started_at) VALUES (%s, gen_random_uuid(), 'sync', now())",
            (source["source_id"],),
        )
    site.end_leases()
    site.sweep()
    assert new(site) == [("source.failing", None), ("source.recovered", None)]
    assert told(site)[1]["data"]["error"] == "the process ended before the run did"


def test_numbers_are_right_while_statements_are_sent_ahead_of_their_answers(site: Site) -> None:
    """In a pipeline, as the writer's is, nobody knows yet how many rows a statement wrote."""
    ((source_id, run_id),) = {(row["source_id"], row["run_id"]) for row in told(site)}
    with site.database.transaction() as connection, connection.pipeline():
        writer = EventWriter(connection, source_id, run_id)
        for number in range(3):
            writer.of_source(LOADED, images=number)
    ((last,),) = (
        tuple(row.values()) for row in site.rows("SELECT last_event FROM sources WHERE source_id = $")
    )
    assert last == max(row["number"] for row in told(site))
