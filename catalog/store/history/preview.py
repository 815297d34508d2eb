"""What a merge would do to the present, read and not written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catalog.model import Candidate, MergeCounts
from catalog.store.db.connection import Connection
from catalog.store.history.stage import SQL

BATCH = 2000


def plan(
    connection: Connection,
    source_id: str | None,
    candidates: Iterable[Candidate],
    unchanged: int,
    lacks: Mapping[str, str],
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
    if lacks and source_id is not None:
        # one that the cloud said deleted before, and lists no more, is deleted for another reason
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE live), count(*) FILTER (WHERE NOT live AND content_hash IS NOT NULL)"
            " FROM image_state WHERE source_id = %s AND image_id = ANY(%s)",
            (source_id, list(lacks)),
        ).fetchone()
        assert row is not None
        counts.deleted += row[0]
        counts.updated += row[1]
    return counts


def _classify(
    connection: Connection, source_id: str | None, batch: list[Candidate], counts: MergeCounts
) -> None:
    known: dict[str, tuple[bytes | None, bool]] = {}
    if source_id is not None and batch:
        ids = [candidate.image.image_id for candidate in batch]
        rows = connection.execute(SQL["state_now"], {"source": source_id, "ids": ids})
        known = {row[0]: (row[1], row[2]) for row in rows}
    for candidate in batch:
        image = candidate.image
        counts.warnings.extend(image.warnings)
        now = known.get(image.image_id)
        if now is None:
            counts.inserted += 1
        elif now[0] == image.content_hash:
            counts.unchanged += 1
        elif now[1] and image.reported_deleted:
            counts.deleted += 1
        elif not now[1] and not image.reported_deleted:
            counts.restored += 1
        else:
            counts.updated += 1
