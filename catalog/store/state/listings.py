"""Rows for people out of the ledgers: runs, and the sources that the database knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from catalog.store.db.connection import Connection
from catalog.store.db.tables import runs

RUN_COLUMNS = ("source", *(column.name for column in runs.columns))
SOURCE_COLUMNS = (
    "source", "kind", "cloud", "region", "project_id", "endpoint", "live_images", "last_complete_at",
    "failing_since", "error_kind", "retired_at",
)  # fmt: skip


def recent_runs(connection: Connection, source_ids: Sequence[str], limit: int) -> list[tuple[Any, ...]]:
    """The runs of these sources, newest first; columns as in RUN_COLUMNS."""
    columns = ", ".join(f"r.{name}" for name in RUN_COLUMNS[1:])
    return connection.execute(
        f"SELECT s.name, {columns} FROM runs r JOIN sources s USING (source_id)"
        " WHERE r.source_id = ANY(%s) ORDER BY r.started_at DESC, s.name LIMIT %s",
        (list(source_ids), limit),
    ).fetchall()


def known_sources(connection: Connection) -> list[tuple[Any, ...]]:
    """Every source of the database by name; columns as in SOURCE_COLUMNS."""
    return connection.execute(
        "SELECT s.name, s.kind, s.cloud, s.region, s.project_id, s.endpoint, coalesce(i.live, 0),"
        " s.last_complete_at, s.failing_since, s.error_kind, s.retired_at FROM sources s"
        " LEFT JOIN (SELECT source_id, count(*) AS live FROM images WHERE deleted_at IS NULL"
        " GROUP BY source_id) i USING (source_id) ORDER BY s.name"
    ).fetchall()
