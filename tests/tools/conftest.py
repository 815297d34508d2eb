"""Other people's tools, each installed in an environment of its own, and a catalog for them to read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.config.settings import DatabaseSettings
from catalog.demo.walkthrough import let_change, simulated_clouds, sweep_all
from catalog.store.db import schema
from catalog.store.db.connection import Database


def installed(factory: pytest.TempPathFactory, program: str, *requirements: str) -> Path:
    """The program, out of these packages; the test is skipped where they can't be had."""
    folder = factory.mktemp(program)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if subprocess.run([folder / "bin" / "pip", "install", "--quiet", *requirements], check=False).returncode:
        pytest.skip(f"{program} is not at hand")
    return folder / "bin" / program


@pytest.fixture
def filled(empty_database_url: str) -> Iterator[Database]:
    """What `catalog demo` leaves, in the schema `catalog`."""
    with Database(DatabaseSettings(url=empty_database_url, data_dir=Path(), schema="catalog")) as database:
        schema.upgrade(database)
        with simulated_clouds() as clouds:
            sweep_all(database, clouds, lambda result: None)
            let_change(clouds)
            sweep_all(database, clouds, lambda result: None)
        yield database
