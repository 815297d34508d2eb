"""Connecting a source as the tests of logins do, whether it works or is refused."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import CatalogError
from catalog.fetch.auth import login
from catalog.fetch.http.connection import Connection
from tests.identity import PASSWORD

CloudsYaml = Callable[..., SourceSettings]


def connect(source: SourceSettings, seconds: float = 30.0) -> Connection:
    return login.connect(source, Deadline(seconds))


def renewed(connection: Connection) -> bool:
    assert connection.auth is not None
    return connection.auth.renew()


def refused(source: SourceSettings, kind: type[CatalogError], seconds: float = 30.0) -> str:
    with pytest.raises(kind) as caught:
        connect(source, seconds)
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


def headers_for(connection: Connection, url: str) -> httpx.Headers:
    """The headers that the connection's auth puts on a request to `url`."""
    assert connection.auth is not None
    return next(connection.auth.sync_auth_flow(httpx.Request("GET", url))).headers
