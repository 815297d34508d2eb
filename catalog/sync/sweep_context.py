"""All that the steps of one sweep share: source, lease, deadline, and the result that they fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import DatabaseTimeout
from catalog.model import ImageService, RunResult
from catalog.store.db.connection import Connection, Database, T
from catalog.store.state import leases
from catalog.store.state.sources import Source

Opener = Callable[[SourceSettings, Deadline], ImageService]
Watch = Callable[[str, int], None]
"""Is told a source's name and how many records a page of it brought."""


def ignore(source: str, records: int) -> None:
    """Watches nothing."""


class DueClaim(Protocol):
    """A daemon's claim on a source, asked and told in the transactions that open and close the run's row."""

    def is_due(self, connection: Connection, source_id: str) -> bool:
        """False: another process swept the source meanwhile; the run ends as busy, without a row."""
        ...

    def done(self, connection: Connection, source_id: str, run: RunResult) -> None: ...


class NotDue(Exception):
    """Another process swept the source meanwhile."""


@dataclass(frozen=True, slots=True)
class SweepContext:
    """One sweep under way. `renewer` holds its lease; None for a plan, which writes nothing."""

    database: Database
    source: SourceSettings
    stored: Source
    run: RunResult
    deadline: Deadline
    renewer: leases.LeaseRenewer | None = None
    accept: bool = False
    claim: DueClaim | None = None
    watch: Watch = ignore

    @property
    def source_id(self) -> str:
        """The stored source's; one that no source has for a plan of a new source."""
        return self.stored.source_id

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Does the work in a transaction: under the lease, within the deadline; for a plan one that only reads.

        Raises DeadlineError where the time is up, and what the work does.
        """
        if self.renewer is None:
            with self.database.transaction(read_only=True) as connection:
                return work(connection)
        try:
            return leases.transact(self.database, self.renewer.lease, work, self.deadline.to_write())
        except DatabaseTimeout:
            raise self.deadline.passed() from None
