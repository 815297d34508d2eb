"""Deletions that the limit holds back: noted, listed, approved, kept, or returned by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from catalog.model import HeldReason
from catalog.store.db.connection import Connection
from catalog.store.history.stage import SQL


@dataclass(frozen=True, slots=True)
class HeldDeletion:
    """One open deletion, as `catalog deletions list` shows it."""

    source: str
    image_id: str
    name: str | None
    unlisted_since: datetime | None
    observed_at: datetime
    run_id: str
    decision: str
    reason: str


def hold(
    connection: Connection,
    source_id: str,
    run_id: str,
    observed_at: datetime,
    ids: Iterable[str],
    reason: HeldReason = "limit",
) -> None:
    """Notes deletions that this run would have inferred; of one that is open already only the reason is new."""
    values = {"run": run_id, "at": observed_at, "ids": list(ids), "source": source_id, "reason": reason}
    connection.execute(SQL["hold"], values)
    connection.execute(
        "UPDATE held_deletions SET reason = %(reason)s WHERE source_id = %(source)s AND decision = 'open'"
        " AND image_id = ANY(%(ids)s) AND reason <> %(reason)s",
        values,
    )


def decide(
    connection: Connection,
    source_id: str,
    ids: Iterable[str],
    decision: str,
    at: datetime,
    by: str,
    *,
    among: Iterable[str] = ("open", "kept"),
) -> int:
    """Ends open or kept deletions of these images; returns how many."""
    return connection.execute(
        "UPDATE held_deletions SET decision = %s, decided_at = %s, decided_by = %s"
        " WHERE source_id = %s AND image_id = ANY(%s) AND decision = ANY(%s)",
        (decision, at, by, source_id, list(ids), list(among)),
    ).rowcount


def held(
    connection: Connection,
    source_ids: Iterable[str],
    decisions: Iterable[str] = ("open",),
    image_id: str | None = None,
) -> list[HeldDeletion]:
    rows = connection.execute(
        "SELECT s.name, h.image_id, i.name, h.unlisted_since, h.observed_at, h.run_id::text, h.decision, h.reason"
        " FROM held_deletions h JOIN sources s USING (source_id)"
        " JOIN images i USING (source_id, image_id)"
        " WHERE h.source_id = ANY(%s) AND h.decision = ANY(%s) AND (%s::text IS NULL OR h.image_id = %s)"
        " ORDER BY s.name, h.observed_at, h.image_id",
        (list(source_ids), list(decisions), image_id, image_id),
    )
    return [HeldDeletion(*row) for row in rows]


def count_open(connection: Connection, source_id: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM held_deletions WHERE source_id = %s AND decision = 'open'", (source_id,)
    ).fetchone()
    return int(row[0]) if row else 0
