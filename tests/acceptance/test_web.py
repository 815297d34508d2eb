"""`catalog web` as a process: it starts, answers, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import httpx
import pytest

PATIENCE = 30.0
"""Seconds that a test waits for what must come, on a busy machine."""


def command(database_url: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "catalog", "web", *arguments],
        env=os.environ | {"CATALOG_DATABASE_URL": database_url, "CATALOG_WEB_BIND": "127.0.0.1:0"} | environ,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_told_to_stop(database_url: str, number: signal.Signals) -> None:
    with command(database_url) as process:
        ending = threading.Timer(PATIENCE, process.kill)
        ending.start()
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
        assert line["event"] == "listening"
        assert httpx.get(line["address"] + "images", trust_env=False).status_code == 200
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait() == 0
        ending.cancel()
        assert [json.loads(text)["event"] for text in rest.splitlines()] == ["stopping"]


def test_where_others_reach_it_it_does_not_start_without_a_token(database_url: str) -> None:
    with command(database_url, CATALOG_WEB_BIND="0.0.0.0:0") as process:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 2
        assert said.startswith("error: CATALOG_WEB_BIND: others reach 0.0.0.0:0")


def test_an_address_that_is_taken_is_said_so(database_url: str) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with command(database_url, CATALOG_WEB_BIND=bind) as process:
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 2
            assert "cannot listen" in said
