"""Events: what sweeps changed, written in the transaction that changes it.

What was merged is told, what was rolled back is not; so is what `approve` deletes. Numbers grow by one
within a source, so whoever remembers a number per source misses nothing, whatever was loaded or dated anew since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from catalog.model import EVENT_TYPES
from catalog.store.db.connection import Connection, clock
from catalog.store.db.statements import load

_SQL = load("events.sql")
READ_AT_ONCE = 1000
"""Events that a reader has in memory."""
PRUNED_AT_ONCE = 20_000
"""Events that one sweep takes out at most."""
CREATED, UPDATED, DELETED, RESTORED, UNLISTED, HELD, FAILING, RECOVERED, LOADED = EVENT_TYPES


class Event(NamedTuple):
    """One row of `events`, with its source's name."""

    source_id: str
    source: str
    number: int
    run_id: str
    type: str
    subject: str | None
    time: datetime
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """Unique among all events of a database, and the same whenever it is read."""
        return f"{self.source_id}.{self.number}"


def read(
    connection: Connection, after: Mapping[str, int], types: Sequence[str] = EVENT_TYPES
) -> Iterator[Event]:
    """Events of these types after the numbers, by source_id, in the order of time; a source's in that of its numbers.

    Reads them a part at a time: the transaction must stay open meanwhile.
    """
    values = {"sources": list(after), "after": list(after.values()), "types": list(types)}
    with connection.cursor(name="events") as cursor:
        cursor.itersize = READ_AT_ONCE
        cursor.execute(_SQL["read"].rstrip(";"), values)
        yield from map(Event._make, cursor)


def newest(
    connection: Connection, source_ids: Iterable[str], most: int, types: Sequence[str] = EVENT_TYPES
) -> list[Event]:
    """The newest events of these sources and types, newest first."""
    rows = _SQL.run(connection, "newest", sources=list(source_ids), types=list(types), most=most)
    return list(map(Event._make, rows))


def after(connection: Connection, source_id: str, number: int, most: int) -> list[Event]:
    """A source's next events after a number, so many at most."""
    rows = _SQL.run(connection, "after", source=source_id, number=number, most=most)
    return list(map(Event._make, rows))


def families(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """The family of each name, by the rules of `image_family_rules`."""
    return dict(_SQL.run(connection, "families", names=list(names)).fetchall())


class EventWriter:
    """Writes the events of one run, in the transaction of its merge."""

    def __init__(self, connection: Connection, source_id: str, run_id: str) -> None:
        self.connection = connection
        self.source_id = source_id
        self.run_id = run_id

    def is_loading(self) -> bool:
        """True until the source's first load has ended; to be asked before the run's row is closed."""
        return bool(_SQL.value(self.connection, "is_loading", source=self.source_id))

    def changes(self, observed_at: datetime, *, loading: bool) -> None:
        """Of each image that the stage shows as changed; `loading`: of those that were known before."""
        self._write("changes", observed_at, observed=observed_at, loading=loading)

    def unlisted(self, observed_at: datetime, ids: Iterable[str]) -> None:
        """Of those of the images that were listed until now."""
        self._write("unlisted", observed_at, observed=observed_at, ids=list(ids))

    def held(self, observed_at: datetime) -> None:
        """Of the deletions that this run is the first to hold back; it names the first hundred images."""
        row = _SQL.run(self.connection, "held", source=self.source_id, run=self.run_id).fetchone()
        assert row is not None
        if row[0]:
            names = ("held", "open", "reason", "image_ids")
            self.of_source(HELD, observed_at, **dict(zip(names, row, strict=True)))

    def of_source(self, type: str, at: datetime | None = None, **data: object) -> None:
        """Of the whole source; `at` None: now."""
        text = json.dumps(data, default=datetime.isoformat)
        self._write("one", at or clock(self.connection), type=type, data=text)

    def prune(self, before: datetime) -> None:
        """Takes out some of what was written before, and is no longer kept."""
        _SQL.run(self.connection, "prune", source=self.source_id, before=before, most=PRUNED_AT_ONCE)

    def _write(self, name: str, at: datetime, **values: object) -> None:
        row = _SQL.run(self.connection, "last", source=self.source_id).fetchone()
        assert row is not None, "a run's source has a row"
        last, latest = row
        values |= {"source": self.source_id, "run": self.run_id, "last": last}
        count = _SQL.count(self.connection, name, at=max(at, latest or at), **values)
        if count:
            _SQL.run(self.connection, "advance", source=self.source_id, count=count)
