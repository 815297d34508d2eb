"""What the tables say, apart from when it was written: for comparing two ways to the same history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from catalog.settings import SourceSettings
from catalog.store.database import Database

HISTORY = (
    "images", "image_tags", "image_capabilities", "image_properties", "revisions", "revision_documents",
    "status_history", "lacks",
)  # fmt: skip
SWEEPS = ("run_passes", "rejected_records", "look_ups", "held_deletions")
_LEFT_OUT = {
    # CONTRACT 4.6: the three URLs and recorded_at are outside of the promise
    "source_id", "recorded_at", "file_url", "self_url", "schema_url", "decided_at", "decided_by",
}  # fmt: skip
EVERYTHING = (
    *HISTORY, *SWEEPS, "image_state", "observations", "id_sets", "runs", "leases", "sources", "stage",
)  # fmt: skip
Told = dict[str, list[str]]


def told(database: Database, source: str, tables: tuple[str, ...] = HISTORY) -> Told:
    """Rows of a source's tables as text, sorted, and its observations with their sets of ids."""
    result: Told = {}
    for table in tables:
        found = _rows(
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
        for row in _rows(
            database,
            "SELECT observed_at, complete, run_ids::text[], (SELECT image_ids FROM id_sets s"
            " WHERE s.source_id = o.source_id AND s.set_id = o.held_set) AS held,"
            " (SELECT jsonb_object_agg(kind, image_ids) FROM id_sets s WHERE s.source_id = o.source_id"
            " AND s.set_id = o.silent_set) AS silent FROM observations o JOIN sources USING (source_id)"
            " WHERE name = %s ORDER BY observed_at",
            source,
        )
    ]
    return result


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _rows(database: Database, query: str, *values: Any) -> list[dict[str, Any]]:
    with database.session() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()


def wipe(database: Database) -> None:
    """An empty database again."""
    with database.transaction() as connection:
        for table in EVERYTHING:
            connection.execute(f"DELETE FROM {table}")


def source(name: str = "s", **settings: Any) -> SourceSettings:
    return SourceSettings(name, settings.pop("kind", "glance"), **settings)


def write(folder: Path, name: str, content: Any) -> Path:
    """A file with this content: JSON, unless it is bytes."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path
