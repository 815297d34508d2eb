"""Behind pgbouncer in transaction mode each transaction may land on another connection: sweeps don't mind."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import URL

from catalog.config.settings import DatabaseSettings
from catalog.model import RunResult
from catalog.store.db import schema
from catalog.store.db.connection import Database
from tests.integration.faults.changing import changed_site, check_as_undisturbed
from tests.support.rows import snapshot
from tests.support.world import LEDGER, Sites

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")
CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_reset_query =
{user}
"""


@pytest.fixture
def pooled_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The test's database by way of a pooler with three connections for all."""
    yield from pooler(database_url, tmp_path)


def pooler(database_url: str, folder: Path) -> Iterator[str]:
    parts = conninfo_to_dict(database_url)
    if getpass.getuser() == "root" and not Path(str(parts["host"])).stat().st_mode & 0o001:
        pytest.skip("the embedded server's socket is closed to the user that the pooler runs as")
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()[1]
    told = {"host": parts["host"], "port": parts.get("port") or 5432, "listen": listen}
    told["user"] = "user = nobody" if getpass.getuser() == "root" else ""  # root is refused
    (folder / "pgbouncer.ini").write_text(
        CONFIGURATION.format(**told).replace("* =", f"* = user={parts['user']}")
    )
    configuration = (folder / "pgbouncer.ini").read_text()
    with (folder / "pgbouncer.log").open("w+") as log:
        descriptor = os.memfd_create("pgbouncer.ini")  # readable by whatever user the pooler becomes
        os.write(descriptor, configuration.encode())
        process = subprocess.Popen(
            [str(PROGRAM), f"/proc/self/fd/{descriptor}"], pass_fds=[descriptor], stdout=log, stderr=log
        )
        try:
            url = URL.create(
                "postgresql", "catalog", host="127.0.0.1", port=listen, database=str(parts["dbname"])
            )
            address = url.render_as_string()
            wait_for(address, process, Path(log.name))
            yield address
        finally:
            process.terminate()
            process.wait(30)
            os.close(descriptor)


def wait_for(address: str, process: subprocess.Popen[Any], log: Path) -> None:
    for _ in range(100):
        assert process.poll() is None, log.read_text()
        try:
            psycopg.connect(address, connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


@pytest.fixture
def pooled(pooled_url: str) -> Iterator[Sites]:
    with Database(DatabaseSettings(url=pooled_url, data_dir=Path())) as database:
        sites = Sites(database)
        yield sites
        sites.close()


def test_sweeps_behind_a_pooler(pooled: Sites) -> None:
    site = changed_site(pooled)
    check_as_undisturbed(site)
    before = snapshot(site.database, without=LEDGER | {"rejected_records"})
    assert site.sweep().outcome == "complete"
    assert snapshot(site.database, without=LEDGER | {"rejected_records"}) == before


def test_many_sources_at_once_share_few_connections(pooled: Sites) -> None:
    """As a daemon sweeps: more at a time than the pooler has connections."""
    open_sites = [pooled.open(name=f"s{number}", images=20) for number in range(6)]
    results: list[RunResult] = []
    threads = [threading.Thread(target=lambda site=site: results.append(site.sweep())) for site in open_sites]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.outcome for run in results] == ["complete"] * 6
    assert all(len(site.live()) == 20 for site in open_sites)


def test_a_schema_of_its_own_behind_a_pooler(empty_database_url: str, tmp_path: Path) -> None:
    """Settings are made in each transaction, migrations included: nobody else's connection is led astray."""
    for url in pooler(empty_database_url, tmp_path):
        with Database(DatabaseSettings(url=url, data_dir=Path(), schema="own")) as database:
            schema.upgrade(database)
            schema.require(database)
            sites = Sites(database)
            assert sites.open().sweep().outcome == "complete"
            sites.close()
        with psycopg.connect(url, prepare_threshold=None) as others:
            for _ in range(4):
                assert others.execute("SHOW search_path").fetchone() == ('"$user", public',)
                assert others.execute("SHOW lock_timeout").fetchone() == ("0",)
                assert others.execute("SHOW statement_timeout").fetchone() == ("0",)
                others.commit()
