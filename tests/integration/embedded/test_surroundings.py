"""What stands in the environment or in the folder's files neither hangs nor misleads the embedded server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.errors import DatabaseError
from catalog.store.db.embedded.server import EmbeddedServer
from tests.integration.embedded.users import FAST


def test_no_variable_of_libpqs_reaches_the_server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGTZ": "Nowhere/Else", "PGGSSENCMODE": "require", "PGSSLNEGOTIATION": "direct", "PGSSLMODE": "verify-full",
        "PGLOADBALANCEHOSTS": "nonsense", "PGMINPROTOCOLVERSION": "9.9", "PGHOST": "192.0.2.1", "PGDATESTYLE": "x",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with EmbeddedServer(data_dir, settings=FAST):
        assert not [name for name in os.environ if name.startswith("PG")]


@pytest.mark.parametrize("name", ["turn.lock", "users.lock", "server.lock", "cluster/PG_VERSION"])
def test_a_fifo_is_not_waited_for(data_dir: Path, name: str) -> None:
    path = data_dir / "postgresql" / name
    path.parent.mkdir(parents=True, mode=0o700)
    os.mkfifo(path)
    with pytest.raises(DatabaseError, match="not a regular file"):
        EmbeddedServer(data_dir, settings=FAST).acquire()
    path.unlink()  # what ends the tests' servers would wait for it


def test_a_version_that_is_not_text_is_one_line(data_dir: Path) -> None:
    cluster = data_dir / "postgresql" / "cluster"
    cluster.mkdir(parents=True, mode=0o700)
    (cluster / "PG_VERSION").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatabaseError, match="PG_VERSION is damaged"):
        EmbeddedServer(data_dir, settings=FAST).acquire()
