"""Changes-only sweeps: ask a cloud only for what is new, between complete sweeps (semantics 4.8).

They read without a lease and without the stored state of all images: what they cost follows what changed. One that
finds nothing new writes no row but the source's schedule.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from catalog.batches import batched
from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import (
    CatalogError,
    ConfigurationError,
    FetchError,
    NotSupported,
    UnexpectedError,
    UpstreamError,
)
from catalog.model import ImageService, RunResult
from catalog.store.db.connection import Connection, Database, clock
from catalog.store.history.ledger import Ledger
from catalog.store.state import leases, runs, sources, stored_state
from catalog.store.state.sources import Source
from catalog.store.state.stored_state import StoredState
from catalog.sync.archive import Archive, open_archive
from catalog.sync.completeness import Fetched
from catalog.sync.reader import read_passes
from catalog.sync.sweep import (
    closing_row,
    count,
    count_requests,
    fail,
    not_due,
    open_buffer,
    open_cloud,
    take,
    write,
)
from catalog.sync.sweep_context import DueClaim, NotDue, Opener, SweepContext, Watch, ignore

log = structlog.get_logger("catalog.sweep")
STEP = 1000
"""Images compared at a time."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A question to the cloud: all that changed since a moment, among which one image must be."""

    stored: Source
    image_id: str
    since: datetime


def sweep_changes(
    database: Database,
    source: SourceSettings,
    *,
    wait_seconds: float = 0.0,
    stop: threading.Event | None = None,
    opener: Opener = open_cloud,
    claim: DueClaim | None = None,
    watch: Watch = ignore,
) -> RunResult:
    """Merges what changed since the last sweep. Never raises for what one source may do wrong: the result says it.

    `outcome` is `busy` while another process works on the source for all of `wait_seconds`, and where another swept it
    meanwhile; it is `complete`, without a row, where nothing is new, and with a `note` where the service doesn't do
    what it was asked. Raises DatabaseError where the database fails before the run has a row.
    """
    run = RunResult(source.name, str(uuid.uuid4()), scope="changes")
    begun = database.transact(partial(_begin, source=source, run=run, claim=claim), source.deadline)
    if begun is None:
        return run
    deadline = Deadline(source.deadline, stop)
    sweep = SweepContext(database, source, begun.stored, run, deadline, claim=claim, watch=watch)
    with ExitStack() as stack:
        error: CatalogError | None = None
        try:
            service = stack.enter_context(closing(opener(source, deadline)))
            fetched, archive = _read(sweep, service, begun, stack)
        except NotSupported as found:
            run.outcome, run.error_kind, run.error = "complete", None, None
            run.supported, run.note = False, str(found)
            return run
        except CatalogError as failure:
            error = failure
        except Exception as bug:
            log.exception("unexpected", source=source.name)
            error = UnexpectedError(bug)
        if deadline.stop.is_set() and (error or run.outcome != "complete"):
            return fail(run, error or FetchError("stopped before all that is new was read"))
        if (
            error is None
            and run.outcome == "complete"
            and not sweep.transact(partial(_brings_news, sweep, fetched))
        ):
            database.transact(partial(_note, run=run, source_id=sweep.source_id), source.deadline)
            return run
        known = StoredState()
        begin = partial(_open, run=run, source_id=sweep.source_id, known=known)
        lease = take(database, sweep.source_id, run, wait_seconds, begin, stop)
        if lease is None:
            return run
        sweep = replace(sweep, renewer=stack.enter_context(leases.LeaseRenewer(database, lease)))
        with closing_row(sweep):
            if error is not None:
                raise error
            fetched.login = known.login.union(*fetched.logins)
            write(sweep, service, fetched, known, None, archive)
    return run


