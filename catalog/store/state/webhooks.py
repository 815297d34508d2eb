"""Webhooks as the database knows them: what each was told of, what it answered, and which process delivers.

One delivery holds a webhook at a time, in whatever process, for a bounded time. Each of its writes names it, so one
that was paused for longer finds that it holds it no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from catalog.errors import LeaseLost
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load

_SQL = load("webhooks.sql")


class Backlog(NamedTuple):
    """A source with events that a webhook was not told of: `done` is the last it was, `newest` the last there is."""

    source_id: str
    source: str
    done: int
    newest: int


@dataclass(frozen=True, slots=True)
class WebhookState:
    """How a webhook stands. `waiting`: events that it was not told of, wanted or not."""

    name: str
    attempted_at: datetime | None
    delivered_at: datetime | None
    answer: str | None
    failures: int
    next_attempt_at: datetime | None
    waiting: int


def know(connection: Connection, name: str) -> bool:
    """Records a webhook that is met for the first time (True): it is told of what comes from now on."""
    is_new = _SQL.count(connection, "know", name=name) > 0
    if is_new:
        _SQL.run(connection, "begin_now", name=name)
    return is_new


def waiting(connection: Connection, names: Sequence[str]) -> list[str]:
    """Those of the webhooks that are due: there is something to tell, no back-off, and nobody holds them."""
    return [name for (name,) in _SQL.run(connection, "waiting", names=list(names))]


def states(connection: Connection) -> dict[str, WebhookState]:
    """All webhooks that a daemon has met, by name."""
    return {row[0]: WebhookState(*row) for row in _SQL.run(connection, "states")}


def retry(connection: Connection, name: str) -> bool:
    """Makes the next attempt due now; False: no daemon has met this webhook."""
    return _SQL.count(connection, "retry", name=name) > 0


class Claim(NamedTuple):
    """The right to deliver to a webhook, for so many seconds after each use of it."""

    name: str
    holder: str
    seconds: float

    def take(self, connection: Connection) -> bool:
        """False: another process was faster, or it is not due any more."""
        return self._run(connection, "claim")

    def renew(self, connection: Connection) -> None:
        """Raises LeaseLost if it is another's by now."""
        self._require("renew", connection)

    def backlogs(self, connection: Connection) -> list[Backlog]:
        return [Backlog(*row) for row in _SQL.run(connection, "sources", name=self.name)]

    def pass_over(self, connection: Connection, source_id: str, number: int) -> None:
        """Events up to this number are not asked for. Raises LeaseLost."""
        self._require("renew", connection)
        _SQL.run(connection, "move", name=self.name, source=source_id, number=number)

    def accepted(self, connection: Connection, source_id: str, number: int, answer: str) -> None:
        """Events up to this number were taken. Raises LeaseLost: they will be sent again."""
        self._require("accepted", connection, answer=answer)
        _SQL.run(connection, "move", name=self.name, source=source_id, number=number)

    def failures(self, connection: Connection) -> int:
        """How many attempts in a row failed. Raises LeaseLost."""
        row = _SQL.run(connection, "failures", name=self.name, holder=self.holder).fetchone()
        if row is None:
            raise self._lost()
        return int(row[0])

    def failed(self, connection: Connection, answer: str, wait: float) -> None:
        """Gives it back until the next attempt, in so many seconds."""
        self._run(connection, "failed", answer=answer, wait=wait)

    def release(self, connection: Connection) -> None:
        self._run(connection, "release")

    def _require(self, statement: str, connection: Connection, **values: object) -> None:
        if not self._run(connection, statement, **values):
            raise self._lost()

    def _run(self, connection: Connection, statement: str, **values: object) -> bool:
        return _SQL.count(connection, statement, **self._asdict(), **values) > 0

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"another process delivers to webhook {self.name!r} by now")
