"""The cookbook of docs/reporting.md as a whole: each question is checked, and a reader may ask it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import psycopg
import pytest

from tests.integration.views.conftest import Shelf
from tests.integration.views.cookbook import CHECKED, COOKBOOK, PAGE
from tests.integration.views.readers import reader


def test_every_question_of_the_page_is_checked_here_and_says_its_columns() -> None:
    for module in Path(__file__).parent.glob("test_cookbook_*.py"):
        importlib.import_module(f"{__package__}.{module.stem}")
    assert sorted(CHECKED) == sorted(COOKBOOK)
    assert len(COOKBOOK) >= 20
    columns = re.findall(r"^### .+\n\n```sql\n(?:(?!```).*\n)*```\n\n→ `[^`]+`", PAGE, flags=re.MULTILINE)
    assert len(columns) == len(COOKBOOK)


def test_a_role_that_only_reads_can_ask_all_of_them(shelf: Shelf, database_url: str) -> None:
    source = shelf.source()
    shelf.image(source, "a")
    with reader(database_url) as connection:
        for query in COOKBOOK.values():
            connection.execute(query.encode())
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM images")
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM images")


def test_what_tools_are_told_to_read_is_there(shelf: Shelf) -> None:
    views = set(shelf.column("SELECT viewname FROM pg_views WHERE schemaname = 'public'"))
    (listed,) = re.findall(r"leave\s+the views: ((?:`\w+`[,\s]*)+)", PAGE)
    assert set(re.findall(r"`(\w+)`", listed)) <= views
    for column, view in re.findall(r"`(\w+)` of\s+`(\w+)`", PAGE):
        shelf.ask(f"SELECT {column} FROM {view}")
