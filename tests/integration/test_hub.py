"""Two regional catalogs in one hub, by the commands of docs/hub.md, on three servers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from catalog.config.settings import DatabaseSettings
from catalog.report.queries import run_report
from catalog.store.db import schema
from catalog.store.db.connection import Database
from catalog.store.db.embedded.server import EmbeddedServer
from catalog.store.db.tables import metadata
from tests.conftest import FAST
from tests.support.rows import HISTORY, SWEEPS, contents_of, rows
from tests.support.world import Sites

PAGE = (Path(__file__).parents[2] / "docs" / "hub.md").read_text(encoding="utf-8")
SQL = dict(re.findall(r"^```psql ([^\n]+)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE))
LOGICAL = {**FAST, "wal_level": "logical", "max_wal_senders": "10", "max_replication_slots": "10"}
TABLES = (*HISTORY, *SWEEPS, "runs", "image_state")
REGIONS = ("eu_de", "eu_nl")
ADDRESSES = {"eu_de": "127.0.0.2", "eu_nl": "127.0.0.3"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, EmbeddedServer]]:
    """Three servers, by the name of what they hold. Regions are reached by TCP, each at an address of its own."""
    found = {}
    for name in ("hub", *REGIONS):
        listening = {"listen_addresses": ADDRESSES[name]} if name in ADDRESSES else {}
        server = found[name] = EmbeddedServer(tmp_path_factory.mktemp(name), {**LOGICAL, **listening})
        with psycopg.connect(server.acquire(), autocommit=True) as connection:
            rules = server.cluster / "pg_hba.conf"
            rules.write_text(f"host all hub 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
            connection.execute("SELECT pg_reload_conf()")
    yield found
    for server in found.values():
        server.release()


def opened(server: EmbeddedServer, stack: ExitStack) -> Database:
    return stack.enter_context(Database(DatabaseSettings(url=server.acquire(), data_dir=Path())))


def run(database: Database, *names: str, **values: str) -> None:
    with psycopg.connect(database.libpq_url, autocommit=True) as connection:
        for name in names:
            text = SQL[name]
            for key, value in values.items():
                text = text.replace(key, value)
            for statement in schema.statements(text):
                connection.execute(statement.encode())


def eventually(claim: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < ends, "it never came about"
        time.sleep(0.2)


def test_what_is_published_is_every_table_of_a_source_that_is_not_work_of_its_own() -> None:
    published = set(re.findall(r"\b[a-z_]+\b", SQL["region"].split("FOR TABLE")[1]))
    of_sources = {name for name, table in metadata.tables.items() if "source_id" in table.c}
    assert published == of_sources - {"leases", "stage", "webhook_positions"}


def test_regions_are_seen_in_the_hub(servers: dict[str, EmbeddedServer]) -> None:
    with ExitStack() as stack:
        follow(servers, stack)


def follow(servers: dict[str, EmbeddedServer], stack: ExitStack) -> None:
    hub = opened(servers["hub"], stack)
    schema.upgrade(hub)
    sites = {}
    for region in REGIONS:
        database = opened(servers[region], stack)
        schema.upgrade(database)
        of_region = Sites(database)
        stack.callback(of_region.close)
        sites[region] = of_region.open(name=region, images=30, page_size=100)
        assert sites[region].sweep().outcome == "complete"
        run(database, "region")
        address = f"host={ADDRESSES[region]} port=5432 dbname=catalog user=hub password=secret"
        run(hub, "hub", eu_de=region, REGION=address)
    eventually(lambda: not rows(hub, SQL["copying"]))
    first, second = sites.values()

    def same(site: object) -> bool:
        return contents_of(hub, site.source.name, TABLES) == contents_of(  # type: ignore[attr-defined]
            site.database,
            site.source.name,
            TABLES,  # type: ignore[attr-defined]
        )

    assert same(first)
    assert same(second)

    # a sweep arrives, from one region while the other is away
    servers["eu_nl"].release()
    first.cloud.change("image-003", status="deactivated", __support_unheard="true")
    first.cloud.delete("image-004")
    assert first.sweep().deleted == 1
    eventually(lambda: same(first))
    run(hub, "hub again")
    with hub.transaction(read_only=True) as connection:
        live = {row[0]: row[1] for row in run_report(connection, "summary").rows}
        assert live == {"eu_de": 29, "eu_nl": 30}

    # the other one is back; the hub knows a column that regions do not have yet
    with hub.session() as connection:
        connection.execute("ALTER TABLE images ADD COLUMN later text")
        connection.commit()
    servers["eu_nl"].acquire()
    second.cloud.delete("image-005")
    assert second.sweep().deleted == 1
    eventually(lambda: live_in(hub, "eu_nl") == 29)


def live_in(database: Database, source: str) -> int:
    question = "SELECT count(*) AS n FROM image_overview WHERE source = %s"
    return int(rows(database, question, source)[0]["n"])
