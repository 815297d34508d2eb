"""Dump and restore: the rows of every table in one file, the same for every version of PostgreSQL.

The schema is not in it, `db upgrade` makes that; so nothing of one server's version, roles or settings gets
into the other. A file is gzip of lines:

    {"format": "image-catalog-sync dump", "version": 1, "schema_version": "...", "tables": [...]}
    {"table": "...", "columns": ["...", ...]}       then its rows in COPY's text form, then a line `\\.`
    {"rows": 123}                                   and so on, a table after the other, and at the end
    {"tables": 12, "rows": 4567}

COPY's text form never holds a line `\\.` of its own, and gzip carries a checksum: a file that was cut or
changed is told from a whole one, and nothing of it is kept.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import msgspec
import psycopg
from psycopg import sql

from catalog.errors import SchemaError, UsageError
from catalog.files import open_regular, written_whole
from catalog.model import UNREADABLE
from catalog.store.db import schema
from catalog.store.db.connection import Connection, Database, settle
from catalog.text import first_line

FORMAT: Final = "image-catalog-sync dump"
VERSION: Final = 1
END_OF_ROWS: Final = b"\\.\n"
BLOCK: Final = 1 << 17
"""Bytes of rows handed to the server at once."""
LONGEST_HEAD: Final = 1 << 16
"""Longest line that is not a row. Unit: bytes."""
LONGEST_ROW: Final = 128 << 20
"""Longest row that is read: two documents of the largest size, escaped. Unit: bytes."""
ROLE_LIMITS: Final = ("statement_timeout", "idle_in_transaction_session_timeout")
RESTORE_SECONDS: Final = 7 * 86_400.0
"""Longest statement of a restore."""


def dump(database: Database, tables: Sequence[str], file: Path) -> int:
    """Writes all rows of `tables` as of one moment to `file` (mode 0600); the number of rows.

    List referenced tables before those that refer to them. The file appears when complete; one that was there is
    replaced.

    Raises SchemaError (no schema), UsageError (`file` can't be written), DatabaseError.
    """
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is not a regular file; name one that may be replaced")
    try:
        with (
            written_whole(file, private=True) as raw,
            gzip.GzipFile(fileobj=raw, filename="", mode="wb", compresslevel=6, mtime=0) as out,
            database.transaction(read_only=True) as connection,
        ):
            # What was set for short statements is not meant for these.
            settle(connection, *(f"SET LOCAL {limit} TO 0" for limit in ROLE_LIMITS))
            rows = _write(connection, tables, out)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; nothing was written") from error
    return rows


def restore(database: Database, tables: Sequence[str], file: Path, *, replace: Collection[str] = ()) -> int:
    """Reads what `dump` wrote into the same, empty, tables of another database, all or nothing; the rows.

    The rows of the tables in `replace`, those that a migration fills itself, make room for the file's. A
    conflict is not tried again: tables that nobody should use yet are in use, and whoever restores should know.

    Raises SchemaError (no schema, or another version than the file's), UsageError (tables or columns differ,
    a table has rows, the file is not a whole dump or can't be read), DatabaseError.
    """
    try:
        raw = open_regular(file.resolve(), os.O_RDONLY)
        if raw is None:
            raise UsageError(f"{file} is not a regular file; name one that `catalog db dump` wrote")
        with (
            raw,
            gzip.GzipFile(fileobj=raw, mode="rb") as dumped,
            database.transaction(seconds=RESTORE_SECONDS) as connection,
        ):
            return _read(connection, tables, dumped, file, replace)
    except (gzip.BadGzipFile, zlib.error, EOFError, *UNREADABLE) as error:
        raise UsageError(f"{file} is not a whole dump ({error}); nothing was restored") from error
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; nothing was restored") from error


# --- the file


class _Head(msgspec.Struct):
    format: str
    version: int
    schema_version: str
    tables: list[str]


class _Table(msgspec.Struct):
    table: str
    columns: list[str]


class _TableEnd(msgspec.Struct):
    rows: int


class _End(msgspec.Struct):
    tables: int
    rows: int


def _line(dumped: gzip.GzipFile) -> bytes:
    """The next line. Raises EOFError for one that is longer: a small file may inflate to anything."""
    line = dumped.readline(LONGEST_HEAD + 1)
    if len(line) > LONGEST_HEAD:
        raise EOFError(f"a line of it is longer than {LONGEST_HEAD} bytes")
    return line


def _put(out: gzip.GzipFile, line: msgspec.Struct) -> None:
    out.write(msgspec.json.encode(line) + b"\n")


def _write(connection: Connection, tables: Sequence[str], out: gzip.GzipFile) -> int:
    _put(out, _Head(FORMAT, VERSION, _schema_version(connection), list(tables)))
    total = 0
    for table in tables:
        columns = _columns(connection, table)
        _put(out, _Table(table, columns))
        # A query, so that a partitioned or distributed table is read as well.
        copied = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(_names(columns), sql.Identifier(table))
        rows = 0
        with connection.cursor() as cursor, cursor.copy(copied) as copy:
            for block in copy:
                rows += bytes(block).count(b"\n")  # text form: a line a row
                out.write(block)
        out.write(END_OF_ROWS)
        _put(out, _TableEnd(rows))
        total += rows
    _put(out, _End(len(tables), total))
    return total


def _read(
    connection: Connection, tables: Sequence[str], dumped: gzip.GzipFile, file: Path, replace: Collection[str]
) -> int:
    head = msgspec.json.decode(_line(dumped), type=_Head)
    if head.format != FORMAT or head.version != VERSION:
        raise UsageError(f"{file} is not a dump that this release reads; nothing was restored")
    here = _schema_version(connection)
    if head.schema_version != here:
        raise SchemaError(
            f"{file} holds schema {head.schema_version}, this database has {here}: restore with the release "
            "that wrote it, then run `catalog db upgrade`"
        )
    if set(head.tables) != set(tables):
        odd = ", ".join(sorted(set(head.tables) ^ set(tables)))
        raise UsageError(f"{file} and this database have different tables ({odd}); nothing was restored")
    # Against writers that come meanwhile: readers may go on.
    connection.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(_names(tables)))
    for table in reversed(head.tables):
        if table in replace:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    for table in head.tables:
        if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table))).fetchall():
            raise UsageError(f"table {table} has rows; restore into a database that was only upgraded")
    try:
        total = sum(_read_table(connection, table, dumped, file) for table in head.tables)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        # rows that the tables do not take come before the checksum that would tell of the damage
        raise UsageError(
            f"{file} is not a whole dump ({first_line(error.diag.message_primary or error)}); nothing was restored"
        ) from error
    end = msgspec.json.decode(_line(dumped), type=_End)
    if (end.tables, end.rows) != (len(head.tables), total) or dumped.read(1):  # the read checks the checksum
        raise UsageError(f"{file} is not a whole dump (its counts differ); nothing was restored")
    for table in head.tables:
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    return total


def _read_table(connection: Connection, table: str, dumped: gzip.GzipFile, file: Path) -> int:
    begin = msgspec.json.decode(_line(dumped), type=_Table)
    columns = _columns(connection, table)
    if begin.table != table or sorted(begin.columns) != sorted(columns):
        raise UsageError(f"{file}: the columns of {table} are not this database's; nothing was restored")
    copied = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _names(begin.columns))
    rows = 0
    with connection.cursor() as cursor, cursor.copy(copied) as copy:
        block, size = bytearray(), 0
        # by pieces: a small file may inflate to a row of any length
        while (piece := dumped.readline(BLOCK)) != END_OF_ROWS or size:
            size += len(piece)
            if not piece or size > LONGEST_ROW:
                raise EOFError(
                    f"it ends amid table {table}" if not piece else f"a row of {table} is too long"
                )
            block += piece
            if piece.endswith(b"\n"):
                rows, size = rows + 1, 0
            if len(block) >= BLOCK:
                copy.write(bytes(block))
                block.clear()
        copy.write(bytes(block))
    if msgspec.json.decode(_line(dumped), type=_TableEnd).rows != rows:
        raise UsageError(f"{file} is not a whole dump (rows of {table} are missing); nothing was restored")
    return rows


# --- the database


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _schema_version(connection: Connection) -> str:
    if (found := schema.version(connection)) is None:
        raise SchemaError("this database has no catalog schema; run `catalog db upgrade` first")
    return found


def _columns(connection: Connection, table: str) -> list[str]:
    """The columns that hold data, generated ones left out. SchemaError: the table is missing."""
    names = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(%s)) AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [table],
    ).fetchall()
    if not names:
        raise SchemaError(f"this database has no table {table}; run `catalog db upgrade` first")
    return [str(name) for (name,) in names]
