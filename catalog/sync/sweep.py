"""One sweep of one source: lease, listings, look-ups, one merge, one row in the ledger (semantics 4).

A plan takes the same way and writes nothing: no row, no lease, no archive, and the merge is only counted.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial

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
from catalog.model import ImageService, Observation, PassResult, RunResult
from catalog.store.db.connection import Connection, Database, clock
from catalog.store.history import preview
from catalog.store.history.ledger import Ledger
from catalog.store.history.merge import MOST_WARNINGS, Merge
from catalog.store.history.within_reach import common
from catalog.store.state import events, held_deletions, leases, lookups, projects, runs, sources, stored_state
from catalog.store.state.stored_state import StoredState
from catalog.sync.archive import Archive, open_archive
from catalog.sync.buffer import ListingBuffer
from catalog.sync.completeness import Fetched
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.project_names import ask_names
from catalog.sync.reader import fetch
from catalog.sync.sweep_context import DueClaim, NotDue, Opener, SweepContext, Watch, ignore

log = structlog.get_logger("catalog.sweep")
LONGER = 3
"""A sweep may take this many times its last complete one, if that is longer (docs/configuration.md)."""
BY = "sweep"


def open_cloud(source: SourceSettings, deadline: Deadline) -> ImageService:
    """Logs in and returns the service. Raises ConfigurationError or a FetchError."""
    return open_service(source, deadline, connect(source, deadline))


def sweep(
    database: Database,
    source: SourceSettings,
    *,
    plan: bool = False,
    accept_deletions: bool = False,
    wait_seconds: float = 0.0,
    stop: threading.Event | None = None,
    opener: Opener = open_cloud,
    claim: DueClaim | None = None,
    watch: Watch = ignore,
) -> RunResult:
    """Sweeps a source once. Never raises for what one source may do wrong: the result says it.

    `plan`: everything is read, look-ups included, and nothing is written; the result says what a sweep would do.
    `outcome` is `busy`, without a row in the ledger, if another process holds the source for all of
    `wait_seconds`. Raises DatabaseError where the database fails before the run has a row.
    """
    run = RunResult(source.name, str(uuid.uuid4()))
    try:
        stored, longest = _register(database, source, plan=plan)
    except ConfigurationError as error:
        return fail(run, error) if plan else _refused(database, run, error, claim)
    with ExitStack() as stack:
        renewer = None
        if not plan:
            begin = partial(_begin, run=run, source_id=stored.source_id, claim=claim)
            lease = take(database, stored.source_id, run, wait_seconds, begin, stop)
            if lease is None:
                return run
            renewer = stack.enter_context(leases.LeaseRenewer(database, lease))
        deadline = Deadline(max(source.deadline, longest), stop)
        context = SweepContext(
            database, source, stored, run, deadline, renewer, accept_deletions, claim, watch
        )
        with closing_row(context):
            _run(context, opener)
    return run


def take(
    database: Database,
    source_id: str,
    run: RunResult,
    seconds: float,
    begin: Callable[[Connection], None],
    stop: threading.Event | None,
) -> leases.Lease | None:
    """Takes the source for a run, and begins it; None, and the run ends as busy, where another process has it for all
    this time, or did the work meanwhile."""
    try:
        lease = leases.wait(database, source_id, run.run_id, seconds, begin, stop)
    except NotDue:
        not_due(run)
        return None
    if lease is None:
        _busy(run, "another process is working on this source; try again, or use --wait")
    return lease


@contextmanager
def closing_row(sweep: SweepContext) -> Iterator[None]:
    """Closes the run's row where something is raised: what one source may do wrong goes no further."""
    try:
        yield
    except LeaseLost as error:
        fail(sweep.run, error)  # whoever took the source over closed our row
    except CatalogError as error:
        _close(sweep, error)
    except Exception as error:
        log.exception("unexpected", source=sweep.source.name)
        _close(sweep, UnexpectedError(error))
    except BaseException:
        _close(sweep, DatabaseError("the run was ended from outside"))
        raise


