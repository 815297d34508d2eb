"""Files larger than memory say the same, as they were when they were read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import Progress, backfill
from catalog.store.db.connection import Database
from tests.support.records import image, listing, name_of, named, write
from tests.support.rows import HISTORY, contents_of, images, snapshot
from tests.support.world import source


def test_large_files_say_the_same(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With next to no memory for records, hashes and the present, the tables are the same, run ids too."""
    from catalog.backfill import observation, record_set
    from catalog.sync import spill_file

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
    monkeypatch.setattr(spill_file, "MEMORY", 100)
    monkeypatch.setattr(record_set, "_MEMORY_OF_HASHES", 3)
    monkeypatch.setattr(record_set, "_MEMORY_OF_IMAGES", 500)
    monkeypatch.setattr(observation, "KEPT_IN_MEMORY", 5)
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


def test_a_file_that_changes_after_it_was_read_is_merged_as_it_was(
    database: Database, tmp_path: Path
) -> None:
    path = write(tmp_path, named(1), listing(1, 2, name="as it was"))
    other = json.dumps(listing(1, 2, name="as it is!")).encode()

    def progress(at: Progress) -> None:
        path.write_bytes(other)

    result = backfill(database, source(), [path], progress=progress)
    assert result.failures == []
    assert {row["name"] for row in images(database).values()} == {"as it was"}


def test_records_that_find_no_room_are_named_with_their_file_and_the_others_go_on(
    database: Database, tmp_path: Path
) -> None:
    large = write(tmp_path, named(1), listing(1, 2, name="x" * 5_000))
    small = write(tmp_path, named(2), listing(1))
    result = backfill(database, source(spool_limit=8_000), [large, small])
    (failure,) = result.failures
    assert failure.path == str(large)
    assert "raise `spool_limit`" in failure.reason
    assert set(images(database)) == {name_of(1)}
