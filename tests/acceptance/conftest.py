"""What the daemon's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.demo.cloud import Cloud
from catalog.demo.images import example_images
from tests.support.cloud_server import CloudServer


@pytest.fixture
def cloud() -> Iterator[CloudServer]:
    """A cloud with twelve images."""
    with CloudServer(Cloud("glance", example_images("glance", 12, seed=8))) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the configuration lies."""
    return tmp_path / "catalog.toml"
