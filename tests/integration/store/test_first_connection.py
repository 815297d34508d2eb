"""What a command asks the server before its own first question."""

from __future__ import annotations

import pytest
from psycopg.types import TypeInfo

from catalog.store.db.connection import Database


def test_no_type_is_looked_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy would ask for hstore, which no column has: a way to a server that may be far, in each command."""
    asked: list[object] = []
    monkeypatch.setattr(TypeInfo, "fetch", lambda connection, name: asked.append(name))
    with database.transaction() as connection:
        connection.execute("SELECT")
    assert asked == []
