"""Leases: one writer per source, in whatever process, by the database's clock and a fencing number.

A holder renews its lease from a thread while it waits for the network, and locks the lease's row in each
transaction that writes; a process that was paused past its lease finds another holder or number there, and
its transaction is rolled back.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple

import psycopg
import structlog

from catalog.errors import CatalogError, ConfigurationError, LeaseLost, SourceBusy
from catalog.store.db.connection import WRITE_SECONDS, Connection, Database, T, is_spread
from catalog.store.db.statements import load
from catalog.store.state import events, runs

_SQL = load("leases.sql")
log = structlog.get_logger("catalog.store")
LONGEST = 3600
"""Longest lease. One that ends much later was written while the database's clock went wrong. Unit: seconds."""


def _length() -> float:
    """Raises ConfigurationError for a CATALOG_LEASE_SECONDS that is not a length of time."""
    text = os.environ.get("CATALOG_LEASE_SECONDS") or "60"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= LONGEST:
        raise ConfigurationError(
            f"CATALOG_LEASE_SECONDS: expected a number from 1 to {LONGEST}; found {text!r}"
        )
    return seconds


SECONDS = _length()
"""Length of a lease: how long the source of a killed process stays busy. Tests shorten it."""
RENEW_EVERY = SECONDS / 4
PATIENCE_SECONDS = 10.0
"""How long a command waits for a source that is busy. Tests shorten it."""


class Lease(NamedTuple):
    """The right to write a source, as long as nobody else has a greater number."""

    source_id: str
    holder: str
    fence: int

    def run(self, connection: Connection, name: str, **values: object) -> psycopg.Cursor[Any]:
        values |= {"source": self.source_id, "holder": self.holder, "fence": self.fence}
        return _SQL.run(connection, name, **values)

    def lock(self, connection: Connection) -> None:
        """Holds the source until the transaction ends. Raises LeaseLost if it is another's by now."""
        row = self.run(connection, "lock").fetchone()
        if row is None or row != (self.holder, self.fence):
            raise LeaseLost(
                "another process took this source over while this one was paused; nothing of this run was written"
            )


def version(connection: Connection) -> str | None:
    """Stands for all that is known of all sources, as this transaction sees it: the same as long as nothing of it was
    written. None where that can't be told: without sources, in a hub, on Citus."""
    row = None if is_spread(connection) else _SQL.run(connection, "version").fetchone()
    return str(row[0]) if row is not None and row[0] is not None else None


def acquire(connection: Connection, source_id: str, holder: str) -> Lease | None:
    """Takes the source if it is free or its lease ended; None while somebody holds it."""
    values = {"source": source_id, "holder": holder, "seconds": SECONDS, "longest": 2 * LONGEST}
    taken = _SQL.run(connection, "take", **values).fetchone()
    if taken is None and _insert(connection, source_id):
        taken = _SQL.run(connection, "take", **values).fetchone()
    if taken is None:
        return None
    if taken[1]:
        log.warning("lease taken over", source_id=source_id, reason="it ends later than any lease may")
    dead = _SQL.run(connection, "close_dead_runs", source=source_id).fetchall()
    for tells_of_source, run_id, since, kind, error in dead:
        if tells_of_source and runs.fail(connection, source_id, since, kind) is None:
            told = events.EventWriter(connection, source_id, run_id)
            told.of_source(events.FAILING, since=since, error_kind=kind, error=error)
    return Lease(source_id, holder, taken[0])


def _insert(connection: Connection, source_id: str) -> bool:
    """A lease of a source that nobody held before; none for one that is being removed."""
    if not _SQL.count(connection, "lock_source", source=source_id):
        return False
    return _SQL.count(connection, "insert", source=source_id) > 0


def wait(
    database: Database,
    source_id: str,
    holder: str,
    seconds: float,
    begin: Callable[[Connection], None] = lambda connection: None,
    stop: threading.Event | None = None,
) -> Lease | None:
    """Tries to take the source for this long, or until a stop; None if it is still busy then.

    `begin` is the first work of its holder, in the same transaction: what it raises leaves the source free.
    """

    def take(connection: Connection) -> Lease | None:
        lease = acquire(connection, source_id, holder)
        if lease is not None:
            begin(connection)
        return lease

    ends = time.monotonic() + seconds
    stop = stop or threading.Event()
    while True:
        lease = database.transact(take, source_id=source_id)
        if lease is not None or time.monotonic() >= ends or stop.wait(min(0.5, ends - time.monotonic())):
            return lease


class LeaseRenewer:
    """Renews a lease from a thread while its holder works; releases it at the end.

    `lost` is set once the lease is another's, or could not be renewed before it ended.
    """

    def __init__(self, database: Database, lease: Lease) -> None:
        self.database = database
        self.lease = lease
        self.lost = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease {lease.source_id}", daemon=True)

    def __enter__(self) -> LeaseRenewer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        release(self.database, self.lease)

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._done.wait(RENEW_EVERY):
            try:
                with self.database.transaction(seconds=RENEW_EVERY) as connection:
                    row = self.lease.run(connection, "renew", seconds=SECONDS).fetchone()
                if row is None:
                    self.lost.set()
                    return
                renewed = time.monotonic()
            except CatalogError:
                # the database may be away for a moment, or the row locked by our own merge
                if time.monotonic() - renewed > SECONDS:
                    self.lost.set()


@contextmanager
def held(database: Database, source_id: str, name: str) -> Iterator[Lease]:
    """The lease of a source, for a command. Raises SourceBusy if another process keeps it for PATIENCE_SECONDS."""
    lease = wait(database, source_id, str(uuid.uuid4()), PATIENCE_SECONDS)
    if lease is None:
        raise SourceBusy(f"source {name!r} is busy; try again when its run has ended")
    with LeaseRenewer(database, lease):
        yield lease


def release(database: Database, lease: Lease) -> None:
    """Frees the source; a database that is away frees it by the lease's end."""
    with suppress(CatalogError):
        database.transact(lambda connection: lease.run(connection, "release"), source_id=lease.source_id)


def transact(
    database: Database, lease: Lease, work: Callable[[Connection], T], seconds: float = WRITE_SECONDS
) -> T:
    """Does the work in a transaction that holds the source, and returns its result; tried again, and bounded,
    like `Database.transact`.

    Raises LeaseLost if the source is another's by now: nothing was written.
    """

    def locked(connection: Connection) -> T:
        lease.lock(connection)
        return work(connection)

    return database.transact(locked, seconds, source_id=lease.source_id)
