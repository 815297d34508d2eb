"""Counts what a merge would do to the stored state; reads and does not write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catalog.model import Candidate, MergeCounts
from catalog.store.db.connection import Connection
from catalog.store.state import stored_state

BATCH = 2000


def plan(
    connection: Connection,
    source_id: str | None,
    candidates: Iterable[Candidate],
    unchanged: int,
    absences: Mapping[str, str],
) -> MergeCounts:
    """Counts what would be inserted, updated, restored and deleted. `source_id` None: nothing is stored yet."""
    counts = MergeCounts(unchanged=unchanged)
    batch: list[Candidate] = []
    for candidate in candidates:
        batch.append(candidate)
        if len(batch) == BATCH:
            _classify(connection, source_id, batch, counts)
            batch.clear()
    _classify(connection, source_id, batch, counts)
    if absences and source_id is not None:
        # one that the cloud reported deleted before, and lists no more, is deleted for another reason
        live, reported = stored_state.would_delete(connection, source_id, absences)
        counts.deleted += live
        counts.updated += reported
    return counts


def _classify(
    connection: Connection, source_id: str | None, batch: list[Candidate], counts: MergeCounts
) -> None:
    ids = [candidate.image.image_id for candidate in batch]
    known = stored_state.known(connection, source_id, ids) if source_id is not None and batch else {}
    for candidate in batch:
        image = candidate.image
        counts.warnings.extend(image.warnings)
        now = known.get(image.image_id)
        if now is None:
            counts.inserted += 1
        elif now.content_hash == image.content_hash:
            counts.unchanged += 1
        elif now.live and image.reported_deleted:
            counts.deleted += 1
        elif not now.live and not image.reported_deleted:
            counts.restored += 1
        else:
            counts.updated += 1
