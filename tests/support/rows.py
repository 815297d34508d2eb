"""Rows of the tables, whole or apart from when they were written: for comparing two ways to the same history."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from psycopg.rows import dict_row

from catalog.store.db.connection import Database

HISTORY = (
    "images", "image_tags", "image_capabilities", "image_properties", "revisions", "revision_documents",
    "status_history", "absences",
)  # fmt: skip
SWEEPS = ("run_passes", "rejected_records", "lookups", "held_deletions")
_LEFT_OUT = {
    # outside of the promise: semantics 4.6
    "source_id", "recorded_at", "file_url", "self_url", "schema_url", "decided_at", "decided_by",
}  # fmt: skip
EVERYTHING = (
    *HISTORY, *SWEEPS, "image_state", "observations", "id_sets", "runs", "leases", "sources", "stage", "rejections",
    "forgotten_runs", "loaded_files", "kept_images",
)  # fmt: skip
MappingAdapter = dict[str, list[str]]


def rows(database: Database, query: str, *values: Any) -> list[dict[str, Any]]:
    with database.session() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()


def snapshot(database: Database, without: Iterable[str] = ()) -> dict[str, set[str]]:
    """Every row of every table with its place and the transaction that wrote it: equal only if nothing was
    written."""
    tables = [
        row["relname"]
        for row in rows(
            database,
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
        )
    ]
    assert {"images", "image_state", "revisions", "stage"} <= set(tables)
    return {
        table: {
            row["row"]
            for row in rows(
                database, f"SELECT ctid::text || '/' || xmin::text || '/' || t AS row FROM {table} t"
            )
        }
        for table in tables
        if table not in without
    }


def contents_of(database: Database, source: str, tables: tuple[str, ...] = HISTORY) -> MappingAdapter:
    """Rows of a source's tables as text, sorted, and its observations with their sets of ids."""
    result: MappingAdapter = {}
    for table in tables:
        found = rows(
            database,
            f"SELECT * FROM {table} WHERE source_id = (SELECT source_id FROM sources WHERE name = %s)",
            source,
        )
        result[table] = sorted(
            json.dumps({k: v for k, v in row.items() if k not in _LEFT_OUT}, default=_shown, sort_keys=True)
            for row in found
        )
    result["observations"] = [
        json.dumps(row, default=_shown, sort_keys=True)
        for row in rows(
            database,
            "SELECT observed_at, complete, run_ids::text[], (SELECT image_ids FROM id_sets s"
            " WHERE s.source_id = o.source_id AND s.set_id = o.contained_set) AS held,"
            " (SELECT jsonb_object_agg(kind, image_ids) FROM id_sets s WHERE s.source_id = o.source_id"
            " AND s.set_id = o.inconclusive_set) AS silent FROM observations o JOIN sources USING (source_id)"
            " WHERE name = %s ORDER BY observed_at",
            source,
        )
    ]
    return result


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def wipe(database: Database) -> None:
    """An empty database again."""
    with database.transaction() as connection:
        for table in EVERYTHING:
            connection.execute(f"DELETE FROM {table}")


def images(database: Database) -> dict[str, dict[str, Any]]:
    """Rows of `images`, by id, in a database with one source."""
    return {row["image_id"]: row for row in rows(database, "SELECT * FROM images")}


def live(database: Database) -> set[str]:
    return {image_id for image_id, row in images(database).items() if row["deleted_at"] is None}
