"""A cluster of Citus: tables spread before and after there are rows, migrations on them, a source on one shard.

All other tests that store run there too, where CATALOG_TEST_CITUS_URL names a coordinator.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.config.settings import DatabaseSettings
from catalog.errors import UsageError
from catalog.store.db import distribution, privileges, schema
from catalog.store.db.connection import Database
from tests.migration.filled import fill
from tests.support import citus
from tests.support.rows import HISTORY, SWEEPS, contents_of
from tests.support.statements import ABOUT_MANY, EVERY, OF_BATCHES

AT = datetime(2026, 1, 1, tzinfo=UTC)
RUN = "00000000-0000-0000-0000-000000000001"
VALUES: dict[str, Any] = {
    "source": "s", "ids": ["a", "b"], "ats": [AT] * 2, "tos": [AT] * 2, "at": AT, "raws": [b"r"] * 2,
    "contents": [b"c"] * 2, "answers": ["found"] * 2, "run": RUN, "batch": 1, "reason": "limit",
    "reasons": ["not_found"] * 2, "runs": [RUN] * 2, "kept": [False] * 2, "by": "x", "before": AT,
    "complete_only": True, "complete": True, "contained": b"x", "inconclusive": b"x", "covers_hidden": True,
    "set": b"x", "kind": "sync", "kinds": ["listed"], "most": 3, "login": ["x"], "holder": RUN,
    "fence": 1, "seconds": 60.0, "longest": 7200.0, "since": AT,
    "image": "a", "overlap": 5.0, "names": ["n"], "decision": "open", "among": ["open"],
    "clock": AT, "visibilities": ["x"], "limit": 5, "visibility": "x",
    "within": timedelta(days=1), "decided": [AT, None], "deciders": ["x", None],
    "by_login": True, "unknown": "x", "admin": "x", "project": "x", "but": ["a"], "day": 1, "new": ["a"],
    "owners": ["x"], "systems": ["x"], "asked": ["a"],
}  # fmt: skip
FILES = (*OF_BATCHES, "leases")
OF_ONE_SOURCE = sorted(
    key for key, text in EVERY.items() if key[0] in FILES and key not in ABOUT_MANY and "COPY" not in text
)
"""What a sweep says, but for a COPY."""


@pytest.fixture
def unspread(server_url: str) -> Iterator[Database]:
    """A database of the cluster with the extension and nothing of ours."""
    name = f"unspread_{os.getpid()}"
    citus.create_database(server_url, name)
    url = psycopg.conninfo.make_conninfo(server_url, dbname=name)
    parts = psycopg.conninfo.conninfo_to_dict(url)
    address = f"postgresql://{parts['user']}@{parts['host']}:{parts['port']}/{name}"
    with Database(DatabaseSettings(url=address, data_dir=Path())) as database:
        yield database
    citus.drop_database(server_url, name)


@citus.unfit("the extension is there")
def test_without_the_extension_nothing_is_spread(database: Database) -> None:
    with pytest.raises(UsageError, match="lacks the extension citus"):
        distribution.distribute(database)


@citus.needed
def test_rows_of_before_are_spread_once_and_stay_what_they_were(unspread: Database) -> None:
    schema.upgrade(unspread)
    fill(unspread)
    before = contents_of(unspread, "s", (*HISTORY, *SWEEPS))
    planned = distribution.distribute(unspread, plan=True)
    assert [placement.table for placement in planned][:2] == ["catalog_schema_version", "capabilities"]
    assert distribution.distribute(unspread) == planned == distribution.placements()
    unspread.close()  # a process of before would go on as if nothing had happened
    assert distribution.distribute(unspread) == []
    assert contents_of(unspread, "s", (*HISTORY, *SWEEPS)) == before


@citus.needed
def test_a_restored_catalog_has_a_lease_for_each_source(unspread: Database) -> None:
    """Questions about many sources go by them, and `db restore` brings none."""
    schema.upgrade(unspread)
    fill(unspread)
    with unspread.transaction() as connection:
        connection.execute("DELETE FROM leases")
    distribution.distribute(unspread)
    with unspread.session() as connection:
        assert connection.execute("SELECT source_id FROM leases").fetchall() == [
            row[:1] for row in connection.execute("SELECT source_id FROM sources")
        ]


@citus.needed
def test_a_source_is_in_one_place_in_every_table(database: Database) -> None:
    fill(database)
    with database.session() as connection:
        rows = connection.execute(
            "SELECT DISTINCT p.groupid FROM pg_dist_partition t"
            " JOIN pg_dist_placement p ON p.shardid = get_shard_id_for_distribution_column("
            " t.logicalrelid, (SELECT source_id FROM sources)) WHERE t.partmethod = 'h'"
        ).fetchall()
    assert len(rows) == 1


@citus.needed
def test_a_role_for_views_only_would_see_nothing(database: Database) -> None:
    with pytest.raises(UsageError, match="leave it out"):
        privileges.grant(database, "postgres", "viewer")


@citus.needed
def test_migrations_run_on_spread_tables_and_new_tables_are_spread_too(database: Database) -> None:
    from alembic import command

    fill(database)
    before = contents_of(database, "s")
    with database.migration_connection() as connection:
        config = schema.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
    assert schema.upgrade(database) == ("0002", schema.head())
    assert distribution.distribute(database, plan=True) == []
    assert contents_of(database, "s") == before


def test_each_parameter_of_a_statement_has_a_value_here() -> None:
    """Told without a cluster too, where a new statement comes with a new one."""
    named = {name for key in OF_ONE_SOURCE for name in re.findall(r"%\((\w+)\)s", EVERY[key])}
    assert named == VALUES.keys()


@citus.needed
@pytest.mark.parametrize(("file", "name"), OF_ONE_SOURCE)
def test_a_statement_of_a_sweep_is_one_shards_work(module_database: Database, file: str, name: str) -> None:
    query = re.sub(r"DECLARE .* FOR\n", "", EVERY[file, name]).rstrip(";")
    with module_database.transaction() as connection:
        lines = [row[0] for row in connection.execute(f"EXPLAIN {query}".encode(), VALUES)]
    plan = "\n".join(lines)
    # what lists alone are inserted from is not read from tables
    assert "Task Count: 1\n" in plan or "INSERT ... SELECT" in plan, plan
