"""Files larger than memory are read twice: they say the same, or nothing if they changed meanwhile."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.command import Progress, backfill
from catalog.store.db.connection import Database
from tests.support.records import image, listing, named, write
from tests.support.rows import HISTORY, contents_of, images, rows, snapshot
from tests.support.world import source


def test_large_files_are_read_twice_and_say_the_same(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With next to no memory for records, hashes, ids and the present, the tables are the same, run ids too."""
    from catalog.backfill import id_table, observation, record_set

    double = {"images": [*listing(*range(30))["images"], image(3, name="twice"), image(4)]}
    files = [
        write(tmp_path, named(1), double),
        write(tmp_path, named(2), gzip.compress(json.dumps(listing(*range(5, 28), name="n")).encode())),
        write(tmp_path, named(2, "-b"), listing(2, 5, name="o")),
        write(tmp_path, named(3), listing(*range(40))),
    ]
    for path in files:
        backfill(database, source("a"), [path], complete=True, accept_deletions=True)
    backfill(database, source("b"), files[1:3], complete=True, confirmed=True)
    monkeypatch.setattr(record_set, "MEMORY", 100)
    monkeypatch.setattr(record_set, "_MEMORY_OF_HASHES", 3)
    monkeypatch.setattr(record_set, "_MEMORY_OF_IMAGES", 500)
    monkeypatch.setattr(record_set, "_STEP", 7)
    monkeypatch.setattr(observation, "KEPT_IN_MEMORY", 5)
    monkeypatch.setattr(id_table.IdTable.__init__, "__defaults__", (10,))
    before = snapshot(database)
    assert backfill(database, source("a"), files[:1], complete=True).unchanged == 1
    assert backfill(database, source("b"), files[1:3], complete=True, confirmed=True).unchanged == 1
    assert snapshot(database) == before
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET name = 'before' WHERE name = 'a'")
    expected = contents_of(database, "before", (*HISTORY, "runs"))
    for path in files:
        backfill(database, source("a"), [path], complete=True, accept_deletions=True, confirmed=True)
    again = contents_of(database, "a", (*HISTORY, "runs"))
    times = [(r.pop("runs"), r)[0] for r in (expected, again)]
    assert again == expected
    counters = [[_counters(row) for row in rows_] for rows_ in times]
    assert counters[0] == counters[1]


def _counters(row: str) -> dict[str, Any]:
    return {k: v for k, v in json.loads(row).items() if not k.endswith("ed_at")}


def test_a_file_that_changes_while_it_is_read_is_not_merged(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.backfill import record_set

    monkeypatch.setattr(record_set, "MEMORY", 10)
    path = write(tmp_path, named(1), listing(1, 2, name="as it was"))
    other = json.dumps(listing(1, 2, name="as it is!")).encode()

    def progress(at: Progress) -> None:
        path.write_bytes(other)

    result = backfill(database, source(), [path], progress=progress)
    assert [one.reason for one in result.failures] == ["a file of this moment changed while it was read"]
    assert images(database) == {}
    assert rows(database, "SELECT * FROM runs") == []
