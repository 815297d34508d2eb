"""Servers that only speak PostgreSQL's protocol are refused by their greeting, before the first statement."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest

from catalog.config.settings import DatabaseSettings
from catalog.errors import DatabaseError
from catalog.store.db.connection import Database
from catalog.store.db.refusals import other_product


@pytest.mark.parametrize(
    ("version", "number", "reported"),
    [
        ("13.0.0", 130000, {"crdb_version"}),  # CockroachDB 24
        ("14.0", 140000, {"crate_version"}),
        ("11.2-YB-2.20.1.0-b0", 110002, set()),  # YugabyteDB
        ("15.12-YB-2025.1.0.0-b0", 150012, set()),
        ("8.0.2", 80002, set()),  # Redshift
        ("9.5.0", 90500, set()),  # Materialize
        ("12.12", 120012, set()),  # Greenplum 7
        ("9.2.4", 90204, set()),  # openGauss
        ("14.13", 140013, set()),
        ("", 0, set()),
    ],
)
def test_others_are_refused(version: str, number: int, reported: set[str]) -> None:
    assert other_product(version, number, reported) is not None


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("15.0", 150000),
        ("18.6 (Ubuntu 18.6-1.pgdg24.04+1)", 180006),
        ("17.2 (EnterpriseDB Advanced Server)", 170002),
        ("19devel", 190000),
    ],
)
def test_postgresql_is_not(version: str, number: int) -> None:
    assert other_product(version, number, set()) is None


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def parameter(name: str, value: str) -> bytes:
    return message(b"S", f"{name}\0{value}\0".encode())


def test_nothing_is_asked_of_one() -> None:
    received = b""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        nonlocal received
        client, _ = listener.accept()
        with client:
            client.settimeout(10)
            client.recv(4096)
            client.sendall(
                message(b"R", struct.pack("!I", 0))
                + parameter("server_version", "13.0.0")
                + parameter("crdb_version", "CockroachDB CCL v24.3.0")
                + parameter("client_encoding", "UTF8")
                + message(b"K", struct.pack("!II", 1, 2))
                + message(b"Z", b"I")
            )
            while data := client.recv(4096):
                received += data

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    url = f"postgresql://u:hidden@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable"
    with Database(DatabaseSettings(url=url, data_dir=Path())) as database:
        with pytest.raises(DatabaseError, match=r"CockroachDB.*name one of PostgreSQL 15") as raised:
            with database.transaction():
                pass
    thread.join()
    listener.close()
    assert received == message(b"X", b"")  # nothing but the end
    assert "\n" not in str(raised.value)
    assert "hidden" not in str(raised.value)
