"""When each source is due, shared by all daemons, decided by the database for all of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from catalog.store.db.connection import Connection
from catalog.store.db.statements import load

_SQL = load("due_sources.sql")


@dataclass(frozen=True, slots=True)
class DueSource:
    """How one source stands. `due_in`: seconds from now, None = retired; `changes_in`: the same for its changes, None =
    only after a complete sweep. `busy`: it is held."""

    due_in: float | None
    changes_in: float | None
    busy: bool


NEW = DueSource(0.0, None, busy=False)
"""A source that no sweep has recorded yet: due at once."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The values of a source's gauges. Durations in seconds, moments in seconds since 1970; counts of images."""

    name: str
    last_complete: float | None
    last_changes: float | None
    expected_seconds: float | None
    failing: bool
    error_kind: str
    held: int
    rejected: int
    run_seconds: float | None
    unlisted: int
    live: int
    deleted: int


def due_sources(connection: Connection, names: Collection[str]) -> dict[str, DueSource]:
    """Of these sources, those that the database knows."""
    rows = _SQL.run(connection, "due_sources", names=list(names))
    return {name: DueSource(*rest) for name, *rest in rows}


def is_due(connection: Connection, source_id: str) -> bool:
    """True if its time has come; locks the source's row, so that two can't both be told yes."""
    return bool(_SQL.value(connection, "is_due", source=source_id))


def failures(connection: Connection, source_id: str) -> int:
    """How many runs in a row were not complete."""
    return int(_SQL.value(connection, "failures", source=source_id) or 0)


def set_due(
    connection: Connection, source_id: str, due: datetime, changes: datetime | None, expected_seconds: float
) -> None:
    """Sets the next run and the next one for changes; `expected_seconds` is what `source_freshness` measures staleness
    by."""
    _SQL.run(connection, "set_due", source=source_id, due=due, changes=changes, expected=expected_seconds)


def claim_changes(connection: Connection, source_id: str, seconds: float) -> bool:
    """True if it is time to ask for changes, which is `seconds` away again for all others then."""
    return _SQL.count(connection, "claim_changes", source=source_id, seconds=seconds) > 0


def postpone_changes(connection: Connection, source_id: str, seconds: float, longest: float) -> None:
    """Changes could not be read: asks again once what is known is twice as old, within these bounds."""
    at = _SQL.value(connection, "after_failed_changes", source=source_id, seconds=seconds, longest=longest)
    _SQL.run(connection, "postpone_changes", source=source_id, at=at)


def align_changes(connection: Connection, name: str, at: datetime | None) -> None:
    """Brings a source's next changes forward to what is configured today; None: off."""
    _SQL.run(connection, "align_changes", name=name, at=at)


def align(
    connection: Connection, name: str, due: datetime, latest: datetime, expected_seconds: float
) -> None:
    """Brings a source's next run forward to `due`, its next regular time by today's configuration and clock.

    `latest`: the latest that a run which ends now may set; what is later goes, though the source fails.
    """
    _SQL.run(connection, "align", name=name, due=due, latest=latest, expected=expected_seconds)


def health(connection: Connection) -> list[SourceHealth]:
    """All sources that are in use, by name."""
    images = {name: (live, gone) for name, live, gone in _SQL.run(connection, "image_counts")}
    rows = _SQL.run(connection, "health")
    return [SourceHealth(*[*row, *images.get(row[0], (0, 0))]) for row in rows]