def _register(database: Database, source: SourceSettings, *, plan: bool) -> tuple[sources.Source, float]:
    """The source as recorded, and how long a sweep of it may take. Unit: seconds."""

    def register(connection: Connection) -> tuple[sources.Source, float]:
        if plan:
            stored = sources.find(connection, source.name) or sources.unknown(source.name, source.kind)
            sources.compare(stored, kind=source.kind)
        else:
            stored = sources.register(connection, source.name, source.kind, source.cloud, source.interval)
        return stored, LONGER * (stored.last_complete_seconds or 0.0)

    if plan:
        with database.transaction(read_only=True) as connection:
            return register(connection)
    return database.transact(register, source.deadline)


def _begin(connection: Connection, *, run: RunResult, source_id: str, claim: DueClaim | None) -> None:
    """Opens the run's row. Raises NotDue where the source is not due any more."""
    if claim is not None and not claim.is_due(connection, source_id):
        raise NotDue
    runs.start(connection, source_id, run)


def _run(sweep: SweepContext, opener: Opener) -> None:
    run, source, renewer = sweep.run, sweep.source, sweep.renewer
    with ExitStack() as stack:
        service = stack.enter_context(closing(opener(source, sweep.deadline)))
        stack.callback(count_requests, run, service)
        known = sweep.transact(partial(_observe, sweep=sweep, service=service))
        archive = open_archive(source, sweep.stored, service, run) if renewer else None
        buffer = open_buffer(sweep, known, archive, stack)
        fetched = fetch(sweep, service, known, buffer)
        count(run, fetched)
        count_requests(run, service)
        if renewer is None:
            sweep.transact(partial(_plan, sweep=sweep, fetched=fetched, known=known))
            return
        names = None
        if run.outcome != "failed":
            names = ask_names(sweep.database, source, sweep.source_id, service, sweep.deadline)
        if renewer.lost.is_set():
            raise LeaseLost("the lease on this source could not be kept; nothing of this run was written")
        write(sweep, service, fetched, known, names, archive)


def open_buffer(
    sweep: SweepContext, known: StoredState, archive: Archive | None, stack: ExitStack
) -> ListingBuffer:
    """Where the records of a run go, and with them into its archive; the stack closes both."""
    if archive is not None:
        stack.callback(archive.discard)
    rules = MappingAdapter.of(sweep.source).rules
    keep = archive.record if archive else None
    buffer = ListingBuffer(known, rules, sweep.deadline, keep, sweep.source.spool_limit)
    return stack.enter_context(closing(buffer))


def _observe(connection: Connection, *, sweep: SweepContext, service: ImageService) -> StoredState:
    """Dates the observation, right before the first listing request; what is known then."""
    stored, run = sweep.stored, sweep.run
    if sweep.renewer is None:
        met = {"region": service.region, "project_id": service.project_id, "endpoint": service.endpoint}
        sources.compare(stored, **met)
    else:
        sources.compare_login(connection, stored, service.region, service.project_id, service.endpoint)
    known = stored_state.load(connection, stored.source_id)
    run.observed_at = Ledger(connection, stored.source_id).next_moment()
    run.started_at = run.started_at or clock(connection)
    return known


def count_requests(run: RunResult, service: ImageService) -> None:
    run.requests, run.retries = service.requests, service.retries


def count(run: RunResult, fetched: Fetched) -> None:
    verdict = fetched.verdict
    run.pages = sum(listing.pages for listing in fetched.passes)
    run.listed = fetched.buffer.listed - len(verdict.found)
    run.looked_up = verdict.looked_up
    run.note = verdict.note
    run.outcome = fetched.outcome
    failure = fetched.failure
    if failure is not None:
        error: FetchError | None = failure.error
        run.error_kind = error.error_kind if error else "bad_listing"
        run.error = f"pass {failure.name} {failure.verdict}: {error or 'no reason known'}"
    else:
        run.unlisted = len(verdict.inconclusive) + len(verdict.found)


