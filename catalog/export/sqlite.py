"""An export as one SQLite file, and beside it the descriptions as datasette takes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from catalog.errors import CatalogError, UsageError
from catalog.export.export import known_sources
from catalog.export.tables import KEYS, SQL, Column, Table, batches, names_of, read_table
from catalog.files import replaced_whole, written_whole
from catalog.store.db.connection import Connection, clock


def description_file(file: Path) -> Path:
    """Where the descriptions of a file lie: `datasette catalog.db --metadata catalog.metadata.json`."""
    return file.with_suffix(".metadata.json")


def export_sqlite(
    connection: Connection,
    file: Path,
    *,
    sources: Sequence[str] = (),
    tables: Sequence[str] = (),
    progress: Callable[[int], None] = lambda rows: None,
) -> int:
    """Writes what the connection's transaction sees to a file, which appears when it is whole; the number of rows.

    Times are ISO 8601 texts, lists and documents JSON texts, booleans 0 and 1. Raises UsageError for a file that can't
    be written, or is there and not one of SQLite's.
    """
    SQL.run(connection, "settings")
    as_of = clock(connection)
    known = known_sources(connection, sources)
    names = names_of(tables)
    described = [read_table(connection, name) for name in names]
    try:
        _check_replaceable(file)
        with replaced_whole(file) as place, closing(sqlite3.connect(place, isolation_level=None)) as lite:
            rows = 0
            lite.execute("PRAGMA journal_mode = OFF")
            lite.execute("PRAGMA synchronous = OFF")
            lite.execute("BEGIN")
            for table in described:
                lite.execute(_create(table, refer="sources" in names))
                insert = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"
                for source in known:
                    for batch in batches(connection, table, source.source_id, as_text=True, lists=False):
                        lite.executemany(insert, batch)
                        rows += len(batch)
                        progress(len(batch))
            lite.execute("COMMIT")
        with written_whole(description_file(file)) as stream:
            stream.write(_metadata(file, described, f"As of {as_of:%Y-%m-%d %H:%M:%S} UTC."))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; name a file that may be written") from error
    except sqlite3.Error as error:
        raise CatalogError(f"{file}: {error}; what was there before is as it was") from error
    return rows


def _check_replaceable(file: Path) -> None:
    if file.exists():
        if not file.is_file():
            raise UsageError(f"{file} is not a regular file; name one that may be replaced")
        with file.open("rb") as stream:
            if stream.read(16) not in (b"", b"SQLite format 3\x00"):
                raise UsageError(f"{file} is not a SQLite file; name one that may be replaced")


def _create(table: Table, *, refer: bool) -> str:
    """The statement that makes a table; SQLite keeps its text, descriptions included.

    `refer`: by a foreign key to `sources`, so that datasette shows a source's name instead of its key.
    """
    lines = [f"CREATE TABLE {table.name} ( -- {_flat(table.description)}"]
    for column in table.columns:
        reference = (
            " REFERENCES sources (source_id)"
            if refer and column.name == "source_id" != KEYS[table.name][-1]
            else ""
        )
        lines.append(f"    {_quoted(column.name)} {_type(column)}{reference}, -- {_flat(column.description)}")
    return "\n".join([*lines, f"    PRIMARY KEY ({', '.join(KEYS[table.name])})", ") WITHOUT ROWID"])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _flat(text: str) -> str:
    return " ".join(text.split())


def _type(column: Column) -> str:
    if column.type in ("bigint", "integer", "boolean"):
        return "INTEGER"
    return "REAL" if column.type == "double precision" else "TEXT"


def _metadata(file: Path, tables: list[Table], description: str) -> bytes:
    content: dict[str, Any] = {
        "databases": {
            file.stem: {
                "title": "Image catalog",
                "description": description,
                "tables": {
                    table.name: {
                        "description": table.description,
                        "columns": {column.name: column.description for column in table.columns},
                    }
                    for table in tables
                },
            }
        }
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"
