"""The catalog as of any moment: images_as_of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from catalog.config.settings import DatabaseSettings
from catalog.fields import COLUMNS
from catalog.store.db import schema
from catalog.store.db.connection import Database
from tests.integration.views.conftest import T0, Shelf, days
from tests.support import citus

DELIVERED = (
    "source_id",
    "image_id",
    *COLUMNS,
    "deleted_at",
    "deletion_reason",
    "unlisted_since",
    "first_seen_at",
    "last_changed_at",
    "source",
    "tags",
    "capabilities",
    "properties",
    "valid_from",
    "observed",
)


def three_lives(shelf: Shelf, name: str = "one", **columns: Any) -> str:
    """An image that is created on day 0, renamed on day 10, deleted on day 20; another that stays."""
    source = shelf.source(name, observed_since=days(5), **columns)
    shelf.image(source, "a", name="new name", deleted_at=days(20), unlisted_since=None, file_url="/v2/a")
    shelf.revision(source, "a", days(5), days(10), "created", valid_from=T0, name="old name", tags=["x"])
    shelf.revision(source, "a", days(10), days(20), name="new name", tags=["x", "y"])
    shelf.revision(
        source,
        "a",
        days(20),
        change="deleted",
        name="new name",
        tags=["x", "y"],
        deleted_at=days(20),
        deletion_reason="not_found",
    )
    shelf.image(source, "b", unlisted_since=days(30))
    shelf.revision(source, "b", days(15), change="created", capabilities=["kvm"], properties={"k": 1})
    return source


def test_its_columns_are_those_of_images_then_what_tables_beside_it_hold(shelf: Shelf) -> None:
    cursor = shelf.connection.execute("SELECT * FROM images_as_of(now())")
    assert tuple(column.name for column in cursor.description or ()) == DELIVERED


@pytest.mark.parametrize(
    ("moment", "seen"),
    [
        (days(-0.001), []),
        (T0, [("a", "old name", None)]),
        (days(9.999), [("a", "old name", None)]),
        (days(10), [("a", "new name", None)]),
        (days(15), [("a", "new name", None), ("b", "b", None)]),
        (days(20), [("a", "new name", days(20)), ("b", "b", None)]),
        (days(500), [("a", "new name", days(20)), ("b", "b", None)]),
    ],
)
def test_a_revision_holds_from_its_start_up_to_the_next_one(
    shelf: Shelf, moment: Any, seen: list[tuple[Any, ...]]
) -> None:
    three_lives(shelf)
    rows = shelf.ask("SELECT image_id, name, deleted_at FROM images_as_of(%s) ORDER BY image_id", moment)
    assert [tuple(row.values()) for row in rows] == seen


def test_rows_carry_the_facets_and_dates_of_their_revision_but_no_links(shelf: Shelf) -> None:
    three_lives(shelf)
    a, b = shelf.ask("SELECT * FROM images_as_of(%s) ORDER BY image_id", days(15))
    assert a["source"] == "one"
    assert a["tags"] == ["x", "y"]
    assert a["valid_from"] == a["last_changed_at"] == days(10)
    assert a["first_seen_at"] == T0
    assert a["file_url"] is a["self_url"] is a["schema_url"] is None
    assert b["capabilities"] == ["kvm"]
    assert b["properties"] == {"k": 1}
    assert b["unlisted_since"] is None


def test_before_the_first_observation_it_is_reconstructed_not_observed(shelf: Shelf) -> None:
    three_lives(shelf)
    at = "SELECT observed FROM images_as_of(%s) WHERE image_id = 'a'"
    assert shelf.column(at, days(4)) == [False]
    assert shelf.column(at, days(5)) == [True]


PRUNED = "SELECT count(*) FROM images_as_of(%s)"


@pytest.mark.parametrize(
    "condition",
    [
        "",
        " WHERE deleted_at IS NULL",
        " WHERE image_id = 'a'",
        " WHERE name LIKE 'z%%'",
        " WHERE 'x' = ANY(tags)",
        " WHERE source = 'pruned' AND unlisted_since IS NOT NULL",
        " WHERE source_id = 's-pruned' AND image_id = 'unknown'",
    ],
)
def test_before_the_pruned_part_it_is_an_error_whatever_is_asked_for(shelf: Shelf, condition: str) -> None:
    three_lives(shelf)
    three_lives(shelf, "pruned", history_from=days(12))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match='history of source "pruned"'):
        shelf.ask(PRUNED + condition, days(11.9))


@citus.unfit("a condition on the source does not reach images_as_of: docs/citus.md")
def test_a_source_that_was_not_pruned_answers_for_itself(shelf: Shelf) -> None:
    source = three_lives(shelf)
    three_lives(shelf, "pruned", history_from=days(12))
    assert shelf.column(PRUNED + " WHERE source = 'one'", days(11)) == [1]
    assert shelf.column(PRUNED + " WHERE source_id = %s", days(11), source) == [1]
    assert shelf.column(PRUNED, days(12)) == [2]


@citus.unfit("images_as_of is planned on its own: docs/citus.md")
def test_one_images_history_is_read_by_its_key_and_unread_columns_cost_nothing(shelf: Shelf) -> None:
    """PostgreSQL looks through the function: the condition reaches the index, the unused join vanishes."""
    shelf.connection.execute("SET enable_seqscan = off")
    plan = "\n".join(
        shelf.column(
            "EXPLAIN SELECT name FROM images_as_of(now()) WHERE source_id = 's-one' AND image_id = 'a'"
        )
    )
    assert "revisions" in plan
    of_revisions = plan.split("revisions")[-1]
    assert re.search(r"Index Cond: .*source_id = 's-one'.*image_id = 'a'", of_revisions), plan
    assert " on images " not in plan
    assert "Function Scan on images_as_of" not in plan


def test_everything_works_in_a_schema_that_no_search_path_names(empty_database_url: str) -> None:
    settings = DatabaseSettings(url=empty_database_url, data_dir=Path(), schema="inventory of images")
    with Database(settings) as database:
        schema.upgrade(database)
        with psycopg.connect(empty_database_url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute('SET search_path TO "inventory of images"')
            shelf = Shelf(connection, database)
            three_lives(shelf)
            three_lives(shelf, "pruned", history_from=days(12))
            connection.execute("SET search_path TO pg_catalog")
            views = shelf.column("SELECT viewname FROM pg_views WHERE schemaname = 'inventory of images'")
            assert len(views) >= 10
            for view in views:
                shelf.ask(f'SELECT * FROM "inventory of images".{view}')
            asked = 'SELECT image_id FROM "inventory of images".images_as_of(%s) ORDER BY 1'
            assert shelf.column(asked, days(15)) == ["a", "a", "b", "b"]
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                shelf.ask(asked, T0)
