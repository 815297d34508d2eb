"""A place in the events of several sources, as text: the id of the last event of each, separated by commas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from catalog.errors import UsageError
from catalog.store.db.connection import Connection
from catalog.store.state import sources

Positions = dict[str, int]
"""Number of the last event that was read, by source_id."""
LONGEST_DIGITS = 18
"""Of a number that PostgreSQL's bigint takes."""


def parse(text: str) -> Positions:
    """Raises UsageError for text that is not a cursor, nor an event's id."""
    positions: Positions = {}
    for part in text.split(","):
        source_id, dot, number = part.strip().rpartition(".")
        if not (
            dot and source_id and number.isascii() and number.isdigit() and len(number) <= LONGEST_DIGITS
        ):
            raise UsageError(
                "--after: expected the `cursor` or the `id` of an event that `catalog events` printed;"
                f" found {text[:60]!r}"
            )
        positions[source_id] = max(int(number), positions.get(source_id, 0))
    return positions


def render(positions: Mapping[str, int]) -> str:
    return ",".join(f"{source_id}.{number}" for source_id, number in sorted(positions.items()))


def places(connection: Connection, patterns: Sequence[str], positions: Mapping[str, int]) -> Positions:
    """Where to read on in each of the sources; those that are new since begin at their beginning."""
    return {
        each.source_id: positions.get(each.source_id, 0) for each in sources.matching(connection, patterns)
    }
