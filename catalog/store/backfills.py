"""What backfill alone needs of the tables: fingerprints kept between observations, and ledgers set right when
observations arrive in another order than they were taken in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

from psycopg import sql

from catalog.model import RejectedRecord
from catalog.store.database import Connection
from catalog.store.staging import SQL


@dataclass(slots=True)
class Fingerprints:
    """The present of one source, to be kept up to date by who holds the lease.

    `content`: fingerprints of images whose last evidence is a record. `gone`: those among them whose record
    says deleted; `unlisted`: those that listings leave out. `held`, `kept`: with deletions that are open, or
    were kept. `asked`: with a look-up in mind. `latest`: moment of the last observation, where it is known.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    latest: datetime | None = None

    def saw(self, image_id: str, content_hash: bytes, *, gone: bool, listed: bool) -> None:
        """A record is the image's last evidence now."""
        self.content[image_id] = content_hash
        (self.gone.add if gone else self.gone.discard)(image_id)
        (self.unlisted.discard if listed else self.unlisted.add)(image_id)

    def missed(self, ids: Iterable[str]) -> None:
        """Their lack is their last evidence now."""
        for image_id in ids:
            self.content.pop(image_id, None)
            self.gone.discard(image_id)
            self.unlisted.discard(image_id)


def fingerprints(connection: Connection, source_id: str, largest: int) -> Fingerprints | None:
    """The present of a source; None if it has more images than that."""
    result = Fingerprints()
    for image_id, content_hash, live, unlisted in present_rows(connection, source_id, largest + 1):
        result.content[image_id] = content_hash
        if not live:
            result.gone.add(image_id)
        if unlisted:
            result.unlisted.add(image_id)
    if len(result.content) > largest:
        return None
    load_decisions(connection, source_id, result)
    return result


def load_decisions(connection: Connection, source_id: str, into: Fingerprints) -> None:
    """Open and kept deletions, and look-ups in mind."""
    for image_id, decision in connection.execute(
        "SELECT image_id, decision FROM held_deletions WHERE source_id = %s AND decision IN ('open', 'kept')",
        (source_id,),
    ):
        (into.held if decision == "open" else into.kept).add(image_id)
    rows = connection.execute("SELECT image_id FROM look_ups WHERE source_id = %s", (source_id,))
    into.asked.update(image_id for (image_id,) in rows)


def present_rows(
    connection: Connection, source_id: str, limit: int | None = None
) -> Iterable[tuple[str, bytes, bool, bool]]:
    """(id, fingerprint, live, unlisted) of each image whose last evidence is a record, as a stream."""
    query = sql.SQL(
        "COPY (SELECT f.image_id, f.content_hash, f.live, i.unlisted_since IS NOT NULL"
        " FROM image_state f JOIN images i USING (source_id, image_id)"
        " WHERE f.source_id = {} AND f.content_hash IS NOT NULL LIMIT {}) TO STDOUT (FORMAT binary)"
    ).format(sql.Literal(source_id), sql.Literal(limit))
    with connection.cursor(binary=True).copy(query) as copy:
        copy.set_types(["text", "bytea", "bool", "bool"])
        yield from copy.rows()


def outcome(connection: Connection, source_id: str, run_id: str) -> str | None:
    """How a run ended; None if there is none, or it has not ended."""
    row = connection.execute(
        "SELECT outcome FROM runs WHERE source_id = %s AND run_id = %s", (source_id, run_id)
    ).fetchone()
    return row[0] if row else None


def history_from(connection: Connection, source_id: str) -> datetime | None:
    row = connection.execute("SELECT history_from FROM sources WHERE source_id = %s", (source_id,)).fetchone()
    return row[0] if row else None


def note_complete(connection: Connection, source_id: str, at: datetime) -> None:
    """An archived sweep that was complete."""
    connection.execute(
        "UPDATE sources SET last_complete_at = %(at)s WHERE source_id = %(source)s"
        " AND (last_complete_at IS NULL OR last_complete_at < %(at)s)",
        {"source": source_id, "at": at},
    )


def remember_look_ups(
    connection: Connection, source_id: str, at: datetime, answers: Mapping[str, str]
) -> None:
    """What look-ups of a past sweep answered, as far as it still matters: about images that are live and were
    not listed since. Look-ups of all others are forgotten."""
    connection.execute(
        SQL["remember_look_ups"],
        {"source": source_id, "at": at, "ids": list(answers), "answers": list(answers.values())},
    )
    connection.execute(
        "DELETE FROM look_ups l USING images i WHERE l.source_id = %s AND i.source_id = l.source_id"
        " AND i.image_id = l.image_id"
        " AND (i.deleted_at IS NOT NULL OR i.unlisted_since IS NULL OR i.unlisted_since > l.asked_at)",
        (source_id,),
    )


