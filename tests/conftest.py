"""Fixtures of all tests: one embedded PostgreSQL a session, a fresh database a test by template clone."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from catalog.config.settings import DatabaseSettings
from catalog.store.db import distribution, schema
from catalog.store.db.connection import Database
from tests.support import citus, environment

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True)
# Whoever changes one thing is told about that thing: the same commit gets the same examples.
settings.load_profile("repeatable")

environment.scrub()

_numbers = itertools.count()
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "max_wal_size": "128MB",
}


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server: CATALOG_TEST_CITUS_URL (a coordinator, whose databases are spread over its workers),
    CATALOG_TEST_SERVER_URL (the gate's PostgreSQL 15), else an embedded one."""
    given = citus.URL or os.environ.get("CATALOG_TEST_SERVER_URL")
    if given:
        yield given
        return
    from catalog.store.db.embedded.server import EmbeddedServer

    with _folder_of_server(tmp_path_factory) as folder, EmbeddedServer(folder, settings=FAST) as url:
        yield url


@contextmanager
def _folder_of_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where there is room: a database is 400 files, and a disk takes three times as long for them."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30:
        with tempfile.TemporaryDirectory(dir=memory, prefix="catalog-tests-") as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("pg")


def _database(server_url: str, name: str) -> str:
    url = psycopg.conninfo.make_conninfo(server_url, dbname=name)
    parts = psycopg.conninfo.conninfo_to_dict(url)
    from sqlalchemy.engine import URL

    return URL.create(
        "postgresql",
        username=str(parts["user"]) if "user" in parts else None,
        password=str(parts["password"]) if "password" in parts else None,
        database=name,
        query={"host": str(parts["host"]), **({"port": str(parts["port"])} if "port" in parts else {})},
    ).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """A database with every migration applied, to be cloned."""
    name = f"template_{os.getpid()}"
    citus.create_database(server_url, name)
    settings = DatabaseSettings(url=_database(server_url, name), data_dir=Path())
    with Database(settings) as database:
        schema.upgrade(database)
        if citus.URL:
            distribution.distribute(database)
    citus.close_database(server_url, name)
    yield name
    citus.drop_database(server_url, name)


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database with nothing in it."""
    yield from _fresh(server_url, "template1")


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A database of this test's own, at the newest schema, with no sources."""
    yield from _fresh(server_url, template)


@pytest.fixture(scope="module")
def module_database(server_url: str, template: str) -> Iterator[Database]:
    """A database that a module's tests share; they clean up after themselves."""
    for url in _fresh(server_url, template):
        with Database(DatabaseSettings(url=url, data_dir=Path())) as database:
            yield database


@pytest.fixture(scope="module")
def other_database(server_url: str, template: str) -> Iterator[Database]:
    """Another one that a module's tests share."""
    for url in _fresh(server_url, template):
        with Database(DatabaseSettings(url=url, data_dir=Path())) as database:
            yield database


def _fresh(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    citus.create_database(server_url, name, template)
    yield _database(server_url, name)
    citus.drop_database(server_url, name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(DatabaseSettings(url=database_url, data_dir=Path())) as database:
        yield database
