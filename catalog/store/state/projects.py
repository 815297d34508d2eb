"""Names of the projects that own images, as the identity service gave them; asked for once a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from catalog.store.db.connection import Connection
from catalog.store.db.statements import load

_SQL = load("projects.sql")


def due(connection: Connection, source_id: str) -> bool:
    """True if they were not asked for within the last day."""
    return bool(_SQL.value(connection, "due", source=source_id))


def save(
    connection: Connection, source_id: str, told: Mapping[str, tuple[str, str | None]], at: datetime
) -> None:
    """Notes that they were asked for, and what was told: project's id -> its name, its domain's name."""
    _SQL.run(connection, "asked", source=source_id, at=at)
    if told:
        names, domains = zip(*told.values(), strict=True)
        values = {"ids": list(told), "names": list(names), "domains": list(domains)}
        _SQL.run(connection, "save", source=source_id, at=at, **values)
