"""`catalog db grant ROLE --views-only`: all views and functions, and nothing that is called internal."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from catalog.config.settings import DatabaseSettings
from catalog.store.db import privileges
from catalog.store.db.connection import Database
from tests.integration.views.conftest import Shelf, days
from tests.integration.views.readers import reader
from tests.support import citus

VISIBLE = """
    SELECT c.relname, c.relkind = 'v', coalesce(obj_description(c.oid, 'pg_class'), '')
    FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND has_table_privilege(c.oid, 'SELECT')
"""
VIEWS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'"


@citus.unfit("nodes read tables with the rights of whoever asks: docs/citus.md")
def test_every_view_and_function_answers(shelf: Shelf, database_url: str) -> None:
    source = shelf.source()
    shelf.image(source, "a", tags=["x"])
    shelf.revision(source, "a", days(0), change="created")
    views = {name for (name,) in (tuple(row.values()) for row in shelf.ask(VIEWS))}
    with reader(database_url, "viewer") as connection:
        seen = connection.execute(VISIBLE).fetchall()
        assert {name for name, is_view, _ in seen if is_view} == views
        assert not [name for name, _, comment in seen if comment.endswith("Internal.")]
        for view in views:
            connection.execute(f"SELECT * FROM {view}".encode()).fetchall()
        assert len(connection.execute("SELECT * FROM images_as_of(now())").fetchall()) == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM leases")


@citus.unfit("nodes read tables with the rights of whoever asks: docs/citus.md")
def test_who_read_everything_before_sees_no_internal_table_any_more(shelf: Shelf, database_url: str) -> None:
    with (
        reader(database_url) as connection,
        Database(DatabaseSettings(url=database_url, data_dir=Path())) as database,
    ):
        (role,) = connection.execute("SELECT current_user").fetchone() or ()
        connection.execute("SELECT * FROM leases")
        privileges.grant(database, role, "viewer")
        seen = connection.execute(VISIBLE).fetchall()
        assert not [name for name, _, comment in seen if comment.endswith("Internal.")]
        connection.execute("SELECT * FROM images_as_of(now())")
        # a daemon's role goes on writing
        privileges.grant(database, role, "writer")
        privileges.grant(database, role, "viewer")
        connection.execute("SELECT * FROM leases")


def test_tags_of_live_images_are_told_from_those_of_deleted_ones(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", tags=["x", "y"])
    shelf.image(source, "b", tags=["x"], deleted_at=days(1))
    found = shelf.ask("SELECT source, image_id, name, tag FROM live_image_tags ORDER BY tag")
    assert [tuple(row.values()) for row in found] == [("one", "a", "a", "x"), ("one", "a", "a", "y")]


def test_durations_are_double_precision(shelf: Shelf) -> None:
    """What is numeric in some views and not in others is opaque to ADBC, and another type in each tool."""
    found = shelf.ask(
        "SELECT table_name || '.' || column_name AS name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'numeric'"
    )
    assert [row["name"] for row in found] == []
