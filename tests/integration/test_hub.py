"""Two regional catalogs in one hub, by the commands of docs/hub.md, on three servers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from catalog.config.settings import DatabaseSettings
from catalog.errors import DatabaseError
from catalog.report.queries import run_report
from catalog.store.db import schema
from catalog.store.db.connection import Database
from catalog.store.db.embedded.server import EmbeddedServer
from catalog.store.db.tables import metadata
from catalog.store.maintenance.source_removal import remove
from catalog.store.state import sources
from tests.conftest import FAST
from tests.support.rows import HISTORY, SWEEPS, contents_of, rows
from tests.support.world import Site, Sites

PAGE = (Path(__file__).parents[2] / "docs" / "hub.md").read_text(encoding="utf-8")
SQL = dict(re.findall(r"^```psql ([^\n]+)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE))
LOGICAL = {
    **FAST, "wal_level": "logical", "max_wal_senders": "10", "max_replication_slots": "10",
    "wal_retrieve_retry_interval": "100ms",
}  # fmt: skip
WRITES = re.findall(r"PGOPTIONS='(.+?)'", PAGE)[0]
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


def opened(url: str, stack: ExitStack) -> Database:
    return stack.enter_context(Database(DatabaseSettings(url=url, data_dir=Path())))


def run(database: Database, name: str, **values: str) -> None:
    text = SQL[name]
    for key, value in values.items():
        text = text.replace(key, value)
    execute(database, *schema.statements(text))


def execute(database: Database, *statements: str) -> None:
    with psycopg.connect(database.libpq_url, autocommit=True, options=WRITES) as connection:
        for statement in statements:
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


@pytest.fixture(scope="module")
def joined(servers: dict[str, EmbeddedServer]) -> Iterator[tuple[Database, Site, Site]]:
    """The hub, which takes no writes, and a source in each of the two regions that it follows."""
    with ExitStack() as stack:
        hub = opened(servers["hub"].acquire(), stack)
        schema.upgrade(hub)
        run(hub, "hub takes no writes")
        hub.close()
        sites = []
        for region in REGIONS:
            database = opened(servers[region].acquire(), stack)
            schema.upgrade(database)
            of_region = Sites(database)
            stack.callback(of_region.close)
            site = of_region.open(name=region, images=30, page_size=100)
            sites.append(site)
            assert site.sweep().outcome == "complete"
            run(database, "region")
            subscribe(hub, region)
        yield hub, sites[0], sites[1]


def subscribe(hub: Database, region: str) -> None:
    address = f"host={ADDRESSES[region]} port=5432 dbname=catalog user=hub password=secret"
    run(hub, "hub", eu_de=region, REGION=address)
    eventually(lambda: not rows(hub, SQL["copying"]))


def arrived(hub: Database, site: Site) -> bool:
    return contents_of(hub, site.source.name, TABLES) == contents_of(site.database, site.source.name, TABLES)


def lose(site: Site, image_id: str) -> None:
    site.cloud.delete(image_id)
    assert site.sweep().deleted == 1


def test_a_sweep_arrives_while_another_region_is_away(
    servers: dict[str, EmbeddedServer], joined: tuple[Database, Site, Site]
) -> None:
    hub, first, second = joined
    assert arrived(hub, first)
    assert arrived(hub, second)
    servers["eu_nl"].release()
    first.cloud.change("image-003", status="deactivated", __support_unheard="true")
    lose(first, "image-004")
    eventually(lambda: arrived(hub, first))
    run(hub, "hub again")
    with hub.transaction(read_only=True) as connection:
        live = {row[0]: row[1] for row in run_report(connection, "summary").rows}
    assert live == {"eu_de": 29, "eu_nl": 30}
    servers["eu_nl"].acquire()
    lose(second, "image-005")
    eventually(lambda: arrived(hub, second))


def test_nobody_writes_into_the_hub_by_mistake(joined: tuple[Database, Site, Site]) -> None:
    with pytest.raises(DatabaseError, match="takes no writes"), joined[0].transaction() as connection:
        sources.rename(connection, "eu_de", "mine")


def test_a_newer_hub_takes_the_rows_of_regions_before_it(joined: tuple[Database, Site, Site]) -> None:
    """A column that they lack stays empty; a table that they have got at last joins."""
    hub, first, _ = joined
    execute(hub, "ALTER TABLE images ADD COLUMN later text", "CREATE TABLE new_table (id int PRIMARY KEY)")
    lose(first, "image-006")
    gone = "SELECT later FROM images WHERE image_id = 'image-006' AND deleted_at IS NOT NULL"
    eventually(lambda: rows(hub, gone) == [{"later": None}])
    execute(hub, "ALTER TABLE images DROP COLUMN later")
    execute(
        first.database,
        "CREATE TABLE new_table (id int PRIMARY KEY)",
        "GRANT SELECT ON new_table TO hub",
        "INSERT INTO new_table VALUES (7)",
    )
    run(first.database, "new table in the region")
    run(hub, "new table in the hub")
    eventually(lambda: rows(hub, "SELECT id FROM new_table") == [{"id": 7}])


def test_a_region_waits_while_another_has_the_name_of_its_source(joined: tuple[Database, Site, Site]) -> None:
    hub, first, second = joined

    def renamed(site: Site, old: str, new: str) -> None:
        with site.database.transaction() as connection:
            sources.rename(connection, old, new)

    def names() -> list[str]:
        return [row["name"] for row in rows(hub, "SELECT name FROM sources ORDER BY name")]

    renamed(second, "eu_nl", "eu_de")
    eventually(lambda: bool(rows(hub, SQL["errors"])))
    renamed(second, "eu_de", "eu_nl")  # too late: what comes first is still in the way
    renamed(first, "eu_de", "other")
    eventually(lambda: names() == ["eu_nl", "other"])
    renamed(first, "other", "eu_de")
    eventually(lambda: names() == ["eu_de", "eu_nl"])


def test_a_region_is_joined_anew(joined: tuple[Database, Site, Site]) -> None:
    hub, _, second = joined
    run(hub, "gone", eu_de="eu_nl")
    with ExitStack() as stack:
        writing = opened(f"{hub.libpq_url}&options={quote(WRITES)}", stack)
        with writing.transaction(read_only=True) as connection:
            source = sources.known(connection, "eu_nl")
        remove(writing, source)
    lose(second, "image-007")
    subscribe(hub, "eu_nl")
    eventually(lambda: arrived(hub, second))
