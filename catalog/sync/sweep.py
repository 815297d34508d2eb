"""One sweep of one source: lease, listings, look-ups, one merge, one row in the ledger (semantics 4)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import (
    CatalogError,
    ConfigurationError,
    DatabaseError,
    DatabaseUnavailable,
    FetchError,
    LeaseLost,
    UnexpectedError,
)
from catalog.fetch.auth.login import connect
from catalog.fetch.listing.service import open_service
from catalog.model import ImageService, Observation, RunResult
from catalog.store.db.connection import Connection, Database, clock
from catalog.store.history.ledger import Ledger
from catalog.store.history.writer import MOST_WARNINGS, Merge
from catalog.store.state import events, held_deletions, leases, lookups, projects, runs, sources, stored_state
from catalog.sync.archive import open_archive
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.missing import CONTROLS
from catalog.sync.project_names import ask_names
from catalog.sync.reader import Fetched, Watch, fetch, ignore

log = structlog.get_logger("catalog.sweep")
Opener = Callable[[SourceSettings, Deadline], ImageService]
LONGER = 3
"""A sweep may take this many times its last complete one, if that is longer (docs/configuration.md)."""


class DueClaim(Protocol):
    """A daemon's claim on a source, asked and told in the transactions that open and close the run's row."""

    def is_due(self, connection: Connection, source_id: str) -> bool:
        """False: another process swept the source meanwhile; the run ends as busy, without a row."""
        ...

    def done(self, connection: Connection, source_id: str, run: RunResult) -> None: ...


def open_cloud(source: SourceSettings, deadline: Deadline) -> ImageService:
    """Logs in and returns the service. Raises ConfigurationError or a FetchError."""
    return open_service(source, deadline, connect(source, deadline))


def sweep(
    database: Database,
    source: SourceSettings,
    *,
    accept_deletions: bool = False,
    wait_seconds: float = 0.0,
    stop: threading.Event | None = None,
    opener: Opener = open_cloud,
    claim: DueClaim | None = None,
    watch: Watch = ignore,
) -> RunResult:
    """Sweeps a source once. Never raises for what one source may do wrong: the result says it.

    `outcome` is `busy`, without a row in the ledger, if another process holds the source for all of
    `wait_seconds`. Raises DatabaseError where the database fails before the run has a row.
    """
    run = RunResult(source.name, str(uuid.uuid4()))
    try:
        stored, longest = database.transact(partial(_register, source=source), source.deadline)
    except ConfigurationError as error:
        return _refused(database, run, error, claim)
    lease = leases.wait(database, stored.source_id, run.run_id, wait_seconds)
    if lease is None:
        run.outcome, run.error = "busy", "another process is working on this source; try again, or use --wait"
        return run
    deadline = Deadline(max(source.deadline, longest), stop)
    with leases.LeaseRenewer(database, lease) as renewer:
        if not leases.transact(
            database,
            lease,
            partial(_begin, run=run, source_id=stored.source_id, claim=claim),
            deadline.to_write(),
        ):
            return _not_due(run)
        try:
            _run(
                database,
                source,
                stored,
                lease,
                renewer,
                deadline,
                run,
                accept_deletions,
                opener,
                claim,
                watch,
            )
        except LeaseLost as error:
            fail(run, error)  # whoever took the source over closed our row
        except CatalogError as error:
            fail(run, error)
            _close(database, lease, run, claim)
        except Exception as error:
            log.exception("unexpected", source=source.name)
            fail(run, UnexpectedError(error))
            _close(database, lease, run, claim)
        except BaseException:
            fail(run, DatabaseError("the run was ended from outside"))
            _close(database, lease, run, claim)
            raise
    return run


def _register(connection: Connection, *, source: SourceSettings) -> tuple[sources.Source, float]:
    """The source as recorded, and how long a sweep of it may take. Unit: seconds."""
    stored = sources.register(connection, source.name, source.kind, source.cloud, source.interval)
    return stored, LONGER * runs.last_complete_seconds(connection, stored.source_id)


def _begin(connection: Connection, *, run: RunResult, source_id: str, claim: DueClaim | None) -> bool:
    """Opens the run's row; False where the source is not due any more."""
    if claim is not None and not claim.is_due(connection, source_id):
        return False
    run.started_at = clock(connection)
    runs.start(connection, source_id, run)
    return True


