"""What backfill alone needs of the tables: fingerprints kept between observations, and ledgers set right when
observations arrive in another order than they were taken in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg import sql

from catalog.model import RejectedRecord, SourceKind
from catalog.store.db.connection import Connection
from catalog.store.history.ledger import Ledger
from catalog.store.history.stage import SQL
from catalog.store.history.unlisted import held_since
from catalog.store.state import held_deletions, runs
from catalog.store.state.runs import record_hash


@dataclass(slots=True)
class Fingerprints:
    """The present of one source, to be kept up to date by who holds the lease.

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
    result.held, result.kept = decisions(connection, source_id)
    return result


def decisions(connection: Connection, source_id: str) -> tuple[set[str], set[str]]:
    """Images whose deletion is open, and those that somebody decided to keep."""
    ids: dict[str, set[str]] = {"open": set(), "kept": set()}
    for image_id, decision in connection.execute(
        "SELECT image_id, decision FROM held_deletions WHERE source_id = %s AND decision IN ('open', 'kept')",
        (source_id,),
    ):
        ids[decision].add(image_id)
    return ids["open"], ids["kept"]


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


def known_in(connection: Connection, kind: SourceKind, ids: Sequence[str]) -> dict[str, int]:
    """How many of these images each source of a kind knows, by its name."""
    rows = connection.execute(
        "SELECT s.name, count(i.image_id) FROM sources s CROSS JOIN unnest(%s::text[]) AS asked (image_id)"
        " CROSS JOIN LATERAL (SELECT image_id FROM images t WHERE t.source_id = s.source_id"
        " AND t.image_id = asked.image_id OFFSET 0) AS i WHERE s.kind = %s GROUP BY s.name",
        (list(ids), kind),
    )
    return dict(rows.fetchall())


def outcome(connection: Connection, source_id: str, run_id: str) -> str | None:
    """How a run ended; None if there is none, or it has not ended."""
    row = connection.execute(
        "SELECT outcome FROM runs WHERE source_id = %s AND run_id = %s", (source_id, run_id)
    ).fetchone()
    return row[0] if row else None


def said_at(
    connection: Connection,
    source_id: str,
    at: datetime,
    *,
    complete: bool,
    rejected: Sequence[RejectedRecord],
) -> dict[str, bytes] | None:
    """Fingerprints of what the one dump held that makes up the observation of a moment; None if there is none
    such, or it is of another completeness or brought other rejected records."""
    ledger = Ledger(connection, source_id)
    observed = ledger.observed(at)
    # an archive keeps the random id of its run
    if observed is None or len(observed.run_ids) != 1 or uuid.UUID(observed.run_ids[0]).version != 5:
        return None
    hashes = [record_hash(row) for row in rejected]
    same = connection.execute(
        "SELECT FROM runs r WHERE source_id = %s AND run_id = %s AND rejected = %s AND rejected = (SELECT count(*)"
        " FROM rejected_records j WHERE j.source_id = r.source_id AND j.record_hash = ANY(%s))",
        (source_id, observed.run_ids[0], len(hashes), hashes),
    ).rowcount
    if observed.complete != complete or not same:
        return None
    state: dict[str, bytes | None] = dict(
        connection.execute(SQL["state_at"], {"source": source_id, "at": at}).fetchall()
    )
    held = state.keys() - ledger.unsaid(observed, set(state))
    return {image_id: content for image_id in held if (content := state[image_id]) is not None}


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


def end_held(connection: Connection, source_id: str, at: datetime, by: str) -> None:
    """Ends held deletions that the present has decided: the image is deleted, or listed again."""
    connection.execute(SQL["end_held"], {"source": source_id, "at": at, "by": by})


def settle_held(
    connection: Connection, source_id: str, at: datetime, by: str, kept: Iterable[str] = ()
) -> None:
    """Held deletions as the ledger tells them: ended where the image is deleted or listed again, open where an
    observation held them that was loaded, or came to count, after others. `kept`: by rows that are gone."""
    values: dict[str, object] = {"source": source_id, "at": at, "by": by}
    end_held(connection, source_id, at, by)
    waiting: dict[str, datetime] = dict(connection.execute(SQL["waiting"], values).fetchall())
    holders = held_since(Ledger(connection, source_id), waiting)
    opened: dict[str, datetime] = dict(connection.execute(SQL["opened"], values).fetchall())
    void = [i for i, since in opened.items() if i not in holders or since < holders[i].at]
    if void:
        held_deletions.decide(connection, source_id, void, "returned", at, by, among=("open",))
    if holders:
        ids = list(holders)
        values |= {"ids": ids, "ats": [holders[image_id].at for image_id in ids]}
        was_kept = {i for i, was in connection.execute(SQL["drop_later_holders"], values) if was} | set(kept)
        values["runs"] = [holders[image_id].run_id for image_id in ids]
        values["kept"] = [holders[image_id].kept or image_id in was_kept for image_id in ids]
        connection.execute(SQL["hold_again"], values)
    connection.execute(SQL["date_held"], values)


def kept_by(connection: Connection, source_id: str, run_ids: Iterable[str]) -> list[str]:
    """Images that somebody decided to keep, whose deletion these runs held back first."""
    rows = connection.execute(
        "SELECT image_id FROM held_deletions WHERE source_id = %s AND run_id = ANY(%s::uuid[])"
        " AND decision = 'kept'",
        (source_id, list(run_ids)),
    )
    return [image_id for (image_id,) in rows]


def forget_runs(connection: Connection, source_id: str, run_ids: Sequence[str], at: datetime) -> None:
    """Takes the runs of the observation at a moment out of the ledgers, so that it can be loaded again."""
    runs.forget(connection, source_id, run_ids)
    values = {"source": source_id, "runs": list(run_ids), "at": at}
    for statement in (
        "DELETE FROM held_deletions WHERE source_id = %(source)s AND run_id = ANY(%(runs)s::uuid[])",
        "DELETE FROM look_ups WHERE source_id = %(source)s AND asked_at = %(at)s",
        (
            "UPDATE sources s SET observed_since = (SELECT min(observed_at) FROM observations o"
            " WHERE o.source_id = s.source_id) WHERE source_id = %(source)s AND observed_since = %(at)s"
        ),
        (
            f"UPDATE sources s SET last_complete_at = ({runs.LAST_COMPLETE})"
            " WHERE source_id = %(source)s AND last_complete_at = %(at)s"
        ),
    ):
        connection.execute(statement, values)
