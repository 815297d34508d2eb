"""The schema's version: what this release needs, what the database has, and the way from one to the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import psycopg
from psycopg import sql

from catalog.errors import SchemaError
from catalog.files import shipped_folder
from catalog.store.db.connection import Connection, Database

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "catalog_schema_version"


def migrations_folder() -> Path:
    return shipped_folder("migrations", "migrations")


def run_file(name: str, execute: Callable[[str], None]) -> None:
    """Runs a migration's SQL, statement by statement, as Citus takes no two at once."""
    for statement in statements((migrations_folder() / "sql" / name).read_text(encoding="utf-8")):
        # Alembic would read a colon before a word, as in a cast, as a parameter.
        execute(statement.replace(":", "\\:"))


def statements(text: str) -> Iterator[str]:
    """The statements of a migration's file: one ends with a line's semicolon, unless the next line is indented, or
    ends a body."""
    part: list[str] = []
    for line, following in pairwise([*text.splitlines(), ""]):
        part.append(line)
        if line.endswith(";") and not line.startswith("--") and not following.startswith((" ", "END")):
            yield "\n".join(part).strip().removesuffix(";")
            part.clear()


def head() -> str:
    """The newest migration of this release, told by file names so that alembic needs no import."""
    names = (path.name for path in (migrations_folder() / "versions").glob("[0-9]*.py"))
    return max(match[1] for name in names if (match := re.match(r"(\d{4})_", name)))


def version(connection: Connection) -> str | None:
    """The database's migration, None without a schema of ours."""
    try:
        row = connection.execute(f"SELECT max(version_num) FROM {VERSION_TABLE}").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        connection.rollback()
        return None
    return row[0] if row else None


def require(database: Database) -> None:
    """The schema is at least what this release needs; the embedded database is upgraded on the way.

    Raises SchemaError naming `catalog db upgrade` otherwise. A newer schema is fine: a schema serves the
    release before it too.
    """
    with database.transaction() as connection:
        have = version(connection)
    need = head()
    if have is not None and have >= need:
        return
    if database.embedded:
        upgrade(database)
        return
    state = (
        "has no catalog schema" if have is None else f"has schema {have}, older than the {need} needed here"
    )
    raise SchemaError(f"database {database.safe_url} {state}; run `catalog db upgrade`")


def collation_advice(connection: Connection) -> str | None:
    """Tells what to do where the machine sorts in another way than when the database was made; None = as it was.

    Our own keys are sorted by their bytes; this is about indexes on other columns, of other products too.
    """
    row = connection.execute(
        "SELECT datname, datcollversion, pg_database_collation_actual_version(oid) FROM pg_database"
        " WHERE datname = current_database()"
    ).fetchone()
    assert row is not None
    name, recorded, actual = row
    if recorded is None or actual is None or recorded == actual:
        return None
    quoted = sql.Identifier(name).as_string(connection)
    return (
        f"made with collation version {recorded}, the machine has {actual}: REINDEX DATABASE {quoted};"
        f" ALTER DATABASE {quoted} REFRESH COLLATION VERSION;"
    )


def upgrade(database: Database) -> tuple[str | None, str]:
    """Brings the schema to this release's head, and spreads new tables where the old ones are; returns the versions
    before and after.

    Raises SchemaError, before anything is written, for a database that cannot hold every image's name.
    """
    from alembic import command

    with database.transaction() as connection:
        before = version(connection)
        encoding = connection.info.parameter_status("server_encoding")
    if before is None and encoding != "UTF8":
        raise SchemaError(
            f"database {database.safe_url} keeps text as {encoding}, which cannot hold every image's name;"
            " make one by CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )
    after = head()
    if before is not None and before > after:
        return before, before
    with database.migration_connection() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    from catalog.store.db import distribution

    distribution.follow(database)
    return before, after


def print_sql(stream: TextIO, home: str | None) -> None:
    """The SQL of all migrations, in the schema `home` (None: where the search path leads), to be run by hand."""
    from alembic import command

    config = configuration()
    config.attributes["schema"] = home
    config.output_buffer = stream
    command.upgrade(config, "head", sql=True)


def configuration() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config
