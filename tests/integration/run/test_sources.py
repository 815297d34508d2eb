"""Sources are islands: what one is told, or fails to be told, never touches another (semantics 3, 4.5, 4.7)."""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from typing import Any

import pytest

from catalog.address import service_of
from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import UsageError
from catalog.model import ImageService
from catalog.store.db.connection import Database
from catalog.store.maintenance import source_removal
from catalog.store.state import leases
from catalog.store.state import sources as stored_sources
from catalog.sync.sweep import sweep
from tests.support.faults import status
from tests.support.records import image, name_of
from tests.support.rows import rows
from tests.support.world import LEDGER, Sites, hasty


def of_source(database: Database, site: Any) -> dict[str, Any]:
    """Everything that the tables hold of one source, but for its ledger."""
    names = rows(
        database,
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'source_id'"
        " AND table_schema = 'public' AND table_name IN (SELECT relname FROM pg_class WHERE relkind = 'r')",
    )
    return {
        row["table_name"]: site.rows(f"SELECT xmin, * FROM {row['table_name']} WHERE source_id = $")
        for row in names
        if row["table_name"] not in LEDGER
    }


@pytest.mark.parametrize("fails", [False, True])
def test_a_sweep_touches_only_its_own_source(sites: Sites, fails: bool) -> None:
    """The same ids in two sources: one loses its images, or fails, the other stays as it is to the last row."""
    one, other = sites.open(images=4, name="one"), sites.open("ims", images=4, name="other")
    one.sweep()
    other.sweep()
    before = of_source(other.database, other)
    assert len(before["images"]) == 4
    one.cloud.delete(name_of(0))
    one.cloud.change(name_of(1), name="renamed")
    if fails:
        one.server.faults.add(status(403), times=None)
    assert one.sweep().outcome == ("failed" if fails else "complete")
    assert of_source(other.database, other) == before
    assert one.live() == {name_of(n) for n in range(0 if fails else 1, 4)}
    assert other.sweep().unchanged == 4


def test_sources_that_are_swept_at_once_with_the_same_new_capabilities_all_end(sites: Sites) -> None:
    """Both bring capabilities that nobody knows, in opposite order, and neither waits for the other for ever."""
    flags = ["__support_alpha", "__support_middle", "__support_omega"]

    def records(order: list[str]) -> list[dict[str, Any]]:
        return [image(n, **{flag: "true"}) for n, flag in enumerate(order)]

    pair = [
        sites.open(images=records(flags), name="one"),
        sites.open(images=records(flags[::-1]), name="two"),
    ]
    runs: list[Any] = []
    threads = [threading.Thread(target=lambda site=site: runs.append(site.sweep())) for site in pair]
    with pair[0].database.session() as connection:
        connection.execute(
            "INSERT INTO capabilities (capability, upstream_key, value_kind, inverted, family)"
            " VALUES ('middle', '__support_middle', 'flag', false, 'other')"
        )
        for thread in threads:
            thread.start()
        waiting = (
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        for _ in range(500):
            if len(rows(pair[0].database, waiting)) == 2:
                break
            time.sleep(0.01)
        connection.rollback()
    for thread in threads:
        thread.join()
    assert [(run.outcome, run.error) for run in runs] == [("complete", None)] * 2
    known = rows(pair[0].database, "SELECT capability FROM capabilities WHERE upstream_key = ANY(%s)", flags)
    assert len(known) == 3


def test_a_source_of_another_kind_fails_before_it_lists(sites: Sites) -> None:
    first, second = sites.open("glance", 2), sites.open("ims", 2)
    first.sweep()
    run = second.sweep()
    assert (run.outcome, run.error_kind) == ("failed", "config")
    assert "catalog sources adopt s" in (run.error or "")
    assert second.server.requests == []
    assert first.run_rows()[-1]["error_kind"] == "config"
    assert len(first.live()) == 2


@pytest.mark.parametrize("changed", [{"region": "elsewhere"}, {"project_id": "another"}])
def test_another_region_or_project_fails_before_it_lists(sites: Sites, changed: dict[str, Any]) -> None:
    """Its images would all be taken for deleted, and others for new."""
    site = sites.open(images=2, region="here", project_id="mine")
    site.sweep()
    del site.server.requests[:]
    run = site.sweep(changed=changed)
    assert (run.outcome, run.error_kind) == ("failed", "config")
    assert "catalog sources adopt s" in (run.error or "")
    assert site.server.requests == []
    with site.database.transaction() as connection:
        stored_sources.adopt(connection, "s", None)
    assert site.sweep(changed=changed).outcome == "complete"
    row = site.rows("SELECT * FROM sources WHERE source_id = $")[0]
    assert {key: row[key] for key in changed} == changed


@pytest.mark.parametrize("path", ["", "/image"])
def test_another_service_under_the_same_name_fails_before_it_lists(sites: Sites, path: str) -> None:
    """Two configurations that give one name to two services must not sweep each other's images away."""
    site = sites.open(images=6, region="here")
    site.sweep()
    other = sites.open(images=2, region="here")
    other.source = dataclasses.replace(other.source, endpoint=(site if path else other).server.origin + path)
    planned = sweep(other.database, other.source, plan=True, opener=hasty)
    for run in (planned, other.sweep()):
        assert (run.outcome, run.error_kind) == ("failed", "config")
        assert "recorded with endpoint" in (run.error or "")
        assert "catalog sources adopt s" in (run.error or "")
    assert other.server.requests == []
    assert (site.sweep().unchanged, len(site.live())) == (6, 6)
    with site.database.transaction() as connection:
        stored_sources.adopt(connection, "s", None)
    if not path:
        assert other.sweep().outcome == "complete"
        assert site.sweep().error_kind == "config"


def test_the_same_service_may_be_spelled_in_another_way(sites: Sites) -> None:
    site = sites.open(images=2)
    site.sweep()
    for path in ("/", "/v2", "/v2.9/", "//"):
        assert site.sweep(changed={"endpoint": site.server.endpoint + path}).unchanged == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://Image.Test/v", "https://image.test/v/", True),
        ("http://image.test", "https://image.test:443", True),
        ("https://image.test:9292", "http://image.test:9292", True),
        ("https://image.test:9292", "https://image.test:9293", False),
        ("https://image.test/a", "https://image.test/b", False),
        ("https://image.test", "https://image.example.test", False),
        ("not an address", "not an address", True),
    ],
)
def test_which_addresses_are_of_one_service(one: str, other: str, same: bool) -> None:
    assert (service_of(one) == service_of(other)) is same


