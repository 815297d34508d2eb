"""Sites: simulated clouds on loopback, each with a source in the test's own database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.store.db.connection import Database
from tests.identity import IdentityService
from tests.integration.run.cloud_entry import CloudEntry
from tests.support.world import Sites


@pytest.fixture
def sites(database: Database) -> Iterator[Sites]:
    sites = Sites(database)
    yield sites
    sites.close()


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudEntry]:
    """A cloud with an identity service, as the test's own clouds.yaml names it."""
    monkeypatch.chdir(tmp_path)
    with IdentityService().running() as identity:
        yield CloudEntry(tmp_path, identity)
