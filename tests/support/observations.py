"""Loads made-up observations through the writer, for tests of what the tables hold afterwards."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from catalog.mapping import MappingRules, map_record
from catalog.model import Candidate, Observation
from catalog.store.db.connection import Connection, Database
from catalog.store.history.merge import Merge
from catalog.sync.mapping_adapter import MappingAdapter
from tests.support.records import START

SOURCE = "s"


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def add_source(database: Database, source_id: str = SOURCE, name: str = "cloud") -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO sources (source_id, name, kind, created_at) VALUES (%s, %s, 'glance', now())",
            (source_id, name),
        )


def merge_of(connection: Connection, run_id: str, rules: MappingRules | None = None) -> Merge:
    """The writer as a run of now has it."""
    return Merge(connection, SOURCE, run_id, MappingAdapter(rules or MappingRules()), datetime.now(UTC))


def observe(
    connection: Connection,
    at: datetime,
    records: Mapping[str, Mapping[str, Any] | bytes],
    *,
    complete: bool = True,
    found: Collection[str] = (),
    run_id: str | None = None,
    rules: MappingRules | None = None,
    **more: Any,
) -> str:
    """Merges one observation; returns its run id.

    `records` by image, as bytes or without their `id`. `found`: those that a look-up brought.
    """
    rules = rules or MappingRules()
    run_id = run_id or str(uuid.uuid4())
    raw = {i: r if isinstance(r, bytes) else json.dumps({"id": i, **r}).encode() for i, r in records.items()}
    candidates = [Candidate(map_record(r, rules), listed=i not in found) for i, r in raw.items()]
    merge_of(connection, run_id, rules).apply(Observation(run_id, at, complete, candidates, **more))
    return run_id


def rows(connection: Connection, query: str, *values: object) -> list[tuple[Any, ...]]:
    return connection.execute(query, values).fetchall()
