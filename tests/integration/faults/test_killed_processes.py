"""`kill -9` of real processes at any moment: of a sweep, of a backfill, of a migration. What comes after finds
nothing half-written."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import DatabaseSettings
from catalog.store.db import schema
from catalog.store.db.connection import Database
from tests.integration.faults.changing import changed_site, check_as_undisturbed
from tests.migration.conftest import start, surroundings
from tests.migration.portrait import portrait
from tests.support import citus
from tests.support.records import image, write
from tests.support.rows import HISTORY, contents_of, rows
from tests.support.world import Site, Sites

Start = Callable[..., "subprocess.Popen[str]"]
ROUNDS = 8


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Start]:
    """Starts processes; each is ended, by its own id, when the test is over."""
    started: list[subprocess.Popen[str]] = []

    def begin(*command: str, url: str, told: dict[str, Any] | None = None) -> subprocess.Popen[str]:
        keywords = {k: v for k, v in surroundings(url, tmp_path).items() if k != "capture_output"}
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **keywords,  # type: ignore[call-overload]
        )
        started.append(process)
        process.stdin.write(json.dumps(told or {}))
        process.stdin.close()
        return process  # type: ignore[no-any-return]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def at_work(database: Database) -> bool:
    """Whether a process of the product has a transaction open, or has written."""
    return bool(
        rows(
            database,
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name = 'catalog' AND xact_start IS NOT NULL",
        )
    )


def kill(process: subprocess.Popen[str], after: float) -> None:
    time.sleep(after)
    process.kill()
    process.wait()


def until(happened: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    while not happened() and process.poll() is None:
        time.sleep(0.001)


def test_a_sweep(sites: Sites, begin: Start, database_url: str) -> None:
    """Killed at moments spread over the listing and the merge; one round is as long as the sweep."""
    chance = random.Random(11)
    site = changed_site(sites, images=40)
    lasts = 0.3
    for number in range(ROUNDS):
        site.end_leases()
        asked = {"database": database_url, "endpoint": site.source.endpoint, "kind": "glance", "wait": 5}
        site.server.requests.clear()
        process = begin(sys.executable, "-m", "tests.integration.run.sweeper", url=database_url, told=asked)
        until(lambda: site.server.requests, process)
        began = time.monotonic()
        if number == 0:
            process.wait()
            lasts = time.monotonic() - began
        else:
            kill(process, chance.uniform(0, lasts))
        with_one_open_row(site)
        site.cloud.change("image-003", name=f"renamed {number}", tags=[f"{number}"])
        site.cloud.add(image(100 + number))
        site.cloud.delete(f"image-{10 + number:03d}")
    check_as_undisturbed(site)


def with_one_open_row(site: Site) -> None:
    """A killed run leaves its row open at most; whoever sweeps next closes it."""
    assert len([row for row in site.run_rows() if row["finished_at"] is None]) <= 1


def test_a_backfill(database: Database, begin: Start, empty_database_url: str, tmp_path: Path) -> None:
    """Started again until it is done, it brings the very tables of one that nobody disturbed."""
    for day in range(1, 13):
        records = [image(n, name=f"day {day if n % 3 == 0 else 0}") for n in range(day, day + 30)]
        write(tmp_path / "dumps", f"2026-02-{day:02d}.json", {"images": records})
    command = [*start("catalog", "backfill", "s", "dumps", "--kind", "glance", "--complete")]
    command.append("--accept-deletions")
    chance = random.Random(12)
    killed = 0
    for _ in range(ROUNDS):
        process = begin(*command, url=database.libpq_url)
        until(lambda: at_work(database), process)
        kill(process, chance.uniform(0, 0.25))
        killed += process.returncode == -9
        with database.transaction() as connection:
            connection.execute("UPDATE leases SET expires_at = now() - interval '1 second'")
    assert killed
    assert begin(*command, url=database.libpq_url).wait(120) == 0
    with Database(DatabaseSettings(url=empty_database_url, data_dir=Path())) as undisturbed:
        schema.upgrade(undisturbed)
        assert begin(*command, url=empty_database_url).wait(120) == 0
        assert contents_of(undisturbed, "s", HISTORY) == contents_of(database, "s", HISTORY)
        assert len(contents_of(undisturbed, "s", ("images",))["images"]) == 41


@citus.unfit("the tables that it is compared with are spread, new ones are not")
def test_a_migration(empty_database_url: str, begin: Start, database: Database) -> None:
    chance = random.Random(13)
    upgrade = start("catalog", "db", "upgrade")
    with Database(DatabaseSettings(url=empty_database_url, data_dir=Path())) as empty:
        for _ in range(ROUNDS):
            process = begin(*upgrade, url=empty_database_url)
            until(lambda: at_work(empty), process)
            kill(process, chance.uniform(0, 0.4))
            left = {row[0] for row in portrait(empty_database_url)["tables"]} - {
                "citus_schemas",
                "citus_tables",
            }
            assert not left or "image_overview" in left
        assert begin(*upgrade, url=empty_database_url).wait(120) == 0
    assert portrait(empty_database_url) == portrait(database.libpq_url)
