"""Changes-only sweeps: merged at once, nothing inferred, no row where nothing is new (semantics 4.8)."""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.daemon.schedule import Schedule, ScheduledClaim
from catalog.demo.answers import Answer, Request, Service
from catalog.model import ImageService, RunResult
from catalog.store.state import due_sources, leases, runs
from tests.support.faults import status
from tests.support.records import image, name_of, too_deep
from tests.support.rows import HISTORY, contents_of, rows, snapshot, wipe
from tests.support.world import Site, Sites, hasty, moved

KINDS = ("glance", "ims")
pytestmark = pytest.mark.parametrize("kind", KINDS)


def swept(sites: Sites, kind: str, images: Any = 5, **settings: Any) -> Site:
    """A site after its first complete sweep, its requests forgotten."""
    site = sites.open(kind, images, **{"page_size": 100, **settings})
    assert site.sweep().outcome == "complete"
    site.server.requests.clear()
    return site


def of_source(site: Site) -> dict[str, Any]:
    return site.rows("SELECT * FROM sources WHERE source_id = $")[0]


def ago(**time: float) -> str:
    return f"{datetime.now(UTC) - timedelta(**time):%Y-%m-%dT%H:%M:%SZ}"


def with_query(service: Service, change: Callable[[dict[str, str]], dict[str, str] | None]) -> Service:
    """A service that is asked something else than was sent; None: it answers with an empty listing."""

    def answer(request: Request) -> Answer:
        query = change(dict(request.query))
        if query is None:
            return Answer(200, b'{"images": []}')
        return service(dataclasses.replace(request, query=query))

    return answer


def as_property(query: dict[str, str]) -> dict[str, str] | None:
    return None if "updated_at" in query else query


def ignoring(query: dict[str, str]) -> dict[str, str]:
    query.pop("updated_at", None)
    return query


# ---- what is new -----------------------------------------------------------------------------------


