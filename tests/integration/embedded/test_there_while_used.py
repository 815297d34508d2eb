"""The embedded PostgreSQL is there as long as somebody uses it, for all its users at once, and its data stay."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from catalog.store.db.embedded.binaries import server_binaries
from catalog.store.db.embedded.server import EmbeddedServer
from tests.integration.embedded.users import FAST, USE, server_alive


def test_data_are_kept_and_the_server_is_not(data_dir: Path) -> None:
    """The first use makes the database, the last one stops the server, the next one finds the rows."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'ü' AS word")
        assert connection.info.dbname == "catalog"
        assert server_alive(server)
    assert not server_alive(server)
    assert server.pid is None
    with server as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("ü",)
        row = connection.execute("SHOW server_encoding").fetchone()
        assert row == ("UTF8",)


def test_the_address_is_good_for_sqlalchemy_and_psql(data_dir: Path) -> None:
    """One address for the driver, for SQLAlchemy and for PostgreSQL's own tools, whatever PGPORT says."""
    import sqlalchemy

    with EmbeddedServer(data_dir, settings=FAST) as url:
        engine = sqlalchemy.create_engine(url.replace("postgresql", "postgresql+psycopg", 1))
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT current_database()")).scalar() == "catalog"
        engine.dispose()
        answer = subprocess.run(
            [server_binaries() / "psql", url, "-XAtc", "SELECT current_user"],
            capture_output=True, text=True, check=True, env={**os.environ, "PGPORT": "1"},
        )  # fmt: skip
    assert answer.stdout == "catalog\n"


@pytest.mark.parametrize("name", ["x" * 120, "a b %41 'ü' \"q\" $HOME,c+d", "\udcff\udcfe"])
def test_long_and_odd_folder_names_work(tmp_path: Path, name: str) -> None:
    """Too long for a socket's address; blanks, percent signs, commas, quotes, bytes that are no text."""
    server = EmbeddedServer(tmp_path / name / "data", settings=FAST)
    with server as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        child = [server_binaries() / "psql", url, "-XAtc", "SELECT 1"]
        assert subprocess.run(child, capture_output=True, check=True).stdout == b"1\n"
    assert not server_alive(server)


def test_four_processes_share_one_server(data_dir: Path, user) -> None:
    """Started all at once they find one server; it stays until the last has gone, in whatever order."""
    users = [user(data_dir) for _ in range(4)]
    assert len({one.started() for one in users}) == 1
    server = EmbeddedServer(data_dir)
    for one in (users[0], users[3], users[1]):
        one.end()
        assert server_alive(server)
    users[2].end()
    assert not server_alive(server)


def test_two_uses_in_one_process_share_one_server(data_dir: Path) -> None:
    """Uses count, not processes; a second release of the same use counts nothing."""
    first, second = EmbeddedServer(data_dir, settings=FAST), EmbeddedServer(data_dir)
    first.acquire()
    second.acquire()
    assert first.acquire() == second.acquire()
    first.release()
    first.release()
    assert server_alive(second)
    second.release()
    assert not server_alive(second)


def test_a_killed_user_counts_no_longer(data_dir: Path, user) -> None:
    """The server it leaves behind is used by the next one, and ended with it."""
    killed = user(data_dir)
    pid, _ = killed.started()
    killed.kill()
    server = EmbeddedServer(data_dir)
    assert server_alive(server)
    with server:
        assert server.pid == pid
    assert not server_alive(server)


def test_a_killed_user_among_others_does_not_end_the_server(data_dir: Path, user) -> None:
    """The others go on with it."""
    killed, other = user(data_dir), user(data_dir)
    assert killed.started() == other.started()
    killed.kill()
    server = EmbeddedServer(data_dir)
    with server:
        pass
    assert server_alive(server)
    other.end()
    assert not server_alive(server)


def test_a_use_that_is_never_released_ends_with_its_process(data_dir: Path, user) -> None:
    """At a normal end of the interpreter, without `with`."""
    one = user(data_dir, USE.replace("with server as url:", "url = server.acquire()\nif True:"))
    one.started()
    one.end()
    assert one.process.wait(60) == 0
    assert not server_alive(EmbeddedServer(data_dir))
