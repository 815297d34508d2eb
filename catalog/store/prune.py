"""Forgetting old history in small steps: what held at the cut stays, what ended before it goes.

Each step is a short transaction under the source's lease. `sources.history_from` moves first, so that no
reader takes a half-pruned past for the whole one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from catalog.errors import SourceBusy
from catalog.store import leases
from catalog.store.database import Connection, Database, clock
from catalog.store.statements import load

STEP = 5000
"""Rows a transaction."""
SQL = load("prune.sql")
ENDED = ("revision_documents", "revisions", "status_history", "observations", "lacks", "run_passes", "runs",
         "held_deletions", "id_sets")  # fmt: skip
OF_IMAGES = ("revision_documents", "revisions", "status_history", "image_tags", "image_capabilities",
             "image_properties", "image_state", "look_ups", "held_deletions", "lacks", "images")  # fmt: skip


@dataclass(slots=True)
class Pruned:
    """What went, or would go, from one source: rows by table."""

    source: str
    history_from: datetime
    rows: dict[str, int] = field(default_factory=dict)
    images: int = 0


def prune(
    database: Database,
    names: Iterable[str],
    older_than: timedelta,
    deleted_images_older_than: timedelta | None = None,
    *,
    plan: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> list[Pruned]:
    """Cuts the history of these sources. `plan` counts and writes nothing.

    Raises SourceBusy if a source is busy.
    """
    return [_prune(database, name, older_than, deleted_images_older_than, plan, progress) for name in names]


def _prune(
    database: Database,
    name: str,
    older_than: timedelta,
    deleted_images_older_than: timedelta | None,
    plan: bool,
    progress: Callable[[int], None],
) -> Pruned:
    with database.transaction(read_only=plan) as connection:
        row = connection.execute(
            "SELECT source_id, history_from FROM sources WHERE name = %s", (name,)
        ).fetchone()
        assert row is not None, "names come from the database"
        source_id, history_from = row
        now = clock(connection)
        cut = now - older_than
        if history_from is not None and history_from > cut:
            cut = history_from
        result = Pruned(name, cut)
        values = {"source": source_id, "cut": cut, "step": STEP, "deleted_before": None}
        if deleted_images_older_than is not None:
            values["deleted_before"] = now - deleted_images_older_than
        if plan:
            _count(connection, values, result)
            return result
    lease = leases.wait(database, source_id, str(uuid.uuid4()), 10)
    if lease is None:
        raise SourceBusy(f"source {name!r} is busy; try again when its run has ended")
    with leases.Keeper(database, lease):
        leases.written(database, lease, partial(_move_history_from, values=values))
        for table in ENDED:
            result.rows[table] = _in_steps(database, lease, table, values, progress)
        if values["deleted_before"] is not None:
            _drop_images(database, lease, values, result, progress)
    return result


def _move_history_from(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(SQL["move_history_from"], values)
    values["kept_from"] = _kept_from(connection, values)


def _kept_from(connection: Connection, values: dict[str, object]) -> datetime | None:
    """From here on the ledger stays: the last observation before the cut that speaks of every image."""
    row = connection.execute(SQL["kept_from"], values).fetchone()
    return row[0] if row else None


def _count(connection: Connection, values: dict[str, object], result: Pruned) -> None:
    values["kept_from"] = _kept_from(connection, values)
    for table in ENDED:
        row = connection.execute(f"SELECT count(*) FROM ({SQL[f'ended_{table}']}) ended", values).fetchone()
        result.rows[table] = row[0] if row else 0
    if values["deleted_before"] is not None:
        row = connection.execute(SQL["count_deleted_images"], values).fetchone()
        result.images = row[0] if row else 0


def _in_steps(
    database: Database,
    lease: leases.Lease,
    table: str,
    values: dict[str, object],
    progress: Callable[[int], None],
) -> int:
    some = f"DELETE FROM {table} WHERE ctid = ANY (ARRAY({SQL[f'ended_{table}']} LIMIT %(step)s))"
    total = 0
    while True:
        gone = leases.written(database, lease, lambda connection: connection.execute(some, values).rowcount)
        total += gone
        progress(gone)
        if gone < STEP:
            return total


def _drop_images(
    database: Database,
    lease: leases.Lease,
    values: dict[str, object],
    result: Pruned,
    progress: Callable[[int], None],
) -> None:
    while True:
        images, gone = leases.written(database, lease, partial(_drop_some_images, values=values))
        for table, count in gone.items():
            result.rows[table] = result.rows.get(table, 0) + count
        result.images += images
        progress(images)
        if images < STEP:
            return


def _drop_some_images(connection: Connection, values: dict[str, object]) -> tuple[int, dict[str, int]]:
    """How many images went, and rows by table."""
    ids = [row[0] for row in connection.execute(SQL["deleted_images"], values)]
    wanted = (values["source"], ids)
    return len(ids), {
        table: connection.execute(
            f"DELETE FROM {table} WHERE source_id = %s AND image_id = ANY(%s)", wanted
        ).rowcount
        for table in OF_IMAGES
    }
