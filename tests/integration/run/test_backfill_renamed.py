"""A source that was renamed knows its dumps again: their run ids were made of its name of before (semantics 7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.store.db.connection import Database
from catalog.store.state import sources
from tests.support.records import hour, image, listing, name_of, named, too_deep, write
from tests.support.rows import rows, snapshot
from tests.support.world import source


def rename(database: Database, old: str, new: str) -> None:
    with database.transaction() as connection:
        sources.rename(connection, old, new)


@pytest.mark.parametrize("complete", [False, True])
def test_dumps_of_a_renamed_source_are_known(database: Database, tmp_path: Path, complete: bool) -> None:
    """Whole or not, the last one or among others, with rejected records or none: not one row is written."""
    contents: list[Any] = [
        listing(1, 2, 3),
        {"images": [image(2, name="new"), too_deep(name_of(3))]},
        {"images": []},
        {"images": [image(4), {"name": "no id"}]},
        listing(1),
    ]
    for n, content in enumerate(contents):
        write(tmp_path, named(n), content)
    assert len(backfill(database, source(), [tmp_path], complete=complete, accept_deletions=True).runs) == 5
    rename(database, "s", "t")
    before = snapshot(database)
    result = backfill(database, source("t"), [tmp_path], complete=complete, accept_deletions=True)
    assert (result.runs, result.unchanged) == ([], 5)
    assert snapshot(database) == before


def test_what_differs_is_loaded_under_the_new_name(database: Database, tmp_path: Path) -> None:
    """Other records, other completeness, other rejected ones: another observation, once."""
    whole = {"images": [image(1), image(2), {"name": "no id"}]}
    backfill(database, source(), [write(tmp_path, named(1), whole)])
    rename(database, "s", "t")
    others: list[Any] = [
        {"images": [image(1), {"name": "no id"}]},
        {"images": [image(1), image(2)]},
        {"images": [image(1), image(2), {"name": "another without"}]},
        {"images": [image(1), image(2, name="other"), {"name": "no id"}]},
        {"images": [image(1), image(2), image(3), {"name": "no id"}]},
    ]
    for n, content in enumerate(others):
        path = write(tmp_path, f"{n}.json", content)
        for loaded in (1, 0):
            assert len(backfill(database, source("t"), [path], observed_at=hour(1)).runs) == loaded, content
    for n in (2, 3):
        write(tmp_path, named(n), listing(1, 2, 3))
    backfill(database, source("t"), [tmp_path / named(2)])
    rename(database, "t", "u")
    assert len(backfill(database, source("u"), [tmp_path / named(2)], complete=True).runs) == 1
    assert len(rows(database, "SELECT FROM runs")) == 8


def test_a_known_one_between_new_ones_is_told_under_the_lease_as_well(
    database: Database, tmp_path: Path
) -> None:
    """Whatever the order in which a command meets them."""
    for n in (1, 3):
        write(tmp_path, named(n), listing(n, 9))
    backfill(database, source(), [tmp_path])
    rename(database, "s", "t")
    for n in (0, 2, 4):
        write(tmp_path, named(n), listing(n))
    result = backfill(database, source("t"), [tmp_path])
    assert ([run.observed_at for run in result.runs], result.unchanged) == ([hour(0), hour(2), hour(4)], 2)
