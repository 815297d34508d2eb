"""Engines of others answer on an export as PostgreSQL does on the tables: DuckDB, and Spark in a long job."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import pytest

from catalog.export.tables import KEYS
from tests.integration.export.conftest import Catalog, files
from tests.integration.export.questions import AS_OF, DUCKDB, QUESTIONS, SPARK, in_words_of, sorted_rows


def lake(folder: Path, read: str = "read_parquet") -> duckdb.DuckDBPyConnection:
    """The tables of an export as views, by its manifest."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in KEYS:
        connection.execute(
            f"CREATE VIEW {table} AS SELECT * FROM {read}({files(folder, table)!r}, hive_partitioning = true,"
            " hive_types = {'source': VARCHAR})"
        )
    return connection


@pytest.mark.parametrize("question", QUESTIONS)
def test_duckdb_answers_as_postgresql_does(catalog: Catalog, tmp_path: Path, question: str) -> None:
    catalog.export(tmp_path)
    ours, theirs = QUESTIONS[question]
    moments = catalog.moments if question == AS_OF else [""]
    with lake(tmp_path) as engine:
        for moment in moments:
            expected = catalog.ask(ours.replace("{moment}", moment))
            found = engine.execute(in_words_of(theirs, DUCKDB, moment)).fetchall()
            assert expected
            assert sorted_rows(in_utc(found)) == sorted_rows(in_utc(expected))


def in_utc(rows: list[Any]) -> list[Any]:
    """Both name the zone of a moment in their own way."""
    found = [tuple(row.values()) if isinstance(row, dict) else row for row in rows]
    return [tuple(v.astimezone(UTC) if hasattr(v, "astimezone") else v for v in row) for row in found]


def test_every_row_and_column_arrives_in_its_type(catalog: Catalog, tmp_path: Path) -> None:
    catalog.export(tmp_path)
    with lake(tmp_path) as engine:
        for table in KEYS:
            count = catalog.ask(f"SELECT count(*) AS n FROM {table}")[0]["n"]
            assert engine.execute(f"SELECT count(*) FROM {table}").fetchall() == [(count,)]
        types = dict(engine.execute("SELECT column_name, column_type FROM (DESCRIBE images)").fetchall())
        assert types["deleted_at"] == "TIMESTAMP WITH TIME ZONE"
        assert types["tags"] == "VARCHAR[]"
        assert (types["size"], types["min_ram"], types["protected"]) == ("BIGINT", "INTEGER", "BOOLEAN")
        assert types["properties"] == "VARCHAR"
        documents = engine.execute(
            "SELECT document FROM image_revisions WHERE document IS NOT NULL"
        ).fetchall()
        assert all(isinstance(json.loads(text), dict) for (text,) in documents)


def test_comments_are_descriptions_and_columns_of_our_own_stay_at_home(
    catalog: Catalog, tmp_path: Path
) -> None:
    catalog.export(tmp_path)
    from pyarrow import parquet

    schema = parquet.read_schema(files(tmp_path, "images")[0])
    assert schema.metadata[b"description"] == b"One row per image ever seen; live = deleted_at IS NULL."
    assert schema.field("deleted_at").metadata[b"description"].startswith(b"When the image was deleted")
    assert "login" not in parquet.read_schema(files(tmp_path, "sources")[0]).names


@pytest.mark.parametrize(("file_format", "read"), [("csv", "read_csv"), ("jsonl", "read_json")])
def test_text_formats_hold_the_same(catalog: Catalog, tmp_path: Path, file_format: str, read: str) -> None:
    catalog.export(tmp_path, file_format)
    with lake(tmp_path, read) as engine:
        query = (
            "SELECT s.name AS source, i.image_id, i.name, i.size, i.protected, i.deleted_at"
            " FROM images i JOIN sources s {}"
        )
        expected = catalog.ask(query.format("USING (source_id)"))
        found = engine.execute(query.format("ON s.source_id = i.source_id")).fetchall()
        assert sorted_rows(in_utc(found)) == sorted_rows(in_utc(expected))
        tags = "SELECT image_id, tag FROM image_tags"
        assert sorted_rows(engine.execute(tags).fetchall()) == sorted_rows(catalog.ask(tags))
        kind = engine.execute(
            "SELECT column_type FROM (DESCRIBE images) WHERE column_name = 'tags'"
        ).fetchall()
        assert kind == [("VARCHAR[]",)] if file_format == "jsonl" else [("VARCHAR",)]


@pytest.fixture
def spark(tmp_path: Path) -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    session = (
        sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(tmp_path / "warehouse"))
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_spark_answers_as_postgresql_does(catalog: Catalog, tmp_path: Path, spark: Any) -> None:
    folder = tmp_path / "lake"
    catalog.export(folder)
    for table in KEYS:
        spark.read.option("basePath", f"{folder}/{table}").parquet(
            *files(folder, table)
        ).createOrReplaceTempView(table)
    for question, (ours, theirs) in QUESTIONS.items():
        for moment in catalog.moments if question == AS_OF else [""]:
            expected = catalog.ask(ours.replace("{moment}", moment))
            query = in_words_of(theirs, SPARK, moment)
            columns = spark.sql(query)
            found = [tuple(row) for row in columns.collect()]
            assert sorted_rows(in_utc(found)) == sorted_rows(in_utc(expected)), question
