"""`catalog sync --plan`: everything is read, look-ups included, and nothing is written."""

from __future__ import annotations

import threading
import uuid
from functools import partial

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import CatalogError
from catalog.model import RunResult
from catalog.store.db.connection import Database, clock
from catalog.store.history import preview
from catalog.store.state import runs, sources, stored_state
from catalog.sync.reader import Watch, fetch, ignore
from catalog.sync.sweep import LONGER, Opener, alike, count, fail, open_cloud, resolve_duplicates


def plan_sweep(
    database: Database,
    source: SourceSettings,
    *,
    accept_deletions: bool = False,
    stop: threading.Event | None = None,
    opener: Opener = open_cloud,
    watch: Watch = ignore,
) -> RunResult:
    """What a sweep would do: everything is read, look-ups included, and nothing is written."""
    run = RunResult(source.name, str(uuid.uuid4()))
    try:
        with database.transaction(read_only=True) as connection:
            stored = sources.find(connection, source.name)
            longest = 0.0
            if stored is not None:
                sources.compare(stored, kind=source.kind)
                longest = LONGER * runs.last_complete_seconds(connection, stored.source_id)
        deadline = Deadline(max(source.deadline, longest), stop)
        service = opener(source, deadline)
        try:
            with database.transaction(read_only=True) as connection:
                if stored is not None:
                    sources.compare(
                        stored,
                        region=service.region,
                        project_id=service.project_id,
                        endpoint=service.endpoint,
                    )
                known = (
                    stored_state.load(connection, stored.source_id) if stored else stored_state.StoredState()
                )
                run.started_at = run.observed_at = clock(connection)
            stored_alike = partial(alike, database, stored.source_id if stored else "")
            fetched = fetch(
                source, service, known, run.observed_at, accept_deletions, deadline, stored_alike, watch=watch
            )
            try:
                count(run, fetched, service)
                if run.outcome != "failed":
                    with database.transaction(read_only=True) as connection:
                        source_id = stored.source_id if stored else None
                        if source_id is not None:
                            resolve_duplicates(connection, source_id, fetched)
                        counts, run.planned = preview.plan(
                            connection,
                            source_id,
                            fetched.buffer.candidates(),
                            len(fetched.buffer.unchanged),
                            fetched.verdict.absent,
                        )
                    run.inserted, run.updated, run.unchanged = (
                        counts.inserted,
                        counts.updated,
                        counts.unchanged,
                    )
                    run.deleted, run.restored = counts.deleted, counts.restored
                    run.unlisted = len(fetched.verdict.inconclusive) + len(fetched.verdict.found)
                run.rejected = fetched.buffer.rejections
                seen = fetched.buffer.seen - fetched.buffer.inconclusive.keys()
                held = known.held | fetched.verdict.held
                run.held = len(held - seen - fetched.verdict.absent.keys())
            finally:
                fetched.buffer.close()
        finally:
            service.close()
        run.finished_at = database.now()
    except CatalogError as error:
        fail(run, error)
    return run
