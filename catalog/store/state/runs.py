"""The ledger of runs: opened before the first request, closed whatever happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from catalog.fingerprint import fingerprint
from catalog.model import PassResult, RejectedRecord, RunResult
from catalog.store.db.connection import Connection
from catalog.store.db.statements import load
from catalog.store.state import events
from catalog.text import storable

COUNTERS = (
    "pages", "requests", "retries", "listed", "inserted", "updated", "unchanged", "deleted", "restored",
    "rejected", "unlisted", "held", "looked_up", "revised",
)  # fmt: skip
ARCHIVED = "get_byte(uuid_send(run_id), 6) >> 4 = 4"
"""Of runs that were loaded: a sweep's archive keeps its random id (UUID version 4), a dump's id is made of what it
holds (version 5)."""
_COMPLETE_SWEEPS = (
    "FROM runs WHERE source_id = %(source)s AND scope = 'complete' AND outcome = 'complete'"
    f" AND (kind = 'sync' OR {ARCHIVED})"
)
RUN_COLUMNS: tuple[str, ...] = (
    "source", "source_id", "run_id", "kind", "scope", "started_at", "observed_at", "finished_at", "outcome", *COUNTERS,
    "error_kind", "error", "note", "file",
)  # fmt: skip
"""For people: the source's name, and the columns of the table."""
_SQL = load(
    "runs.sql",
    counters=", ".join(f"{name} = %({name})s" for name in COUNTERS),
    names=", ".join(COUNTERS),
    columns=", ".join(f"r.{name}" for name in RUN_COLUMNS[1:]),
    complete_sweeps=_COMPLETE_SWEEPS,
)
_RESULT = (*COUNTERS, "observed_at", "finished_at", "outcome", "error_kind", "error", "note")


class MergedRun(NamedTuple):
    """A run whose observation is in the ledger."""

    run_id: str
    observed_at: datetime
    kind: str
    outcome: str
    listed: int
    file: str | None


def start(connection: Connection, source_id: str, run: RunResult) -> None:
    """Opens the run's row; it starts now, unless it has started."""
    values = {"run": run.run_id, "kind": run.kind, "scope": run.scope, "started": run.started_at}
    run.started_at = _SQL.value(connection, "start", source=source_id, **values)


def finish(
    connection: Connection,
    source_id: str,
    run: RunResult,
    passes: Sequence[PassResult] = (),
    rejected: Iterable[RejectedRecord] = (),
    *,
    last: bool = True,
) -> bool:
    """Closes the run's row, with its passes and rejected records, and the source's state of health.

    False, and nothing is written: it was closed already, as its merge was committed though the answer to that
    was lost. `last`: no run of the source observed later. Markers and errors quote the cloud, or an archive, and
    are made storable here.
    """
    values: dict[str, Any] = {name: getattr(run, name) for name in COUNTERS}
    values |= {
        "source": source_id, "run": run.run_id, "observed": run.observed_at,
        "outcome": run.outcome, "error_kind": run.error_kind, "error": storable(run.error),
        "note": storable(run.note), "file": storable(run.file),
    }  # fmt: skip
    finished_at = _SQL.value(connection, "finish", **values)
    if finished_at is None:
        return False
    run.finished_at = finished_at
    if passes:
        columns = {
            "names": [row.name for row in passes], "verdicts": [row.verdict for row in passes],
            "pages": [row.pages for row in passes], "records": [row.records for row in passes],
            "markers": [storable(row.last_marker) for row in passes],
            "errors": [storable(row.error) for row in passes],
        }  # fmt: skip
        _SQL.run(connection, "insert_passes", source=source_id, run=run.run_id, **columns)
    _save_rejected(connection, source_id, run, rejected, last)
    if run.scope == "changes":
        if run.kind == "sync" and run.outcome == "complete":
            note_changes(connection, source_id, run)
    elif run.kind == "sync" and not run.stopped:
        is_well = run.outcome == "complete"
        since = (
            _SQL.value(connection, "succeed", started=run.started_at, finished=finished_at, **values)
            if is_well
            else fail(connection, source_id, run.started_at, run.error_kind)
        )
        if is_well == (since is not None):
            _tell(events.EventWriter(connection, source_id, run.run_id), run, since)
    return True


