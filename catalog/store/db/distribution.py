"""Spreads the tables over the nodes of a Citus cluster: a source is one shard (docs/citus.md)."""

from __future__ import annotations

import re
from typing import NamedTuple

from catalog.errors import SchemaError, UsageError
from catalog.store.db import schema
from catalog.store.db.connection import Connection, Database
from catalog.store.db.schema import VERSION_TABLE
from catalog.store.db.statements import load
from catalog.store.db.tables import metadata

_SQL = load("distribution.sql")
_PART = re.compile(r"\b(\w+) AS (?:MATERIALIZED )?\(\n")
"""The beginning of a part of a view, as PostgreSQL shows it."""
BY_SOURCE, EVERYWHERE = "by source_id", "on every node"
_WITH_SOURCES = "images"
"""All others with a source_id are co-located with it."""
FUNCTIONS = (
    "image_family(text)",
    "history_is_pruned(text, timestamptz, timestamptz)",
    "images_as_of(timestamptz)",
)


class Placement(NamedTuple):
    """A table, and how it is spread."""

    table: str
    how: str


def placements() -> list[Placement]:
    """How each table is spread: by source where its rows are a source's, else small and the same everywhere."""
    whole = {
        "sources",
        "webhook_positions",
        *(name for name, table in metadata.tables.items() if "source_id" not in table.c),
    }
    spread = [name for name in metadata.tables if name not in whole]
    spread.sort(key=lambda name: name != _WITH_SOURCES)
    return [
        *(Placement(name, EVERYWHERE) for name in (VERSION_TABLE, *sorted(whole))),
        *(Placement(name, BY_SOURCE) for name in spread),
    ]


def missing(connection: Connection) -> list[Placement]:
    """The tables that are not spread yet. Raises UsageError where Citus is not there or knows no worker."""
    if not _SQL.value(connection, "has_citus"):
        raise UsageError(
            "the database lacks the extension citus, so there are no nodes to spread tables over; see docs/citus.md"
        )
    if not _SQL.value(connection, "workers"):
        raise UsageError(
            "Citus knows no worker: SELECT citus_add_node('HOST', 5432) for each; see docs/citus.md"
        )
    done = {name for (name,) in _SQL.run(connection, "spread")}
    return [placement for placement in placements() if placement.table not in done]


def distribute(database: Database, *, plan: bool = False) -> list[Placement]:
    """Spreads what is not spread yet, with its rows, in one transaction; what that is. `plan`: nothing is done.

    Raises like `missing`, and SchemaError without a schema of this release.
    """
    with database.owner() as connection:
        if schema.version(connection) is None:
            raise SchemaError(
                f"database {database.safe_url} has no catalog schema; run `catalog db upgrade` first"
            )
        left = missing(connection)
        if not plan:
            _spread(connection, left)
            connection.commit()
    return left


def follow(database: Database) -> None:
    """Spreads new tables, where those before them are spread."""
    with database.transaction(read_only=True) as connection:
        is_spread = _SQL.value(connection, "has_citus") and _SQL.run(connection, "spread").fetchall()
    if is_spread:
        distribute(database)


def _spread(connection: Connection, left: list[Placement]) -> None:
    # what is made in this transaction is seen by later steps of it only if nodes are asked one after the other
    connection.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
    _replace_as_of(connection)  # first: tables that it reads can't be spread while it says so
    if Placement("stage", BY_SOURCE) in left:
        # a shard moves to another node while it is written only if all of its tables can be replicated
        connection.execute("ALTER TABLE stage SET LOGGED")
        connection.execute("ALTER TABLE stage REPLICA IDENTITY FULL")
    if Placement("leases", BY_SOURCE) in left:
        _SQL.run(connection, "make_leases")
    for table, how in left:
        if how == EVERYWHERE:
            _SQL.run(connection, "on_every_node", table=table)
        else:
            _SQL.run(
                connection,
                "by_source",
                table=table,
                beside="none" if table == _WITH_SOURCES else _WITH_SOURCES,
            )
    _replace_views(connection)
    for function in FUNCTIONS:
        _SQL.run(connection, "function", function=function)


def _replace_views(connection: Connection) -> None:
    """Says in another way what Citus can't plan; what it can is left alone. Owners, callers and comments stay.

    No part that is computed before it is known which shard is asked: the parts of views are put in where they are
    used. No recursion over several shards: lineage is told source by source.
    """
    for name in ("image_lifecycle", "equivalent_images", "image_promises"):
        text = _PART.sub(r"\1 AS NOT MATERIALIZED (\n", _SQL.value(connection, "view", name=name))
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {text}".encode())
    for name in ("lineage_of_source", "comment_lineage", "replace_lineage"):
        connection.execute(_SQL[name].encode())


def _replace_as_of(connection: Connection) -> None:
    """Makes images_as_of a function of PL/pgSQL: Citus plans no SQL function with a parameter."""
    body = _SQL.value(connection, "as_of")
    if body is not None:
        query = re.split(r"\n\s*UNION ALL\n", body.split("BEGIN ATOMIC", 1)[1])[0]
        connection.execute(_SQL["replace_as_of"].replace("{query}", query).encode())
