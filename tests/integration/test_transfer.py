"""A dump carries every row to another database of the same schema, whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.config.database_url import database_url
from catalog.config.settings import DatabaseSettings
from catalog.errors import DatabaseError, SchemaError, UsageError
from catalog.store.db import dump as transfer
from catalog.store.db import schema
from catalog.store.db.connection import Database
from catalog.store.db.tables import TRANSFERRED, metadata
from tests.support.measured import PEAK_MIB, run_measured

TABLES = ["clouds", "pictures"]
SCHEMA = """
    CREATE TABLE catalog_schema_version (version_num text PRIMARY KEY);
    INSERT INTO catalog_schema_version VALUES ('0007');
    CREATE TABLE clouds (name text PRIMARY KEY, builtin boolean NOT NULL DEFAULT false);
    CREATE TABLE pictures (
        cloud text REFERENCES clouds, id text, size bigint, ratio double precision, exact numeric,
        seen_at timestamptz, labels text[], document jsonb, raw bytea,
        half bigint GENERATED ALWAYS AS (size / 2) STORED, PRIMARY KEY (cloud, id));
"""
ODD = "tab\there, line\nthere, back\\slash, \\., \\N, 'quote', ümläut, \U0001f4bf, \u202e"


@pytest.fixture
def full(empty_database_url: str) -> Iterator[psycopg.Connection]:
    """A database with rows, one of every type and every odd character."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute("INSERT INTO clouds VALUES ('a'), ('\\.'), (''), (%s)", [ODD])
        connection.execute(
            "INSERT INTO pictures VALUES ('a', %s, 9223372036854775807, 0.1::float8 + 0.2, 1e-30,"
            " '2024-03-31 03:30:00.123456+05:30', ARRAY['x', NULL, %s, ''],"
            " jsonb_build_object('k', %s::text), %s)",
            [ODD, ODD, ODD, b"\x00\xff\\\n"],
        )
        connection.execute(
            "INSERT INTO pictures (cloud, id) SELECT '', n::text FROM generate_series(1, 5000) n"
        )
        yield connection


