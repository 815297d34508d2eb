"""What other users of the database may do to a merge: locks of their own, cancelled statements, refusals."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from catalog.errors import DatabaseConflict
from catalog.model import RunResult
from catalog.store.db.connection import ATTEMPTS
from catalog.store.state import leases
from catalog.sync import sweep as sweep_module
from tests.integration.faults.changing import changed_site, check_as_undisturbed
from tests.integration.faults.refusals import raise_in
from tests.support import citus
from tests.support.records import name_of
from tests.support.world import Site, Sites

pytestmark = citus.unfit("its tables have no triggers, and no rows are locked there without a source")
FIRST_LOCKED = "SELECT FROM images WHERE image_id = %s FOR UPDATE"


@pytest.fixture
def somebody(database_url: str) -> Iterator[psycopg.Connection]:
    """Somebody else's connection, patient enough that a deadlock is never theirs to give way."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SET deadlock_timeout = '60s'")
        connection.commit()
        yield connection
        connection.rollback()


def in_background(site: Site, results: list[RunResult]) -> threading.Thread:
    thread = threading.Thread(target=lambda: results.append(site.sweep()))
    thread.start()
    return thread


def wait_for_a_lock(database_url: str) -> int:
    """The process id of the first connection of ours that waits for a lock."""
    with psycopg.connect(database_url, autocommit=True) as watching:
        for _ in range(3000):
            waiting = watching.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' AND application_name = 'catalog'"
            ).fetchone()
            if waiting is not None:
                return int(waiting[0])
            time.sleep(0.01)
    raise AssertionError("the merge never waited")


def test_a_deadlock_with_somebody_elses_locks_is_tried_again(
    sites: Sites, somebody: psycopg.Connection, database_url: str
) -> None:
    """They lock an image that the merge is going to change, then want a row that the merge has changed."""
    site = changed_site(sites)
    somebody.execute(FIRST_LOCKED, (name_of(0),))
    results: list[RunResult] = []
    thread = in_background(site, results)
    wait_for_a_lock(database_url)
    somebody.execute("SELECT FROM revisions WHERE image_id = %s FOR UPDATE", (name_of(0),))
    somebody.rollback()
    thread.join()
    assert (results[0].outcome, results[0].error) == ("complete", None)
    assert (results[0].inserted, results[0].updated, results[0].deleted) == (1, 1, 1)
    assert results[0].rejected == 1
    assert [row["count"] for row in site.rows("SELECT count FROM rejected_records WHERE source_id = $")] == [
        1
    ]
    check_as_undisturbed(site)


def test_a_lock_timeout_that_the_server_sets_is_waited_out(
    sites: Sites, somebody: psycopg.Connection, database_url: str
) -> None:
    site = changed_site(sites)
    set_for_new_connections(site, somebody, "lock_timeout", "'300ms'")
    somebody.execute(FIRST_LOCKED, (name_of(0),))
    results: list[RunResult] = []
    thread = in_background(site, results)
    wait_for_a_lock(database_url)
    time.sleep(0.4)
    somebody.rollback()
    thread.join()
    assert (results[0].outcome, results[0].error) == ("complete", None)
    check_as_undisturbed(site)


def test_a_statement_that_is_cancelled_ends_the_run_alone(
    sites: Sites, somebody: psycopg.Connection, database_url: str
) -> None:
    site = changed_site(sites)
    before = site.images()
    somebody.execute(FIRST_LOCKED, (name_of(0),))
    results: list[RunResult] = []
    thread = in_background(site, results)
    somebody.execute("SELECT pg_cancel_backend(%s)", (wait_for_a_lock(database_url),))
    somebody.rollback()
    thread.join()
    assert (results[0].outcome, results[0].error_kind) == ("failed", "database")
    assert "\n" not in str(results[0].error)
    assert "user request" in str(results[0].error)
    assert "cannot be reached" not in str(results[0].error)
    assert site.images() == before
    assert [row["outcome"] for row in site.run_rows()] == ["complete", "failed"]
    check_as_undisturbed(site)


