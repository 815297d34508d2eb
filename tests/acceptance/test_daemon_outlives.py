"""What the daemon outlives: a database that goes, comes back, freezes or is too old, and a long bad day."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest

from catalog.config.settings import DatabaseSettings
from catalog.daemon.health import HealthServer
from catalog.demo.cloud import Cloud
from catalog.demo.images import example_images
from catalog.errors import ConfigurationError
from catalog.store.db import schema
from catalog.store.db.connection import ATTEMPTS, Database
from catalog.store.db.embedded.server import EmbeddedServer
from tests.acceptance.daemon_process import DaemonProcess, between_sweeps, configuration, one, until
from tests.conftest import FAST
from tests.integration.faults.refusals import raise_in
from tests.support import citus
from tests.support.cloud_server import CloudServer, Exchange
from tests.support.faults import drip, hang, html

# --- the database


@pytest.fixture(scope="module")
def stoppable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A PostgreSQL of our own, to be stopped and started."""
    server = EmbeddedServer(tmp_path_factory.mktemp("own"), settings=FAST)
    server.acquire()
    yield server
    server.release()


@pytest.fixture
def own_server(stoppable: EmbeddedServer, tmp_path: Path) -> EmbeddedServer:
    """It runs, and holds today's schema and nothing else."""
    url = stoppable.acquire()
    with Database(DatabaseSettings(url=url, data_dir=tmp_path)) as database:
        with database.transaction() as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        schema.upgrade(database)
    return stoppable


def test_it_outlives_a_database_that_goes_and_comes_back(
    config: Path, own_server: EmbeddedServer, cloud: CloudServer
) -> None:
    """The same process goes on; the absence is logged once; the health server answers throughout."""
    url = own_server.acquire()
    own_server.release()  # nobody else uses it: it stops
    with DaemonProcess(config, configuration(url, {"moon": cloud.endpoint})) as daemon:
        daemon.wait_for("database unavailable")
        assert daemon.process.poll() is None
        own_server.acquire()
        daemon.wait_for("database is back")
        daemon.wait_for("sweep", 2, source="moon", outcome="complete")
        own_server.release()
        daemon.wait_for("database unavailable", 2)
        assert daemon.get("/healthz")[0] == 200
        # neither role nor host nor database: anybody may ask
        assert daemon.get("/readyz") == (503, "the database cannot be reached; see the log\n")
        assert daemon.metrics()["catalog_database_up"] == 0
        time.sleep(2)  # long enough for several tries
        own_server.acquire()
        daemon.wait_for("database is back", 2)
        assert daemon.get("/readyz")[0] == 200
        swept = len(daemon.logged("sweep", outcome="complete"))
        daemon.wait_for("sweep", swept + 1, source="moon", outcome="complete")
        assert len(daemon.logged("database unavailable")) == 2
        own_server.release()
        daemon.wait_for("database unavailable", 3)
        assert daemon.stop() == 0
    own_server.acquire()
    assert one(url, "SELECT count(*) FROM runs WHERE finished_at IS NULL") <= 1, (
        "a lease's next holder closes it"
    )