@pytest.fixture
def empty(full: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Another database of the same schema, without rows."""
    name = f"{full.info.dbname}_empty"
    full.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    with psycopg.connect(full.info.dsn, dbname=name, autocommit=True) as connection:
        connection.execute(SCHEMA)
        yield connection
    full.execute(f"DROP DATABASE {name} WITH (FORCE)")


def of(connection: psycopg.Connection) -> Database:
    parameters = connection.info.get_parameters() | {"password": connection.info.password}
    url = database_url({name: value for name, value in parameters.items() if value}, secrets=True)
    return Database(DatabaseSettings(url, Path()))


def prefer(connection: psycopg.Connection, **settings: str) -> None:
    """What new sessions of the connection's database have."""
    for name, value in settings.items():
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {name} = '{value}'")


def dump(connection: psycopg.Connection, tables: list[str], file: Path) -> int:
    with of(connection) as database:
        return transfer.dump(database, tables, file)


def restore(connection: psycopg.Connection, tables: list[str], file: Path, **options: Any) -> int:
    with of(connection) as database:
        return transfer.restore(database, tables, file, **options)


def rows(connection: psycopg.Connection) -> list[list[tuple[object, ...]]]:
    return [
        connection.execute("SELECT * FROM clouds ORDER BY 1").fetchall(),
        connection.execute("SELECT * FROM pictures ORDER BY 1, 2").fetchall(),
    ]


def test_every_value_arrives_as_it_was(full, empty, tmp_path) -> None:
    """Types, NULLs, odd characters and generated columns, whatever the sessions' zones and formats are."""
    prefer(full, timezone="Asia/Kolkata", datestyle="SQL, DMY", extra_float_digits="-5")
    prefer(empty, timezone="America/New_York", datestyle="SQL, MDY")
    assert dump(full, TABLES, tmp_path / "d") == 5005
    assert restore(empty, TABLES, tmp_path / "d") == 5005
    assert rows(empty) == rows(full)


def test_the_same_rows_make_the_same_file(full, tmp_path) -> None:
    """Whatever zone the session has: two dumps can be compared byte by byte."""
    for name, zone in (("one", "Asia/Kolkata"), ("two", "America/New_York")):
        prefer(full, timezone=zone)
        dump(full, TABLES, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_dump_is_private_and_replaces_the_old_one(full, tmp_path) -> None:
    """Mode 0600 whatever the file before allowed, and no other file is left beside it."""
    file = tmp_path / "d"
    file.write_text("old")
    file.chmod(0o644)
    dump(full, TABLES, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_dump_that_fails_leaves_the_old_file(full, tmp_path) -> None:
    """An error amid the tables: no half file, the file before is still there."""
    file = tmp_path / "d"
    file.write_text("old")
    with pytest.raises(SchemaError, match="no table missing"):
        dump(full, [*TABLES, "missing"], file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_dump_is_one_moment(full, tmp_path) -> None:
    """What another session commits while the dump runs is in no table of it."""
    dsn = full.info.dsn

    class Meddling(list[str]):
        def __iter__(self) -> Iterator[str]:
            for table in super().__iter__():
                yield table
                with psycopg.connect(dsn, autocommit=True) as other:
                    other.execute("INSERT INTO pictures (cloud, id) VALUES ('a', gen_random_uuid())")

    assert dump(full, Meddling(TABLES), tmp_path / "d") == 5005


def test_something_that_is_no_file_is_not_replaced(full, tmp_path) -> None:
    """A pipe or a device of that name stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="not a regular file"):
        dump(full, TABLES, pipe)
    assert pipe.is_fifo()


def test_a_symbolic_link_is_replaced_and_not_followed(full, tmp_path) -> None:
    """In a folder for all, another user's link may lead to any file of one's own."""
    precious, link = tmp_path / "precious", tmp_path / "d"
    precious.write_text("mine")
    link.symlink_to(precious)
    dump(full, TABLES, link)
    assert precious.read_text() == "mine"
    assert (link.is_symlink(), link.stat().st_mode & 0o777) == (False, 0o600)


def test_a_row_without_end_costs_no_memory(database_url: str, tmp_path: Path) -> None:
    """Under a megabyte on the disk, 700 in one line: refused in one line, nothing stored, memory bounded."""
    file = tmp_path / "endless.dump"
    columns = [column.name for column in metadata.tables[TRANSFERRED[0]].columns]
    head = {
        "format": "image-catalog-sync dump", "version": 1, "schema_version": schema.head(),
        "tables": list(TRANSFERRED),
    }  # fmt: skip
    with gzip.open(file, "wb", compresslevel=6) as out:
        for line in (head, {"table": TRANSFERRED[0], "columns": columns}):
            out.write(json.dumps(line).encode() + b"\n")
        for _ in range(700):
            out.write(bytes(2**20))
    environment = {"CATALOG_DATABASE_URL": database_url, "HOME": str(tmp_path)}
    ran = run_measured(["db", "restore", str(file)], tmp_path, environment, give_up_seconds=120)
    assert ran.exit_code == 2, ran.stderr
    assert "too long" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.peak_mib < PEAK_MIB


def test_a_folder_that_is_missing_is_named(full, tmp_path) -> None:
    """One line with the file's name, for writing and for reading."""
    with pytest.raises(UsageError, match="gone/d: No such file"):
        dump(full, TABLES, tmp_path / "gone" / "d")
    with pytest.raises(UsageError, match="gone/d: No such file"):
        restore(full, TABLES, tmp_path / "gone" / "d")


def test_a_cut_or_changed_file_restores_nothing(full, empty, tmp_path) -> None:
    """Cut anywhere, one byte changed, rows taken out, something behind the end: refused, no row stays."""
    file, broken = tmp_path / "d", tmp_path / "broken"
    dump(full, TABLES, file)
    whole = file.read_bytes()
    plain = gzip.decompress(whole)
    lines = plain.splitlines(keepends=True)
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    checksum = bytearray(whole)
    checksum[-8] ^= 1
    variants = {
        **{f"cut at {n}": whole[:n] for n in (0, 5, 40, len(whole) // 2, len(whole) - 9, len(whole) - 1)},
        "changed": bytes(changed),
        "checksum": bytes(checksum),
        "row missing": gzip.compress(b"".join(lines[:50] + lines[51:])),
        "end missing": gzip.compress(b"".join(lines[:-1])),
        "cut amid rows": gzip.compress(b"".join(lines[:50])),
        "more behind": gzip.compress(plain + b"x\n"),
        "no dump": gzip.compress(b"{}\n"),
        "nested": gzip.compress(b'{"x": ' + b"[" * 100_000 + b"\n"),
        "no gzip": plain,
        "no text": gzip.compress(plain.replace(b"a\t", b"\xff\t")),
    }
    for name, content in variants.items():
        broken.write_bytes(content)
        with pytest.raises((UsageError, DatabaseError)) as caught:
            restore(empty, TABLES, broken)
        assert "\n" not in str(caught.value), name
        if name == "row missing":
            assert "rows of pictures are missing" in str(caught.value)
        assert rows(empty) == [[], []], name
    assert restore(empty, TABLES, file) == 5005


def test_rows_that_the_tables_do_not_take_are_the_files_fault(full, empty, tmp_path) -> None:
    """PostgreSQL meets them before the checksum is read: the line names the file, and that nothing came of it."""
    file, broken = tmp_path / "d", tmp_path / "broken"
    dump(full, TABLES, file)
    plain = gzip.decompress(file.read_bytes())
    assert plain.count(b"\t4999\t") == 1
    variants = {
        "a column too many": plain.replace(b"\t4999\t", b"\t4999\t\t"),
        "a column too few": plain.replace(b"\t4999\t", b"\t4999 "),
        "no number": plain.replace(b"\t9223372036854775807\t", b"\t9223372036854775x07\t"),
        "no text": plain.replace(b"\t4999\t", b"\t49\xff9\t"),
        "a row twice": plain.replace(b"\t4999\t", b"\t4998\t"),
        "a row that refers to nothing": plain.replace(b"\t4999\t", b"x\t4999\t"),
    }
    for name, content in variants.items():
        broken.write_bytes(gzip.compress(content))
        with pytest.raises(
            UsageError, match=r"broken is not a whole dump \(.+\); nothing was restored$"
        ) as caught:
            restore(empty, TABLES, broken)
        assert "\n" not in str(caught.value), name
        assert rows(empty) == [[], []], name


def test_a_connection_that_is_lost_is_not_the_files_fault(full, empty, tmp_path) -> None:
    """It ends amid the rows: an error of the database, whose command may be started again."""
    dump(full, TABLES, tmp_path / "d")
    empty.execute(
        "CREATE FUNCTION quit() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END'"
    )
    empty.execute("CREATE TRIGGER quit BEFORE INSERT ON pictures FOR EACH ROW EXECUTE FUNCTION quit()")
    with pytest.raises(DatabaseError):
        restore(empty, TABLES, tmp_path / "d")


def test_rows_in_the_way_are_kept(full, empty, tmp_path) -> None:
    """A database with rows of its own is refused, and stays as it is."""
    dump(full, TABLES, tmp_path / "d")
    empty.execute("INSERT INTO clouds VALUES ('mine')")
    with pytest.raises(UsageError, match="table clouds has rows"):
        restore(empty, TABLES, tmp_path / "d")
    assert rows(empty) == [[("mine", False)], []]


def test_rows_that_a_migration_made_give_way(full, empty, tmp_path) -> None:
    """Tables named in `replace` hold the file's rows afterwards, and only those."""
    dump(full, TABLES, tmp_path / "d")
    empty.execute("INSERT INTO clouds VALUES ('a', true), ('seed', true)")
    restore(empty, TABLES, tmp_path / "d", replace=["clouds"])
    assert rows(empty) == rows(full)


def test_another_schema_version_is_refused(full, empty, tmp_path) -> None:
    """The line says which versions differ; exit 2."""
    dump(full, TABLES, tmp_path / "d")
    empty.execute("UPDATE catalog_schema_version SET version_num = '0008'")
    with pytest.raises(SchemaError, match="schema 0007, this database has 0008"):
        restore(empty, TABLES, tmp_path / "d")


def test_a_database_without_schema_is_refused(empty, tmp_path) -> None:
    """Both ways, with the command that helps."""
    empty.execute("DROP TABLE catalog_schema_version")
    with pytest.raises(SchemaError, match="db upgrade"):
        dump(empty, TABLES, tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_other_tables_or_columns_are_refused(full, empty, tmp_path) -> None:
    """Nothing is left out in silence."""
    dump(full, TABLES, tmp_path / "d")
    with pytest.raises(UsageError, match="different tables \\(pictures\\)"):
        restore(empty, ["clouds"], tmp_path / "d")
    empty.execute("ALTER TABLE pictures ADD extra text")
    with pytest.raises(UsageError, match="columns of pictures"):
        restore(empty, TABLES, tmp_path / "d")
    assert rows(empty) == [[], []]