@pytest.mark.parametrize("pause", ["in a statement", "between two"])
def test_a_merge_that_takes_too_long_is_cut_by_the_deadline(
    sites: Sites, somebody: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, pause: str
) -> None:
    """The server ends what stands still: its words say nothing of the deadline."""
    site = changed_site(sites)
    before = site.images()
    if pause == "in a statement":
        somebody.execute(SLOW)
        somebody.commit()
    else:
        follow = sweep_module.held_deletions.follow

        def late(*arguments: Any, **named: Any) -> bool:
            time.sleep(3)
            return follow(*arguments, **named)

        monkeypatch.setattr(sweep_module.held_deletions, "follow", late)
    run = site.sweep(changed={"deadline": 1.0})
    assert (run.outcome, run.error_kind) == ("failed", "deadline")
    assert "deadline of" in str(run.error)
    assert site.images() == before
    assert [row["error_kind"] for row in site.run_rows()] == [None, "deadline"]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_the_servers_default_isolation_is_not_ours(
    sites: Sites, somebody: psycopg.Connection, level: str
) -> None:
    """A source that two processes register at once is found by both; a lease renewed meanwhile is no conflict."""
    site = changed_site(sites)
    set_for_new_connections(site, somebody, "default_transaction_isolation", f"'{level}'")
    with site.database.transaction() as connection:
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
    check_as_undisturbed(site)


def set_for_new_connections(site: Site, somebody: psycopg.Connection, setting: str, value: str) -> None:
    somebody.execute(f"ALTER DATABASE {somebody.info.dbname} SET {setting} = {value}".encode())
    somebody.commit()
    site.database.close()


SLOW = """
CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(9); RETURN NULL; END $$;
CREATE TRIGGER sleep AFTER UPDATE ON images EXECUTE FUNCTION sleep();
"""
REFUSED = {
    "57014": "canceling statement",
    "53100": "could not extend file",
    "53200": "out of memory",
}


@pytest.mark.parametrize(
    ("table", "code"), [("images", "40001"), ("revision_documents", "40P01"), ("runs", "55P03")]
)
def test_a_conflict_at_any_place_is_tried_again_a_bounded_number_of_times(
    sites: Sites, somebody: psycopg.Connection, table: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trigger stands for whatever makes the server say so; a sequence remembers across roll-backs."""
    site = changed_site(sites)
    raise_in(somebody, table, code, "in the way", times=ATTEMPTS - 1)
    run = site.sweep()
    assert (run.outcome, run.rejected, run.inserted) == ("complete", 1, 1)
    check_as_undisturbed(site)
    site.cloud.change(name_of(2), name="renamed too")
    raise_in(somebody, table, code, "in the way", times=1000)
    run = site.sweep()
    assert (run.outcome, run.error_kind, run.updated) == ("failed", "database", 0)
    assert "in the way" in str(run.error)
    assert "\n" not in str(run.error)
    raise_in(somebody, table, code, "in the way", times=0)
    check_as_undisturbed(site)


@pytest.mark.parametrize(("code", "words"), REFUSED.items())
def test_a_refusal_ends_the_run_and_is_told_in_one_line(
    sites: Sites, somebody: psycopg.Connection, code: str, words: str
) -> None:
    site = changed_site(sites)
    before = site.images()
    raise_in(somebody, "images", code, words, times=1)
    run = site.sweep()
    assert (run.outcome, run.error_kind) == ("failed", "database")
    assert words in str(run.error)
    assert "\n" not in str(run.error)
    assert site.images() == before
    check_as_undisturbed(site)


def test_what_a_conflict_ended_is_rolled_back_before_it_is_done_anew(
    sites: Sites, somebody: psycopg.Connection
) -> None:
    site = sites.open()
    site.sweep()
    with site.database.transaction() as connection:
        (source_id,) = connection.execute("SELECT source_id FROM sources").fetchone() or ("",)
    lease = leases.wait(site.database, source_id, "00000000-0000-0000-0000-000000000001", 5)
    assert lease is not None
    seen: list[int] = []

    def work(connection: psycopg.Connection) -> str:
        connection.execute("INSERT INTO projects (source_id, project_id, seen_at) VALUES ('x', 'y', now())")
        row = connection.execute("SELECT count(*) FROM projects").fetchone()
        assert row is not None
        seen.append(row[0])
        if len(seen) < ATTEMPTS:
            connection.execute(b"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")
        return "done"

    assert leases.transact(site.database, lease, work) == "done"
    assert seen == [1] * ATTEMPTS
    with pytest.raises(DatabaseConflict, match="try again"):
        with site.database.transaction() as connection:
            connection.execute(b"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")
