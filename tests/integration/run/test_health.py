"""The health server with real sockets: slow clients never keep a probe from its answer."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from catalog.daemon.health import HEAD_SECONDS, HealthServer


@pytest.fixture
def server() -> Iterator[HealthServer]:
    with HealthServer("127.0.0.1:0", lambda: None, lambda: b"") as server:
        yield server


def connected(server: HealthServer) -> socket.socket:
    host, _, port = server.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def probe(server: HealthServer) -> bytes:
    with urllib.request.urlopen(f"http://{server.address}/healthz", timeout=10) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("count", [16, 200])
def test_probes_are_answered_beside_clients_that_send_a_byte_a_second(
    server: HealthServer, count: int
) -> None:
    """However many are held; a client that is thrown out comes back at once."""
    ended = threading.Event()

    def drip() -> None:
        while not ended.is_set():
            try:
                with connected(server) as slow:
                    slow.sendall(b"GET /healthz HTTP/1.0\r\nX: ")
                    while not ended.wait(1):
                        slow.sendall(b"x")
            except OSError:
                ended.wait(0.5)

    clients = [threading.Thread(target=drip) for _ in range(count)]
    for client in clients:
        client.start()
    try:
        time.sleep(1)
        assert [probe(server) for _ in range(10)] == [b"alive\n"] * 10
    finally:
        ended.set()
        for client in clients:
            client.join()


def test_a_head_has_a_bound_of_its_own(server: HealthServer) -> None:
    """A byte a second is not silence, yet the connection ends; one whose head came is answered."""
    with ExitStack() as stack:
        slow = stack.enter_context(connected(server))
        began = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT012 - the moment is the server's
            while time.monotonic() - began < 4 * HEAD_SECONDS:
                slow.sendall(b"G")
                slow.settimeout(1)
                try:
                    if not slow.recv(100):
                        raise ConnectionResetError
                except TimeoutError:
                    continue
            pytest.fail("still connected")
        assert probe(server) == b"alive\n"