def test_what_changed_is_merged_at_once_and_nothing_is_inferred(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    before = of_source(site)
    site.cloud.change(name_of(0), tags=["new"])
    site.cloud.add(image(9, created_at=ago(), updated_at=ago()))
    site.cloud.delete(name_of(1))
    run = site.sweep_changes()
    assert (run.outcome, run.scope, run.inserted, run.updated, run.deleted) == (
        "complete",
        "changes",
        1,
        1,
        0,
    )
    assert site.live() == {name_of(n) for n in (0, 1, 2, 3, 4, 9)}
    assert site.unlisted() == set()
    assert site.images()[name_of(0)]["tags"] == ["new"]
    assert site.look_ups() == []
    after = of_source(site)
    for name in ("last_complete_at", "login", "failing_since", "failures", "next_due_at"):
        assert after[name] == before[name]
    assert after["last_changes_at"] == run.observed_at
    assert [(row["scope"], row["outcome"]) for row in site.run_rows()] == [
        ("complete", "complete"),
        ("changes", "complete"),
    ]
    observed = site.rows("SELECT complete FROM observations WHERE source_id = $ ORDER BY observed_at")
    assert [row["complete"] for row in observed] == [True, False]
    told = site.rows("SELECT subject, type FROM events WHERE source_id = $ AND run_id = %s", run.run_id)
    assert {(row["subject"], row["type"].rpartition(".")[2]) for row in told} == {
        (name_of(0), "updated"),
        (name_of(9), "created"),
    }
    last = site.sweep()
    assert (last.inserted, last.updated, last.deleted) == (0, 0, 1)


def test_nothing_new_writes_only_the_schedule(sites: Sites, kind: str) -> None:
    """Two requests a pass at most."""
    site = swept(sites, kind)
    before = snapshot(site.database, {"sources"})
    for _ in range(2):
        site.server.requests.clear()
        run = site.sweep_changes()
        assert (run.outcome, run.inserted, run.updated, run.unchanged) == ("complete", 0, 0, run.listed)
        assert snapshot(site.database, {"sources"}) == before
        assert len(site.server.requests) == run.requests <= 4
        assert of_source(site)["last_changes_at"] == run.observed_at


@pytest.mark.parametrize("hours", [-2, 2])
def test_the_clouds_clock_may_differ_from_ours(sites: Sites, kind: str, hours: int) -> None:
    def then(minutes: float) -> str:
        return ago(hours=-hours, minutes=minutes)

    site = swept(sites, kind, [image(n, updated_at=then(10 + n)) for n in range(3)])
    site.cloud.change(name_of(2), name="renamed", updated_at=then(0))
    assert site.sweep_changes().updated == 1
    site.cloud.change(name_of(1), name="renamed", updated_at=then(0))
    assert site.sweep_changes().updated == 1


def test_an_image_from_the_future_hides_no_change(sites: Sites, kind: str) -> None:
    site = swept(sites, kind, [image(0), image(1, updated_at="2099-01-01T00:00:00Z")])
    site.cloud.change(name_of(0), name="renamed")
    assert site.sweep_changes().updated == 1


def test_what_changed_while_a_long_sweep_read_is_asked_for(sites: Sites, kind: str) -> None:
    """The newest image was read last, and changed long after the sweep had begun and read the others."""
    site = swept(sites, kind, [image(0), image(1, updated_at=ago(hours=-1))])
    site.cloud.change(name_of(0), name="renamed", updated_at=ago())
    assert site.sweep_changes().updated == 1


def test_an_image_that_was_missing_and_is_new_is_listed_again(sites: Sites, kind: str) -> None:
    """A held deletion ends."""
    site = swept(sites, kind, 5, deletion_limit_count=1, deletion_limit_percent=1)
    records = site.cloud.records[:3]
    for record in records:
        site.cloud.delete(record["id"])
    assert site.sweep().held == 3
    site.cloud.add({**records[0], "updated_at": ago()})
    site.cloud.add({**records[1], "updated_at": ago(), "name": "renamed"})
    assert site.sweep_changes().held == 1
    assert site.unlisted() == {records[2]["id"]}
    assert site.decisions() == {
        records[0]["id"]: "returned",
        records[1]["id"]: "returned",
        records[2]["id"]: "open",
    }


def test_a_rejected_record_is_noted_once(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    site.cloud.add({**too_deep("deep"), "updated_at": ago()})
    assert site.sweep_changes().rejected == 1
    before = snapshot(site.database, {"sources"})
    assert site.sweep_changes().outcome == "complete"
    assert snapshot(site.database, {"sources"}) == before


def test_what_its_login_reached_is_added_to_what_is_known(sites: Sites, kind: str) -> None:
    """Else a lesser login could delete what only this one lists. It never moves down."""
    site = swept(sites, kind)

    def reaching(*rights: str) -> Any:
        def open_service(source: Any, deadline: Any) -> ImageService:
            service = hasty(source, deadline)
            service.logins = lambda again=False: frozenset({frozenset(rights)})  # type: ignore[method-assign]
            return service

        return open_service

    assert site.sweep(opener=reaching("role a", "role b")).outcome == "complete"
    for rights, known in (
        (("role a",), ["role a", "role b"]),
        (("role c",), ["role a", "role b", "role c"]),
    ):
        site.cloud.change(name_of(0), name=str(rights))
        assert site.sweep_changes(opener=reaching(*rights)).updated == 1
        assert of_source(site)["login"] == known


# ---- a service that can't ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["property", "refused", "ignored"])
def test_a_service_that_does_not_know_the_parameter_is_told_of(sites: Sites, kind: str, how: str) -> None:
    site = swept(sites, kind, 10, refuses={"updated_at"} if how == "refused" else ())
    change = {"property": as_property, "ignored": ignoring}.get(how)
    if change is not None:
        site.server.service = with_query(site.server.service, change)
    site.cloud.change(name_of(0), name="renamed")
    before = {name: contents_of(site.database, "s", (name,)) for name in HISTORY}
    run = site.sweep_changes()
    assert (run.supported, run.outcome, run.error) == (False, "complete", None)
    assert "only complete sweeps" in str(run.note)
    assert len(site.run_rows()) == 1
    assert {name: contents_of(site.database, "s", (name,)) for name in HISTORY} == before
    source = of_source(site)
    assert (source["failing_since"], source["last_changes_at"]) == (None, None)
    assert site.sweep().updated == 1


def test_the_newest_image_may_be_gone(sites: Sites, kind: str) -> None:
    """Its look-up says so; that proves nothing here."""
    site = swept(sites, kind)
    site.cloud.delete(name_of(4))
    run = site.sweep_changes()
    assert (run.supported, run.outcome, run.deleted) == (True, "complete", 0)
    assert name_of(4) in site.live()
    assert set(site.look_ups()) == {name_of(4)}


def test_no_image_tells_when_it_was_changed(sites: Sites, kind: str) -> None:
    site = swept(sites, kind, [image(0, updated_at=None)])
    run = site.sweep_changes()
    assert (run.outcome, run.requests) == ("complete", 0)
    assert run.note is not None
    assert "complete sweeps" in run.note


# ---- failures ----------------------------------------------------------------------------------------


def test_a_failure_is_a_row_and_says_nothing_of_the_source(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    before = of_source(site)
    site.server.faults.add(status(500), times=None)
    run = site.sweep_changes()
    assert (run.outcome, run.error_kind, run.supported) == ("failed", "upstream", True)
    assert of_source(site) == before
    assert [row["outcome"] for row in site.run_rows()] == ["complete", "failed"]


def test_one_that_was_killed_says_nothing_of_the_source(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    run = RunResult("s", str(uuid.uuid4()), scope="changes", started_at=datetime.now(UTC))
    with site.database.transaction() as connection:
        runs.start(connection, site.source_id, run)
    before = of_source(site)
    with site.database.transaction() as connection:
        assert leases.acquire(connection, site.source_id, str(uuid.uuid4())) is not None
    assert site.run_rows()[-1]["outcome"] == "failed"
    assert of_source(site) == before


def test_they_come_after_a_complete_sweep(sites: Sites, kind: str) -> None:
    site = sites.open(kind, changes_interval=30.0)
    claim = ScheduledClaim(lambda: Schedule.of(site.source))
    site.server.faults.add(status(500), times=None)
    assert site.sweep(claim=claim).outcome == "failed"
    assert of_source(site)["next_changes_at"] is None
    site.server.faults.clear()
    site._execute("UPDATE sources SET next_due_at = now()")
    assert site.sweep(claim=claim).outcome == "complete"
    assert of_source(site)["next_changes_at"] is not None


def test_a_stop_ends_its_wait(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    site.cloud.change(name_of(0), name="renamed")
    site._execute(f"UPDATE leases SET holder = '{uuid.uuid4()}', expires_at = now() + interval '1 minute'")
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    assert site.sweep_changes(wait_seconds=60.0, stop=stop).outcome == "busy"
    assert time.monotonic() - began < 30


def test_a_pass_that_fails_leaves_what_was_read(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    site.cloud.change(name_of(0), name="renamed")
    second = {"glance": "os_hidden", "ims": "member_status"}[kind]
    asked = {"glance": "true", "ims": "pending"}[kind]
    site.server.faults.add(status(500), when=lambda request: request.query.get(second) == asked, times=None)
    run = site.sweep_changes()
    assert (run.outcome, run.updated) == ("partial", 1)
    assert of_source(site)["last_changes_at"] is None


def test_told_to_stop_it_writes_nothing(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    before = snapshot(site.database)
    stop = threading.Event()
    stop.set()
    assert site.sweep_changes(stop=stop).outcome == "failed"
    assert snapshot(site.database) == before


def test_it_needs_a_complete_sweep_first(sites: Sites, kind: str) -> None:
    site = sites.open(kind)
    run = site.sweep_changes()
    assert (run.outcome, run.error_kind) == ("failed", "config")
    assert site.server.requests == []


def test_while_another_works_on_the_source_nothing_is_written(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    site.cloud.change(name_of(0), name="renamed")
    site._execute(f"UPDATE leases SET holder = '{uuid.uuid4()}', expires_at = now() + interval '1 minute'")
    before = snapshot(site.database)
    assert site.sweep_changes().outcome == "busy"
    assert snapshot(site.database) == before


def test_a_sweep_that_came_between_makes_it_superfluous(sites: Sites, kind: str) -> None:
    site = swept(sites, kind)
    site.cloud.change(name_of(0), name="renamed")
    between: list[RunResult] = []

    def change_again(source: str, records: int) -> None:
        if not between:
            site.cloud.change(name_of(0), name="renamed again")
            between.append(site.sweep())

    run = site.sweep_changes(watch=change_again)
    assert (between[0].updated, run.outcome) == (1, "busy")
    assert len(site.run_rows()) == 2
    assert site.images()[name_of(0)]["name"] == "renamed again"


# ---- what looks at the last run ----------------------------------------------------------------------


def test_what_tells_of_sweeps_leaves_it_out(sites: Sites, kind: str) -> None:
    """The deadline's measure, and the gauges of rejected and unlisted images."""
    site = swept(sites, kind, [*map(image, range(5)), too_deep("deep")])
    site.cloud.delete(name_of(0))
    site.server.faults.add(status(500), when=lambda request: "/images/" in request.path, times=None)
    assert site.sweep().unlisted == 1
    site.server.faults.clear()
    site._execute(f"UPDATE runs SET {moved('started_at', '-1 hour')}")
    took = of_source(site)["last_complete_seconds"]
    site.cloud.change(name_of(1), name="renamed")
    assert site.sweep_changes().updated == 1
    assert of_source(site)["last_complete_seconds"] == took
    with site.database.transaction() as connection:
        health = due_sources.health(connection)[0]
    assert (health.unlisted, health.rejected) == (1, 1)
    assert health.run_seconds is not None
    assert health.run_seconds > 3600
    assert health.last_changes is not None
    assert health.last_complete is not None
    assert health.last_changes > health.last_complete
    fresh = rows(site.database, "SELECT * FROM source_freshness")[0]
    assert fresh["last_changes_at"] > fresh["last_complete_at"]
    assert fresh["changes_age_seconds"] <= fresh["age_seconds"]


def test_its_archive_brings_back_the_same_and_proves_no_absence(
    sites: Sites, kind: str, tmp_path: Path
) -> None:
    site = swept(sites, kind, archive=tmp_path)
    site.cloud.change(name_of(0), name="renamed")
    site.cloud.add(image(9, created_at=ago(), updated_at=ago()))
    site.cloud.delete(name_of(1))
    assert site.sweep_changes().updated == 1
    assert site.sweep_changes().updated == 0
    assert len(list(tmp_path.rglob("*.gz"))) == 2
    assert not list(tmp_path.rglob("*.part"))
    swept_tables = contents_of(site.database, "s", (*HISTORY, "run_passes"))
    complete_at = of_source(site)["last_complete_at"]
    wipe(site.database)
    result = backfill(site.database, site.source, [tmp_path])
    assert [run.scope for run in result.runs] == ["complete", "changes"]
    assert contents_of(site.database, "s", (*HISTORY, "run_passes")) == swept_tables
    assert of_source(site)["last_complete_at"] == complete_at
