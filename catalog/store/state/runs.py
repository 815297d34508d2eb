"""The ledger of runs: opened before the first request, closed whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from catalog.fingerprint import fingerprint
from catalog.model import RejectedRecord, RunResult, Verdict
from catalog.store.db.connection import Connection
from catalog.text import storable

COUNTERS = (
    "pages", "requests", "retries", "listed", "inserted", "updated", "unchanged", "deleted", "restored",
    "rejected", "unlisted", "held", "looked_up", "revised",
)  # fmt: skip
ARCHIVED = "get_byte(uuid_send(run_id), 6) >> 4 = 4"
"""Of runs that were loaded: a sweep's archive keeps its random id (UUID version 4), a dump's id is made of what it
holds (version 5)."""
LAST_COMPLETE = (
    "SELECT max(observed_at) FROM runs WHERE source_id = %(source)s AND outcome = 'complete'"
    f" AND (kind = 'sync' OR {ARCHIVED})"
)
"""When the last complete sweep observed, whether it wrote itself or its archive was loaded."""


@dataclass(frozen=True, slots=True)
class PassRow:
    """One row of `run_passes`."""

    name: str
    verdict: Verdict
    pages: int
    records: int
    last_marker: str | None
    error: str | None


def start(connection: Connection, source_id: str, run: RunResult) -> None:
    connection.execute(
        "INSERT INTO runs (source_id, run_id, kind, started_at) VALUES (%s, %s, %s, %s)",
        (source_id, run.run_id, run.kind, run.started_at),
    )


def finish(
    connection: Connection,
    source_id: str,
    run: RunResult,
    passes: Iterable[PassRow] = (),
    rejected: Iterable[RejectedRecord] = (),
) -> bool:
    """Closes the run's row, with its passes and rejected records, and the source's state of health.

    False, and nothing is written: it was closed already, as its merge was committed though the answer to that
    was lost. Markers and errors quote the cloud, or an archive, and are made storable here.
    """
    assignments = ", ".join(f"{name} = %({name})s" for name in COUNTERS)
    values: dict[str, object] = {name: getattr(run, name) for name in COUNTERS}
    values |= {
        "source": source_id, "run": run.run_id, "observed": run.observed_at, "finished": run.finished_at,
        "outcome": run.outcome, "kind": run.error_kind, "error": storable(run.error), "started": run.started_at,
        "note": storable(run.note),
    }  # fmt: skip
    closed = connection.execute(
        f"UPDATE runs SET {assignments}, observed_at = %(observed)s, finished_at = %(finished)s,"
        " outcome = %(outcome)s, error_kind = %(kind)s, error = %(error)s,"
        " note = %(note)s"
        " WHERE source_id = %(source)s AND run_id = %(run)s AND finished_at IS NULL",
        values,
    ).rowcount
    if not closed:
        return False
    for row in passes:
        connection.execute(
            "INSERT INTO run_passes (source_id, run_id, pass, verdict, pages, records, last_marker, error)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                source_id,
                run.run_id,
                row.name,
                row.verdict,
                row.pages,
                row.records,
                storable(row.last_marker),
                storable(row.error),
            ),
        )
    save_rejected(connection, source_id, run, rejected)
    if run.kind == "sync":
        _update_health(connection, values)
    return True


def read_back(connection: Connection, *, source_id: str, run: RunResult) -> bool:
    """Makes the result say what the run's row says; False, and nothing is changed, while that is open."""
    columns = (*COUNTERS, "observed_at", "finished_at", "outcome", "error_kind", "error", "note")
    row = connection.execute(
        f"SELECT {', '.join(columns)} FROM runs WHERE source_id = %s AND run_id = %s AND finished_at IS NOT NULL",
        (source_id, run.run_id),
    ).fetchone()
    if row is None:
        return False
    for name, value in zip(columns, row, strict=True):
        setattr(run, name, value)
    return True


def _update_health(connection: Connection, values: dict[str, object]) -> None:
    if values["outcome"] == "complete":
        connection.execute(
            "UPDATE sources SET last_complete_at = greatest(last_complete_at, %(observed)s),"
            " failing_since = NULL, failures = 0, error_kind = NULL"
            " WHERE source_id = %(source)s",
            values,
        )
    else:
        connection.execute(
            "UPDATE sources SET failing_since = coalesce(failing_since, %(started)s), failures = failures + 1,"
            " error_kind = %(kind)s WHERE source_id = %(source)s",
            values,
        )


def record_hash(row: RejectedRecord) -> bytes:
    """The key of a rejected record, beside its source."""
    return fingerprint(row.record.encode())