def hold_past(connection: Connection, source_id: str, run_id: str, at: datetime, ids: Iterable[str]) -> None:
    """Deletions that a past sweep held back, as far as they still stand: the first holder counts."""
    values = {"source": source_id, "run": run_id, "at": at, "ids": list(ids)}
    connection.execute(
        "UPDATE held_deletions h SET run_id = %(run)s, observed_at = %(at)s, unlisted_since = i.unlisted_since"
        " FROM images i WHERE h.source_id = %(source)s AND h.image_id = ANY(%(ids)s) AND h.decision = 'open'"
        " AND h.observed_at > %(at)s AND i.source_id = h.source_id AND i.image_id = h.image_id"
        " AND i.unlisted_since <= %(at)s",
        values,
    )
    connection.execute(
        "INSERT INTO held_deletions (source_id, image_id, run_id, unlisted_since, observed_at, decision)"
        " SELECT i.source_id, i.image_id, %(run)s, i.unlisted_since, %(at)s, 'open' FROM images i"
        " WHERE i.source_id = %(source)s AND i.image_id = ANY(%(ids)s) AND i.deleted_at IS NULL"
        " AND i.unlisted_since <= %(at)s AND NOT EXISTS (SELECT FROM held_deletions h"
        " WHERE h.source_id = i.source_id AND h.image_id = i.image_id AND h.decision IN ('open', 'kept'))"
        " ON CONFLICT DO NOTHING",
        values,
    )


def settle_held(connection: Connection, source_id: str, at: datetime, by: str) -> None:
    """Open deletions that the present has decided meanwhile: the image is deleted, or listed again."""
    connection.execute(
        "UPDATE held_deletions h SET decision = CASE WHEN i.deleted_at IS NULL THEN 'returned' ELSE 'approved' END,"
        " decided_at = %(at)s, decided_by = %(by)s FROM images i"
        " WHERE h.source_id = %(source)s AND h.decision IN ('open', 'kept') AND i.source_id = h.source_id"
        " AND i.image_id = h.image_id AND (i.deleted_at IS NOT NULL OR i.unlisted_since IS NULL)",
        {"source": source_id, "at": at, "by": by},
    )


def save_rejected(
    connection: Connection, source_id: str, run_id: str, at: datetime, rejected: Iterable[RejectedRecord]
) -> None:
    """As `runs.save_rejected`, but first and last are told by when runs observed, not by when they were loaded."""
    distinct = {blake2b(row.record.encode(), digest_size=16).digest(): row for row in rejected}
    for digest, row in distinct.items():
        connection.execute(
            "INSERT INTO rejected_records AS r"
            " (source_id, record_hash, image_id, reason, record, first_run_id, last_run_id, count)"
            " VALUES (%(source)s, %(hash)s, %(image)s, %(reason)s, %(record)s, %(run)s, %(run)s, 1)"
            " ON CONFLICT (source_id, record_hash) DO UPDATE SET count = r.count + 1, first_run_id = CASE WHEN"
            " %(at)s < (SELECT observed_at FROM runs u WHERE u.source_id = r.source_id AND u.run_id = r.first_run_id)"
            " THEN excluded.first_run_id ELSE r.first_run_id END, last_run_id = CASE WHEN"
            " %(at)s < (SELECT observed_at FROM runs u WHERE u.source_id = r.source_id AND u.run_id = r.last_run_id)"
            " THEN r.last_run_id ELSE excluded.last_run_id END"
            " WHERE excluded.last_run_id NOT IN (r.first_run_id, r.last_run_id)",
            {
                "source": source_id,
                "hash": digest,
                "image": row.image_id,
                "reason": row.reason,
                "record": row.record,
                "run": run_id,
                "at": at,
            },
        )


def forget_runs(connection: Connection, source_id: str, run_ids: Iterable[str], at: datetime) -> None:
    """Takes the runs of the observation at a moment out of the ledgers, so that it can be loaded again."""
    values = {"source": source_id, "runs": list(run_ids), "at": at}
    for statement in (
        "DELETE FROM run_passes WHERE source_id = %(source)s AND run_id = ANY(%(runs)s::uuid[])",
        "DELETE FROM runs WHERE source_id = %(source)s AND run_id = ANY(%(runs)s::uuid[])",
        (
            "DELETE FROM held_deletions WHERE source_id = %(source)s AND run_id = ANY(%(runs)s::uuid[])"
            " AND decision = 'open'"
        ),
        (
            "DELETE FROM rejected_records WHERE source_id = %(source)s AND count = 1"
            " AND first_run_id = ANY(%(runs)s::uuid[])"
        ),
        (
            "UPDATE rejected_records SET count = count - 1 WHERE source_id = %(source)s"
            " AND (first_run_id = ANY(%(runs)s::uuid[]) OR last_run_id = ANY(%(runs)s::uuid[]))"
        ),
        (
            "UPDATE sources s SET observed_since = (SELECT min(observed_at) FROM observations o"
            " WHERE o.source_id = s.source_id) WHERE source_id = %(source)s"
        ),
        (
            "UPDATE sources s SET last_complete_at = (SELECT max(observed_at) FROM runs r"
            " WHERE r.source_id = s.source_id AND r.kind = 'sync' AND r.outcome = 'complete')"
            " WHERE source_id = %(source)s AND last_complete_at = %(at)s"
        ),
    ):
        connection.execute(statement, values)
