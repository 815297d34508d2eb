"""A server that is up and lets this login not in says so; "is it running?" would send people the wrong way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from catalog.config.settings import DatabaseSettings
from catalog.errors import DatabaseUnavailable
from catalog.store.db.connection import Database

NAME = f"refused_{os.getpid()}"


@pytest.fixture
def refused(server_url: str) -> Iterator[None]:
    """A role that may log in, and a database that it may not enter."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {NAME} LOGIN".encode())
        connection.execute(f"CREATE DATABASE {NAME}".encode())
        connection.execute(f"REVOKE ALL ON DATABASE {NAME} FROM PUBLIC".encode())
    yield
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {NAME}".encode())
        connection.execute(f"DROP ROLE {NAME}".encode())


def failure(url: str) -> str:
    with Database(DatabaseSettings(url=url, data_dir=Path())) as database:
        with pytest.raises(DatabaseUnavailable) as raised, database.transaction():
            pass
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize(
    ("user", "name", "reason"),
    [
        ("nobody_of_ours", "postgres", 'role "nobody_of_ours" does not exist'),
        (NAME, "none", 'database "none" does not exist'),
        (NAME, NAME, f'permission denied for database "{NAME}"'),
        ("pg_monitor", "postgres", 'role "pg_monitor" is not permitted to log in'),
    ],
    ids=["no such role", "no such database", "not into this database", "a role without login"],
)
def test_a_login_that_the_server_refuses_is_told_as_that(
    server_url: str, user: str, name: str, reason: str
) -> None:
    url = make_url(server_url).set(username=user, database=name)
    told = failure(url.render_as_string(hide_password=False))
    assert " refuses the login: " in told
    assert reason in told
    assert told.endswith("; check user, password and name here, and pg_hba.conf there")


@pytest.mark.usefixtures("refused")
def test_a_server_that_is_full_is_one_to_try_again(server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {NAME} CONNECTION LIMIT 0".encode())
    url = make_url(server_url).set(username=NAME, database="postgres")
    told = failure(url.render_as_string(hide_password=False))
    assert "too many connections" in told
    assert "refuses" not in told


def test_where_no_server_is_the_question_is_whether_it_runs() -> None:
    for url in ("postgresql://u@127.0.0.1:1/x", "postgresql://u@/x?host=/nowhere"):
        told = failure(url)
        assert told.endswith("; is it running?")
        assert told.count("running") == 1
