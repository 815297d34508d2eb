"""The files that tell other tools of tables and views are what the database says."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.store.db.connection import Database
from tools import models


@pytest.fixture
def files(database: Database) -> dict[Path, str]:
    with database.transaction(read_only=True) as connection:
        return models.files(connection)


def test_generated_files_are_what_the_database_says(files: dict[Path, str]) -> None:
    stale = [path.name for path, text in files.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `python tools/generate.py`"
