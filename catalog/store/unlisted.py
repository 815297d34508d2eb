"""Since when images are missing from listings, told by the ledger alone."""

from __future__ import annotations

from datetime import datetime

from catalog.store.ledger import FOUND, SILENT_KINDS, Ledger

_UNLISTED_KINDS = (*(kind for kind in SILENT_KINDS if kind != "rejected"), FOUND)


def unlisted_since(ledger: Ledger, ids: set[str]) -> dict[str, datetime | None]:
    """For each image the first observation that missed it after the last one that listed it, else None."""
    since: dict[str, datetime | None] = dict.fromkeys(ids)
    open_ids = frozenset(ids) & _ever_missed(ledger)
    if not open_ids:
        return since
    rows = ledger.connection.execute(
        "SELECT observed_at, complete, held_set, silent_set FROM observations"
        " WHERE source_id = %s ORDER BY observed_at DESC",
        (ledger.source_id,),
    )
    for moment, complete, held_set, silent_set in rows.fetchall():
        kinds = ledger.load_set(silent_set)
        missed = (
            frozenset[str]().union(*(kinds.get(kind, frozenset()) for kind in _UNLISTED_KINDS)) & open_ids
        )
        since.update(dict.fromkeys(missed, moment))
        if complete:
            open_ids = missed | (open_ids & kinds.get("rejected", frozenset()))
        else:
            open_ids = open_ids - (ledger.load_set(held_set).get("listed", frozenset()) - missed)
        if not open_ids:
            break
    return since


def _ever_missed(ledger: Ledger) -> frozenset[str]:
    """Images that some observation missed: few, where there are any; all others need no search."""
    rows = ledger.connection.execute(
        "SELECT DISTINCT image_id FROM id_sets, unnest(image_ids) AS image_id"
        " WHERE source_id = %s AND kind = ANY(%s)",
        (ledger.source_id, list(_UNLISTED_KINDS)),
    )
    return frozenset(image_id for (image_id,) in rows)
