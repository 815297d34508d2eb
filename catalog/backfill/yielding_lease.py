"""A source held for long work that consists of many short transactions.

Between two of them the source is let go now and then, so that a daemon's sweep gets its turn. The lease's
fencing number tells afterwards whether anybody took it.
"""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from types import TracebackType

from catalog.errors import CatalogError, LeaseLost
from catalog.store.db.connection import Database
from catalog.store.state import leases
from catalog.store.state.leases import Lease, LeaseRenewer

YIELD_SECONDS = 30.0
"""Seconds until somebody else gets the chance."""
PAUSE_SECONDS = 0.6
"""Seconds that the source is free; who waits for it tries twice a second."""


class Busy(CatalogError):
    """Another process works on the source."""


class YieldingLease:
    """Holds a source. `undisturbed` is false once after somebody else may have written to it."""

    def __init__(self, database: Database, source_id: str, *, first_wait: float, later_wait: float) -> None:
        self.database = database
        self.source_id = source_id
        self._first_wait = first_wait
        self._later_wait = later_wait
        self._renewing = ExitStack()
        self._renewer: LeaseRenewer | None = None
        self._fence: int | None = None
        self._since = 0.0

    def __enter__(self) -> YieldingLease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def hold(self) -> tuple[Lease, bool]:
        """The lease, and whether nobody else has held the source since the last call.

        Raises Busy if it is another's for too long, LeaseLost if it was lost.
        """
        if self._renewer is not None:
            if self._renewer.lost.is_set():
                raise LeaseLost("the lease on this source could not be kept; start the command again")
            if time.monotonic() - self._since < YIELD_SECONDS:
                return self._renewer.lease, True
            self._release()
            time.sleep(PAUSE_SECONDS)
        seconds = self._first_wait if self._fence is None else self._later_wait
        lease = leases.wait(self.database, self.source_id, str(uuid.uuid4()), seconds)
        if lease is None:
            raise Busy("another process is working on this source; try again later")
        undisturbed = self._fence is not None and lease.fence == self._fence + 1
        self._renewer = self._renewing.enter_context(LeaseRenewer(self.database, lease))
        self._fence, self._since = lease.fence, time.monotonic()
        return lease, undisturbed

    def _release(self) -> None:
        self._renewer = None
        self._renewing.close()
