"""Who may only read: connections with the rights that the documentation tells to give."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from catalog.config.settings import DatabaseSettings
from catalog.store.db import privileges
from catalog.store.db.connection import Database


@contextmanager
def reader(database_url: str, level: privileges.Level = "reader") -> Iterator[psycopg.Connection[Any]]:
    """A connection with no more rights than `catalog db grant ROLE --as reader` gives, READ ONLY.

    "viewer": with `--views-only`.
    """
    role = f"reader_{os.getpid()}"
    with Database(DatabaseSettings(url=database_url, data_dir=Path())) as database:
        dsn = database.libpq_url
        with psycopg.connect(dsn, autocommit=True) as owner:
            owner.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            try:
                privileges.grant(database, role, level)
                with psycopg.connect(dsn, autocommit=True) as connection:
                    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
                    connection.execute("SET default_transaction_read_only = on")
                    yield connection
            finally:
                owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
