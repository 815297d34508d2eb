"""Decisions of people about deletions that the limit holds back: `approve` and `keep` (semantics 4.5)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Literal

from catalog.errors import SourceBusy, UsageError
from catalog.model import NOT_LISTED, ContentRules
from catalog.store.db.connection import Connection, Database
from catalog.store.history.ledger import Ledger
from catalog.store.history.merge import Merge
from catalog.store.state import held_deletions, leases, lookups
from catalog.store.state.events import EventWriter
from catalog.store.state.held_deletions import HeldDeletion

Verb = Literal["approve", "keep"]
DECISION: dict[Verb, str] = {"approve": "approved", "keep": "kept"}


def _observed_at(row: HeldDeletion) -> datetime:
    return row.observed_at


def decidable(
    connection: Connection,
    source_id: str,
    verb: Verb,
    image_ids: Sequence[str] = (),
    shown: Iterable[HeldDeletion] | None = None,
) -> list[HeldDeletion]:
    """The held deletions that a verb would decide: the open ones, of these images or of all.

    `shown`: no other ones than these, as what is held since nobody has seen.

    One that was kept can be decided again, but only by its image's id. Raises UsageError for `approve` of an image
    that was found or listed since: what first held it would delete it no more.
    """
    decisions = ("open", "kept") if image_ids else ("open",)
    rows = held_deletions.held(connection, [source_id], decisions)
    known = None if shown is None else {(row.image_id, row.run_id) for row in shown}
    chosen = [
        row
        for row in rows
        if (not image_ids or row.image_id in image_ids)
        and (known is None or (row.image_id, row.run_id) in known)
    ]
    if verb == "approve" and (seen := seen_since(connection, source_id, chosen)):
        raise UsageError(
            f"image {min(seen)!r} was found or listed after its deletion was held: nothing was decided;"
            " name others by --image, or leave it to the next sweep"
        )
    return chosen


def seen_since(connection: Connection, source_id: str, rows: Sequence[HeldDeletion]) -> set[str]:
    """Those of a source's held images that were found or listed after the observation that first held them, or that
    nothing misses any more, as it is forgotten."""
    ledger, seen = Ledger(connection, source_id), set[str]()
    for at, held in groupby(sorted(rows, key=_observed_at), key=_observed_at):
        ids = [row.image_id for row in held]
        if ledger.observed(at) is None:
            seen.update(ids)
        seen.update(ledger.nearest(ids, at, "after"), ledger.rejected_after(ids, at))
    return seen


def decide(
    database: Database,
    source_id: str,
    verb: Verb,
    rules: ContentRules,
    *,
    by: str,
    image_ids: Sequence[str] = (),
    shown: Iterable[HeldDeletion] | None = None,
) -> list[HeldDeletion]:
    """Decides about held deletions of a source, in one transaction; returns them as decided.

    `approve` deletes each image as of the observation that first held it, so that history says when it went
    and not when somebody found the time to look. It stays deleted, as of the decision at the latest, whatever from
    before the decision is loaded or forgotten. `keep` leaves everything as it is until the image was listed once more.
    `shown`: as in `decidable`. Raises SourceBusy, LeaseLost, DatabaseError, and UsageError like `decidable`.
    """
    lease = leases.wait(database, source_id, str(uuid.uuid4()), 0)
    if lease is None:
        raise SourceBusy("another process is working on this source; try again")

    def work(connection: Connection) -> list[HeldDeletion]:
        rows = decidable(connection, source_id, verb, image_ids, shown)
        ledger = Ledger(connection, source_id)
        now = ledger.next_moment()
        ids = [row.image_id for row in rows]
        if verb == "approve":
            held_deletions.keep_no_longer(
                connection, source_id, {row.image_id: row.observed_at for row in rows}
            )
            _prove(connection, source_id, rules, rows, now)
            ledger.approve(now, ids, {row.run_id for row in rows})
        else:
            for at, held in groupby(sorted(rows, key=_observed_at), key=_observed_at):
                seen = ledger.nearest((row.image_id for row in held), at, "before")
                held_deletions.keep(connection, source_id, seen, now)
        held_deletions.decide(connection, source_id, ids, DECISION[verb], now, by)
        return [replace(row, decision=DECISION[verb]) for row in rows]

    with leases.LeaseRenewer(database, lease):
        return leases.transact(database, lease, work)


def _prove(
    connection: Connection, source_id: str, rules: ContentRules, rows: list[HeldDeletion], now: datetime
) -> None:
    """Makes the observations that first held these images evidence of their lack, the oldest first."""

    def observation(row: HeldDeletion) -> tuple[datetime, str]:
        return row.observed_at, row.run_id

    for (at, run_id), held in groupby(sorted(rows, key=observation), key=observation):
        merge = Merge(connection, source_id, run_id, rules, now)
        tell = partial(EventWriter(connection, source_id, run_id).changes, at, loading=False)
        merge.prove_absences(at, run_id, {row.image_id: NOT_LISTED for row in held}, tell)
    lookups.save(connection, source_id, now, {})
