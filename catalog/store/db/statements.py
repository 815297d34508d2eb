"""Named statements from the .sql files in `catalog/store/sql`: each module's SQL in the file of its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from catalog.store.db.connection import is_spread

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_NAMED = re.compile(r"\{named\((.+)\)\}")
_STORED = re.compile(r"\{stored\((\w+), (\w+)\)\}")
_SHARD = re.compile(r"\{shard\((\w+), (\w+)\)\}")
_ROW_LOCK = re.compile(r"(\bFROM sources\b[^;]*?)\s+FOR (?:NO KEY UPDATE|UPDATE|KEY SHARE)(?: OF s)?\b")
"""On a row of `sources`: Citus would lock all of them. The lease says who writes."""
_PARAMETER = re.compile(r"(\w+) (\w+) AS (\w+)")


class Statements(dict[str, str]):
    """Statements by name. Parameters are given by name, lists for those that `{named(...)}` counts."""

    def __init__(self, text: str) -> None:
        plain = _SHARD.sub(r"\1.source_id = \2.source_id", text)
        super().__init__(_split(plain.replace("{per_source}", "sources")))
        self._text = text

    @cached_property
    def spread(self) -> dict[str, str]:
        """The same statements for tables that Citus keeps."""
        constant = r"\1.source_id = %(source)s AND \1.image_id = ANY (%(ids)s) AND \2.source_id = %(source)s"
        text = _ROW_LOCK.sub(r"\1", _SHARD.sub(constant, self._text))
        return dict(_split(text.replace("{per_source}", "leases")))

    def text(self, connection: psycopg.Connection[Any], name: str) -> str:
        return (self.spread if is_spread(connection) else self)[name]

    def run(self, connection: psycopg.Connection[Any], name: str, /, **values: object) -> psycopg.Cursor[Any]:
        return connection.execute(self.text(connection, name), values)

    def count(self, connection: psycopg.Connection[Any], name: str, /, **values: object) -> int:
        """How many rows it wrote. Waits for the answer, which a cursor in a pipeline (the writer has one) may lack."""
        with connection.pipeline():
            cursor = self.run(connection, name, **values)
        return cursor.rowcount

    def value(self, connection: psycopg.Connection[Any], name: str, /, **values: object) -> Any:
        """The first column of the first row; None without any row."""
        row = self.run(connection, name, **values).fetchone()
        return row[0] if row else None


def load(file_name: str, **names: str) -> Statements:
    """The statements of a file; `{placeholders}` in it are filled with the names given, and four macros with

    - `{named(ids text AS image_id, ats timestamptz AS at)}`: the source's id and the rows that the lists `ids`
      and `ats` make up, for a statement that writes;
    - `{stored(images, asked)}`: the row of a table that belongs to `asked.image_id`, for one that reads;
    - `{shard(u, closing)}`: that the row to be written and the other one are of one source. Citus finds the shard by
      a constant alone, so there it is one, and the list `ids` bounds what a wrong plan costs;
    - `{per_source}`: a table with one row per source, for questions about many. On Citus it is one that is kept by
      source, as each node then answers for its own; whoever wrote rows of a source has held its lease.

    The first two have rows found one by one through the primary key. Without statistics, or with those of before, a
    plain join would be planned from the table's side, quadratic. So reads are LATERAL ... OFFSET 0, and writes take the
    source's id, and NULL, out of a subquery with OFFSET 0: the planner would think that a constant leaves few rows.
    Never by ctid: under READ COMMITTED a row that somebody else has just changed would be passed over.
    """
    text = (Path(__file__).parents[1] / "sql" / file_name).read_text(encoding="utf-8")
    for key, value in names.items():
        text = text.replace("{" + key + "}", value)
    text = _STORED.sub(
        r"LATERAL (SELECT * FROM \1 t WHERE t.source_id = %(source)s AND t.image_id = \2.image_id OFFSET 0)",
        text,
    )
    return Statements(_NAMED.sub(_named, text))


def _split(text: str) -> Iterator[tuple[str, str]]:
    parts = _NAME.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        yield name, body.strip()


def _named(macro: re.Match[str]) -> str:
    items = macro[1].split(", ")
    lists = [match.groups() for item in items if (match := _PARAMETER.fullmatch(item))]
    columns = [column for _, _, column in lists]
    constants = [item for item in items if not _PARAMETER.fullmatch(item)]
    arrays = ", ".join(f"%({parameter})s::{kind}[]" for parameter, kind, _ in lists)
    return (
        f"(SELECT %(source)s::text AS source_id, {', '.join(columns + constants)}"
        f" FROM unnest({arrays}) AS named ({', '.join(columns)}) OFFSET 0)"
    )
