"""Webhooks of a daemon: looks which are due, and delivers to each in a thread of its own.

So a receiver that is slow or away delays neither another one nor a sweep. Of several daemons one delivers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from catalog.config.settings import WebhookSettings
from catalog.daemon.metrics import Counts
from catalog.errors import DatabaseError
from catalog.events.webhook_delivery import Delivery
from catalog.store.db.connection import Database
from catalog.store.state import webhooks as stored

log = structlog.get_logger("catalog.webhooks")
POLL_SECONDS = 1.0
"""Seconds between two looks at what waits."""


class Webhooks:
    """`lost` and `found` are told of a database that is unavailable, and of one that answers. `failures`: attempts that
    failed, by webhook."""

    def __init__(
        self,
        database: Database,
        webhooks: Sequence[WebhookSettings],
        stopping: threading.Event,
        lost: Callable[[DatabaseError], None],
        found: Callable[[], None],
    ) -> None:
        self.failures = Counts()
        self._database = database
        self._stopping = stopping
        self._lost = lost
        self._found = found
        self._wake = threading.Event()
        self._under_way: dict[str, threading.Thread] = {}
        self.take(webhooks)

    def take(self, webhooks: Sequence[WebhookSettings]) -> None:
        """The webhooks of the configuration as it is now."""
        self._webhooks = {webhook.name: webhook for webhook in webhooks}
        self._unknown = set(self._webhooks)
        self.failures.know((name,) for name in self._webhooks)
        self._wake.set()

    def meet(self) -> None:
        """Records the webhooks that are new, so that they are told of all that is swept from now on.

        Raises DatabaseError.
        """
        for name in sorted(self._unknown):
            if self._database.transact(partial(stored.know, name=name)):
                log.info("webhook is new: it is told of what comes from now on", webhook=name)
        self._unknown.clear()

    def watch(self) -> None:
        """Looks until the daemon stops; runs in a thread of its own. With no webhook configured it asks nothing."""
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if self._webhooks:
                    self._look()
                    self._found()
            except DatabaseError as error:
                self._lost(error)
            except Exception:
                log.exception("webhooks could not be looked at")
            self._wake.wait(POLL_SECONDS if self._webhooks else None)

    def end(self, seconds: float) -> None:
        """Waits for deliveries to end, which a stop cuts short; at most so long."""
        self._wake.set()
        ends = time.monotonic() + seconds
        for thread in list(self._under_way.values()):
            thread.join(max(0.0, ends - time.monotonic()))

    def _look(self) -> None:
        webhooks = self._webhooks
        self.meet()
        due = self._database.transact(partial(stored.waiting, names=list(webhooks)))
        self._under_way = {name: thread for name, thread in self._under_way.items() if thread.is_alive()}
        for name in due:
            if name not in self._under_way and not self._stopping.is_set():
                thread = threading.Thread(
                    target=self._deliver, args=(webhooks[name],), name=f"webhook {name}", daemon=True
                )
                self._under_way[name] = thread
                thread.start()

    def _deliver(self, webhook: WebhookSettings) -> None:
        try:
            Delivery(self._database, webhook, self._stopping, lambda: self.failures.add(webhook.name)).run()
        except DatabaseError as error:
            self._lost(error)
        except Exception:
            log.exception("delivery crashed (bug)", webhook=webhook.name)
