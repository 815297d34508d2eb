"""The stored state as backfill keeps it between observations."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from catalog.model import RejectedRecord
from catalog.store.db.connection import Connection
from catalog.store.history.ledger import Ledger
from catalog.store.state import held_deletions, runs, stored_state


@dataclass(slots=True)
class Fingerprints:
    """The stored state of one source, to be kept up to date by who holds the lease.

    `content`: fingerprints of images whose last evidence is a record. `gone`: those among them whose record
    says deleted; `unlisted`: those that listings leave out. `held`, `kept`: with deletions that are open, or
    were kept. `latest`: moment of the last observation, where it is known.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    latest: datetime | None = None

    def saw(self, image_id: str, content_hash: bytes, *, gone: bool, listed: bool) -> None:
        """A record is the image's last evidence now."""
        self.content[image_id] = content_hash
        (self.gone.add if gone else self.gone.discard)(image_id)
        (self.unlisted.discard if listed else self.unlisted.add)(image_id)

    def missed(self, ids: Iterable[str]) -> None:
        """Their absence is their last evidence now."""
        for image_id in ids:
            self.content.pop(image_id, None)
            self.gone.discard(image_id)
            self.unlisted.discard(image_id)


def fingerprints(connection: Connection, source_id: str, largest: int) -> Fingerprints | None:
    """The stored state of a source; None if it has more images than that."""
    result = Fingerprints()
    for image_id, content_hash, live, unlisted in stored_state.contents(connection, source_id, largest + 1):
        result.saw(image_id, content_hash, gone=not live, listed=not unlisted)
    if len(result.content) > largest:
        return None
    result.held, result.kept = held_deletions.open_and_kept(connection, source_id)
    return result


def reported_at(
    connection: Connection,
    source_id: str,
    at: datetime,
    *,
    complete: bool,
    rejected: Sequence[RejectedRecord],
) -> dict[str, bytes] | None:
    """Fingerprints of what the one dump contained that makes up the observation of a moment; None if there is none
    such, or it is of another completeness or brought other rejected records."""
    ledger = Ledger(connection, source_id)
    observed = ledger.observed(at)
    # an archive keeps the random id of its run
    if observed is None or len(observed.run_ids) != 1 or uuid.UUID(observed.run_ids[0]).version != 5:
        return None
    same = runs.rejected_alike(connection, source_id, observed.run_ids[0], rejected)
    if observed.complete != complete or not same:
        return None
    contents = stored_state.contents_at(connection, source_id, at)
    contained = contents.keys() - ledger.unsaid(observed, set(contents))
    return {image_id: content for image_id in contained if (content := contents[image_id]) is not None}
