"""What the schema is made of: nothing that a database team has to grant, and each thing explained."""

from __future__ import annotations

import re

import psycopg
import pytest
from sqlalchemy import ARRAY, Text

from catalog.store.db.connection import Database
from catalog.store.db.tables import metadata
from catalog.store.state.runs import RUN_COLUMNS
from tests.migration.portrait import Portrait


@pytest.mark.parametrize("what", ["triggers", "types", "extensions"])
def test_none_is_created(expected: Portrait, what: str) -> None:
    assert expected[what] == []


def test_no_sequence_and_no_foreign_key(expected: Portrait) -> None:
    assert {kind for _, kind, *_ in expected["tables"]} == {"r", "v"}
    assert {kind for _, _, kind, _ in expected["constraints"]} <= {"p", "u", "c", "n"}
    assert [column for column in expected["columns"] if column[5] or column[6]] == []
    assert [c[:2] for c in expected["columns"] if c[7] and "nextval" in c[7]] == []


def test_no_constraint_is_deferrable(expected: Portrait) -> None:
    assert [c for c in expected["constraints"] if "DEFERRABLE" in c[3]] == []


def test_moments_have_a_zone_and_texts_no_limit(expected: Portrait) -> None:
    types = {column[3] for column in expected["columns"] if column[0] != "catalog_schema_version"}
    assert "timestamp without time zone" not in types
    assert [type for type in types if type.startswith(("character", "time "))] == []


def test_each_table_view_and_function_says_what_it_is(expected: Portrait) -> None:
    silent = [t[0] for t in expected["tables"] if not t[4]]
    assert silent == []
    assert [definition for definition, comment in expected["functions"] if not comment] == []


def test_each_column_says_what_it_means(expected: Portrait) -> None:
    silent = [(table, column) for table, column, *_, comment, _ in expected["columns"] if not comment]
    assert silent == []


def test_each_moment_names_its_zone_and_each_size_its_unit(expected: Portrait) -> None:
    comments = {(c[0], c[1]): (c[3], c[8] or "") for c in expected["columns"]}
    silent = [
        place
        for place, (type, comment) in comments.items()
        if type == "timestamp with time zone" and "Unit: UTC." not in comment
    ]
    assert silent == []
    for column, unit in (("size", "bytes"), ("min_ram", "MB"), ("min_disk", "GB"), ("os_bit", "bit")):
        assert f"Unit: {unit}." in comments["images", column][1]


CLOUD_TEXT = {"name", "status", "platform", "description", "owner", "value", "record", "error"}


def test_no_index_holds_a_clouds_text_in_full(expected: Portrait) -> None:
    """A text of 3,000 bytes would not fit into an index; ids, tags and names of keys are bounded."""
    for (definition,) in expected["indexes"]:
        columns = re.search(r"USING \w+ \((.*?)\)(?: WHERE| WITH|$)", definition)
        assert columns is not None, definition
        table = definition.replace("public.", "").split(" ON ")[1].split()[0]
        if table in ("sources", "webhooks", "image_properties"):
            continue  # the operator's own names, and names of keys, of up to 1,000 bytes
        whole = {column.split()[0] for column in columns[1].split(", ")}
        assert not whole & CLOUD_TEXT, definition


def test_each_index_sorts_texts_by_their_bytes(database: Database) -> None:
    """A new C library sorts some languages in another way: an index by one of them would lose rows."""
    question = """
        SELECT x.indexrelid::regclass::text, n.collname
        FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
        CROSS JOIN unnest(x.indcollation::oid[]) AS used (collation_id)
        JOIN pg_collation n ON n.oid = used.collation_id
        WHERE c.relnamespace = 'public'::regnamespace AND n.collname <> 'C'"""
    with psycopg.connect(database.libpq_url) as connection:
        others = connection.execute(question).fetchall()
    assert [index for index, _ in others] == ["catalog_schema_version_pkc"]  # Alembic's: digits only


def test_the_code_knows_the_same_collations(expected: Portrait) -> None:
    """Alembic does not compare them."""
    found = {(c[0], c[1]): c[9] for c in expected["columns"] if c[0] in metadata.tables}
    known = {
        (table.name, column.name): f'"{text.collation or "default"}"'
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(text := column.type.item_type if isinstance(column.type, ARRAY) else column.type, Text)
    }
    assert {place: collation for place, collation in found.items() if collation != "-"} == known


def test_the_ledger_of_runs_is_shown_with_all_its_columns() -> None:
    assert list(RUN_COLUMNS[1:]) == [column.name for column in metadata.tables["runs"].columns]