def note_changes(connection: Connection, source_id: str, run: RunResult) -> None:
    """Notes that a changes-only sweep read all that is new; it says nothing of whether the source is well."""
    values = {"source": source_id, "observed": run.observed_at, "finished": run.finished_at}
    _SQL.run(connection, "note_changes", **values)


def fail(
    connection: Connection, source_id: str, started: datetime | None, error_kind: str | None
) -> datetime | None:
    """Notes that a sweep of the source was not complete; since when that was so before."""
    values = {"source": source_id, "started": started, "error_kind": error_kind}
    return _SQL.value(connection, "fail", **values)  # type: ignore[no-any-return]


def _tell(told: events.EventWriter, run: RunResult, since: datetime | None) -> None:
    """Tells that the source recovered, having failed since then; None: that it fails now."""
    if since is None:
        told.of_source(
            events.FAILING, since=run.started_at, error_kind=run.error_kind, error=storable(run.error)
        )
    else:
        told.of_source(events.RECOVERED, since=since)


def read_back(connection: Connection, *, source_id: str, run: RunResult) -> bool:
    """Makes the result tell what the run's row tells; False, and nothing is changed, while that is open."""
    row = _SQL.run(connection, "read_back", source=source_id, run=run.run_id).fetchone()
    for name, value in zip(_RESULT, row or (), strict=row is not None):
        setattr(run, name, value)
    return row is not None


def record_hash(row: RejectedRecord) -> bytes:
    """The key of a rejected record, beside its source."""
    return fingerprint(row.record.encode())


def _save_rejected(
    connection: Connection, source_id: str, run: RunResult, rejected: Iterable[RejectedRecord], last: bool
) -> None:
    """Keeps rejected records whole, each distinct one once, and that this run met them."""
    distinct = {record_hash(row): row for row in rejected}
    values = {"source": source_id, "run": run.run_id}
    for digest, row in distinct.items():
        record = {"hash": digest, "image": row.image_id, "reason": row.reason, "record": row.record}
        _SQL.run(connection, "insert_rejected", **values, **record)
    if distinct:
        rows = _SQL.run(connection, "insert_rejections", at=run.observed_at, hashes=list(distinct), **values)
        new = [digest for (digest,) in rows]
        if last:
            _SQL.run(connection, "count_on", hashes=new, **values)
        else:
            _count_rejections(connection, source_id, new, 1)


def _count_rejections(connection: Connection, source_id: str, hashes: Sequence[bytes], one: int) -> None:
    """Counts one more, or one fewer, for each time that a record is named."""
    values: Mapping[str, object] = {"source": source_id, "hashes": hashes}
    times = Counter(hashes)
    if rows := _SQL.run(connection, "met", **values).fetchall():
        met, counts, firsts, lasts = map(list, zip(*rows, strict=True))
        mores = [one * times[digest] for digest in met]
        told = {"hashes": met, "mores": mores, "counts": counts, "firsts": firsts, "lasts": lasts}
        _SQL.run(connection, "count_rejections", source=source_id, **told)
    _SQL.run(connection, "drop_rejected", **values)


def forget(connection: Connection, source_id: str, run_ids: Sequence[str], at: datetime) -> None:
    """Takes the runs of the observation at a moment out, with all that stands by their name, so that it can be
    loaded again."""
    values = {"source": source_id, "runs": list(run_ids), "at": at}
    hashes = [digest for (digest,) in _SQL.run(connection, "drop_rejections", **values)]
    _count_rejections(connection, source_id, hashes, -1)
    for name in ("drop_passes", "drop", "drop_held", "drop_lookups", "drop_void"):
        _SQL.run(connection, name, **values)
    _SQL.run(connection, "date_first", first=_SQL.value(connection, "first", source=source_id), **values)
    last, ended = _SQL.run(connection, "last_complete", source=source_id).fetchone() or (None, None)
    _SQL.run(connection, "date_complete", last=last, ended=ended, **values)