def _run(
    database: Database,
    source: SourceSettings,
    stored: sources.Source,
    lease: leases.Lease,
    renewer: leases.LeaseRenewer,
    deadline: Deadline,
    run: RunResult,
    accept: bool,
    opener: Opener,
    claim: DueClaim | None,
    watch: Watch,
) -> None:
    service = opener(source, deadline)
    try:
        observe = partial(_observe, run=run, stored=stored, service=service)
        known = leases.transact(database, lease, observe, deadline.to_write())
        assert run.observed_at is not None
        archive = open_archive(source, stored, service, run)
        try:
            stored_alike = partial(alike, database, stored.source_id)
            keep = archive.record if archive else None
            fetched = fetch(
                source, service, known, run.observed_at, accept, deadline, stored_alike, keep, watch
            )
            try:
                count(run, fetched, service)
                names = None
                if run.outcome != "failed":
                    names = ask_names(database, source, stored.source_id, service, deadline)
                if renewer.lost.is_set():
                    raise LeaseLost(
                        "the lease on this source could not be kept; nothing of this run was written"
                    )
                recognise = partial(
                    sources.recognise,
                    source=stored,
                    region=service.region,
                    project_id=service.project_id,
                    endpoint=service.endpoint,
                )
                _merge(
                    database, lease, source, stored, run, fetched, known, names, claim, deadline, recognise
                )
                if archive is not None and run.outcome != "failed" and not fetched.buffer.cut:
                    archive.finish(run, fetched)
            finally:
                fetched.buffer.close()
        finally:
            if archive is not None:
                archive.discard()
    finally:
        run.requests, run.retries = service.requests, service.retries
        service.close()


def _observe(
    connection: Connection, *, run: RunResult, stored: sources.Source, service: ImageService
) -> stored_state.StoredState:
    """Dates the observation, right before the first listing request; what is known then."""
    sources.compare_login(connection, stored, service.region, service.project_id, service.endpoint)
    known = stored_state.load(connection, stored.source_id)
    run.observed_at = _observed_at(connection, stored.source_id)
    return known


def alike(
    database: Database, source_id: str, ids: Collection[str], missing: Collection[str]
) -> list[tuple[list[str], list[str]]]:
    with database.transaction(read_only=True) as connection:
        return stored_state.alike(connection, source_id, ids, missing, CONTROLS)


def _observed_at(connection: Connection, source_id: str) -> datetime:
    """The database's clock, and later than the source's last observation."""
    now = clock(connection)
    latest = Ledger(connection, source_id).latest()
    return now if latest is None or latest.at < now else latest.at + timedelta(microseconds=1)


def count(run: RunResult, fetched: Fetched, service: ImageService) -> None:
    run.pages = sum(listing.pages for listing in fetched.passes)
    run.requests, run.retries = service.requests, service.retries
    run.listed = fetched.buffer.listed - len(fetched.verdict.found)
    run.looked_up = fetched.verdict.looked_up
    run.note = fetched.verdict.note
    run.outcome = fetched.outcome
    failure = fetched.failure
    if failure is not None:
        error: FetchError | None = failure.error
        run.error_kind = error.error_kind if error else "bad_listing"
        run.error = f"pass {failure.name} {failure.verdict}: {error or 'no reason known'}"


def _observation(run: RunResult, fetched: Fetched) -> Observation:
    assert run.observed_at is not None
    buffer, verdict = fetched.buffer, fetched.verdict
    inconclusive = buffer.inconclusive
    inconclusive.update(verdict.inconclusive)
    missing = fetched.missing - verdict.inconclusive.keys() - verdict.found
    return Observation(
        run.run_id,
        run.observed_at,
        fetched.complete,
        buffer.candidates(complete=fetched.all_complete),
        unchanged=buffer.unchanged,
        absent=verdict.absent,
        inconclusive=inconclusive,
        missing=missing if fetched.complete else frozenset(),
    )


def _merge(
    database: Database,
    lease: leases.Lease,
    source: SourceSettings,
    stored: sources.Source,
    run: RunResult,
    fetched: Fetched,
    known: stored_state.StoredState,
    names: dict[str, tuple[str, str | None]] | None,
    claim: DueClaim | None,
    deadline: Deadline,
    recognise: Callable[[Connection], None],
) -> None:
    source_id = stored.source_id

    def merge(connection: Connection) -> None:
        if run.outcome != "failed":
            recognise(connection)
            resolve_duplicates(connection, source_id, fetched)
            assert run.observed_at is not None
            told = events.EventWriter(connection, source_id, run.run_id)
            loading = told.is_loading()
            writer = Merge(connection, source_id, run.run_id, MappingAdapter.of(source), clock(connection))
            counts = writer.apply(
                _observation(run, fetched), partial(told.changes, run.observed_at, loading=loading)
            )
            run.inserted, run.updated, run.unchanged = counts.inserted, counts.updated, counts.unchanged
            run.deleted, run.restored = counts.deleted, counts.restored
            run.warnings = counts.warnings
            _remember(connection, source_id, run, fetched, known)
            if names is not None:
                projects.save(connection, source_id, names, clock(connection))
        run.rejected = fetched.buffer.rejections
        run.held = held_deletions.count_open(connection, source_id)
        if run.outcome != "failed":
            _tell(told, run, fetched, loading)
            told.prune(timedelta(seconds=source.events_keep))
        run.finished_at = clock(connection)
        runs.finish(connection, source_id, run, _pass_rows(fetched), fetched.buffer.rejected)
        if claim is not None:
            claim.done(connection, source_id, run)

    try:
        leases.transact(database, lease, merge, deadline.to_write())
    except DatabaseUnavailable:
        # perhaps only the answer to the commit was lost: then the run is a good one, and so is its archive
        if not leases.transact(database, lease, partial(runs.read_back, source_id=source_id, run=run)):
            raise
    if run.note:
        log.warning("nothing proved", source=source.name, reason=run.note)
    for warning in run.warnings:
        log.warning("value not converted", source=source.name, reason=warning)
    for record in fetched.buffer.rejected[:MOST_WARNINGS]:
        log.warning("record rejected", source=source.name, image_id=record.image_id, reason=record.reason)
    if run.rejected > MOST_WARNINGS:
        log.warning("more records rejected", source=source.name, count=run.rejected - MOST_WARNINGS)
    if fetched.buffer.cut:
        log.warning("not all that was read could be merged in time", source=source.name)


