"""Results of runs as rows for programs: the columns of `runs`, the source's name before them."""

from __future__ import annotations

from typing import Any

from catalog.errors import CatalogError
from catalog.model import RunResult
from catalog.store.db.connection import Database
from catalog.store.state import sources
from catalog.store.state.runs import RUN_COLUMNS


def as_row(database: Database, run: RunResult) -> dict[str, Any]:
    """A result by the names of RUN_COLUMNS."""
    return {
        name: _source_id(database, run.source) if name == "source_id" else getattr(run, name)
        for name in RUN_COLUMNS
    }


def _source_id(database: Database, name: str) -> str | None:
    """None for a source that was never recorded, and while the database is away."""
    try:
        with database.transaction() as connection:
            stored = sources.find(connection, name)
    except CatalogError:
        return None
    return stored.source_id if stored else None
