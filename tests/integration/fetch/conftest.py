"""A simulated cloud on loopback, and a service that asks it, with back-off made short."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.demo.cloud import Cloud
from catalog.fetch.http.client import Limits
from catalog.fetch.http.connection import Connection, OriginAuth
from catalog.fetch.http.retry import Patience
from catalog.fetch.listing.service import open_service
from catalog.model import ImageService, Listing
from tests.support.cloud_server import CloudServer
from tests.support.records import image

HASTY = Patience(first_wait=0.005, longest_wait=0.02)


def ids(listing: Listing) -> list[str]:
    """Reads a listing to its end: the ids of its records, in order."""
    return [json.loads(bytes(record))["id"] for page in listing for record in page.records]


def cloud_of(kind: Any, count: int, **options: Any) -> Cloud:
    return Cloud(kind, [image(number) for number in range(count)], **options)


def assert_no_reader_left() -> None:
    """The threads that read pages are over, or end in a moment."""
    for thread in threading.enumerate():
        if thread.name == "catalog-fetch":
            thread.join(3)
            assert not thread.is_alive(), "a reading thread was left behind"


@dataclass
class Opened:
    """Opens servers and services, and closes them after the test."""

    _ends: list[Callable[[], Any]] = field(default_factory=list)

    def server(self, cloud: Any, prefix: str = "", **options: Any) -> CloudServer:
        server = CloudServer(cloud, prefix, **options)
        server.__enter__()
        self._ends.append(lambda: server.__exit__(None, None, None))
        return server

    def service(
        self,
        server: CloudServer,
        kind: Any,
        *,
        deadline: Deadline | None = None,
        auth: OriginAuth | None = None,
        limits: Limits | None = None,
        patience: Patience = HASTY,
        extra_params: dict[str, str] | None = None,
        endpoint: str | None = None,
        **settings: Any,
    ) -> ImageService:
        source = SourceSettings("test", kind, **{"page_size": 3, **settings})
        connection = Connection(endpoint or server.endpoint, auth, extra_params=extra_params or {})
        service = open_service(source, deadline or Deadline(20), connection, limits=limits, patience=patience)
        self._ends.append(service.close)
        return service

    def close(self) -> None:
        for end in reversed(self._ends):
            end()


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Every test also claims that it leaves no thread behind."""
    opened = Opened()
    yield opened
    opened.close()
    assert_no_reader_left()
