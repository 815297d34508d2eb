"""The schema lives in databases that others share, in any schema, behind any address, with few rights."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from alembic import command as alembic
from psycopg import sql
from sqlalchemy.engine import make_url

from catalog.config.settings import DatabaseSettings
from catalog.errors import SchemaError
from catalog.store.db import privileges, schema
from catalog.store.db.connection import Database
from tests.migration.conftest import Run
from tests.migration.filled import columns_of, fill, rows_of
from tests.migration.portrait import Portrait, portrait
from tests.support.world import Sites

OTHERS = """
    CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('deadbeef');
    CREATE TABLE users (id bigserial PRIMARY KEY, name text REFERENCES alembic_version (version_num));
    CREATE INDEX ON users (name);
    CREATE VIEW names AS SELECT name FROM users;
"""


def test_a_database_shared_with_another_product(empty: Database) -> None:
    """Its `alembic_version` is neither read nor written, and none of its tables is taken for a leftover."""
    with empty.transaction() as connection:
        connection.execute(OTHERS)
    theirs = portrait(empty.libpq_url)
    assert schema.upgrade(empty) == (None, schema.head())
    fill(empty)
    config = schema.configuration()
    with empty.migration_connection() as connection:
        config.attributes["connection"] = connection
        alembic.check(config)
        alembic.downgrade(config, "base")
    left = portrait(empty.libpq_url)
    del left["catalog_schema_version"]
    for kind in left:
        left[kind] = [row for row in left[kind] if "catalog_schema_version" not in repr(row)]
    assert left == theirs
    with empty.transaction() as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("deadbeef",)]


@pytest.mark.parametrize("name", ["lab", 'My "odd" 100%: %(s)s schema', "a,b", "ümläut"])
def test_a_schema_of_its_own(empty_database_url: str, expected: Portrait, name: str) -> None:
    """Nothing lands anywhere else; migrations, sweeps and functions find their way by the setting alone."""
    settings = DatabaseSettings(url=empty_database_url, data_dir=Path(), schema=name)
    untouched = portrait(empty_database_url)
    with Database(settings) as database:
        with pytest.raises(SchemaError, match="db upgrade"):
            schema.require(database)
        schema.upgrade(database)
        schema.require(database)
        assert portrait(empty_database_url, name) == expected
        fill(database)
        assert rows_of(database, columns_of(database))["images"]
        sites = Sites(database)
        try:
            assert sites.open(name="swept").sweep().outcome == "complete"
        finally:
            sites.close()
        config = schema.configuration()
        with database.migration_connection() as connection:
            config.attributes["connection"] = connection
            alembic.check(config)
        granted = privileges.grant(database, "pg_monitor", "writer")
        assert len(granted) > len(expected["views"])
        with database.transaction() as connection:
            assert privileges.missing(connection) == []
    assert portrait(empty_database_url) == untouched
    with psycopg.connect(empty_database_url) as outside:
        as_of = sql.SQL("SELECT count(*) FROM {}.images_as_of(now())").format(sql.Identifier(name))
        assert outside.execute(as_of).fetchone() == (5,)
        for view, *_ in expected["views"]:
            outside.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name, view)))


def test_an_owner_without_privileges_and_an_address_full_of_odd_characters(
    owner_url: str, expected: Portrait, command: Run
) -> None:
    """Every statement of the migrations works for whoever owns the database; the password shows nowhere."""
    ran = command("catalog", "db", "upgrade", url=owner_url)
    assert (ran.returncode, ran.stderr) == (0, "")
    checked = command("alembic", "check", url=owner_url)
    assert checked.returncode == 0, checked.stderr
    settings = DatabaseSettings(url=owner_url, data_dir=Path())
    with Database(settings) as database:
        assert portrait(database.libpq_url) == expected
        fill(database)
        with database.transaction() as connection:
            assert connection.info.password == "p%40s:/@?#'\"\\"
            assert connection.info.dbname.startswith("a%41b:c ")
            assert connection.info.user.startswith("own%er ")
            row = connection.execute("SELECT current_setting('is_superuser')").fetchone()
            assert row == ("off",)
        shown = ran.stdout + command("catalog", "db", "url", url=owner_url).stdout + database.safe_url
    assert "p%2540" not in shown
    assert "p%40" not in shown
    with Database(DatabaseSettings(url=owner_url, data_dir=Path(), migration_url=owner_url)) as database:
        assert schema.upgrade(database) == (schema.head(), schema.head())


def test_another_role_migrates_where_one_is_configured(
    owner_url: str, server_url: str, expected: Portrait
) -> None:
    """The daemon's own role need own nothing."""
    with Database(DatabaseSettings(url=owner_url, data_dir=Path())) as owner:
        with psycopg.connect(owner.libpq_url) as connection:
            connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            user = connection.info.user
        with psycopg.connect(server_url) as connection:
            daemon = sql.Identifier(f"daemon of {user}")
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(daemon))
        url = make_url(owner.libpq_url).set(username=f"daemon of {user}")
        settings = DatabaseSettings(
            url=url.render_as_string(hide_password=False), data_dir=Path(), migration_url=owner_url
        )
        try:
            with Database(settings) as database:
                schema.upgrade(database)
            assert portrait(owner.libpq_url) == expected
        finally:
            with psycopg.connect(server_url) as connection:
                connection.execute(sql.SQL("DROP ROLE {}").format(daemon))


HABITS = {
    "array_nulls": "off", "bytea_output": "escape", "DateStyle": "'German, DMY'", "IntervalStyle": "iso_8601",
    "TimeZone": "'Asia/Kathmandu'", "extra_float_digits": "-15", "standard_conforming_strings": "off",
    "default_transaction_isolation": "serializable", "default_transaction_deferrable": "on", "row_security": "off",
    "xmloption": "document",
    "quote_all_identifiers": "on", "check_function_bodies": "off", "escape_string_warning": "on",
}  # fmt: skip


def test_a_server_with_other_habits(empty_database_url: str, expected: Portrait) -> None:
    """What a server, a database or a role prefers changes neither what is stored nor what is read."""
    with psycopg.connect(empty_database_url, autocommit=True) as outside:
        for name, value in HABITS.items():
            outside.execute(f"ALTER DATABASE {outside.info.dbname} SET {name} = {value}".encode())
    with Database(DatabaseSettings(url=empty_database_url, data_dir=Path())) as database:
        schema.upgrade(database)
        fill(database)
        sites = Sites(database)
        try:
            site = sites.open(name="swept")
            assert site.sweep().outcome == "complete"
            assert site.sweep().unchanged == 3
        finally:
            sites.close()
    with psycopg.connect(empty_database_url, autocommit=True) as outside:
        outside.execute(f"ALTER DATABASE {outside.info.dbname} RESET ALL".encode())
    drawn = portrait(empty_database_url)
    drawn["capabilities"] = [row for row in drawn["capabilities"] if row[0] != "unheard"]
    assert drawn == expected