def test_sighup_counts_while_it_waits_for_its_database(
    config: Path, own_server: EmbeddedServer, cloud: CloudServer
) -> None:
    """A broken configuration is refused, a good one is what it begins with."""
    url = own_server.acquire()
    own_server.release()
    with DaemonProcess(config, configuration(url, {"moon": cloud.endpoint})) as daemon:
        daemon.wait_for("database unavailable")
        config.write_text("[[sources]]\nname = 5\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("configuration refused")
        config.write_text(configuration(url, {"mars": cloud.endpoint}))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("configuration read again")
        own_server.acquire()
        daemon.wait_for("sweep", source="mars", outcome="complete")
        assert daemon.stop() == 0
    assert one(url, "SELECT string_agg(name, ' ') FROM sources") == "mars"


def test_it_outlives_a_database_whose_clock_is_set_back(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    """What was due soon is far away all at once; so is what fails, and waits longer."""
    sources = {"moon": cloud.endpoint, "mars": "http://127.0.0.1:9"}
    with DaemonProcess(config, configuration(database_url, sources)) as daemon:
        daemon.wait_for("sweep", source="moon", outcome="complete")
        daemon.wait_for("sweep", 2, source="mars", outcome="failed")
        for name in sources:
            ahead = "next_due_at = now() + interval '3 days'"  # as a clock made it
            until(
                partial(between_sweeps, database_url, name, ahead, "next_due_at > now()"), f"a rest of {name}"
            )
            runs = f"FROM runs JOIN sources USING (source_id) WHERE name = '{name}'"
            swept = one(database_url, f"SELECT count(*) {runs}")
            until(partial(one, database_url, f"SELECT count(*) > {swept} {runs}"), f"a sweep of {name}")
        assert daemon.stop() == 0


def test_a_database_frozen_in_mid_sweep_does_not_keep_it_from_stopping(
    config: Path, own_server: EmbeddedServer, cloud: CloudServer
) -> None:
    """Its server processes are stopped, as in a machine that froze: no answer, no closed connection."""
    url = own_server.acquire()
    with DaemonProcess(config, configuration(url, {"moon": cloud.endpoint})) as daemon, ExitStack() as stack:
        daemon.wait_for("sweep", source="moon")
        for pid in server_processes(own_server):
            stack.callback(thaw, pid)
            freeze(pid)
        assert daemon.get("/healthz")[0] == 200
        assert daemon.get("/readyz")[0] == 503
        assert daemon.stop() == 0


def server_processes(server: EmbeddedServer) -> list[int]:
    """The postmaster and its children."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    assert server.pid is not None
    return [server.pid, *map(int, children)]


def freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def thaw(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return


def test_an_older_schema_is_one_line_and_exit_2(
    config: Path, empty_database_url: str, cloud: CloudServer
) -> None:
    """And nothing was migrated."""
    with DaemonProcess(config, configuration(empty_database_url, {"moon": cloud.endpoint})) as daemon:
        assert daemon.ended() == 2
    assert len(daemon.lines) == 1
    assert "catalog db upgrade" in daemon.lines[0]["event"]
    assert one(empty_database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_a_newer_schema_serves_the_release_before(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE catalog_schema_version SET version_num = '9999'")
    with DaemonProcess(config, configuration(database_url, {"moon": cloud.endpoint})) as daemon:
        daemon.wait_for("sweep", source="moon", outcome="complete")
        assert daemon.get("/readyz")[0] == 200
        assert daemon.stop() == 0


def test_the_embedded_database_is_made_and_upgraded_by_itself(tmp_path: Path, cloud: CloudServer) -> None:
    text = configuration("", {"moon": cloud.endpoint}).replace('url = ""', "")
    with DaemonProcess(tmp_path / "catalog.toml", text, CATALOG_DATA_DIR=str(tmp_path / "data")) as daemon:
        daemon.wait_for("sweep", source="moon", outcome="complete")
        assert daemon.get("/readyz")[0] == 200
        assert daemon.stop() == 0
    assert not (tmp_path / "data/postgresql/cluster/postmaster.pid").exists()


def test_an_embedded_database_that_is_killed_is_started_again(tmp_path: Path, cloud: CloudServer) -> None:
    """By the daemon that uses it; at its end it is gone."""
    text = configuration("", {"moon": cloud.endpoint}).replace('url = ""', "")
    server = EmbeddedServer(tmp_path / "data")
    with DaemonProcess(tmp_path / "catalog.toml", text, CATALOG_DATA_DIR=str(tmp_path / "data")) as daemon:
        for _ in range(2):
            daemon.wait_for("sweep", source="moon", outcome="complete")
            dead = server.pid
            assert dead is not None
            os.kill(dead, signal.SIGKILL)
            swept = len(daemon.logged("sweep", outcome="complete"))
            daemon.wait_for("sweep", swept + 2, source="moon", outcome="complete")
            assert server.pid not in (None, dead)
        assert daemon.get("/readyz")[0] == 200
        assert daemon.metrics()["catalog_database_up"] == 1
        assert daemon.stop() == 0
    assert server.pid is None


def test_a_port_in_use_is_one_line_and_exit_2(config: Path, database_url: str) -> None:
    text = configuration(database_url, {"moon": "http://127.0.0.1:9"})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with DaemonProcess(config, text, CATALOG_HTTP_BIND=bind) as daemon:
            assert daemon.ended() == 2
    assert len(daemon.lines) == 1
    assert "CATALOG_HTTP_BIND" in daemon.lines[0]["event"]
    assert one(database_url, "SELECT count(*) FROM runs") == 0


@pytest.mark.parametrize("bind", ["192.0.2.1:0", "no-such-host.invalid:1"])
def test_an_address_that_is_not_ours_is_refused(bind: str) -> None:
    with pytest.raises(ConfigurationError, match="CATALOG_HTTP_BIND: cannot listen"):
        HealthServer(bind, lambda: None, lambda: b"")


# --- others


@citus.unfit("its tables have no triggers")
def test_a_shorter_interval_counts_although_others_were_in_the_way(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    """More often than a transaction is tried again."""
    sources = {"moon": cloud.endpoint}
    with DaemonProcess(config, configuration(database_url, sources, interval="1d")) as daemon:
        daemon.wait_for("sweep", source="moon")
        assert daemon.stop() == 0
    with psycopg.connect(database_url) as somebody:
        raise_in(somebody, "sources", "40P01", "in the way", times=ATTEMPTS + 1)
    with DaemonProcess(config, configuration(database_url, sources)) as daemon:
        daemon.wait_for("sweep", source="moon", outcome="complete")
        assert daemon.stop() == 0


# --- bounds


def closing(exchange: Exchange) -> None:
    """The healthy answer, and the end of the connection without a word."""
    exchange.close = True
    exchange.send(exchange.healthy())


def sweeps_against_a_closing_server(daemon: DaemonProcess, sweeps: int) -> tuple[int, int]:
    """Sockets at the end, and growth in bytes after the first tenth, when all code is loaded."""
    daemon.wait_for("sweep", sweeps // 10, source="moon")
    before = daemon.resident()
    until(lambda: len(daemon.logged("sweep")) >= sweeps, f"{sweeps} sweeps", seconds=600)
    return daemon.sockets(), daemon.resident() - before


@pytest.mark.parametrize("sweeps", [30, pytest.param(500, marks=pytest.mark.soak)])
def test_sweeps_leave_neither_sockets_nor_memory_behind(
    config: Path, database_url: str, cloud: CloudServer, sweeps: int
) -> None:
    cloud.faults.add(closing, times=None)
    text = configuration(database_url, {"moon": cloud.endpoint}, interval="0.01s", page_size=5)
    with DaemonProcess(config, text) as daemon:
        sockets, growth = sweeps_against_a_closing_server(daemon, sweeps)
        assert sockets <= 5
        assert growth < 20e6
        assert daemon.stop() == 0


@pytest.mark.soak
def test_five_minutes_of_a_bad_day(config: Path, own_server: EmbeddedServer, tmp_path: Path) -> None:
    """Clouds that hang, drip, close, fail and lie, a database that goes every minute, two daemons, reloads:
    at the end the catalog holds what the clouds hold, no run is open, and nothing has grown.
    """
    dice = random.Random(8)
    url = own_server.acquire()
    with ExitStack() as stack:
        clouds = {
            f"cloud{number}": stack.enter_context(
                CloudServer(Cloud("glance", example_images("glance", 30, number)))
            )
            for number in range(6)
        }
        text = configuration(
            url, {name: server.endpoint for name, server in clouds.items()}, deadline="3s", page_size=7
        )
        daemons = [stack.enter_context(DaemonProcess(config, text)) for _ in range(2)]
        for daemon in daemons:
            daemon.wait_for("sweep", 5)
        before = [daemon.resident() for daemon in daemons]
        ends = time.monotonic() + 300
        away = time.monotonic() + 60
        while time.monotonic() < ends:
            server = dice.choice(list(clouds.values()))
            server.faults.add(dice.choice([hang(), drip(0.01), html(), closing]), times=dice.randrange(1, 4))
            dice.choice(daemons).process.send_signal(signal.SIGHUP)
            time.sleep(2)
            if time.monotonic() > away:
                own_server.release()
                time.sleep(5)
                own_server.acquire()
                away = time.monotonic() + 60
        for server in clouds.values():
            server.faults.clear()
        for daemon in daemons:
            daemon.wait_for("database is back", 4)
        with psycopg.connect(url) as connection:  # back-off could last for minutes
            connection.execute("UPDATE sources SET next_due_at = least(next_due_at, now())")
        since = one(url, "SELECT now()::text")
        fresh = f"SELECT count(*) FROM sources WHERE last_complete_at > '{since}' AND failing_since IS NULL"
        until(lambda: one(url, fresh) == len(clouds), "all sources complete", seconds=60)
        assert [daemon.sockets() <= 25 for daemon in daemons] == [True, True]
        assert [daemon.resident() - start < 20e6 for daemon, start in zip(daemons, before, strict=True)] == [
            True
        ] * 2
        assert [daemon.stop() for daemon in daemons] == [0, 0]
    assert one(url, "SELECT count(*) FROM runs WHERE finished_at IS NULL") == 0
    assert one(url, "SELECT count(*) FROM images WHERE deleted_at IS NULL") == 30 * len(clouds)
    overlaps = one(
        url,
        "SELECT count(*) FROM runs a JOIN runs b ON a.source_id = b.source_id AND a.run_id < b.run_id"
        " AND a.started_at < b.finished_at AND b.started_at < a.finished_at",
    )
    assert overlaps == 0
    assert not [line for daemon in daemons for line in daemon.logged("sweep crashed")]
