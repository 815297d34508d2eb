"""Tells what a merge would do to the stored state; reads and does not write."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from catalog.fields import INDEX
from catalog.model import MOST_NAMED, Candidate, MergeCounts, PlannedChange
from catalog.store.db.connection import Connection
from catalog.store.state import stored_state

BATCH = 2000


def plan(
    connection: Connection,
    source_id: str | None,
    candidates: Iterable[Candidate],
    unchanged: int,
    absences: Collection[str],
) -> tuple[MergeCounts, list[PlannedChange]]:
    """Counts and names what would be inserted, updated, restored and deleted.

    `source_id` None: nothing is stored yet.
    """
    named: list[PlannedChange] = []
    counts = MergeCounts(unchanged=unchanged)
    batch: list[Candidate] = []
    for candidate in candidates:
        batch.append(candidate)
        if len(batch) == BATCH:
            _classify(connection, source_id, batch, counts, named)
            batch.clear()
    _classify(connection, source_id, batch, counts, named)
    if absences and source_id is not None:
        # one that the cloud reported deleted before, and lists no more, is deleted for another reason
        live, reported = stored_state.would_delete(connection, source_id, absences)
        counts.deleted += live
        counts.updated += reported
        room = MOST_NAMED - len(named)
        for image_id, name, is_live in stored_state.would_change(connection, source_id, absences, room):
            named.append(PlannedChange("delete" if is_live else "update", image_id, name))
    return counts, named


def _classify(
    connection: Connection,
    source_id: str | None,
    batch: list[Candidate],
    counts: MergeCounts,
    named: list[PlannedChange],
) -> None:
    ids = [candidate.image.image_id for candidate in batch]
    known = stored_state.known(connection, source_id, ids) if source_id is not None and batch else {}
    for candidate in batch:
        image = candidate.image
        counts.warnings.extend(image.warnings)
        now = known.get(image.image_id)
        if now is None:
            change = "insert"
            counts.inserted += 1
        elif now.content_hash == image.content_hash:
            counts.unchanged += 1
            continue
        elif now.live and image.reported_deleted:
            change = "delete"
            counts.deleted += 1
        elif not now.live and not image.reported_deleted:
            change = "restore"
            counts.restored += 1
        else:
            change = "update"
            counts.updated += 1
        if len(named) < MOST_NAMED:
            name = image.values[INDEX["name"]]
            named.append(PlannedChange(change, image.image_id, name if isinstance(name, str) else None))
