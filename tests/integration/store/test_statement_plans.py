"""Each row that a batch names is found through an index, whatever the planner believes of the tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from catalog.store.db.connection import Database
from catalog.store.history.stage import Stage
from tests.migration.filled import fill
from tests.support import citus
from tests.support.statements import STATEMENTS

BY_ID = sorted(name for name, text in STATEMENTS.items() if "unnest(%(ids)s" in text and name != "known_in")
MANY = 1000
AT = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = {
    "source": "another",
    "ids": [f"image-{number}" for number in range(MANY)],
    "ats": [AT] * MANY,
    "before": AT,
    "tos": [AT] * MANY,
    "at": AT,
    "raws": [b""] * MANY,
    "contents": [b""] * MANY,
    "answers": ["found"] * MANY,
    "run": "00000000-0000-0000-0000-000000000001",
    "reason": "limit",
    "reasons": ["not_found"] * MANY,
    "runs": ["00000000-0000-0000-0000-000000000001"] * MANY,
    "kept": [False] * MANY,
    "decided": [AT] * MANY,
    "deciders": ["me"] * MANY,
    "by": "backfill",
    "clock": AT,
}
assert {
    "close_revisions",
    "date_unlisted",
    "load_lines",
    "absences_before",
    "hold",
    "state_now",
    "save",
} <= set(BY_ID)

TABLES = (
    "images",
    "image_state",
    "revisions",
    "revision_documents",
    "status_history",
    "absences",
    "held_deletions",
    "kept_images",
)
COPIES = """
INSERT INTO {table}
SELECT (jsonb_populate_record(t, jsonb_build_object('image_id', t.image_id || n))).*
FROM {table} t, generate_series(1, 2000) n"""


@pytest.fixture(scope="module")
def filled(module_database: Database) -> Database:
    """Statistics from when all images were another source's: of this one there are "no" rows."""
    fill(module_database)
    with module_database.transaction() as connection:
        connection.execute("INSERT INTO absences VALUES ('s', 'a', now(), 'not_found')")
        connection.execute(
            "INSERT INTO held_deletions VALUES ('s', 'a', gen_random_uuid(), NULL, now(), 'open', NULL, NULL)"
        )
        connection.execute("INSERT INTO kept_images VALUES ('s', 'a', now(), now())")
        for table in TABLES:
            connection.execute(COPIES.format(table=table).encode())
        connection.execute("ANALYZE")
    return module_database


@citus.unfit("statements are said otherwise; test_citus looks at their plans")
@pytest.mark.parametrize("name", BY_ID)
def test_a_batch_is_not_compared_with_every_row(filled: Database, name: str) -> None:
    with filled.transaction() as connection, Stage(connection, "another", "run", AT):
        lines = [row[0] for row in connection.execute(f"EXPLAIN {STATEMENTS[name]}".encode(), VALUES)]
    # of runs there are two here: no index is faster
    costly = [
        line for line in lines if "Join Filter" in line or ("Seq Scan" in line and " on runs " not in line)
    ]
    assert costly == [], "\n".join(lines)
