"""Somebody forgot to end a transaction: the deadline holds for the database too, and the run says whose lock it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from catalog.errors import DatabaseConflict, DatabaseError
from catalog.store.db import connection as connections
from catalog.store.maintenance import prune
from catalog.store.state import sources
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.remap import remap
from tests.integration.faults.changing import changed_site, check_as_undisturbed
from tests.support.world import Site, Sites

SECONDS = 3.0
ROOM = 4.0
"""For everything but waiting, on a machine under load."""
FORGOTTEN = {
    "a lock on the table": "LOCK TABLE images IN SHARE ROW EXCLUSIVE MODE",
    "an uncommitted update": "UPDATE images SET name = name",
    "an uncommitted truncation": "TRUNCATE revision_documents",
}


@pytest.fixture
def eve(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, application_name="eve's script") as connection:
        yield connection
        connection.rollback()


def names(told: object, eve: psycopg.Connection) -> bool:
    """Whether it says whose lock it is, and since when, in one line."""
    parts = (f"pid {eve.info.backend_pid}", f"user {eve.info.user}", "eve's script", "in a transaction since")
    return all(part in str(told) for part in parts) and "\n" not in str(told)


def deletions_of(site: Site) -> None:
    with site.database.transaction(read_only=True) as connection:
        connection.execute("SELECT FROM images WHERE deleted_at IS NOT NULL")


@pytest.mark.parametrize("statement", FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_sweep_ends_at_its_deadline_and_names_the_holder(
    sites: Sites, eve: psycopg.Connection, statement: str
) -> None:
    site = changed_site(sites)
    before = site.images()
    eve.execute(statement.encode())
    began = time.monotonic()
    run = site.sweep(changed={"deadline": SECONDS})
    took = time.monotonic() - began
    eve.rollback()
    assert (run.outcome, run.error_kind) == ("failed", "database")
    assert names(run.error, eve), run.error
    assert took < SECONDS + ROOM
    assert [row["outcome"] for row in site.run_rows()] == ["complete", "failed"]
    assert site.images() == before
    check_as_undisturbed(site)


@pytest.mark.parametrize("table", ["sources", "leases", "runs"])
def test_nor_does_a_lock_on_what_opens_and_closes_runs_stop_a_sweep_for_ever(
    sites: Sites, eve: psycopg.Connection, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOCK_SECONDS", 0.5)
    site = changed_site(sites)
    eve.execute(f"LOCK TABLE {table}".encode())
    began = time.monotonic()
    with pytest.raises(DatabaseConflict) as raised:
        site.sweep(changed={"deadline": SECONDS})
    assert time.monotonic() - began < SECONDS + ROOM
    assert names(raised.value, eve), raised.value
    eve.rollback()
    check_as_undisturbed(site)


def test_other_writers_give_up_too(
    sites: Sites, eve: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOCK_SECONDS", 0.3)
    site: Site = changed_site(sites)
    site.sweep()
    eve.execute("LOCK TABLE images, leases")
    with site.database.transaction(read_only=True) as connection:
        (source,) = sources.matching(connection, ["s"])
    for write in (
        lambda: prune.prune(site.database, ["s"], timedelta(days=7)),
        lambda: remap(site.database, source, MappingAdapter.of(site.source)),
        lambda: deletions_of(site),
    ):
        with pytest.raises(DatabaseConflict) as raised:
            write()
        assert names(raised.value, eve), raised.value


def test_a_transaction_of_ours_that_stands_still_is_ended_by_the_server(sites: Sites) -> None:
    """A process that was stopped in its merge holds its locks no longer than a sweep may take."""

    def stand_still() -> None:
        with sites.database.transaction(seconds=0.3) as held:
            held.execute("SELECT 1")
            time.sleep(1)
            held.execute("SELECT 1")

    with pytest.raises(DatabaseError, match="idle-in-transaction"):
        stand_still()


def test_a_standby_behind_the_connection_is_left_for_the_primary(sites: Sites, database_url: str) -> None:
    """As after a failover; the database's own setting stands for the standby."""
    site = changed_site(sites)
    with psycopg.connect(database_url, autocommit=True) as outside:
        name = outside.info.dbname
        outside.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        site.database.close()
        with site.database.transaction() as old:
            (old_pid,) = old.execute("SELECT pg_backend_pid()").fetchone() or (None,)
        outside.execute("SET default_transaction_read_only = off")
        outside.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
    assert site.sweep().outcome == "complete"
    with site.database.transaction() as new:
        assert new.execute("SELECT pg_backend_pid()").fetchone() != (old_pid,)
    check_as_undisturbed(site)
