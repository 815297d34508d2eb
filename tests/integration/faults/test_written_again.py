"""Whatever writes a source tries its transaction again where others are in the way, and none of it counts twice."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.store.db.connection import ATTEMPTS, Database
from catalog.store.maintenance.prune import prune
from catalog.store.state import leases, sources
from catalog.sync.approve_or_keep import decide
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.remap import remap
from tests.integration.faults.refusals import raise_in
from tests.integration.run.truth import check_history, check_ledger
from tests.support import citus
from tests.support.records import image, name_of, write
from tests.support.rows import rows
from tests.support.world import Sites, source

pytestmark = citus.unfit("its tables have no triggers, and no rows are locked there without a source")
TIMES = ATTEMPTS - 1
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def somebody(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url) as connection:
        yield connection


def check_what_is_told(database: Database) -> None:
    with database.transaction() as connection:
        check_history(connection)
        check_ledger(connection)


@pytest.mark.parametrize("table", ["revision_documents", "image_state", "runs"])
def test_a_backfill(database: Database, tmp_path: Path, somebody: psycopg.Connection, table: str) -> None:
    """Also after the attempt has changed what the command remembers between observations."""
    listings = [[0, 1, 2], [0, 1], [1, 2, 3]]
    files = [
        write(
            tmp_path,
            f"{START + timedelta(hours=hour):%Y%m%dT%H%M%SZ}.json",
            {"images": [image(n, __description=f"at {hour}") for n in numbers]},
        )
        for hour, numbers in enumerate(listings)
    ]
    backfill(database, source(), files[:1], complete=True)
    raise_in(somebody, table, "40001", "in the way", times=TIMES)
    result = backfill(database, source(), files[1:], complete=True, accept_deletions=True)
    assert [(run.inserted, run.updated, run.deleted, run.restored) for run in result.runs] == [
        (0, 2, 1, 0),
        (1, 1, 1, 1),
    ]
    assert result.failures == []
    assert result.records == 5
    check_what_is_told(database)
    again = backfill(database, source(), files, complete=True)
    assert (again.runs, again.unchanged) == ([], 3)


def test_a_source_that_a_backfill_records(
    database: Database, tmp_path: Path, somebody: psycopg.Connection
) -> None:
    raise_in(somebody, "sources", "40P01", "in the way", times=TIMES)
    file = write(tmp_path, f"{START:%Y%m%dT%H%M%SZ}.json", {"images": [image(1)]})
    assert [run.inserted for run in backfill(database, source(), [file]).runs] == [1]


@pytest.mark.parametrize("table", ["sources", "leases"])
def test_a_source_that_a_sweep_records_and_takes(
    sites: Sites, somebody: psycopg.Connection, table: str
) -> None:
    site = sites.open(images=2)
    raise_in(somebody, table, "40001", "in the way", times=TIMES)
    assert site.sweep().outcome == "complete"
    assert rows(site.database, "SELECT holder FROM leases") == [{"holder": None}]
    assert len(site.run_rows()) == 1


def test_a_source_that_is_let_go(sites: Sites, somebody: psycopg.Connection) -> None:
    site = sites.open(images=1)
    site.sweep()
    lease = leases.wait(site.database, site.source_id, str(uuid.uuid4()), 0)
    assert lease is not None
    raise_in(somebody, "leases", "55P03", "in the way", times=TIMES)
    leases.release(site.database, lease)
    assert rows(site.database, "SELECT holder FROM leases") == [{"holder": None}]


def test_the_row_of_a_run_that_is_refused(sites: Sites, somebody: psycopg.Connection) -> None:
    site = sites.open(images=1)
    site.sweep()
    raise_in(somebody, "runs", "40P01", "in the way", times=TIMES)
    refused = site.sweep(changed={"kind": "ims"})
    assert (refused.outcome, refused.error_kind) == ("failed", "config")
    assert [row["outcome"] for row in site.run_rows()] == ["complete", "failed"]


def test_an_observation_that_is_forgotten(sites: Sites, somebody: psycopg.Connection) -> None:
    site = sites.open(images=3)
    site.sweep()
    site.cloud.change(name_of(0), name="renamed")
    second = site.sweep()
    raise_in(somebody, "revisions", "40P01", "in the way", times=TIMES)
    assert forget(site.database, site.source, second.run_id).run_ids == (second.run_id,)
    assert site.history(name_of(0)) == [("created", "active")]
    check_what_is_told(site.database)


@pytest.mark.parametrize(("verb", "decision"), [("approve", "approved"), ("keep", "kept")])
def test_a_decision(sites: Sites, somebody: psycopg.Connection, verb: str, decision: str) -> None:
    site = sites.open(images=4, deletion_limit_count=1, deletion_limit_percent=1.0)
    site.sweep()
    site.cloud.delete(name_of(0))
    site.cloud.delete(name_of(1))
    assert site.sweep().held == 2
    raise_in(somebody, "held_deletions", "40P01", "in the way", times=TIMES)
    decided = decide(
        site.database,
        site.source_id,
        verb,  # type: ignore[arg-type]
        MappingAdapter.of(site.source),
        by="test",
    )
    assert [row.decision for row in decided] == [decision] * 2
    assert site.decisions() == dict.fromkeys([name_of(0), name_of(1)], decision)
    check_what_is_told(site.database)


def test_a_remap(sites: Sites, somebody: psycopg.Connection) -> None:
    site = sites.open(images=3)
    site.sweep()
    with site.database.transaction() as connection:
        connection.execute("UPDATE images SET name = 'wrong'")
        found = sources.find(connection, site.source.name)
    assert found is not None
    raise_in(somebody, "images", "40001", "in the way", times=TIMES)
    steps: list[int] = []
    rebuilt = remap(site.database, found, MappingAdapter.of(site.source), progress=steps.append)
    assert (rebuilt.documents, sum(steps), rebuilt.rows) == (3, 3, {"images": 3})
    assert "wrong" not in {row["name"] for row in site.images().values()}


@pytest.mark.parametrize("table", ["sources", "revisions", "images"])
def test_a_prune(sites: Sites, somebody: psycopg.Connection, table: str) -> None:
    site = sites.open(images=2)
    site.sweep()
    site.cloud.delete(name_of(0))
    site.cloud.change(name_of(1), name="renamed")
    site.sweep()
    raise_in(somebody, table, "40P01", "in the way", times=TIMES)
    (pruned,) = prune(site.database, [site.source.name], timedelta(0), timedelta(0))
    assert (pruned.images, pruned.rows["images"]) == (1, 1)
    left = rows(site.database, "SELECT image_id, change FROM revisions")
    assert left == [{"image_id": name_of(1), "change": "updated"}]
