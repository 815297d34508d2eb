"""PostgreSQL itself stops and starts at each statement of a sweep (contract, 4.4, 6)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.errors import CatalogError
from catalog.settings import DatabaseSettings
from catalog.store import schema
from catalog.store.database import Database
from catalog.store.embedded import EmbeddedServer
from tests.integration.faults.changing import changed_site, check_as_undisturbed
from tests.integration.run.site import Site, Sites

EVERY = 5


class Crashes:
    """Lets the server crash and come back right before the n-th statement that is sent to it."""

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
def crashes(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Crashes:
    crashes = Crashes(server)
    for name in ("execute", "copy"):
        send = getattr(psycopg.Cursor, name)

        def counted(*arguments: Any, send: Any = send, **keywords: Any) -> Any:
            crashes.count()
            return send(*arguments, **keywords)

        monkeypatch.setattr(psycopg.Cursor, name, counted)
    return crashes


def sweep_through_crashes(server: EmbeddedServer, crashes: Crashes, every: int, first: int) -> int:
    """Sweeps with a crash at one statement after the other, `every` apart; how many there were."""
    statement = first
    with Database(DatabaseSettings(url=server.acquire(), data_dir=Path())) as database:
        schema.upgrade(database)
        sites = Sites(database)
        try:
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
        finally:
            sites.close()


def said_by_a_sweep(site: Site) -> str:
    try:
        return str(site.sweep().error)
    except CatalogError as error:  # before the run had a row
        return str(error)


def check_as_undisturbed_alone(sites: Sites, site: Site) -> None:
    check_as_undisturbed(site)
    with sites.database.transaction() as connection:
        connection.execute(
            "TRUNCATE sources, images, image_state, image_tags, image_capabilities, image_properties,"
            " revisions, revision_documents, status_history, observations, id_sets, lacks, look_ups, runs,"
            " run_passes, rejected_records, held_deletions, leases"
        )


def test_a_server_that_crashes_in_mid_sweep(server: EmbeddedServer, crashes: Crashes) -> None:
    assert sweep_through_crashes(server, crashes, EVERY, 3) > 25


@pytest.mark.soak
def test_a_server_that_crashes_at_each_statement(server: EmbeddedServer, crashes: Crashes) -> None:
    assert sweep_through_crashes(server, crashes, 1, 1) > 25
