"""The daemon under systemd: Type=notify, with a watchdog (sd_notify(3))."""

from __future__ import annotations

import queue
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.demo.server import CloudServer
from tests.acceptance.daemon_process import PATIENCE, DaemonProcess, configuration

Told = queue.Queue[str]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """What is sent to NOTIFY_SOCKET."""
    received: Told = queue.Queue()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(0.1)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                try:
                    received.put(listener.recv(4096).decode())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        yield received
        done.set()
        thread.join()


def wait_for(told: Told, message: str) -> None:
    while told.get(timeout=PATIENCE) != message:
        pass


def test_it_says_that_it_is_ready_lives_and_stops(
    database_url: str, cloud: CloudServer, config: Path, told: Told, tmp_path: Path
) -> None:
    text = configuration(database_url, {"moon": cloud.endpoint})
    asked = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "8000000"}
    with DaemonProcess(config, text, **asked) as daemon:
        assert told.get(timeout=PATIENCE) == "READY=1"
        wait_for(told, "WATCHDOG=1")
        wait_for(told, "WATCHDOG=1")
        daemon.process.send_signal(signal.SIGTERM)
        wait_for(told, "STOPPING=1")


def test_it_is_ready_while_it_waits_for_its_database(
    cloud: CloudServer, config: Path, told: Told, tmp_path: Path
) -> None:
    text = configuration("postgresql://nobody@127.0.0.1:9/nothing", {"moon": cloud.endpoint})
    with DaemonProcess(config, text, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="600000000"):
        assert told.get(timeout=PATIENCE) == "READY=1"
        wait_for(told, "WATCHDOG=1")