def remember_forgotten(connection: Connection, source_id: str, run_ids: Sequence[str], at: datetime) -> None:
    """Notes that somebody took these runs' observation out, so that their files do not come back unasked."""
    _SQL.run(connection, "insert_forgotten", source=source_id, runs=list(run_ids), at=at)


def remember_loaded(
    connection: Connection, source_id: str, run_id: str, at: datetime, file_hashes: Iterable[bytes]
) -> None:
    """Notes which files made the run up, by what they say; if it was forgotten, somebody asked for it again."""
    values = {"source": source_id, "run": run_id}
    _SQL.run(connection, "drop_forgotten", **values)
    _SQL.run(connection, "insert_files", at=at, hashes=list(file_hashes), **values)


def forgotten_files(
    connection: Connection, source_id: str, at: datetime, file_hashes: Iterable[bytes]
) -> set[bytes]:
    """Those of some files that made up an observation of this moment which somebody took out, and none since."""
    rows = _SQL.run(connection, "forgotten_files", source=source_id, at=at, hashes=list(file_hashes))
    return {file_hash for (file_hash,) in rows}


def is_forgotten(connection: Connection, source_id: str, run_id: str) -> bool:
    """True if somebody took this run's observation out."""
    return bool(_SQL.value(connection, "is_forgotten", source=source_id, run=run_id))


def forgotten(
    connection: Connection,
    source_id: str,
    prefixes: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[tuple[str, datetime]]:
    """Runs whose observation somebody took out, and when it was taken: chosen as by `merged`."""
    values = {"prefixes": [f"{prefix}%" for prefix in prefixes], "since": since, "until": until}
    return _SQL.run(connection, "forgotten", source=source_id, **values).fetchall()


def outcome(connection: Connection, source_id: str, run_id: str) -> str | None:
    """How a run ended; None if there is none, or it has not ended."""
    return _SQL.value(connection, "outcome", source=source_id, run=run_id)  # type: ignore[no-any-return]


def merged(
    connection: Connection,
    source_id: str,
    prefixes: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[MergedRun]:
    """Runs with an observation whose id begins so, or that observed in a span (ends included); the latest first."""
    values = {"prefixes": [f"{prefix}%" for prefix in prefixes], "since": since, "until": until}
    return [MergedRun(*row) for row in _SQL.run(connection, "merged", source=source_id, **values)]


def among(connection: Connection, source_id: str, run_ids: Iterable[str]) -> set[str]:
    """Those of the runs whose observations are in the ledger already."""
    rows = _SQL.run(connection, "among", source=source_id, runs=list(run_ids))
    return {run_id for (run_id,) in rows}


def last_complete_before(connection: Connection, source_id: str, cut: datetime) -> datetime | None:
    """When the last complete sweep before a moment observed, whether it wrote itself or its archive was loaded."""
    return _SQL.value(connection, "last_complete_before", source=source_id, cut=cut)  # type: ignore[no-any-return]


def known_rejected(connection: Connection, source_id: str, rejected: Sequence[RejectedRecord]) -> bool:
    """True if each of these records was rejected before."""
    hashes = list({record_hash(row) for row in rejected})
    return bool(_SQL.value(connection, "known_rejected", source=source_id, hashes=hashes))


def rejected_alike(
    connection: Connection, source_id: str, run_id: str, rejected: Sequence[RejectedRecord]
) -> bool:
    """True if a run rejected just these records."""
    hashes = [record_hash(row) for row in rejected]
    values = {"run": run_id, "count": len(hashes), "hashes": hashes}
    return bool(_SQL.value(connection, "rejected_alike", source=source_id, **values))


def recent(
    connection: Connection, source_ids: Sequence[str], limit: int, kind: str | None = None
) -> list[tuple[Any, ...]]:
    """The runs of these sources, or those of a kind, for people, newest first; columns as in RUN_COLUMNS."""
    values = {"sources": list(source_ids), "limit": limit, "kind": kind}
    return _SQL.run(connection, "recent", **values).fetchall()


def last_passes(connection: Connection, source_id: str) -> set[str]:
    """Passes that held records in the source's last complete sweep."""
    return {name for (name,) in _SQL.run(connection, "last_passes", source=source_id)}
