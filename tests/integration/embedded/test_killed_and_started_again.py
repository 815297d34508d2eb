"""An embedded server that was killed, or stops just now, is started again; no other process suffers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from catalog.store.db.embedded.server import EmbeddedServer
from tests.integration.embedded.users import FAST, server_alive, wait_until


def test_starting_while_the_server_stops_ends_with_a_server(data_dir: Path, user) -> None:
    """A process killed amid stopping it leaves a server that goes down by itself: the next starts another."""
    killed = user(data_dir)
    pid, url = killed.started()
    busy = psycopg.connect(url, autocommit=True)
    killed.kill()
    os.kill(pid, signal.SIGTERM)  # smart shutdown: it waits for `busy`, and takes nobody else
    wait_until(lambda: "shutting down" in refusal(url))
    waiting = user(data_dir)
    time.sleep(0.2)
    busy.close()
    new, _ = waiting.started()
    assert new != pid
    waiting.end()


def refusal(url: str) -> str:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def test_a_killed_server_starts_again(data_dir: Path) -> None:
    """Its process id may belong to another program by now: it is neither taken for a server nor ended."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept ()")
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not server_alive(server))
    lines = (server.cluster / "postmaster.pid").read_text().splitlines()
    innocent = subprocess.Popen(["sleep", "600"], user=server.cluster.stat().st_uid)
    try:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (server.cluster / name).write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")
        with server as url, psycopg.connect(url) as connection:
            connection.execute("SELECT FROM kept")
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_server_that_died_is_started_by_the_next_acquire(data_dir: Path) -> None:
    """For a daemon: the same use, the same address."""
    server = EmbeddedServer(data_dir, settings=FAST)
    with server as url:
        dead = server.pid
        os.kill(dead, signal.SIGKILL)
        assert server.acquire() == url
        assert server.pid != dead
        with psycopg.connect(url) as connection:
            connection.execute("SELECT 1")
    assert not server_alive(server)


def test_interrupting_the_terminal_spares_the_server(data_dir: Path, user) -> None:
    """Ctrl-C goes to the whole process group; the server is in another."""
    one = user(data_dir, start_new_session=True)
    pid, _ = one.started()
    assert os.getsid(pid) != os.getsid(one.process.pid)
    os.killpg(one.process.pid, signal.SIGINT)
    one.process.communicate(timeout=60)
    assert not server_alive(EmbeddedServer(data_dir))  # ended in order by the `with`
    assert "received fast shutdown request" in EmbeddedServer(data_dir).log.read_text()
