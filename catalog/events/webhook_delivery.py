"""Delivery of events to one webhook: at least once, in order within a source.

A delivery holds the webhook while it works. It reads what waits in a short transaction, sends it with none open, and
moves the source's place on in another one: ended in between, whoever comes next sends the same message once more.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from functools import partial

import structlog

from catalog.config.selection import fits
from catalog.config.settings import WebhookSettings
from catalog.errors import CatalogError, DatabaseError, LeaseLost, Stopped
from catalog.events.filters import wanted
from catalog.events.message import MOST_BYTES, MOST_EVENTS, send, size
from catalog.store.db.connection import Connection, Database, T
from catalog.store.state import events, leases
from catalog.store.state.events import Event
from catalog.store.state.webhooks import Backlog, Claim

log = structlog.get_logger("catalog.webhooks")
FIRST_WAIT, LONGEST_WAIT = 1.0, 86_400.0
"""Seconds until the next attempt, after the first failure and at most."""
JITTER = 0.1
"""Share by which a wait is longer."""
MAY_BE_ITS_CONTENT = (400, 413, 422, 500)
"""Answers of a receiver that may stumble over one event, or over how many there are."""
MOST_PASSED_OVER = 20_000
"""Events that nobody asked for, until the place is moved on."""


def back_off(failures: int, asked: float | None = None) -> float:
    """Seconds until the next attempt after so many failures in a row; `asked`: what the receiver asks for."""
    wait = FIRST_WAIT * 2.0 ** min(max(failures, 1) - 1, 30)
    return min(LONGEST_WAIT, max(wait, asked or 0.0)) * (1 + random.uniform(0, JITTER))


class Delivery:
    """Tells one webhook what it was not told of. `on_failure` is called for each attempt that failed."""

    def __init__(
        self,
        database: Database,
        webhook: WebhookSettings,
        stop: threading.Event,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self.database = database
        self.webhook = webhook
        self.stop = stop
        self._on_failure = on_failure
        self._most_events = MOST_EVENTS
        # as long as one request may take, and what is left for the transactions around it
        self.claim = Claim(webhook.name, str(uuid.uuid4()), webhook.deadline + leases.SECONDS)

    def run(self) -> None:
        """Delivers until nothing waits, something fails, or a stop is asked for. Raises DatabaseError."""
        if not self.database.transact(self.claim.take):
            return
        try:
            while (backlogs := self._transact(self.claim.backlogs)) and not self.stop.is_set():
                for backlog in backlogs:
                    if not self._source(backlog):
                        return
        except Stopped:
            pass  # nobody knows whether it was taken: it is sent once more
        except LeaseLost as error:
            log.warning("webhook left to another process", webhook=self.webhook.name, reason=str(error))
        finally:
            self._transact(self.claim.release)

    def _source(self, backlog: Backlog) -> bool:
        """Tells what waits of one source; False: an attempt failed, or a stop was asked for."""
        if not fits([backlog.source], self.webhook.sources):
            self._transact(partial(self.claim.pass_over, source_id=backlog.source_id, number=backlog.newest))
            return True
        done = backlog.done
        while done < backlog.newest and not self.stop.is_set():
            message, last = self._transact(partial(self._next, backlog=backlog, done=done))
            if not message:
                self._transact(partial(self.claim.pass_over, source_id=backlog.source_id, number=last))
            elif not self._attempt(message, last):
                if self._most_events >= len(message):
                    return False
                continue
            done = last
        return not self.stop.is_set()

    def _next(self, connection: Connection, *, backlog: Backlog, done: int) -> tuple[list[Event], int]:
        """The next message, events of one run, and the number of the last event that is done with it."""
        self.claim.renew(connection)
        message: list[Event] = []
        last, room = done, MOST_BYTES
        while last - done < MOST_PASSED_OVER:
            page = events.after(connection, backlog.source_id, last, MOST_EVENTS)
            if page and last == done and page[0].number > done + 1:
                log.warning(
                    "events are gone that this webhook was not told of", webhook=self.webhook.name,
                    source=backlog.source, events=page[0].number - done - 1,
                )  # fmt: skip
            asked_for = wanted(self.webhook, page, partial(events.families, connection))
            for event, is_wanted in zip(page, asked_for, strict=True):
                if is_wanted:
                    room -= size(event)
                    if message and (
                        event.run_id != message[0].run_id or len(message) == self._most_events or room < 0
                    ):
                        return message, last
                    message.append(event)
                last = event.number
            if len(page) < MOST_EVENTS:
                return message, max(last, backlog.newest) if not message else last
        return message, last

    def _attempt(self, message: list[Event], last: int) -> bool:
        """Sends it; False: it was not accepted. One that is worth trying in halves leaves `_most_events` smaller."""
        source, source_id = message[0].source, message[0].source_id
        asked = None
        try:
            answer = send(self.webhook, message, self.stop)
            said, asked, accepted = f"HTTP {answer.status}", answer.retry_after, answer.accepted
            if 300 <= answer.status < 400:
                said += ", a redirect, which is not followed: change `url`"
            if answer.status in MAY_BE_ITS_CONTENT:
                if len(message) > 1:
                    self._on_failure()
                    self._most_events = len(message) // 2
                    log.warning(
                        "webhook refuses a message, sent again in halves", webhook=self.webhook.name,
                        source=source, reason=said, events=len(message),
                    )  # fmt: skip
                    return False
                said += f" to event {message[0].id}"
        except (Stopped, DatabaseError):
            raise
        except CatalogError as error:
            said, accepted = str(error), False
        if not accepted:
            self._failed(said, asked, source)
            return False
        self._transact(partial(self.claim.accepted, source_id=source_id, number=last, answer=said))
        log.info("events delivered", webhook=self.webhook.name, source=source, events=len(message))
        return True

    def _failed(self, said: str, asked: float | None, source: str) -> None:
        def note(connection: Connection) -> tuple[int, float]:
            failures = self.claim.failures(connection) + 1
            wait = back_off(failures, asked)
            self.claim.failed(connection, said, wait)
            return failures, wait

        self._on_failure()
        failures, wait = self._transact(note)
        log.warning(
            "webhook failed", webhook=self.webhook.name, source=source, reason=said, failures=failures,
            retry_seconds=round(wait, 1),
        )  # fmt: skip

    def _transact(self, work: Callable[[Connection], T]) -> T:
        return self.database.transact(work, webhook=self.webhook.name)
