"""Answers to look-ups by id about images that are not listed, as far as it still matters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from catalog.store.db.connection import Connection
from catalog.store.db.statements import load

_SQL = load("lookups.sql")


def save(
    connection: Connection,
    source_id: str,
    at: datetime,
    answers: Mapping[str, str],
    asked_at: datetime | None = None,
) -> None:
    """Notes what look-ups of a sweep answered, once it is merged; those of images that are deleted, or were listed
    since, are forgotten. `asked_at`: by the database's clock, where that is known beside the observation's time."""
    if answers:
        ids, values = list(answers), list(answers.values())
        _SQL.run(connection, "save", source=source_id, at=at, clock=asked_at, ids=ids, answers=values)
    _SQL.run(connection, "drop_decided", source=source_id)