def test_a_renamed_source_goes_on_with_its_images(sites: Sites) -> None:
    site = sites.open(images=2)
    site.sweep()
    with site.database.transaction() as connection:
        stored_sources.rename(connection, "s", "t")
        with pytest.raises(UsageError, match="no source 's'"):
            stored_sources.rename(connection, "s", "u")
    renamed = dataclasses.replace(site, source=dataclasses.replace(site.source, name="t"))
    assert (renamed.sweep().unchanged, len(rows(site.database, "SELECT FROM sources"))) == (2, 1)


def test_what_was_recorded_while_a_sweep_waited_for_its_lease_counts(sites: Sites) -> None:
    """Another process swept another service under this name since this one read the source's row."""
    site = sites.open(images=2)
    site.sweep()
    with site.database.transaction() as connection:
        stored_sources.adopt(connection, "s", None)

    def opener(source: SourceSettings, deadline: Deadline) -> ImageService:
        with site.database.transaction() as connection:
            stored = stored_sources.find(connection, "s")
            assert stored is not None
            stored_sources.recognise(connection, stored, None, None, "http://elsewhere.test/")
        return hasty(source, deadline)

    site.cloud.delete(name_of(0))
    run = site.sweep(opener=opener)
    assert (run.outcome, run.error_kind) == ("failed", "config")
    assert "'http://elsewhere.test/'" in str(run.error)
    assert len(site.live()) == 2


def test_a_source_that_is_removed_while_somebody_waits_for_it_is_gone(sites: Sites) -> None:
    """Whoever waited leaves no lease and no run of it."""
    site = sites.open(images=2)
    site.sweep()
    (row,) = rows(site.database, "SELECT source_id FROM sources")
    with site.database.transaction(read_only=True) as connection:
        source = stored_sources.known(connection, "s")
    with site.database.transaction() as connection:
        source_removal.remove(site.database, source)
        assert leases.acquire(connection, row["source_id"], str(uuid.uuid4())) is None
    assert rows(site.database, "SELECT FROM leases") == []
    assert site.sweep().inserted == 2


def test_a_retired_source_keeps_its_images(sites: Sites) -> None:
    site = sites.open(images=2)
    site.sweep()
    with site.database.transaction() as connection:
        stored_sources.retire(connection, "s")
    assert len(site.live()) == 2
    row = site.rows("SELECT retired_at, next_due_at FROM sources WHERE source_id = $")[0]
    assert row["retired_at"] is not None
    assert row["next_due_at"] is None


def test_a_source_says_since_when_it_fails(sites: Sites) -> None:
    """From the first of the runs in a row that were not complete, until one is."""
    site = sites.open(images=2)
    site.sweep()
    site.server.faults.add(status(500), times=None)
    first = site.sweep()
    site.sweep()
    row = site.rows("SELECT failing_since, error_kind, failures FROM sources WHERE source_id = $")[0]
    assert row == {"failing_since": first.started_at, "error_kind": "upstream", "failures": 2}
    site.server.faults.clear()
    run = site.sweep()
    query = "SELECT failing_since, error_kind, failures, last_complete_at FROM sources WHERE source_id = $"
    assert site.rows(query) == [
        {"failing_since": None, "error_kind": None, "failures": 0, "last_complete_at": run.observed_at}
    ]
