"""Removing a source with all its rows, under its lease and in short transactions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial

from catalog.store.db.connection import Connection, Database
from catalog.store.db.statements import load
from catalog.store.db.tables import key_in_source, metadata
from catalog.store.state import leases
from catalog.store.state.sources import Source, retire

STEP = 5000
"""Rows per transaction."""
_LAST = ("sources", "leases")
TABLES = (
    *(name for name, table in metadata.tables.items() if "source_id" in table.c and name not in _LAST),
    *_LAST,
)
"""Every table with rows of a source. The source's own row goes last: what was interrupted can be done again."""
_SQL = load("source_removal.sql")


def count(connection: Connection, source_id: str) -> dict[str, int]:
    """The rows that `remove` would delete, by table; without those that only work under way needs."""
    counts = {}
    for table in TABLES:
        row = connection.execute(
            f"SELECT count(*) FROM {table} WHERE source_id = %s", (source_id,)
        ).fetchone()
        assert row is not None
        counts[table] = int(row[0])
    return {table: rows for table, rows in counts.items() if rows and table not in ("leases", "stage")}


def remove(database: Database, source: Source, progress: Callable[[int], None] = lambda rows: None) -> None:
    """Deletes every row of a source. It is retired first, so that no view of the present shows half of it.

    Raises SourceBusy, LeaseLost and DatabaseError; then `remove` can be called again.
    """
    with leases.held(database, source.source_id, source.name) as lease:
        leases.transact(database, lease, partial(retire, name=source.name))
        for table in TABLES:
            if table not in _LAST and key_in_source(table):
                while rows := leases.transact(
                    database, lease, partial(_delete_some, table=table, lease=lease)
                ):
                    progress(rows)
        leases.transact(database, lease, partial(_delete, source_id=source.source_id))


def drop_unread(database: Database, name: str, *, due: bool = False) -> None:
    """Leaves no row of a source of which nothing was ever read, unless somebody is at it, or a daemon sweeps it;
    with `due` that daemon itself says that it does not."""
    with database.transaction(read_only=True) as connection:
        row = connection.execute(
            "SELECT source_id FROM sources WHERE name = %s AND observed_since IS NULL", (name,)
        ).fetchone()
    lease = leases.wait(database, row[0], str(uuid.uuid4()), 0) if row else None
    if lease is None:
        return

    def drop(connection: Connection) -> None:
        if _SQL.run(connection, "lock_unread", source=lease.source_id, due=due).fetchone() is not None:
            _delete(connection, lease.source_id)

    with leases.LeaseRenewer(database, lease):
        leases.transact(database, lease, drop)


def _delete_some(connection: Connection, table: str, lease: leases.Lease) -> int:
    key = key_in_source(table)
    some = f"SELECT {key} FROM {table} WHERE source_id = %(source)s LIMIT {STEP}"
    statement = f"DELETE FROM {table} WHERE source_id = %(source)s AND ({key}) IN ({some})"
    return connection.execute(statement, {"source": lease.source_id}).rowcount


def _delete(connection: Connection, source_id: str) -> None:
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE source_id = %s", (source_id,))