def _plan(connection: Connection, *, sweep: SweepContext, fetched: Fetched, known: StoredState) -> None:
    """Counts what the merge would do, instead of it."""
    run, buffer, verdict = sweep.run, fetched.buffer, fetched.verdict
    if run.outcome != "failed":
        _resolve_duplicates(connection, sweep.source_id, buffer)
        reported = fetched.missing & known.gone if fetched.complete else ()
        absent = {*verdict.absent, *reported}
        counts, run.planned = preview.plan(
            connection, sweep.source_id, buffer.candidates(), len(buffer.unchanged), absent
        )
        run.take(counts)
    run.rejected = buffer.rejections
    seen = buffer.seen - buffer.inconclusive.keys()
    run.held = len((known.held | verdict.held) - seen - verdict.absent.keys())
    run.finished_at = clock(connection)


def write(
    sweep: SweepContext,
    service: ImageService,
    fetched: Fetched,
    known: StoredState,
    names: dict[str, tuple[str, str | None]] | None,
    archive: Archive | None,
) -> None:
    """Merges what was read, tells of what was odd, and finishes the archive of a run that counts."""
    merge = partial(_merge, sweep=sweep, service=service, fetched=fetched, known=known, names=names)
    run, source, buffer = sweep.run, sweep.source.name, fetched.buffer
    try:
        sweep.transact(merge)
    except DatabaseUnavailable:
        # perhaps only the answer to the commit was lost: then the run is a good one, and so is its archive
        if not sweep.transact(partial(runs.read_back, source_id=sweep.source_id, run=run)):
            raise
    if run.note:
        log.warning("nothing proved", source=source, reason=run.note)
    for warning in run.warnings:
        log.warning("value not converted", source=source, reason=warning)
    for record in buffer.rejected[:MOST_WARNINGS]:
        log.warning("record rejected", source=source, image_id=record.image_id, reason=record.reason)
    if run.rejected > MOST_WARNINGS:
        log.warning("more records rejected", source=source, count=run.rejected - MOST_WARNINGS)
    if buffer.cut:
        log.warning("not all that was read could be merged in time", source=source)
    elif archive is not None and run.outcome != "failed":
        archive.finish(run, fetched)


def _merge(
    connection: Connection,
    *,
    sweep: SweepContext,
    service: ImageService,
    fetched: Fetched,
    known: StoredState,
    names: dict[str, tuple[str, str | None]] | None,
) -> None:
    """All that a sweep writes of what it read; done again where the database wants that."""
    run, source, source_id, buffer = sweep.run, sweep.source, sweep.source_id, fetched.buffer
    assert run.observed_at is not None
    told = events.EventWriter(connection, source_id, run.run_id)
    loading = sweep.stored.last_complete_at is None and told.is_loading()
    if run.outcome != "failed":
        login = (service.region, service.project_id, service.endpoint)
        now = sources.recognise(connection, sweep.stored, *login)
        _resolve_duplicates(connection, source_id, buffer)
        merge = Merge(connection, source_id, run.run_id, MappingAdapter.of(source), now)
        tell = partial(told.changes, run.observed_at, loading=loading)
        run.take(merge.apply(_observation(run, fetched), tell))
        if found := fetched.verdict.found:
            # what a look-up finds reported as deleted is not live
            gone = stored_state.would_delete(connection, source_id, found)[1]
            run.unlisted = len(fetched.verdict.inconclusive) + len(found) - gone
        _remember(connection, sweep, fetched, known)
        if names is not None:
            projects.save(connection, source_id, names, now)
    run.rejected = buffer.rejections
    run.held = held_deletions.count_open(connection, source_id) if known.held or fetched.verdict.held else 0
    if run.outcome != "failed":
        _tell(told, run, fetched, loading)
        told.prune(now - timedelta(seconds=source.events_keep))
    _finish(connection, sweep, [PassResult.of(listing) for listing in fetched.passes], buffer)


