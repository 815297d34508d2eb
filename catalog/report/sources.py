"""The sources that a question is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from catalog.config.selection import select_names
from catalog.report.statements import statement
from catalog.store.db.connection import Connection


def asked_sources(
    connection: Connection, patterns: Sequence[str], as_of: datetime | None = None
) -> list[str]:
    """Names of the recorded sources that any of the globs picks; without globs all that are not retired, now or as of
    a moment. Raises UsageError for a glob that picks none."""
    if patterns:
        return matching_sources(connection, patterns)
    rows = connection.execute(statement("images/sources_in_use"), {"as_of": as_of})
    return [str(name) for (name,) in rows]


def matching_sources(connection: Connection, patterns: Sequence[str] | None = None) -> list[str]:
    """Names of the recorded sources that any of the globs picks, sorted; without globs all.

    Raises UsageError for a glob that picks none.
    """
    known = [str(row[0]) for row in connection.execute("SELECT name FROM sources ORDER BY name")]
    return select_names(known, patterns or ())
