"""Rows in the tables: of the newest schema by sweeps' own writer, of the first one from a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from catalog.mapping import MappingRules, map_record
from catalog.model import Candidate, Observation, PassResult, RejectedRecord, RunResult
from catalog.store.db.connection import Database
from catalog.store.db.tables import TRANSFERRED
from catalog.store.history.merge import Merge
from catalog.store.state import runs, sources
from catalog.sync.mapping_adapter import MappingAdapter
from tests.migration.portrait import CONTENTS

START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = MappingRules()
ROWS_OF_0001 = Path(__file__).with_name("rows_of_0001.sql")


def record(name: str, **keys: Any) -> Candidate:
    told = {"id": name, "name": f"image {name}", "status": "active", "tags": ["t"], "purpose": "x", **keys}
    return Candidate(map_record(json.dumps(told).encode(), RULES), name.encode())


def fill(database: Database) -> None:
    """Two observations of one source: an image changes, one goes, a capability is new, a record is rejected."""
    listings = (
        [record("a", __support_unheard="true"), record("b")],
        [record("a", status="deactivated", updated_at="2026-01-01T12:00:00Z", __support_unheard="true")],
    )
    with database.transaction() as connection:
        source = sources.register(connection, "s", "glance", None, 900)
        for number, candidates in enumerate(listings):
            at = START + timedelta(days=number)
            run = RunResult("s", f"00000000-0000-0000-0000-{number:012}", "sync", at, at, at, "complete")
            runs.start(connection, source.source_id, run)
            merge = Merge(connection, source.source_id, run.run_id, MappingAdapter(RULES), at)
            merge.apply(Observation(run.run_id, at, True, candidates, inconclusive={"c": "rejected"}))
            rejected = [RejectedRecord("made up", "{}", "c")]
            passes = [PassResult("listed", "complete", 1, 2, None, None)]
            runs.finish(connection, source.source_id, run, passes, rejected)


def fill_first(database: Database) -> None:
    """Rows of schema 0001: today's writer may write columns that it lacks."""
    with database.transaction() as connection:
        connection.execute(ROWS_OF_0001.read_bytes())


Columns = dict[str, list[str]]


def columns_of(database: Database) -> Columns:
    """The columns of every table but those that migrations fill, in their order."""
    question = """
        SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum"""
    with database.transaction() as connection:
        return {
            table: columns
            for table in TRANSFERRED
            if table not in CONTENTS
            and (columns := [row[0] for row in connection.execute(question, (table,))])
        }


def rows_of(database: Database, columns: Columns) -> dict[str, list[str]]:
    """These columns of every row."""
    with database.transaction() as connection:
        return {
            table: sorted(
                row[0]
                for row in connection.execute(f"SELECT ROW({', '.join(names)})::text FROM {table}".encode())
            )
            for table, names in columns.items()
        }
