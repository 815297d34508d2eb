"""The worked examples and the glossary of docs/semantics.md agree with the rule of history and the tables."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from catalog.config.configured_sources import DefaultsTable
from catalog.store.db.tables import metadata
from tests.reference import Seen, fold

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")


def table_below(heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    rows = re.findall(r"^\|(.*)\|$", PAGE.split(f"# {heading}\n")[1].split("\n#")[0], flags=re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


def moment(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-01T{clock}:00").replace(tzinfo=UTC)


def listing(at: str, name: str, updated_at: str) -> Seen:
    record = {"id": "i", "name": name, "status": "active", "updated_at": moment(updated_at or at).isoformat()}
    return Seen(moment(at), True, {} if name == "(absent)" else {"i": json.dumps(record).encode()})


def test_the_worked_example_of_dating_is_what_the_rule_says() -> None:
    rows = table_below("A worked example of dating")
    observed = [listing(at, name, updated_at) for at, name, updated_at, *_ in rows]

    def dated(*late: Seen) -> dict[datetime, datetime]:
        return {revision.observed_at: revision.valid_from for revision in fold([*observed, *late], "i")}

    expected = {moment(row[0]): moment(row[5][:5]) for row in rows if row[5]}
    assert dated() == expected
    assert dated(listing("11:30", "a", "07:00")) == expected | {moment("12:00"): moment("12:00")}
    same_time = expected.pop(moment("12:00"))
    assert dated(listing("11:30", "b", "11:15")) == expected | {moment("11:30"): same_time}


def test_the_glossary_names_tables_and_columns_that_exist() -> None:
    views = {"image_revisions": {"document"}}
    known = {table.name: set(table.columns.keys()) for table in metadata.sorted_tables} | views
    keys = set(DefaultsTable.__struct_fields__)
    for word, _, where, *_ in table_below("Glossary"):
        for table, column in re.findall(r"`(\w+)(?:\.(\w+))?[^`]*`", where):
            assert table in keys or table in known, word
            assert not column or column in known[table], word


def test_the_glossary_names_modules_that_exist() -> None:
    for word, *_, modules in table_below("Glossary"):
        for module in modules.split(", "):
            assert (ROOT / "catalog" / module.strip("`")).with_suffix(".py").is_file(), word
