"""`catalog web` on loopback, over a catalog that is made by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.config.settings import DatabaseSettings
from catalog.listening import listen
from catalog.store.db.connection import Database
from catalog.web.app import application
from catalog.web.server import HEAD_SECONDS, Server, address_of
from tests.integration.views.conftest import shelf

__all__ = ["shelf"]

PATIENCE = 30.0
"""Seconds that a test waits for what must come, on a busy machine."""
Start = Callable[..., httpx.Client]


@pytest.fixture
def start(database_url: str) -> Iterator[Start]:
    """Starts a server; gives a client of it. `url`: of the database; other options are those of `application`."""
    ends: list[Callable[[], Any]] = []

    def begin(url: str = database_url, head_seconds: float = HEAD_SECONDS, **options: Any) -> httpx.Client:
        database = Database(DatabaseSettings(url=url, data_dir=Path()))
        listening = listen("127.0.0.1:0", "CATALOG_WEB_BIND")
        server = Server(application(database, **options), head_seconds)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        client = httpx.Client(base_url=address_of(listening), timeout=PATIENCE, trust_env=False)

        def end() -> None:
            client.close()
            server.should_exit = True
            thread.join(PATIENCE)
            listening.close()
            database.close()
            assert not thread.is_alive()

        ends.append(end)
        return client

    yield begin
    for end in ends:
        end()


@pytest.fixture
def site(start: Start) -> httpx.Client:
    return start()
