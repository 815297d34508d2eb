"""Events from a place on, or the newest, of some sources and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from catalog.config.selection import fits, fitting
from catalog.errors import UsageError
from catalog.events.cursor import Positions
from catalog.model import EVENT_TYPES
from catalog.store.db.connection import Connection
from catalog.store.state import sources


def chosen_types(patterns: Sequence[str]) -> list[str]:
    """The types that any of the globs picks, all for none. Raises UsageError for a glob that picks none."""
    for pattern in patterns:
        if not fitting(EVENT_TYPES, pattern):
            raise UsageError(f"no type of event is called {pattern!r}; known: {', '.join(EVENT_TYPES)}")
    return [name for name in EVENT_TYPES if fits([name], patterns)]


def places(connection: Connection, patterns: Sequence[str], positions: Mapping[str, int]) -> Positions:
    """Where to read on in each of the sources; those that are new since begin at their beginning."""
    return {
        each.source_id: positions.get(each.source_id, 0) for each in sources.matching(connection, patterns)
    }