def _finish(
    connection: Connection,
    sweep: SweepContext,
    passes: Sequence[PassResult] = (),
    buffer: ListingBuffer | None = None,
) -> bool:
    """Closes the run's row; False where that was done already."""
    run = sweep.run
    run.stopped = run.outcome != "complete" and sweep.deadline.stop.is_set()
    finished = runs.finish(connection, sweep.source_id, run, passes, buffer.rejected if buffer else ())
    if finished and sweep.claim is not None:
        sweep.claim.done(connection, sweep.source_id, run)
    return finished


def _observation(run: RunResult, fetched: Fetched) -> Observation:
    assert run.observed_at is not None
    buffer, verdict = fetched.buffer, fetched.verdict
    # the buffer's own: what can't be stored, or comes too late, joins it while the writer takes the candidates
    inconclusive = buffer.inconclusive
    inconclusive.update(verdict.inconclusive | verdict.undecided)
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
        login=common(fetched.logins),
    )


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


def _resolve_duplicates(connection: Connection, source_id: str, buffer: ListingBuffer) -> None:
    if contested := buffer.contested():
        buffer.resolve_duplicates(stored_state.updated_at_of(connection, source_id, contested))


def _remember(connection: Connection, sweep: SweepContext, fetched: Fetched, known: StoredState) -> None:
    """Notes for later sweeps what this one tells of absences."""
    run, source_id = sweep.run, sweep.source_id
    assert run.observed_at is not None
    verdict, inconclusive = fetched.verdict, fetched.buffer.inconclusive
    if fetched.login != known.login or sweep.stored.last_complete_at is None:
        stored_state.save_login(connection, source_id, fetched.login)
    if verdict.answers or known.asked:
        lookups.save(connection, source_id, run.observed_at, verdict.answers, run.started_at)
    held_deletions.follow(
        connection,
        source_id,
        run.observed_at,
        BY,
        run_id=run.run_id,
        before=(known.held, known.kept),
        inconclusive=verdict.inconclusive,
        found=verdict.found - inconclusive.keys(),
        rejected={image_id for image_id, kind in inconclusive.items() if kind == "rejected"},
    )


def fail(run: RunResult, error: CatalogError) -> RunResult:
    """The run ends as failed; what its merge may have counted was rolled back."""
    run.outcome = "failed"
    run.inserted = run.updated = run.unchanged = run.deleted = run.restored = run.unlisted = 0
    run.error_kind = error.error_kind or "upstream"
    run.error = str(error)
    return run


def _busy(run: RunResult, why: str) -> RunResult:
    run.outcome, run.error = "busy", why
    return run


def not_due(run: RunResult) -> RunResult:
    return _busy(run, "another process swept this source meanwhile")


def _close(sweep: SweepContext, error: CatalogError) -> None:
    """Closes the row of a run that did not come to its merge; a database that is away leaves it to the next.

    Of one that came to it nevertheless, as the database was away when `write` asked, the result says what the
    row says; its archive is lost.
    """
    run = fail(sweep.run, error)
    if sweep.renewer is None:
        return

    def close(connection: Connection) -> None:
        if not _finish(connection, sweep):
            runs.read_back(connection, source_id=sweep.source_id, run=run)

    try:
        sweep.transact(close)
    except CatalogError as failure:
        log.warning("run could not be closed", source=run.source, reason=str(failure))


def _refused(database: Database, run: RunResult, error: CatalogError, claim: DueClaim | None) -> RunResult:
    """A run that may not even begin; its row says why."""

    def note(connection: Connection) -> RunResult:
        fail(run, error)
        stored = sources.find(connection, run.source)
        if stored is not None:
            try:
                _begin(connection, run=run, source_id=stored.source_id, claim=claim)
            except NotDue:
                return not_due(run)
            runs.finish(connection, stored.source_id, run)
            if claim is not None:
                claim.done(connection, stored.source_id, run)
        return run

    return database.transact(note)
