"""Announcements of images and families: what shall be chosen or used no more, from when on, and what instead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from catalog.store.db.connection import Connection
from catalog.store.db.statements import load

_SQL = load("announcements.sql")


class Subject(NamedTuple):
    """An announcement in one source: `scope` is `image` (`subject`: its id) or `family` (`subject`: its name)."""

    source_id: str
    source: str
    scope: str
    subject: str


class Announcement(NamedTuple):
    """One that holds, or held."""

    source: str
    scope: str
    subject: str
    deprecated_at: datetime | None
    obsolete_at: datetime | None
    use_instead_id: str | None
    note: str | None
    announced_at: datetime
    announced_by: str | None
    withdrawn_at: datetime | None


def families(connection: Connection, sources: Sequence[str], family: str) -> list[Subject]:
    """A family, in any case, in each of the sources that has an image of it."""
    rows = _SQL.run(connection, "families", sources=list(sources), family=family)
    return [Subject(*row) for row in rows]


def announce(
    connection: Connection,
    subject: Subject,
    *,
    by: str,
    deprecated_at: datetime | None = None,
    obsolete_at: datetime | None = None,
    use_instead_id: str | None = None,
    note: str | None = None,
) -> Announcement:
    """Announces it from now on, in place of what was announced before, which is kept."""
    row = _SQL.run(
        connection,
        "announce",
        source=subject.source_id,
        scope=subject.scope,
        subject=subject.subject,
        by=by,
        deprecated_at=deprecated_at,
        obsolete_at=obsolete_at,
        use_instead=use_instead_id,
        note=note,
    ).fetchone()
    assert row is not None
    return Announcement(subject.source, *row)


def withdraw(connection: Connection, subject: Subject, *, by: str) -> list[Announcement]:
    """Withdraws all that holds of it; none if nothing does."""
    values = {"source": subject.source_id, "scope": subject.scope, "subject": subject.subject, "by": by}
    return [Announcement(subject.source, *row) for row in _SQL.run(connection, "withdraw", **values)]


def in_force(connection: Connection, sources: Sequence[str]) -> list[Announcement]:
    """Announcements in force in these sources."""
    return [Announcement(*row) for row in _SQL.run(connection, "in_force", sources=list(sources))]
