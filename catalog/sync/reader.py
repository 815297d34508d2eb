"""Reads all that a sweep needs before it writes: the passes, and look-ups of what they did not list."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime

import structlog

from catalog.errors import BadListingError, FetchError, ThrottledError
from catalog.logs import PAGE
from catalog.model import DEFAULT_PASSES, ImageService, Listing, Lookup
from catalog.store.state import runs
from catalog.store.state.stored_state import StoredState
from catalog.sync.buffer import ListingBuffer
from catalog.sync.completeness import Fetched
from catalog.sync.control_lookup import control_of
from catalog.sync.login_reach import LoginReach
from catalog.sync.missing import decide_missing
from catalog.sync.sweep_context import SweepContext, Watch

log = structlog.get_logger("catalog.sweep")


def fetch(sweep: SweepContext, service: ImageService, known: StoredState, buffer: ListingBuffer) -> Fetched:
    """Reads all passes into the buffer, and looks up what is missing from them. No transaction is open meanwhile."""
    source, observed_at = sweep.source, sweep.run.observed_at
    assert observed_at is not None
    fetched = read_passes(sweep, service, buffer)
    _doubt_refusals(sweep, fetched.passes)

    def lookup(image_id: str) -> Lookup:
        answer = service.lookup(image_id)
        if answer.record is None:
            return answer
        try:
            buffer.add([answer.record], listed=False)
        except FetchError as error:
            return Lookup("unanswered", error=error)
        return Lookup("found")  # the record itself waits in the spill file: two hundred may be large

    fetched.complete = fetched.observation_is_complete(source)
    if fetched.all_complete:
        fetched.missing = known.missing(*buffer.seen_parts)
    reach = LoginReach(sweep, service, buffer, known.login, fetched.missing)
    if fetched.all_complete:
        main_is_empty = any(one.name == "listed" and not one.records for one in fetched.passes)
        nothing_listed = not buffer.listed or main_is_empty
        unproved = () if nothing_listed else known.unproved
        fetched.verdict = decide_missing(
            fetched.missing,
            known,
            source,
            lookup,
            now=sweep.run.started_at or observed_at,
            absence_proves=fetched.complete,
            accept=sweep.accept,
            over_limit=nothing_listed,
            lost_rights=reach.lost_rights,
            unseen=reach.unseen,
            unreached=reach.unreached,
            # with nothing listed all is held anyway, unless somebody accepts it
            control=control_of(sweep, service, buffer, fetched.missing) if buffer.listed else None,
            unproved=[i for i in unproved if not any(i in part for part in buffer.seen_parts)],
        )
        # nor does a listing prove anything that is empty where images live, unless somebody accepts it
        doubted = nothing_listed and known.live > 0 and not sweep.accept
        fetched.complete &= not (fetched.verdict.login_changed or doubted)
    narrows = fetched.verdict.login_reaches_all
    try:
        # one login may be granted less by mistake: a second one has to be granted as little
        fetched.logins = service.logins(again=narrows and bool(reach.lost_rights()))
    except FetchError:
        fetched.logins, narrows = service.logins(), False
    # what one of several logins, or one of an incomplete sweep, saw is known too: a lesser one must not delete it
    narrows = narrows and len(fetched.logins) == 1
    fetched.login = frozenset().union(() if narrows else known.login, *fetched.logins)
    known.by_raw.clear()  # half of a sweep's memory, and of no more use once all is read
    return fetched


def read_passes(
    sweep: SweepContext, service: ImageService, buffer: ListingBuffer, since: datetime | None = None
) -> Fetched:
    """Reads all passes into the buffer; `since`: only what changed from then on.

    A service that asked to wait for longer than there is time is asked nothing more in this sweep.
    """
    source, fetched = sweep.source, Fetched(buffer)
    throttled: ThrottledError | None = None
    for name in source.passes or DEFAULT_PASSES[source.kind]:
        listing = service.listing(name, since)
        fetched.passes.append(listing)
        if throttled is not None:
            listing.error = throttled  # it asked us to wait; unread, the pass is a failed one
            continue
        _take_in(listing, buffer, source.name, sweep.watch)
        if isinstance(listing.error, ThrottledError):
            throttled = listing.error
    return fetched


def _doubt_refusals(sweep: SweepContext, passes: Iterable[Listing]) -> None:
    """A pass that the service does not know any more fails, if it brought records the last time: some services refuse
    with the same code what they have no time for."""
    refused = [listing for listing in passes if listing.refusal is not None]
    if not refused:
        return
    with sweep.database.transaction(read_only=True) as connection:
        brought = runs.last_passes(connection, sweep.source_id)
    for listing in refused:
        if listing.name in brought:
            listing.verdict = "failed"
            listing.error = BadListingError(
                f"this pass listed images in the last complete sweep, and is refused now: {listing.refusal}; leave it"
                " out of `passes` if the service has it no longer"
            )


def _take_in(listing: Listing, buffer: ListingBuffer, source: str, watch: Watch) -> None:
    """Reads a pass to its end, or until its records find no room or no time; those before are kept."""
    with closing(iter(listing)) as pages:  # type: ignore[type-var]
        try:
            for page in pages:
                buffer.add(page.records)
                log.info(
                    PAGE, source=source, listing=listing.name, page=listing.pages, records=len(page.records)
                )
                watch(source, len(page.records))
        except FetchError as error:
            listing.error = error