def _begin(
    connection: Connection, *, source: SourceSettings, run: RunResult, claim: DueClaim | None
) -> _Begun | None:
    """Dates the observation, and finds what to ask for; None: nothing, and the result says why."""
    stored = sources.find(connection, source.name)
    if stored is not None and claim is not None and not claim.is_due(connection, stored.source_id):
        not_due(run)
        return None
    try:
        if stored is None or stored.last_complete_at is None or stored.endpoint is None:
            raise ConfigurationError(
                f"source {source.name!r}: changes come after a complete sweep; run `catalog sync {source.name}`"
            )
        sources.compare(stored, kind=source.kind)
    except ConfigurationError as error:
        fail(run, error)
        return None
    run.observed_at = Ledger(connection, stored.source_id).next_moment()
    run.started_at = run.finished_at = stored.read_at
    run.outcome = "complete"
    found = stored_state.newest(connection, stored.source_id, source.changes_overlap)
    if found is None:
        run.note = "no image tells when it was changed: only complete sweeps bring what is new"
        return None
    return _Begun(stored, *found)


def _read(
    sweep: SweepContext, service: ImageService, begun: _Begun, stack: ExitStack
) -> tuple[Fetched, Archive | None]:
    """Reads what changed. Raises NotSupported where the service doesn't do what it was asked."""
    run, source = sweep.run, sweep.source
    stack.callback(count_requests, run, service)
    met = {"region": service.region, "project_id": service.project_id, "endpoint": service.endpoint}
    sources.compare(begun.stored, **met)
    archive = open_archive(source, begun.stored, service, run)
    buffer = open_buffer(sweep, StoredState(), archive, stack)
    buffer.since = begun.since.timestamp()
    fetched = read_passes(sweep, service, buffer, begun.since)
    fetched.logins = service.logins()
    count(run, fetched)
    for listing in fetched.passes:
        if isinstance(listing.error, NotSupported):
            raise listing.error
        if isinstance(listing.error, UpstreamError) and listing.error.status == 400:
            raise NotSupported("it refuses the parameter")
    if fetched.all_complete and begun.image_id not in buffer.seen:
        _check_gone(service, begun.image_id)
    count_requests(run, service)
    return fetched, archive


def _check_gone(service: ImageService, image_id: str) -> None:
    """The image that must be among what changed is not: it was deleted since, or the service took the parameter for
    something else, a property for one. Whatever its look-up says, the image is left to the next complete sweep."""
    answer = service.lookup(image_id)
    if answer.answer == "found":
        raise NotSupported(f"image {image_id} is not in the answer, though it changed since then")
    if answer.answer == "unanswered":
        raise answer.error or FetchError(
            f"image {image_id}, which should have been listed, could not be looked up"
        )


def _brings_news(sweep: SweepContext, fetched: Fetched, connection: Connection) -> bool:
    """True if some record differs from what is stored, or was not rejected before."""
    source_id, rejected = sweep.source_id, fetched.buffer.rejected
    for candidates in batched(fetched.buffer.candidates(complete=False), STEP):
        known = stored_state.known(connection, source_id, [one.image.image_id for one in candidates])
        for candidate in candidates:
            now = known.get(candidate.image.image_id)
            if now is None or now.content_hash != candidate.image.content_hash or now.unlisted_since:
                return True
    return bool(rejected) and not runs.known_rejected(connection, source_id, rejected)


def _note(connection: Connection, *, run: RunResult, source_id: str) -> None:
    """All that a sweep writes that found nothing new."""
    run.unchanged, run.finished_at = run.listed, clock(connection)
    runs.note_changes(connection, source_id, run)


def _open(connection: Connection, *, run: RunResult, source_id: str, known: StoredState) -> None:
    """Opens the run's row, and reads what is known of held images and of logins. Raises NotDue where somebody observed
    later meanwhile."""
    latest = Ledger(connection, source_id).latest()
    assert run.observed_at is not None
    if latest is not None and latest.at >= run.observed_at:
        raise NotDue
    runs.start(connection, source_id, run)
    stored_state.read_beside(connection, source_id, known)
