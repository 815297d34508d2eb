"""`catalog remap`: a mapping fix reaches old rows; with today's mapping nothing changes."""

from __future__ import annotations

import pytest

from catalog.demo import example_images
from catalog.mapping import MappingRules
from catalog.store.db.connection import Database
from catalog.store.state import sources
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.remap import remap
from tests.support.observations import add_source, day, observe, rows

TABLES = ("images", "image_state", "image_tags", "image_capabilities", "image_properties", "revisions",
          "revision_documents", "status_history")  # fmt: skip


def versions(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Place of every row version: a row that was written, even with the same values, has another."""
    with database.session() as connection:
        return {table: rows(connection, f"SELECT ctid::text, xmin::text FROM {table}") for table in TABLES}


@pytest.fixture
def filled(database: Database) -> Database:
    add_source(database)
    with database.transaction() as connection:
        for kind in ("ims", "glance"):
            images = {record["id"]: dict(record) for record in example_images(kind, 60, 3)}
            observe(connection, day(1 if kind == "ims" else 2), images, complete=False)
        observe(
            connection,
            day(3),
            {"x": {"name": "x", "tags": ["b", "a"], "__support_kvm": "true"}},
            complete=False,
        )
        observe(connection, day(4), {}, complete=False, absent={"x": "not_found"})
    return database


def run(database: Database, rules: MappingRules | None = None) -> dict[str, int]:
    with database.transaction() as connection:
        source = sources.find(connection, "cloud")
    assert source is not None
    return remap(database, source, MappingAdapter(rules or MappingRules())).rows


def test_an_unchanged_mapping_changes_nothing(filled: Database) -> None:
    """Not one row version is written in any table of images or history."""
    before = versions(filled)
    assert run(filled) == {}
    assert versions(filled) == before


def test_wrong_columns_tags_and_flags_are_rebuilt(filled: Database) -> None:
    """What an earlier mapping got wrong follows the documents: present, past, and deletions after a record."""
    columns = "SELECT image_id, name, min_disk, tags, capabilities, properties FROM images ORDER BY image_id"
    past = "SELECT image_id, observed_at, name, min_disk, tags FROM revisions ORDER BY image_id, observed_at"
    children = (
        "SELECT image_id, tag FROM image_tags ORDER BY 1, 2",
        "SELECT image_id, capability, supported, raw_value, models FROM image_capabilities ORDER BY 1, 2",
        "SELECT image_id, name, value FROM image_properties ORDER BY 1, 2",
    )
    with filled.session() as connection:
        right = [rows(connection, query) for query in (columns, past, *children)]
    with filled.transaction() as connection:
        connection.execute("UPDATE images SET name = 'wrong', min_disk = -1, tags = '{}'")
        connection.execute("UPDATE revisions SET name = 'wrong', min_disk = -1")
        connection.execute("UPDATE image_capabilities SET supported = NOT supported")
        connection.execute("DELETE FROM image_tags")
        connection.execute(
            "INSERT INTO image_properties SELECT source_id, image_id, 'extra', '1' FROM images"
        )
    changed = run(filled)
    with filled.session() as connection:
        assert [rows(connection, query) for query in (columns, past, *children)] == right
        revisions = rows(connection, "SELECT count(*) FROM revisions")[0][0]
    assert changed["images"] == 121
    assert changed["revisions"] == revisions
    assert run(filled) == {}
