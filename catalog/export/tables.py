"""The tables that can be exported, and their rows in batches of bounded size.

Columns, types and descriptions are asked of the database, so that a new column needs no line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from psycopg import sql

from catalog.store.db.connection import Connection
from catalog.store.db.statements import load

SQL = load(str(Path(__file__).with_name("export.sql")))
KEYS: Final = {
    "sources": ("source_id",),
    "images": ("source_id", "image_id"),
    "image_revisions": ("source_id", "image_id", "observed_at"),
    "status_history": ("source_id", "image_id", "valid_from"),
    "image_tags": ("source_id", "image_id", "tag"),
    "image_capabilities": ("source_id", "image_id", "capability"),
    "image_properties": ("source_id", "image_id", "name"),
    "runs": ("source_id", "run_id"),
}
"""Tables that can be exported, each with the columns that tell rows apart: they are written in this order."""
BATCH_ROWS: Final = 2000
BATCH_CHARACTERS: Final = 4 << 20
"""Characters of text in a batch; a single row may hold more."""
FETCHED: Final = 1000
"""Rows that one statement asks for, so that each takes moments: a role's statement_timeout is meant for such."""

_JSON_TEXT = ("json", "jsonb")
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `type`: PostgreSQL's name of it."""

    name: str
    type: str
    description: str

    @property
    def is_time(self) -> bool:
        return self.type.startswith("timestamp")

    @property
    def is_list(self) -> bool:
        return self.type.endswith("[]")


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    description: str
    columns: tuple[Column, ...]


def read_table(connection: Connection, name: str) -> Table:
    """A table of KEYS as the database has it."""
    found = SQL.run(connection, "columns", table=name).fetchall()
    columns = tuple(Column(column, kind, comment or "") for column, kind, comment, _ in found)
    return Table(name, found[0][3] or "", columns)


def batches(
    connection: Connection, table: Table, source_id: str, *, as_text: bool, lists: bool
) -> Iterator[list[Row]]:
    """The rows of one source, ordered by their key; nothing is yielded where there are none.

    Documents are JSON text. `as_text`: times as ISO 8601 text, else microseconds since 1970. `lists`: lists as such,
    else as JSON text. At any time one batch is in memory, as the server sends row by row.
    """
    query = sql.SQL(
        "DECLARE exported NO SCROLL CURSOR FOR SELECT {} FROM {} WHERE source_id = %s ORDER BY {}"
    ).format(
        sql.SQL(", ").join(_expression(column, as_text=as_text, lists=lists) for column in table.columns),
        sql.Identifier(table.name),
        sql.SQL(", ").join(map(sql.Identifier, KEYS[table.name])),
    )
    connection.execute(query, (source_id,))
    texts = [place for place, column in enumerate(table.columns) if column.type in ("text", *_JSON_TEXT)]
    batch: list[Row] = []
    characters = 0
    with connection.cursor() as cursor:
        fetched = FETCHED
        while fetched == FETCHED:
            fetched = 0
            statement = f"FETCH FORWARD {FETCHED} FROM exported".encode()
            for fetched, row in enumerate(cursor.stream(statement), 1):  # noqa: B007
                batch.append(row)
                characters += sum([len(text) for place in texts if (text := row[place])])
                if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
                    yield batch
                    batch, characters = [], 0
    if batch:
        yield batch
    connection.execute("CLOSE exported")


def _expression(column: Column, *, as_text: bool, lists: bool) -> sql.Composable:
    name = sql.Identifier(column.name)
    if column.is_time:
        form = (
            """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
            if as_text
            else "(extract(epoch FROM {}) * 1000000)::bigint"
        )
        return sql.SQL(form).format(name)
    if column.is_list and not lists:
        return sql.SQL("array_to_json({})::text").format(name)
    if column.type in (*_JSON_TEXT, "uuid"):
        return sql.SQL("{}::text").format(name)
    return name


def names_of(tables: Sequence[str]) -> tuple[str, ...]:
    """The tables in the order of KEYS; all for none."""
    return tuple(name for name in KEYS if not tables or name in tables)
