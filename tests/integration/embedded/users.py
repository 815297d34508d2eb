"""Processes that use an embedded server, and whether it is alive."""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalog.store.db.embedded.server import EmbeddedServer

PROJECT = Path(__file__).parents[3]
FAST = {"fsync": "off"}
USE = """
import sys
from pathlib import Path
import psycopg
from catalog.store.db.embedded import binaries
from catalog.store.db.embedded.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings={"fsync": "off"})
with server as url:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
    print(server.pid, url, flush=True)
    sys.stdin.readline()
print("released", flush=True)
"""
NOBODY = pwd.getpwnam("nobody").pw_uid
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="what root has to mind")


def end_server(server: EmbeddedServer) -> None:
    if server.home.is_dir() and server_alive(server) and server.pid is not None:
        os.kill(server.pid, signal.SIGQUIT)
        wait_until(lambda: not server_alive(server))


def server_alive(server: EmbeddedServer) -> bool:
    """Whether a process holds the server's lock: independent of zombies and of process ids used again."""
    with (server.home / "server.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited 30 s in vain")


class User:
    """Another process that uses the server until told to stop."""

    def __init__(self, data_dir: Path, code: str = USE, *, python: str = sys.executable, **options) -> None:
        packages = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": packages, **options.pop("env", {})}
        self.process = subprocess.Popen(
            [python, "-c", code, str(data_dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment, cwd="/", **options,
        )  # fmt: skip

    def started(self) -> tuple[int, str]:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        pid, url = line.split()
        return int(pid), url

    def end(self) -> None:
        out, err = self.process.communicate("\n", timeout=60)
        assert out == "released\n", err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
