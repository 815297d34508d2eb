"""Sites: simulated clouds on loopback, each with a source in the test's own database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from catalog.store.database import Database
from tests.integration.run.site import Sites


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def sites(database: Database) -> Iterator[Sites]:
    sites = Sites(database)
    yield sites
    sites.close()
