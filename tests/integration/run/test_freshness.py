"""How old what is known of a source is, by the database's clock, whatever that showed before (source_freshness)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.report.queries import run_report
from catalog.store.state import due_sources
from catalog.store.state.sources import LISTING_COLUMNS, listing
from tests.support.records import name_of
from tests.support.rows import wipe
from tests.support.world import Site, Sites, moved, source

INTERVAL = 900
MINUTE = timedelta(minutes=1)


def fresh(site: Site) -> dict[str, Any]:
    return site.rows("SELECT * FROM source_freshness WHERE source_id = $")[0]


def move(site: Site, by: str, *columns: str) -> None:
    """Moves columns (`table.column`) of the source in time."""
    for table, column in (name.split(".") for name in columns):
        site._execute(f"UPDATE {table} SET {moved(column, by)}")


def after_a_clock_ahead(sites: Sites, by: str = "30 days") -> Site:
    """A source whose first two sweeps, one complete and one of changes, took place while the clock was ahead."""
    site = sites.open(images=3, interval=INTERVAL)
    site.sweep()
    assert site.sweep_changes().outcome == "complete"
    move(
        site, by,
        "observations.observed_at", "runs.observed_at", "runs.started_at", "runs.finished_at",
        "sources.last_complete_at", "sources.last_complete_ended_at",
        "sources.last_changes_at", "sources.last_changes_ended_at",
    )  # fmt: skip
    site._execute(f"UPDATE sources SET expected_seconds = {INTERVAL}")
    return site


@pytest.mark.parametrize(("by", "stale"), [("4 minutes", False), ("6 minutes", True), ("30 days", True)])
def test_a_sweep_that_ended_in_the_future_is_stale(sites: Sites, by: str, *, stale: bool) -> None:
    """Nobody knows when it was. Clocks that differ by a little are no matter."""
    assert fresh(after_a_clock_ahead(sites, by))["stale"] is stale


def test_after_the_clock_was_ahead_age_goes_by_the_end_of_the_sweep(sites: Sites) -> None:
    """Observations are dated ahead for 30 days: for as long no source counted as stale, swept or not."""
    site = after_a_clock_ahead(sites)
    for _ in range(2):
        run = site.sweep()
        assert run.observed_at is not None
        assert run.finished_at is not None
        assert run.observed_at > run.finished_at + timedelta(days=29)
        row = fresh(site)
        assert (row["stale"], row["age_seconds"] in range(60)) == (False, True)
        assert abs(row["last_complete_at"] - run.finished_at) < MINUTE
    move(site, "-1 hour", "sources.last_complete_ended_at")
    row = fresh(site)
    assert (row["stale"], row["age_seconds"] in range(3600, 3660)) == (True, True)
    with site.database.transaction() as connection:
        (health,) = due_sources.health(connection)
        told = dict(zip(LISTING_COLUMNS, listing(connection)[0], strict=True))
        (summary,) = run_report(connection, "summary").dicts()
    assert health.last_complete == pytest.approx(row["last_complete_at"].timestamp())
    assert told["last_complete_at"] == summary["last_complete_at"] == row["last_complete_at"]


def test_after_the_clock_was_ahead_the_age_of_changes_goes_by_the_end_too(sites: Sites) -> None:
    site = after_a_clock_ahead(sites)
    assert fresh(site)["changes_age_seconds"] < 0
    site.sweep_changes()
    assert fresh(site)["changes_age_seconds"] in range(60)
    site.cloud.change(name_of(0), name="renamed")
    assert site.sweep_changes().updated == 1
    assert fresh(site)["changes_age_seconds"] in range(60)


def test_a_later_archive_makes_a_source_as_fresh_as_it_is(sites: Sites, tmp_path: Path) -> None:
    """However long ago this catalog itself read it completely; without it, as fresh as the one before."""
    site = sites.open(images=3, archive=tmp_path)
    first, second = (site.sweep() for _ in range(2))
    before, after = sorted((tmp_path / "s").iterdir())
    wipe(site.database)
    backfill(site.database, source(), [before])
    assert fresh(site)["last_complete_at"] == first.observed_at
    move(site, "-1 hour", "sources.last_complete_ended_at", "runs.finished_at")
    earlier = fresh(site)["last_complete_at"]
    backfill(site.database, source(), [after])
    assert fresh(site)["last_complete_at"] == second.observed_at
    forget(site.database, source(), second.run_id)
    assert fresh(site)["last_complete_at"] == earlier
