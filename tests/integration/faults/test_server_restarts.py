"""PostgreSQL itself stops and starts at each statement of a sweep, be it a good or a failing one, and of a backfill
(semantics 4.4, 6, 7)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.backfill.backfill import backfill
from catalog.config.settings import DatabaseSettings
from catalog.errors import CatalogError
from catalog.store.db import schema
from catalog.store.db.connection import Database
from catalog.store.db.embedded.server import EmbeddedServer
from tests.integration.faults.changing import changed_site, check_as_undisturbed
from tests.integration.run.truth import check_history, check_ledger
from tests.support.records import image, too_deep, write
from tests.support.rows import HISTORY, contents_of, wipe
from tests.support.world import Site, Sites, source

EVERY = 5
SENT = (
    (psycopg.Cursor, "execute"), (psycopg.Cursor, "copy"), (psycopg.Copy, "__exit__"),
    (psycopg.Connection, "commit"),
)  # fmt: skip
"""What sends something to the server: statements, also those of a pipeline; rows of a COPY, at its end; COMMIT."""
SECRETLESS = {"auth": "token", "token_env": "NO_SUCH_VARIABLE"}
EVERYTHING_TOLD = (*HISTORY, "image_state", "rejected_records")


class Crashes:
    """Lets the server crash and come back right before the n-th thing that is sent to it."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.left: int | None = None

    def count(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left == 0:
            self.left = None
            pid = self.server.pid
            assert pid is not None
            os.kill(pid, signal.SIGQUIT)  # what `pg_ctl stop -m immediate` sends
            while (self.server.cluster / "postmaster.pid").exists():
                time.sleep(0.005)
            self.server.acquire()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with_server = EmbeddedServer(tmp_path, settings={"fsync": "off"})
    with with_server:
        yield with_server


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[Database]:
    with Database(DatabaseSettings(url=server.acquire(), data_dir=Path())) as database:
        schema.upgrade(database)
        yield database


@pytest.fixture
def sites(database: Database) -> Iterator[Sites]:
    sites = Sites(database)
    yield sites
    sites.close()


@pytest.fixture
def crashes(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Crashes:
    crashes = Crashes(server)
    for sender, name in SENT:
        send = getattr(sender, name)

        def counted(*arguments: Any, send: Any = send, **keywords: Any) -> Any:
            crashes.count()
            return send(*arguments, **keywords)

        monkeypatch.setattr(sender, name, counted)
    return crashes


def sweep_through_crashes(sites: Sites, crashes: Crashes, every: int, first: int) -> int:
    """Sweeps with a crash at one statement after the other, `every` apart; how many there were."""
    statement = first
    while True:
        site = changed_site(sites, name=f"at {statement}", images=4)
        crashes.left = statement
        assert "\n" not in said_by_a_sweep(site)
        if crashes.left is not None:
            crashes.left = None
            return statement
        assert site.rows("SELECT FROM stage WHERE source_id = $") == []
        check_as_undisturbed_alone(sites, site)
        statement += every


def failing_through_crashes(sites: Sites, crashes: Crashes, every: int, first: int) -> int:
    """The same for a sweep that cannot log in: whoever closes its row, the source is failing since then."""
    statement = first
    while True:
        site = sites.open(images=2)
        site.sweep()
        crashes.left = statement
        assert "\n" not in said_by_a_sweep(site, changed=SECRETLESS)
        finished = crashes.left is not None
        crashes.left = None
        site.end_leases()
        assert site.sweep(changed=SECRETLESS).outcome == "failed"
        runs = site.run_rows()[1:]
        assert {run["outcome"] for run in runs} == {"failed"}
        (health,) = site.rows("SELECT failing_since, failures FROM sources WHERE source_id = $")
        assert health == {"failing_since": runs[0]["started_at"], "failures": len(runs)}, statement
        check_as_undisturbed_alone(sites, site)
        if finished:
            return statement
        statement += every


def said_by_a_sweep(site: Site, **options: Any) -> str:
    try:
        return str(site.sweep(**options).error)
    except CatalogError as error:  # before the run had a row
        return str(error)


def check_as_undisturbed_alone(sites: Sites, site: Site) -> None:
    check_as_undisturbed(site)
    wipe(sites.database)


def backfill_through_crashes(
    database: Database, crashes: Crashes, folder: Path, every: int, first: int
) -> int:
    """The same for the command that loads a year's files: killed, and given again."""
    files = [
        write(
            folder, f"2026030{day}T000000Z.json", {"images": [image(n, __description=f"{day}") for n in held]}
        )
        for day, held in enumerate([(0, 1, 2), (0, 1), (1, 2, 3)], 1)
    ]
    files.append(write(folder, "20260302T120000Z.json", {"images": [image(4), too_deep("unstorable")]}))
    statement, expected = first, None
    while True:
        crashes.left = statement if expected is not None else None
        with suppress(CatalogError):
            backfill(database, source(), files, complete=True, accept_deletions=True)
        finished = crashes.left is not None
        crashes.left = None
        with database.transaction() as connection:
            connection.execute("UPDATE leases SET expires_at = now() - interval '1 s'")
        result = backfill(database, source(), files, complete=True, accept_deletions=True)
        assert not result.busy
        found = contents_of(database, "s", EVERYTHING_TOLD)
        if expected is None:
            expected = found
        else:
            assert found == expected, statement
            statement += every
        with database.transaction() as connection:
            check_history(connection)
            check_ledger(connection)
        wipe(database)
        if finished:
            return statement


def test_a_server_that_crashes_in_mid_sweep(sites: Sites, crashes: Crashes) -> None:
    assert sweep_through_crashes(sites, crashes, EVERY, 3) > 25


@pytest.mark.soak
def test_a_server_that_crashes_at_each_statement(sites: Sites, crashes: Crashes) -> None:
    assert sweep_through_crashes(sites, crashes, 1, 1) > 25


def test_a_server_that_crashes_while_a_sweep_fails(sites: Sites, crashes: Crashes) -> None:
    assert failing_through_crashes(sites, crashes, 3, 1) > 15


@pytest.mark.soak
def test_a_server_that_crashes_at_each_statement_of_a_sweep_that_fails(
    sites: Sites, crashes: Crashes
) -> None:
    assert failing_through_crashes(sites, crashes, 1, 1) > 15


def test_a_server_that_crashes_in_mid_backfill(database: Database, crashes: Crashes, tmp_path: Path) -> None:
    assert backfill_through_crashes(database, crashes, tmp_path, 23, 5) > 50


@pytest.mark.soak
def test_a_server_that_crashes_at_each_statement_of_a_backfill(
    database: Database, crashes: Crashes, tmp_path: Path
) -> None:
    assert backfill_through_crashes(database, crashes, tmp_path, 1, 1) > 50
