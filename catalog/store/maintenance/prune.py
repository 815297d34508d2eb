"""Forgetting old history in small steps: what held at the cut stays, what ended before it goes.

Each step is a short transaction under the source's lease. `sources.history_from` moves first, so that no
reader takes a half-pruned past for the whole one. Observations from the cut on can still be loaded and
forgotten: prune.sql and `needed` say which rows from before it that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from catalog.store.db.connection import Connection, Database, clock
from catalog.store.db.statements import load
from catalog.store.db.tables import key_in_source
from catalog.store.maintenance.needed import needed
from catalog.store.state import leases, runs

STEP = 5000
"""Rows a transaction."""
SQL = load("prune.sql")
MOMENTS = {"revision_documents": "observed_at", "revisions": "observed_at", "status_history": "valid_from",
           "absences": "observed_at"}  # fmt: skip
"""Tables of images, and the moment in their key."""
LEDGERS = ("observations", "run_passes", "runs", "held_deletions", "kept_images", "loaded_files", "rejections",
           "id_sets")  # fmt: skip
OF_IMAGES = ("revision_documents", "revisions", "status_history", "image_tags", "image_capabilities",
             "image_properties", "image_state", "lookups", "held_deletions", "kept_images", "absences",
             "images")  # fmt: skip
_START = datetime.min.replace(tzinfo=UTC)
Values = dict[str, Any]


@dataclass(slots=True)
class Pruned:
    """The rows that went, or would go, from one source, by table."""

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

    `deleted_images_older_than` must not be shorter than `older_than`: the history that is kept shows images
    that were deleted in it. Raises SourceBusy if a source is busy.
    """
    assert deleted_images_older_than is None or deleted_images_older_than >= older_than
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
        values: Values = {"source": source_id, "cut": cut, "step": STEP, "image": "", "at": _START}
        if deleted_images_older_than is not None:
            values["deleted_before"] = now - deleted_images_older_than
        if plan:
            _count(connection, values, result)
            return result
    with leases.held(database, source_id, name) as lease:
        values |= leases.transact(database, lease, partial(_begin, values=values))
        for table in MOMENTS:
            result.rows[table] = _walk(database, lease, table, values, progress)
        for table in LEDGERS:
            result.rows[table] = _in_steps(database, lease, table, values, progress)
        if "deleted_before" in values:
            _drop_images(database, lease, values, result, progress)
    return result


def _begin(connection: Connection, values: Values) -> Values:
    SQL.run(connection, "move_history_from", **values)
    return _look(connection, values)


def _look(connection: Connection, values: Values) -> Values:
    """Finds what of the ledger stays: `needed`, with what `last_complete_at` comes from, and `evidence_from`."""
    moments = needed(connection, values["source"], values["cut"])
    evidence = SQL.value(connection, "evidence_from", **values)
    # what `sources.last_complete_at` falls back on when later sweeps are forgotten
    complete = runs.last_complete_before(connection, values["source"], values["cut"])
    if complete is not None:
        moments.add(complete)
    return {"needed": list(moments), "evidence_from": evidence}


def _count(connection: Connection, values: Values, result: Pruned) -> None:
    values = values | _look(connection, values) | {"step": None}
    for table in (*MOMENTS, *LEDGERS):
        result.rows[table] = _rows_of(connection, SQL[f"ended_{table}"], values)
    if "deleted_before" in values:
        result.images = _rows_of(connection, SQL["deleted_images"], values)


def _rows_of(connection: Connection, query: str, values: Values) -> int:
    row = connection.execute(f"SELECT count(*) FROM ({query}) ended", values).fetchone()
    return int(row[0]) if row else 0


def _walk(
    database: Database,
    lease: leases.Lease,
    table: str,
    values: Values,
    progress: Callable[[int], None],
) -> int:
    """Takes out of a table of images what ended, image by image; how many rows went."""
    total, place = 0, values
    while True:
        gone, rows = leases.transact(database, lease, partial(_take_out, table=table, values=place))
        total += gone
        progress(gone)
        if len(rows) < STEP:
            return total
        place = values | {"image": rows[-1][0], "at": rows[-1][1]}


def _take_out(connection: Connection, table: str, values: Values) -> tuple[int, list[tuple[str, datetime]]]:
    rows = connection.execute(SQL[f"ended_{table}"], values).fetchall()
    named = {"source": values["source"], "ids": [row[0] for row in rows], "ats": [row[1] for row in rows]}
    statement = SQL.text(connection, "take_out").format(table=table, moment=MOMENTS[table])
    return connection.execute(statement, named).rowcount, rows


def _in_steps(
    database: Database,
    lease: leases.Lease,
    table: str,
    values: Values,
    progress: Callable[[int], None],
) -> int:
    chosen = f"({key_in_source(table)}) IN ({SQL[f'ended_{table}']} LIMIT %(step)s)"
    some = f"DELETE FROM {table} WHERE source_id = %(source)s AND {chosen}"
    total = 0
    while True:
        gone = leases.transact(database, lease, lambda connection: connection.execute(some, values).rowcount)
        total += gone
        progress(gone)
        # fewer than a step do not tell: a row that somebody else has just changed may be passed over
        if not gone:
            return total


def _drop_images(
    database: Database,
    lease: leases.Lease,
    values: Values,
    result: Pruned,
    progress: Callable[[int], None],
) -> None:
    while True:
        ids, gone = leases.transact(database, lease, partial(_drop_some_images, values=values))
        for table, count in gone.items():
            result.rows[table] = result.rows.get(table, 0) + count
        result.images += len(ids)
        progress(len(ids))
        if len(ids) < STEP:
            return
        values = values | {"image": ids[-1]}


def _drop_some_images(connection: Connection, values: Values) -> tuple[list[str], dict[str, int]]:
    """Deletes a step of images; their ids, and rows by table."""
    ids = [row[0] for row in connection.execute(SQL["deleted_images"], values)]
    wanted = (values["source"], ids)
    return ids, {
        table: connection.execute(
            f"DELETE FROM {table} WHERE source_id = %s AND image_id = ANY(%s)", wanted
        ).rowcount
        for table in OF_IMAGES
    }
