"""A row that somebody else changes while ours waits is written all the same, by what it has become."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import psycopg
import pytest

from catalog.store.db.connection import Database
from tests.migration.filled import START, fill
from tests.support import citus
from tests.support.statements import STATEMENTS

LATER = START + timedelta(days=9)
TABLES = {
    "relist": "images",
    "unlist": "images",
    "date_unlisted": "images",
    "move_first_seen": "images",
    "forget_raw": "image_state",
    "refresh_hashes": "image_state",
    "close_revisions": "revisions",
    "close_periods": "status_history",
    "delete_revisions": "revisions",
    "delete_documents": "revision_documents",
    "delete_periods": "status_history",
}
DATES = {"relist": None, "date_unlisted": LATER, "move_first_seen": LATER}
OURS = {**STATEMENTS, "relist": STATEMENTS["date_unlisted"]}


@citus.unfit("the coordinator sees no locks of the nodes")
@pytest.mark.parametrize("name", TABLES)
def test_it_is_not_passed_over(database: Database, name: str) -> None:
    fill(database)
    table = TABLES[name]
    with database.transaction() as connection:
        row = connection.execute("SELECT source_id FROM sources").fetchone()
        assert row is not None
        if name == "relist":
            connection.execute("UPDATE images SET unlisted_since = now()")
    values = {
        "source": row[0], "ids": ["a"], "ats": [DATES.get(name, START)], "tos": [LATER], "at": LATER,
        "raws": [b"r"], "contents": [b"c"],
    }  # fmt: skip
    written: list[int] = []

    def write() -> None:
        with database.transaction() as ours:
            written.append(ours.execute(OURS[name].encode(), values).rowcount)

    thread = threading.Thread(target=write)
    with psycopg.connect(database.libpq_url) as somebody:
        somebody.execute(f"UPDATE {table} SET image_id = image_id WHERE image_id = 'a'".encode())
        thread.start()
        wait_for_a_waiting_one(database)
        somebody.commit()
        thread.join(30)
    assert written == [1]


def wait_for_a_waiting_one(database: Database) -> None:
    question = (
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE NOT granted AND datname = current_database()"
    )
    with psycopg.connect(database.libpq_url, autocommit=True) as watching:
        for _ in range(1000):
            found = watching.execute(question).fetchone()
            if found is not None and found[0]:
                return
            time.sleep(0.01)
    raise AssertionError("ours does not wait")
