"""Folders for the data of embedded servers, and other processes that use them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.store.db.embedded.server import EmbeddedServer
from tests.integration.embedded.users import User, end_server


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Short, whoever runs the tests: a long path makes another form of address (see `test_long_and_odd...`)."""
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder for data; whatever server is left in it is ended, by its process id."""
    folder = tmp_path / "data"
    yield folder
    end_server(EmbeddedServer(folder))


@pytest.fixture
def user() -> Iterator[type[User]]:
    made: list[User] = []

    def make(*arguments, **options) -> User:
        made.append(User(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.kill()
        for stream in (one.process.stdin, one.process.stdout, one.process.stderr):
            stream.close()
