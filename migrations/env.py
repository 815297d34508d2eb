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

from catalog.store.tables import VERSION_TABLE, metadata

LOCK = 0x696D616765  # "image": one migration at a time in a database


def ours(item: SchemaItem, name: str | None, kind: str, reflected: bool, compared_to: Any) -> bool:
    """A shared database holds other products' tables: leave alone what is not in our metadata."""
    if kind == "table":
        return name in metadata.tables
    return True


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
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()


def run() -> None:
    if context.is_offline_mode():
        # named parameters, else every % would come out doubled
        context.configure(
            dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True, **options()
        )
        with context.begin_transaction():
            context.run_migrations()
        return
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    from catalog.configuration import load_settings
    from catalog.store.database import Database

    settings = load_settings(None, os.environ, None)
    with Database(settings.database) as database, database.migration_connection() as connection:
        migrate(connection)


run()
