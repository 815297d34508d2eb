"""Since when images are missing from listings, and since when they are held back, told by the ledger alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from catalog.store.history.ledger import FOUND, HELD_KINDS, MISSED_KINDS, Ledger, among


def unlisted_since(ledger: Ledger, ids: set[str]) -> dict[str, datetime | None]:
    """For each image the first observation that missed it after the last one that listed it, else None.

    What was observed before an image's first evidence says nothing of it.
    """
    since: dict[str, datetime | None] = dict.fromkeys(ids)
    open_ids = frozenset(ids) & _ever_said(ledger, MISSED_KINDS)
    if not open_ids:
        return since
    rows = ledger.connection.execute(
        "SELECT observed_at, complete, held_set, silent_set FROM observations"
        " WHERE source_id = %s ORDER BY observed_at DESC",
        (ledger.source_id,),
    )
    seen: dict[str, datetime] = dict(
        ledger.connection.execute(
            "SELECT image_id, first_seen_at FROM images WHERE source_id = %s AND image_id = ANY(%s)",
            (ledger.source_id, list(open_ids)),
        ).fetchall()
    )
    for moment, complete, held_set, silent_set in rows.fetchall():
        open_ids = frozenset(i for i in open_ids if i in seen and seen[i] <= moment)
        kinds = ledger.load_set(silent_set)
        missed = among(kinds, MISSED_KINDS) & open_ids
        since.update(dict.fromkeys(missed, moment))
        if complete:
            open_ids = missed | (open_ids & kinds.get("rejected", frozenset()))
        else:
            open_ids = open_ids - (ledger.load_set(held_set).get("listed", frozenset()) - missed)
        if not open_ids:
            break
    return since


class Holder(NamedTuple):
    """The first observation that holds an image back; `kept`: somebody decided that it stays."""

    run_id: str
    at: datetime
    kept: bool


def held_since(ledger: Ledger, unlisted: Mapping[str, datetime]) -> dict[str, Holder]:
    """For each of these images, `unlisted` since a moment, what holds it back; nothing where nothing does.

    A look-up that found the image ended it, unless somebody keeps the image (semantics 4.5).
    """
    ids = unlisted.keys() & _ever_said(ledger, HELD_KINDS)
    if not ids:
        return {}
    rows = ledger.connection.execute(
        "SELECT observed_at, run_ids[1]::text, silent_set FROM observations"
        " WHERE source_id = %s AND observed_at >= %s AND silent_set IS NOT NULL ORDER BY observed_at",
        (ledger.source_id, min(unlisted[image_id] for image_id in ids)),
    ).fetchall()
    kept = {
        image_id
        for at, _, silent_set in rows
        for image_id in ledger.load_set(silent_set).get("kept", frozenset()) & ids
        if at >= unlisted[image_id]
    }
    held: dict[str, Holder] = {}
    for at, run_id, silent_set in rows:
        kinds = ledger.load_set(silent_set)
        for image_id in kinds.get(FOUND, frozenset()) & held.keys() - kept:
            del held[image_id]
        for image_id in among(kinds, HELD_KINDS) & ids:
            if at >= unlisted[image_id]:
                held.setdefault(image_id, Holder(run_id, at, image_id in kept))
    return held


def _ever_said(ledger: Ledger, kinds: tuple[str, ...]) -> frozenset[str]:
    """Images of which some observation said this: few, where there are any; all others need no search."""
    rows = ledger.connection.execute(
        "SELECT DISTINCT image_id FROM id_sets, unnest(image_ids) AS image_id"
        " WHERE source_id = %s AND kind = ANY(%s)",
        (ledger.source_id, list(kinds)),
    )
    return frozenset(image_id for (image_id,) in rows)
