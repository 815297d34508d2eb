"""`catalog remap`: a mapping fix reaches old rows, without a cloud and without new revisions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from catalog.store.db.connection import Database
from catalog.store.maintenance.remap import Rebuilt, rebuild_step
from catalog.store.state import leases
from catalog.store.state.sources import Source
from catalog.sync.mapping_adapter import MappingAdapter


def remap(
    database: Database,
    source: Source,
    contents: MappingAdapter,
    *,
    progress: Callable[[int], None] = lambda documents: None,
) -> Rebuilt:
    """Rebuilds one source from its stored documents, in short transactions under its lease.

    Raises SourceBusy if the source is busy. Reports what was not as today's mapping says.
    """
    result = Rebuilt()
    with leases.held(database, source.source_id, source.name) as lease:
        while (place := result.place) is not None:
            rebuild = partial(rebuild_step, source_id=source.source_id, rules=contents, place=place)
            step = leases.transact(database, lease, rebuild)
            result.join(step)
            progress(step.documents)
    return result
