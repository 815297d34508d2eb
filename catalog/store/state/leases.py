"""Leases: one writer per source, in whatever process, by the database's clock and a fencing number.

A holder renews its lease from a thread while it waits for the network, and locks the lease's row in each
transaction that writes; a process that was paused past its lease finds another holder or number there, and
its transaction is rolled back.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType

import structlog

from catalog.errors import CatalogError, ConfigurationError, LeaseLost
from catalog.store.db.connection import WRITE_SECONDS, Connection, Database, T

log = structlog.get_logger("catalog.store")
LONGEST = 3600
"""Longest lease. One that ends much later was written while the database's clock went wrong. Unit: seconds."""


def _length() -> float:
    """Raises ConfigurationError for a CATALOG_LEASE_SECONDS that is no length of time."""
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


@dataclass(frozen=True, slots=True)
class Lease:
    source_id: str
    holder: str
    fence: int

    def lock(self, connection: Connection) -> None:
        """Holds the source until the transaction ends. Raises LeaseLost if it is another's by now."""
        row = connection.execute(
            "SELECT holder::text, fence FROM leases WHERE source_id = %s FOR UPDATE", (self.source_id,)
        ).fetchone()
        if row is None or row != (self.holder, self.fence):
            raise LeaseLost(
                "another process took this source over while this one was paused; nothing of this run was written"
            )


def acquire(connection: Connection, source_id: str, holder: str) -> Lease | None:
    """Takes the source if it is free or its lease ended; None while somebody holds it."""
    connection.execute(
        "INSERT INTO leases (source_id, fence) VALUES (%s, 0) ON CONFLICT DO NOTHING", (source_id,)
    )
    free = connection.execute(
        """
        SELECT fence, expires_at > clock_timestamp() FROM leases
        WHERE source_id = %s AND (holder IS NULL OR expires_at IS NULL OR expires_at < clock_timestamp()
            OR expires_at > clock_timestamp() + make_interval(secs => %s))
        FOR UPDATE SKIP LOCKED
        """,
        (source_id, 2 * LONGEST),
    ).fetchone()
    if free is None:
        return None
    if free[1]:
        log.warning("lease taken over", source_id=source_id, reason="it ends later than any lease may")
    connection.execute(
        "UPDATE leases SET holder = %s, fence = fence + 1,"
        " expires_at = clock_timestamp() + make_interval(secs => %s) WHERE source_id = %s",
        (holder, SECONDS, source_id),
    )
    connection.execute(
        """
        WITH dead AS (
            UPDATE runs SET outcome = 'failed', finished_at = clock_timestamp(), error_kind = 'database',
                error = 'the process ended before the run did'
            WHERE source_id = %(source)s AND finished_at IS NULL
            RETURNING kind, started_at
        )
        UPDATE sources SET failing_since = coalesce(failing_since, dead.started_at), failures = failures + 1,
            error_kind = 'database'
        FROM dead WHERE source_id = %(source)s AND dead.kind = 'sync'
        """,
        {"source": source_id},
    )
    return Lease(source_id, holder, free[0] + 1)


def wait(database: Database, source_id: str, holder: str, seconds: float) -> Lease | None:
    """Tries to take the source for this long; None if it is still busy then."""
    ends = time.monotonic() + seconds
    while True:
        lease = database.written(partial(acquire, source_id=source_id, holder=holder), source_id=source_id)
        if lease is not None or time.monotonic() >= ends:
            return lease
        time.sleep(min(0.5, max(0.0, ends - time.monotonic())))


class Keeper:
    """Renews a lease from a thread while its holder works; releases it at the end.

    `lost` is set once the lease is another's, or could not be renewed before it ended.
    """

    def __init__(self, database: Database, lease: Lease) -> None:
        self.database = database
        self.lease = lease
        self.lost = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease {lease.source_id}", daemon=True)

    def __enter__(self) -> Keeper:
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
                    row = connection.execute(
                        "UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => %s)"
                        " WHERE source_id = %s AND holder = %s AND fence = %s RETURNING fence",
                        (SECONDS, self.lease.source_id, self.lease.holder, self.lease.fence),
                    ).fetchone()
                if row is None:
                    self.lost.set()
                    return
                renewed = time.monotonic()
            except CatalogError:
                # the database may be away for a moment, or the row locked by our own merge
                if time.monotonic() - renewed > SECONDS:
                    self.lost.set()


def release(database: Database, lease: Lease) -> None:
    """Frees the source; a database that is away frees it by the lease's end."""

    def free(connection: Connection) -> None:
        connection.execute(
            "UPDATE leases SET holder = NULL, expires_at = NULL"
            " WHERE source_id = %s AND holder = %s AND fence = %s",
            (lease.source_id, lease.holder, lease.fence),
        )

    try:
        database.written(free, source_id=lease.source_id)
    except CatalogError:
        return


def written(
    database: Database, lease: Lease, work: Callable[[Connection], T], seconds: float = WRITE_SECONDS
) -> T:
    """What the work, done in a transaction that holds the source, returns; tried again, and bounded by `seconds`,
    like `Database.written`.

    Raises LeaseLost if the source is another's by now: nothing was written.
    """

    def locked(connection: Connection) -> T:
        lease.lock(connection)
        return work(connection)

    return database.written(locked, seconds, source_id=lease.source_id)
