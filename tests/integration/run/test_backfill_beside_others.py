"""Backfill goes on after interruptions, and gets along with sweeps and other writers of its source."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.backfill import yielding_lease
from catalog.backfill.backfill import Progress, backfill
from catalog.store.db.connection import Database
from catalog.store.maintenance.prune import prune
from catalog.store.state import leases, sources
from tests.support.records import image, listing, name_of, named, write
from tests.support.rows import contents_of, live, rows
from tests.support.world import Sites, source


def test_a_busy_source_is_left_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.backfill import loader

    monkeypatch.setattr(loader, "FIRST_WAIT", 0.2)
    backfill(database, source(), [write(tmp_path, named(1), listing(1))])
    with database.transaction() as connection:
        stored = sources.find(connection, "s")
    assert stored is not None
    lease = leases.wait(database, stored.source_id, str(uuid.uuid4()), 0)
    assert lease is not None
    result = backfill(database, source(), [write(tmp_path, named(2), listing(2))])
    assert (result.busy, result.runs) == (True, [])
    assert live(database) == {name_of(1)}
    leases.release(database, lease)
    assert not backfill(database, source(), [tmp_path]).busy


def test_sweeps_get_their_turn_while_files_are_loaded(
    database: Database, sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both end right: the sweep is not kept waiting to the end, and the present stays the sweep's."""
    monkeypatch.setattr(yielding_lease, "YIELD_SECONDS", 0.05)
    site = sites.open(images=[image(n, name="of the sweep") for n in range(4)])
    site.sweep()
    for n in range(25):
        write(tmp_path, named(n), listing(*range(n % 4 + 1), name=f"at {n}"))
    outcomes: list[str] = []
    done = threading.Event()

    def sweep() -> None:
        while not done.is_set():
            outcomes.append(site.sweep(wait_seconds=20).outcome)
            done.wait(0.6)  # longer than a waiting backfill sleeps, or the sweeps would never leave it a turn

    thread = threading.Thread(target=sweep)
    thread.start()
    result = backfill(database, site.source, [tmp_path], complete=True)
    done.set()
    thread.join()
    assert set(outcomes) == {"complete"}
    assert (len(result.runs), result.failures, result.busy) == (25, [], False)
    assert {row["name"] for row in site.images().values()} == {"of the sweep"}
    expected = contents_of(database, "s")
    backfill(database, site.source, [tmp_path], complete=True)
    assert contents_of(database, "s") == expected


def test_another_writer_in_a_pause_is_noticed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered of the present between two files is thrown away when somebody else may have written."""
    monkeypatch.setattr(yielding_lease, "YIELD_SECONDS", 0.0)
    write(tmp_path, named(1), listing(1, name="first"))
    write(tmp_path, named(3), listing(1, name="first"))
    other = write(tmp_path / "other", named(2), listing(1, name="second"))
    pauses: list[int] = []
    sleep = yielding_lease.time.sleep

    def meanwhile(seconds: float) -> None:
        if not pauses:
            pauses.append(1)
            backfill(database, source(), [other])
        sleep(0)

    monkeypatch.setattr(yielding_lease.time, "sleep", meanwhile)
    backfill(database, source(), [tmp_path / named(1), tmp_path / named(3)])
    found = rows(database, "SELECT name FROM revisions ORDER BY observed_at")
    assert [row["name"] for row in found] == ["first", "second", "first"]


def test_interrupted_and_started_again_it_goes_on(database: Database, tmp_path: Path) -> None:
    """What was merged stays; the rest comes with the next start."""
    for n in range(1, 6):
        write(tmp_path, named(n), listing(*range(n)))
    stop = threading.Event()

    def progress(at: Progress) -> None:
        if at.records > 6:
            stop.set()

    first = backfill(database, source(), [tmp_path], progress=progress, stop=stop)
    assert first.stopped
    assert 0 < len(first.runs) < 5
    second = backfill(database, source(), [tmp_path])
    assert (second.stopped, second.unchanged, len(second.runs)) == (
        False,
        len(first.runs),
        5 - len(first.runs),
    )
    assert len(rows(database, "SELECT * FROM observations")) == 5


def test_progress_ends_at_the_whole(database: Database, tmp_path: Path) -> None:
    for n in range(1, 4):
        write(tmp_path, named(n), listing(*range(n)))
    told_: list[Progress] = []
    result = backfill(database, source(), [tmp_path], progress=told_.append)
    assert told_[-1].bytes_done == told_[-1].bytes_total == sum(p.stat().st_size for p in tmp_path.iterdir())
    assert [one.bytes_done for one in told_] == sorted(one.bytes_done for one in told_)
    assert told_[-1].records == result.records == 6


def test_history_that_is_pruned_while_files_wait_for_the_source_is_not_written_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither among others nor, of a source long silent, as the last word; the file is named, others go on."""
    day = timedelta(days=1)
    now = database.now()

    def at(days: int) -> str:
        return f"{now - days * day:%Y%m%dT%H%M%SZ}.json"

    backfill(database, source(), [write(tmp_path, at(30), listing(1))], complete=True)
    backfill(database, source(), [write(tmp_path, at(20), listing(1, 2))], complete=True)
    files = [write(tmp_path, at(days), listing(3)) for days in (25, 15, 5)]
    hold = yielding_lease.YieldingLease.hold

    def pruned_first(self: yielding_lease.YieldingLease) -> object:
        monkeypatch.setattr(yielding_lease.YieldingLease, "hold", hold)
        prune(database, ["s"], 10 * day)
        return hold(self)

    monkeypatch.setattr(yielding_lease.YieldingLease, "hold", pruned_first)
    result = backfill(database, source(), files)
    assert [Path(one.path) for one in result.failures] == files[:2]
    assert all("`catalog db prune`; leave it out" in one.reason for one in result.failures)
    assert [run.observed_at for run in result.runs] == [(now - 5 * day).replace(microsecond=0)]
    kept = {row["observed_at"] for row in rows(database, "SELECT observed_at FROM observations")}
    assert kept == {(now - days * day).replace(microsecond=0) for days in (20, 5)}
    assert len(rows(database, "SELECT FROM runs")) == 3