def save_rejected(
    connection: Connection,
    source_id: str,
    run: RunResult,
    rejected: Iterable[RejectedRecord],
    *,
    last: bool = True,
) -> None:
    """Keeps rejected records whole, each distinct one once, and that this run met them.

    `last`: no run of the source observed later.
    """
    distinct = {record_hash(row): row for row in rejected}
    for digest, row in distinct.items():
        values = {
            "source": source_id, "hash": digest, "image": row.image_id, "reason": row.reason,
            "record": row.record, "run": run.run_id, "at": run.observed_at,
        }  # fmt: skip
        connection.execute(
            "INSERT INTO rejected_records"
            " (source_id, record_hash, image_id, reason, record, first_run_id, last_run_id, count)"
            " VALUES (%(source)s, %(hash)s, %(image)s, %(reason)s, %(record)s, %(run)s, %(run)s, 0)"
            " ON CONFLICT DO NOTHING",
            values,
        )
        is_new = connection.execute(
            "INSERT INTO rejections (source_id, record_hash, run_id, observed_at)"
            " VALUES (%(source)s, %(hash)s, %(run)s, %(at)s) ON CONFLICT DO NOTHING",
            values,
        ).rowcount
        if last and is_new:
            connection.execute(
                "UPDATE rejected_records SET last_run_id = %(run)s, count = count + 1"
                " WHERE source_id = %(source)s AND record_hash = %(hash)s",
                values,
            )
    if not last:
        count_rejections(connection, source_id, distinct)


def count_rejections(connection: Connection, source_id: str, hashes: Iterable[bytes]) -> None:
    """First and last run, and count, of these rejected records as their runs tell them; those that no run met
    any more go."""
    values = {"source": source_id, "hashes": list(hashes)}
    connection.execute(
        "UPDATE rejected_records r SET first_run_id = met.runs[1], last_run_id = met.runs[cardinality(met.runs)],"
        " count = cardinality(met.runs)"
        " FROM (SELECT record_hash, array_agg(run_id ORDER BY observed_at, run_id) AS runs FROM rejections"
        " WHERE source_id = %(source)s AND record_hash = ANY(%(hashes)s) GROUP BY record_hash) AS met"
        " WHERE r.source_id = %(source)s AND r.record_hash = met.record_hash",
        values,
    )
    connection.execute(
        "DELETE FROM rejected_records r WHERE source_id = %(source)s AND record_hash = ANY(%(hashes)s)"
        " AND NOT EXISTS (SELECT FROM rejections m WHERE m.source_id = r.source_id"
        " AND m.record_hash = r.record_hash)",
        values,
    )


def forget(connection: Connection, source_id: str, run_ids: Sequence[str]) -> None:
    """Takes runs out of the ledger, with their passes and what they rejected."""
    values = (source_id, list(run_ids))
    hashes = connection.execute(
        "DELETE FROM rejections WHERE source_id = %s AND run_id = ANY(%s::uuid[]) RETURNING record_hash",
        values,
    ).fetchall()
    count_rejections(connection, source_id, {digest for (digest,) in hashes})
    for table in ("run_passes", "runs"):
        connection.execute(f"DELETE FROM {table} WHERE source_id = %s AND run_id = ANY(%s::uuid[])", values)


def remember_forgotten(connection: Connection, source_id: str, run_ids: Sequence[str], at: datetime) -> None:
    """Notes that somebody took these runs' observation out, so that their files do not come back unasked."""
    connection.execute(
        "INSERT INTO forgotten_runs (source_id, run_id, observed_at, forgotten_at)"
        " SELECT %s, run_id, %s, now() FROM unnest(%s::uuid[]) AS run_id ON CONFLICT DO NOTHING",
        (source_id, at, list(run_ids)),
    )


def remember_again(connection: Connection, source_id: str, run_id: str) -> None:
    """Somebody asked for the observation to be loaded again."""
    connection.execute("DELETE FROM forgotten_runs WHERE source_id = %s AND run_id = %s", (source_id, run_id))


def is_forgotten(connection: Connection, source_id: str, run_id: str) -> bool:
    """Whether somebody took this run's observation out."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM forgotten_runs WHERE source_id = %s AND run_id = %s)", (source_id, run_id)
    ).fetchone()
    return bool(row and row[0])


def exists(connection: Connection, source_id: str, run_id: str) -> bool:
    """Whether this run's observation is in the ledger already."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM runs WHERE source_id = %s AND run_id = %s AND outcome IN"
        " ('complete', 'partial'))",
        (source_id, run_id),
    ).fetchone()
    return bool(row and row[0])


def among(connection: Connection, source_id: str, run_ids: Iterable[str]) -> set[str]:
    """Those of the runs whose observations are in the ledger already."""
    rows = connection.execute(
        "SELECT run_id::text FROM runs WHERE source_id = %s AND run_id = ANY(%s::uuid[])"
        " AND outcome IN ('complete', 'partial')",
        (source_id, list(run_ids)),
    )
    return {run_id for (run_id,) in rows}


def last_complete_seconds(connection: Connection, source_id: str) -> float:
    """How long the last complete sweep took; 0 where there was none. Unit: seconds."""
    row = connection.execute(
        "SELECT extract(epoch FROM finished_at - started_at)::float8 FROM runs WHERE source_id = %s"
        " AND kind = 'sync' AND outcome = 'complete' ORDER BY started_at DESC LIMIT 1",
        (source_id,),
    ).fetchone()
    return float(row[0]) if row else 0.0


def observed_of(connection: Connection, source_id: str, run_id: str) -> datetime | None:
    row = connection.execute(
        "SELECT observed_at FROM runs WHERE source_id = %s AND run_id = %s", (source_id, run_id)
    ).fetchone()
    return row[0] if row else None