def _tell(told: events.EventWriter, run: RunResult, fetched: Fetched, loading: bool) -> None:
    """Writes the events beside those of changed images."""
    assert run.observed_at is not None
    missed = fetched.buffer.inconclusive.keys() | fetched.verdict.found
    if missed and not loading:
        told.unlisted(run.observed_at, missed)
    if run.held:
        told.held(run.observed_at)
    if loading and (run.outcome == "complete" or run.inserted):
        told.of_source(
            events.LOADED, run.observed_at, images=run.inserted, complete=run.outcome == "complete"
        )


def resolve_duplicates(connection: Connection, source_id: str, fetched: Fetched) -> None:
    contested = fetched.buffer.contested()
    if contested:
        fetched.buffer.resolve_duplicates(stored_state.updated_at_of(connection, source_id, contested))


def _remember(
    connection: Connection, source_id: str, run: RunResult, fetched: Fetched, known: stored_state.StoredState
) -> None:
    """What later sweeps need to know of this one's absences."""
    assert run.observed_at is not None
    verdict = fetched.verdict
    active = known.held | known.kept
    # an image whose record was rejected counts as present (semantics 4.5)
    absent = {image_id for image_id, kind in fetched.buffer.inconclusive.items() if kind != "rejected"}
    seen = fetched.buffer.seen_among(active) - absent
    if verdict.held:
        held_deletions.hold(
            connection, source_id, run.run_id, run.observed_at, verdict.held, verdict.held_reason
        )
    stored_state.save_login(connection, source_id, fetched.login)
    returned = (known.held & seen) | (known.kept & (seen - verdict.found))
    if returned:
        held_deletions.decide(connection, source_id, returned, "returned", run.observed_at, "sweep")
    done = active & verdict.absent.keys()
    if done:
        held_deletions.decide(connection, source_id, done, "approved", run.observed_at, "sweep")
    if verdict.answers or known.asked:
        lookups.save(connection, source_id, run.observed_at, verdict.answers)
    if fetched.all_complete:
        unlisted = [i for i, kind in verdict.inconclusive.items() if kind != "rejected"]
        run.unlisted = len(unlisted) + len(verdict.found)


def _pass_rows(fetched: Fetched) -> list[runs.PassRow]:
    return [
        runs.PassRow(
            listing.name,
            listing.verdict,
            listing.pages,
            listing.records,
            listing.last_marker,
            str(listing.error) if listing.error else None,
        )
        for listing in fetched.passes
    ]


def fail(run: RunResult, error: CatalogError) -> None:
    """The run ends as failed; what its merge may have counted was rolled back."""
    run.outcome = "failed"
    run.inserted = run.updated = run.unchanged = run.deleted = run.restored = run.unlisted = 0
    run.error_kind = error.error_kind or "upstream"
    run.error = str(error)


def _not_due(run: RunResult) -> RunResult:
    run.outcome, run.error = "busy", "another process swept this source meanwhile"
    return run


def _close(database: Database, lease: leases.Lease, run: RunResult, claim: DueClaim | None) -> None:
    """Closes the row of a run that did not come to its merge; a database that is away leaves it to the next.

    Of one that came to it nevertheless, as the database was away when `_merge` asked, the result says what the
    row says; its archive is lost.
    """

    def close(connection: Connection) -> None:
        run.finished_at = clock(connection)
        if not runs.finish(connection, lease.source_id, run):
            runs.read_back(connection, source_id=lease.source_id, run=run)
        elif claim is not None:
            claim.done(connection, lease.source_id, run)

    try:
        leases.transact(database, lease, close)
    except CatalogError as failure:
        log.warning("run could not be closed", source=run.source, reason=str(failure))


def _refused(database: Database, run: RunResult, error: CatalogError, claim: DueClaim | None) -> RunResult:
    """A run that may not even begin; its row says why."""

    def note(connection: Connection) -> RunResult:
        fail(run, error)
        stored = sources.find(connection, run.source)
        if stored is not None:
            if not _begin(connection, run=run, source_id=stored.source_id, claim=claim):
                return _not_due(run)
            run.finished_at = run.started_at
            runs.finish(connection, stored.source_id, run)
            if claim is not None:
                claim.done(connection, stored.source_id, run)
        return run

    return database.transact(note)
