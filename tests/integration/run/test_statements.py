"""How many statements a sweep sends where nothing changed: with many small sources they are most of its time."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.world import Sites

MOST = 20
MOST_OF_CHANGES = 6
OF_TRANSACTIONS = (b"SET TRANSACTION", b"SET LOCAL", b";")
"""Beginnings of what opens a transaction, and of what the pool asks a connection that waited."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The statements that all connections are sent, those that open and close transactions left out."""
    statements: list[bytes] = []
    execute = psycopg.Cursor.execute

    def noting(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        text = query if isinstance(query, bytes) else str(query).encode()
        if not text.startswith(OF_TRANSACTIONS):
            statements.append(text)
        return execute(self, query, *arguments, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", noting)
    return statements


@pytest.mark.parametrize("kind", ["glance", "ims"])
def test_a_sweep_that_finds_nothing_changed_sends_few_statements(
    sites: Sites, sent: list[bytes], kind: str
) -> None:
    site = sites.open(kind, 5, page_size=100)
    site.sweep()
    sent.clear()
    assert site.sweep().unchanged == 5
    assert len(sent) <= MOST, b"\n\n".join(sent).decode()
    sent.clear()
    assert site.sweep_changes().unchanged == 5
    assert len(sent) <= MOST_OF_CHANGES, b"\n\n".join(sent).decode()
