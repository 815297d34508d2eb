"""Databases with nothing in them, and migrations run on them in each way that people have."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

from catalog.config.settings import DatabaseSettings
from catalog.store.db.connection import Database
from tests.migration.portrait import Portrait, portrait
from tests.support import citus
from tests.support.environment import bare

CHECKOUT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    with Database(DatabaseSettings(url=empty_database_url, data_dir=Path())) as database:
        yield database


@pytest.fixture(scope="session")
def expected(server_url: str, template: str) -> Portrait:
    """What `catalog db upgrade` makes of an empty database."""
    if citus.URL:
        pytest.skip(
            "on Citus: tables of the template are spread, so its schema is another; test_citus migrates there"
        )
    url = make_url(server_url).set(database=template)
    return portrait(url.render_as_string(hide_password=False))


@pytest.fixture
def owner_url(server_url: str) -> Iterator[str]:
    """An empty database, and a role without any privilege but to own it; names and password are odd."""
    name, password = f"own%er {os.getpid()}", "p%40s:/@?#'\"\\"
    owner, database = (psycopg.sql.Identifier(part) for part in (name, f"a%41b:c {os.getpid()}"))
    statements = psycopg.sql.SQL
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statements("CREATE ROLE {} LOGIN NOSUPERUSER PASSWORD {}").format(owner, password))
        connection.execute(statements("CREATE DATABASE {} OWNER {}").format(database, owner))
    url = make_url(server_url)
    address = URL.create("postgresql", name, password, url.host, url.port, query=url.query)
    place, _, query = address.render_as_string(hide_password=False).partition("?")
    yield f"{place}/{quote(f'a%41b:c {os.getpid()}')}?{query}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statements("DROP DATABASE {} WITH (FORCE)").format(database))
        connection.execute(statements("DROP ROLE {}").format(owner))


@pytest.fixture
def command(tmp_path: Path) -> Run:
    """Runs a module (catalog, alembic) in a process of its own, with a database and nothing else configured."""

    def run(module: str, *arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(start(module, *arguments), **surroundings(url, tmp_path), timeout=120)  # type: ignore[call-overload, no-any-return]

    return run


def start(module: str, *arguments: str) -> list[str]:
    more = ["-c", str(CHECKOUT / "alembic.ini")] if module == "alembic" else []
    return [sys.executable, "-m", module, *more, *arguments]


def surroundings(url: str | None, folder: Path) -> dict[str, object]:
    """Keywords of subprocess: a folder without configuration, an environment that names the database."""
    environment = {**bare(), "HOME": str(folder), "PYTHONPATH": str(CHECKOUT)}
    if url is not None:
        environment["CATALOG_DATABASE_URL"] = url
    return {"cwd": folder, "env": environment, "text": True, "capture_output": True}
