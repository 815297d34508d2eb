"""Loads made-up observations through the writer, for tests of what is kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from catalog.mapping import MappingRules, map_record
from catalog.model import Candidate, Observation
from catalog.run.contents import Contents
from catalog.store.database import Connection, Database
from catalog.store.merge import Merge

SOURCE = "s"
START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def add_source(database: Database, source_id: str = SOURCE, name: str = "cloud") -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO sources (source_id, name, kind, created_at) VALUES (%s, %s, 'glance', now())",
            (source_id, name),
        )


def observe(
    connection: Connection,
    at: datetime,
    records: Mapping[str, Mapping[str, Any]],
    *,
    complete: bool = True,
    rules: MappingRules | None = None,
    **more: Any,
) -> str:
    """One observation, merged; returns its run id."""
    rules = rules or MappingRules()
    run_id = str(uuid.uuid4())
    candidates = [
        Candidate(map_record(json.dumps({"id": image_id, **record}).encode(), rules))
        for image_id, record in records.items()
    ]
    merge = Merge(connection, SOURCE, run_id, Contents(rules), datetime.now(UTC))
    merge.apply(Observation(run_id, at, complete, candidates, **more))
    return run_id


def rows(connection: Connection, query: str, *values: object) -> list[tuple[Any, ...]]:
    return connection.execute(query, values).fetchall()
