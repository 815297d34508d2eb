"""Runs migrations: in one transaction, under an advisory lock, with time-outs, in the configured schema.

Called by `catalog db upgrade`, which hands over a connection, and by plain `alembic`, which takes the
database from CATALOG_DATABASE_URL or catalog.toml as the product itself does.
"""

from __future__ import annotations

import os
from typing import Any

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.sql.schema import SchemaItem

from catalog.config.settings import DatabaseSettings
from catalog.store.db.schema import VERSION_TABLE
from catalog.store.db.tables import metadata

SETTINGS = ("SET LOCAL standard_conforming_strings = on", "SET LOCAL check_function_bodies = on")
"""What the files' text means must not depend on the server's, the database's or the role's settings."""
LOCK = 0x696D616765  # "image": one migration at a time in a database


def ours(item: SchemaItem, name: str | None, kind: str, reflected: bool, compared_to: Any) -> bool:
    """A shared database holds other products' tables: leave alone what is not in our metadata."""
    if kind == "table":
        return name in metadata.tables
    return True


def configured() -> DatabaseSettings:
    from catalog.config.load import load_settings

    return load_settings(None, os.environ, None).database


def in_schema(name: str | None) -> tuple[str, ...]:
    if name is None:
        return ()
    quoted = '"' + name.replace('"', '""') + '"'
    return (f"CREATE SCHEMA IF NOT EXISTS {quoted}", f"SET LOCAL search_path TO {quoted}")


def options(**more: Any) -> dict[str, Any]:
    return {
        "target_metadata": metadata,
        "version_table": VERSION_TABLE,
        "include_object": ours,
        "compare_type": True,
        "compare_server_default": False,
        "transactional_ddl": True,
        **more,
    }


def migrate(connection: Connection) -> None:
    connection.rollback()  # in no transaction, so that Alembic begins and commits its own
    context.configure(connection=connection, **options())
    with context.begin_transaction():
        # for this transaction alone: behind a pooler the session is another product's afterwards
        connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        connection.execute(text("SET LOCAL statement_timeout = '30min'"))
        connection.execute(text("SET LOCAL client_min_messages = warning"))
        # nothing to PostgreSQL alone; Citus takes one statement on a function at a time
        connection.execute(text("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"))
        for statement in SETTINGS:
            connection.execute(text(statement))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()


def run() -> None:
    if context.is_offline_mode():
        # named parameters, else every % would come out doubled
        context.configure(
            dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True, **options()
        )
        with context.begin_transaction():
            for statement in (
                *SETTINGS,
                *in_schema(context.config.attributes.get("schema", configured().schema)),
            ):
                context.execute(text(statement.replace(":", "\\:")))
            context.run_migrations()
        return
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    from catalog.store.db.connection import Database

    with Database(configured()) as database, database.migration_connection() as connection:
        migrate(connection)


run()
