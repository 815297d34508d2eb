"""A forgotten observation leaves the tables as if it had never been loaded."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from catalog.errors import UsageError
from catalog.run.backfill import backfill, forget
from catalog.store.database import Database
from tests.support.records import hour, listing, named, write
from tests.support.rows import HISTORY, contents_of, images, rows
from tests.support.world import source


def test_a_forgotten_observation_leaves_the_tables_as_they_were(database: Database, tmp_path: Path) -> None:
    files = [write(tmp_path, named(n), listing(*range(n), name=f"n{n % 3}")) for n in (3, 5, 4, 6)]
    for path in (files[0], files[1], files[3]):
        backfill(database, source(), [path], complete=True)
    expected = contents_of(database, "s", (*HISTORY, "runs"))
    run = backfill(database, source(), [files[2]], complete=True).runs[0]
    assert contents_of(database, "s") != expected
    gone = forget(database, source(), run.run_id)
    assert (gone.observed_at, gone.run_ids) == (hour(4), (run.run_id,))
    assert contents_of(database, "s", (*HISTORY, "runs")) == expected
    assert len(backfill(database, source(), [files[2]], complete=True).runs) == 1


def test_the_first_and_the_only_observation_can_be_forgotten(database: Database, tmp_path: Path) -> None:
    run = backfill(database, source(), [write(tmp_path, named(1), listing(1))]).runs[0]
    forget(database, source(), run.run_id)
    assert images(database) == {}
    assert rows(database, "SELECT observed_since FROM sources") == [{"observed_since": None}]


def test_runs_of_one_moment_are_forgotten_together(database: Database, tmp_path: Path) -> None:
    """Their records were united, so one cannot be taken out of the other; the answer names both."""
    runs = [
        backfill(database, source(), [write(tmp_path, named(1, f"-{n}"), listing(n))]).runs[0] for n in (1, 2)
    ]
    gone = forget(database, source(), runs[0].run_id)
    assert sorted(gone.run_ids) == sorted(run.run_id for run in runs)
    assert images(database) == {}
    assert rows(database, "SELECT * FROM runs") == []


def test_a_run_that_is_not_there_cannot_be_forgotten(database: Database, tmp_path: Path) -> None:
    backfill(database, source(), [write(tmp_path, named(1), listing(1))])
    for run_id in (str(uuid.uuid4()), "nonsense"):
        with pytest.raises(UsageError, match="catalog runs"):
            forget(database, source(), run_id)
