"""One writer a source, in whatever process, and no transaction while waiting for the network (semantics 4.3),
and the deadline of a whole sweep (docs/configuration.md; semantics 4.7)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from catalog.model import RunResult
from catalog.store.state import leases
from catalog.store.state import runs as ledger
from tests.support.cloud_server import Exchange
from tests.support.faults import drip, hang
from tests.support.records import image, name_of
from tests.support.rows import rows, snapshot
from tests.support.world import LEDGER, Site, Sites

ROOT = Path(__file__).parents[3]


class Sweepers:
    """Processes that sweep the source of a site; ended, each by its own id, when the test is over."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.started: list[subprocess.Popen[str]] = []

    def start(self, site: Site, wait: float = 0.0) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.run.sweeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        self.started.append(process)
        assert process.stdin is not None
        asked = {"database": self.database_url, "endpoint": site.source.endpoint, "kind": site.source.kind}
        process.stdin.write(json.dumps({**asked, "wait": wait}))
        process.stdin.close()
        return process

    def told(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        last = process.stdout.read().splitlines()[-1]
        process.wait(30)
        told: dict[str, Any] = json.loads(last)
        return told

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def sweepers(database_url: str) -> Iterator[Sweepers]:
    sweepers = Sweepers(database_url)
    yield sweepers
    sweepers.close()


def until(happened: Callable[[], Any], what: str) -> None:
    for _ in range(3000):
        if happened():
            return
        time.sleep(0.01)
    pytest.fail(f"never came about: {what}")


class Gate:
    """A fault that keeps one request waiting until it is let through."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        self.reached.set()
        while not self.open.wait(0.02):
            if exchange.stopping.is_set():
                return
        exchange.send(exchange.healthy())


def test_of_three_processes_at_once_one_sweeps(sites: Sites, sweepers: Sweepers) -> None:
    """The others are busy, without a row in the ledger; the tables hold one sweep's result."""
    site, gate = sites.open(images=5), Gate()
    site.server.faults.add(gate)
    processes = [sweepers.start(site) for _ in range(3)]
    until(lambda: sum(p.poll() is not None for p in processes) == 2, "two of three ended")
    gate.open.set()
    told = [sweepers.told(process) for process in processes]
    assert sorted(one["outcome"] for one in told) == ["busy", "busy", "complete"]
    (row,) = site.run_rows()
    assert (row["outcome"], row["inserted"]) == ("complete", 5)
    assert len(site.live()) == 5
    assert len(site.rows("SELECT FROM revisions WHERE source_id = $")) == 5


def test_processes_that_wait_sweep_one_after_the_other(sites: Sites, sweepers: Sweepers) -> None:
    site = sites.open(images=5)
    processes = [sweepers.start(site, wait=60) for _ in range(3)]
    assert [sweepers.told(process)["outcome"] for process in processes] == ["complete"] * 3
    runs = site.run_rows()
    assert len(runs) == 3
    assert all(one["finished_at"] <= other["started_at"] for one, other in pairwise(runs))
    assert sorted(run["inserted"] for run in runs) == [0, 0, 5]
    assert len(site.rows("SELECT FROM revisions WHERE source_id = $")) == 5


def test_a_paused_process_that_wakes_after_its_lease_writes_nothing(sites: Sites, sweepers: Sweepers) -> None:
    """Its listing is old by then; another process has taken the source over."""
    site, gate = sites.open(images=3), Gate()
    site.server.faults.add(gate, when=lambda request: "os_hidden" in request.query)
    paused = sweepers.start(site)
    until(gate.reached.is_set, "the listing is read")
    os.kill(paused.pid, signal.SIGSTOP)
    site.end_leases()
    site.cloud.change(name_of(0), name="changed meanwhile")
    site.cloud.delete(name_of(1))
    site.cloud.add(image(7))
    assert site.sweep().outcome == "complete"
    before = snapshot(site.database)
    gate.open.set()
    os.kill(paused.pid, signal.SIGCONT)
    told = sweepers.told(paused)
    assert told["outcome"] == "failed"
    assert "took this source over" in told["error"]
    assert snapshot(site.database) == before
    assert site.live() == {name_of(0), name_of(2), name_of(7)}
    assert [row["outcome"] for row in site.run_rows()] == ["failed", "complete"]


@pytest.mark.parametrize("released", [True, False])
def test_a_holder_whose_source_was_taken_over_in_between_writes_nothing(sites: Sites, released: bool) -> None:
    """Whether the other still holds it or has left it: the fencing number tells."""
    site = sites.open(images=3)
    site.sweep()
    site.cloud.delete(name_of(1))

    def take_over(exchange: Exchange) -> None:
        site.end_leases()
        with site.database.transaction() as connection:
            source_id = connection.execute("SELECT source_id FROM sources").fetchone()
            assert source_id is not None
            lease = leases.acquire(connection, source_id[0], "00000000-0000-4000-8000-000000000001")
        assert lease is not None
        if released:
            leases.release(site.database, lease)
        exchange.send(exchange.healthy())

    site.server.faults.add(take_over, when=lambda request: "os_hidden" in request.query)
    theirs = {*LEDGER, "events"}  # that our run ended
    before = snapshot(site.database, theirs)
    run = site.sweep()
    assert (run.outcome, run.error_kind, run.deleted) == ("failed", "database", 0)
    assert snapshot(site.database, theirs) == before
    assert [row["outcome"] for row in site.run_rows()] == ["complete", "failed"]
    site.end_leases()
    assert site.sweep().deleted == 1


def test_the_row_of_a_killed_run_is_closed_as_failed(sites: Sites, sweepers: Sweepers) -> None:
    """The next sweep after the lease's end does it, and goes on as if nothing had been."""
    site, gate = sites.open(images=3), Gate()
    site.server.faults.add(gate)
    killed = sweepers.start(site)
    until(gate.reached.is_set, "the sweep has begun")
    killed.kill()
    killed.wait()
    gate.open.set()
    assert site.sweep().outcome == "busy"
    assert site.run_rows()[0]["finished_at"] is None
    site.end_leases()
    assert site.sweep().outcome == "complete"
    first, second = site.run_rows()
    assert (first["outcome"], second["outcome"]) == ("failed", "complete")
    assert first["finished_at"] is not None
    assert first["error"]


def test_a_source_whose_run_was_killed_is_failing_until_a_sweep_is_complete(sites: Sites) -> None:
    """Whoever finds the run dead says so, be it no sweep."""
    site = sites.open(images=3)
    site.sweep()
    (source,) = rows(site.database, "SELECT source_id, failing_since, failures FROM sources")
    assert (source["failing_since"], source["failures"]) == (None, 0)
    began = datetime.now(UTC)
    with site.database.transaction() as connection:
        ledger.start(connection, source["source_id"], RunResult("s", str(uuid.uuid4()), started_at=began))
    lease = leases.wait(site.database, source["source_id"], str(uuid.uuid4()), 0)
    assert lease is not None
    leases.release(site.database, lease)
    (source,) = rows(site.database, "SELECT failing_since, failures, error_kind FROM sources")
    assert source == {"failing_since": began, "failures": 1, "error_kind": "database"}
    site.sweep()
    (source,) = rows(site.database, "SELECT failing_since, failures, error_kind FROM sources")
    assert source == {"failing_since": None, "failures": 0, "error_kind": None}


def test_a_lease_is_renewed_while_the_network_is_slow(
    sites: Sites, sweepers: Sweepers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that takes longer than a lease keeps its source."""
    monkeypatch.setattr(leases, "SECONDS", 1.0)
    monkeypatch.setattr(leases, "RENEW_EVERY", 0.05)
    site, gate = sites.open(images=3), Gate()
    site.server.faults.add(gate)
    runs: list[Any] = []
    sweeping = threading.Thread(target=lambda: runs.append(site.sweep()))
    sweeping.start()
    until(gate.reached.is_set, "the sweep has begun")
    first = rows(site.database, "SELECT expires_at FROM leases")[0]["expires_at"]
    until(
        lambda: rows(site.database, "SELECT clock_timestamp() > %s AS over", first)[0]["over"],
        "the first lease would have ended",
    )
    assert site.sweep().outcome == "busy"
    gate.open.set()
    sweeping.join()
    assert runs[0].outcome == "complete"
    assert rows(site.database, "SELECT holder FROM leases") == [{"holder": None}]


@pytest.mark.parametrize("where", ["listing", "look-up"])
def test_no_transaction_is_open_while_the_cloud_hangs(sites: Sites, where: str) -> None:
    """Every connection of a waiting sweep is idle, and no lock is held."""
    site, gate = sites.open(images=3), Gate()
    site.sweep()
    site.cloud.delete(name_of(1))
    by_id = "/v2/images/"
    site.server.faults.add(gate, when=lambda r: r.path.startswith(by_id) == (where == "look-up"))
    sweeping = threading.Thread(target=site.sweep)
    sweeping.start()
    until(gate.reached.is_set, "the cloud was asked")
    others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    until(
        lambda: not rows(site.database, f"SELECT FROM pg_stat_activity WHERE {others} AND state <> 'idle'"),
        "all connections are idle",
    )
    held = rows(
        site.database,
        "SELECT l.locktype, l.mode FROM pg_locks l JOIN pg_stat_activity USING (pid) WHERE " + others,
    )
    assert held == []
    gate.open.set()
    sweeping.join()
    assert site.reasons() == {name_of(1): "not_found"}


@pytest.mark.parametrize(
    "fault", [drip(0.3), drip(0.3, headers=True), hang()], ids=["body", "headers", "hang"]
)
def test_the_deadline_ends_a_sweep_whatever_the_server_does(sites: Sites, fault: Any) -> None:
    """A byte at a time would last for minutes: the pass fails, what was read is merged, nothing is deleted."""
    site = sites.open(images=4, deadline=1.0)
    site.sweep()
    site.cloud.change(name_of(0), name="renamed")
    site.cloud.delete(name_of(3))
    site.server.faults.add(fault, when=lambda request: "marker" in request.query, times=None)
    run = site.sweep()
    assert (run.outcome, run.error_kind, run.updated, run.deleted) == ("partial", "deadline", 1, 0)
    assert site.passes(run)["listed"] == "failed"
    assert len(site.live()) == 4


def test_a_first_page_that_drips_ends_as_failed(sites: Sites) -> None:
    site = sites.open(images=4, deadline=1.0)
    site.server.faults.add(drip(0.3), times=None)
    run = site.sweep()
    assert (run.outcome, run.error_kind) == ("failed", "deadline")


@pytest.mark.parametrize("took", [60, 0])
def test_the_deadline_is_three_times_the_last_complete_sweep_if_that_is_longer(
    sites: Sites, took: int
) -> None:
    site = sites.open(images=2, deadline=0.5)
    site.sweep()
    with site.database.transaction() as connection:
        connection.execute("UPDATE sources SET last_complete_seconds = %s", (took,))

    def slow(exchange: Exchange) -> None:
        exchange.stopping.wait(1.0)
        exchange.send(exchange.healthy())

    site.server.faults.add(slow)
    run = site.sweep()
    assert (run.outcome, run.error_kind) == (("complete", None) if took else ("failed", "deadline"))


def test_a_sweep_that_is_told_to_stop_merges_what_it_has(sites: Sites) -> None:
    site, stop = sites.open(images=4, page_size=1), threading.Event()
    site.sweep()
    site.cloud.change(name_of(0), name="renamed")
    site.cloud.delete(name_of(3))

    def stopping(exchange: Exchange) -> None:
        stop.set()
        hang()(exchange)

    # the third page is asked for while the second one is read: by then the first one is taken in
    site.server.faults.add(stopping, when=lambda request: request.query.get("marker") == name_of(1))
    run = site.sweep(stop=stop)
    assert (run.outcome, run.updated, run.deleted) == ("partial", 1, 0)
    assert len(site.live()) == 4


def test_a_lease_that_ends_later_than_any_may_is_free(sites: Sites) -> None:
    """Written while the database's clock went wrong: no command could clear it."""
    site = sites.open()
    site.sweep()
    for ends, outcome in (("1 hour", "busy"), ("10 years", "complete")):
        with site.database.transaction() as connection:
            connection.execute(
                "UPDATE leases SET holder = %s, expires_at = now() + %s::interval", (uuid.uuid4(), ends)
            )
        assert site.sweep().outcome == outcome
