"""`catalog db prune`: what held at the cut stays, what ended before it goes, and the past says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from catalog.store.db.connection import Database
from catalog.store.maintenance.prune import prune
from tests.support.observations import SOURCE, add_source, day, observe, rows

AGES = "SELECT image_id, change, name FROM revisions ORDER BY image_id, valid_from"


@pytest.fixture
def aged(database: Database) -> Database:
    """An image renamed three times, one deleted early, one deleted late, over ten days."""
    add_source(database)
    with database.transaction() as connection:
        observe(connection, day(0), {"a": {"name": "v1"}, "b": {"name": "b"}, "c": {"name": "c"}})
        observe(connection, day(1), {"a": {"name": "v2"}, "c": {"name": "c"}})
        observe(connection, day(5), {"a": {"name": "v3"}, "c": {"name": "c"}})
        observe(connection, day(9), {"a": {"name": "v4"}})
    return database


def since(cut: datetime) -> timedelta:
    return datetime.now(UTC) - cut


def test_keeps_what_held_at_the_cut(aged: Database) -> None:
    """Revisions that ended before the cut go, with documents and spells; the one in force at it stays."""
    prune(aged, ["cloud"], since(day(3)))
    with aged.session() as connection:
        assert rows(connection, AGES) == [
            ("a", "updated", "v2"),
            ("a", "updated", "v3"),
            ("a", "updated", "v4"),
            ("b", "deleted", "b"),
            ("c", "created", "c"),
            ("c", "deleted", "c"),
        ]
        names = rows(connection, "SELECT name FROM images_as_of(%s) WHERE deleted_at IS NULL", day(4))
        assert sorted(names) == [("c",), ("v2",)]


def test_the_past_before_the_cut_raises(aged: Database) -> None:
    """`images_as_of` before `history_from` is an error, not an empty catalog."""
    prune(aged, ["cloud"], since(day(3)))
    with aged.session() as connection, pytest.raises(psycopg.Error, match="pruned"):
        rows(connection, "SELECT * FROM images_as_of(%s)", day(2))


def test_a_plan_writes_nothing_and_counts_what_would_go(aged: Database) -> None:
    """--plan: the same numbers, no change."""
    with aged.session() as connection:
        before = rows(connection, AGES)
    planned = prune(aged, ["cloud"], since(day(3)), plan=True)[0]
    with aged.session() as connection:
        assert rows(connection, AGES) == before
        assert rows(connection, "SELECT history_from FROM sources") == [(None,)]
    done = prune(aged, ["cloud"], since(day(3)))[0]
    assert planned.rows["revisions"] == done.rows["revisions"] == 2


def test_images_deleted_long_ago_go_whole(aged: Database) -> None:
    """--deleted-images-older-than: every table forgets the image; others stay."""
    prune(aged, ["cloud"], since(day(4)), since(day(3)))
    with aged.session() as connection:
        for table in ("images", "revisions", "revision_documents", "status_history", "image_state"):
            assert rows(connection, f"SELECT DISTINCT image_id FROM {table} ORDER BY 1") == [("a",), ("c",)]


def test_an_image_stays_that_was_still_seen_alive_after_the_cut(database: Database) -> None:
    """The cloud dates its deletion back to before the cut, but that is known by an observation after it."""
    add_source(database)
    with database.transaction() as connection:
        observe(connection, day(0), {"a": {"status": "active"}})
        observe(connection, day(5), {"a": {"status": "active", "name": "still there"}})
        observe(connection, day(6), {"a": {"status": "deleted", "deleted_at": day(1).isoformat()}})
    prune(database, ["cloud"], since(day(3)), since(day(3)))
    with database.session() as connection:
        alive = rows(connection, "SELECT image_id FROM images_as_of(%s) WHERE deleted_at IS NULL", day(4))
        assert alive == [("a",)]
        assert rows(connection, "SELECT deleted_at FROM images") == [(day(1),)]


def test_steps_are_small_and_leave_nothing_out(aged: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many short transactions come to the same as one."""
    planned = prune(aged, ["cloud"], since(day(7)), since(day(7)), plan=True)[0]
    monkeypatch.setattr("catalog.store.maintenance.prune.STEP", 1)
    steps: list[int] = []
    done = prune(aged, ["cloud"], since(day(7)), since(day(7)), progress=steps.append)[0]
    assert (planned.images, done.images) == (1, 1)
    assert {table: n for table, n in planned.rows.items() if n} == {
        "revision_documents": 2, "revisions": 3, "status_history": 1, "observations": 2
    }  # fmt: skip
    assert set(steps) == {0, 1}
    with aged.session() as connection:
        assert rows(connection, AGES) == [
            ("a", "updated", "v3"),
            ("a", "updated", "v4"),
            ("c", "created", "c"),
            ("c", "deleted", "c"),
        ]


def test_dating_after_a_prune_is_what_it_would_have_been(aged: Database) -> None:
    """The last observation before the cut stays in the ledger, so later evidence is dated as before."""
    prune(aged, ["cloud"], since(day(7)))
    with aged.session() as connection:
        observe(connection, day(8), {"a": {"name": "v3b", "updated_at": day(6).isoformat()}})
        dated = rows(connection, "SELECT valid_from FROM revisions WHERE name = 'v3b'")
        assert dated == [(day(6),)]
        kept = rows(
            connection, "SELECT observed_at FROM observations WHERE source_id = %s ORDER BY 1", SOURCE
        )
        assert kept == [(day(5),), (day(8),), (day(9),)]
