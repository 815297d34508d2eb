"""A SQLite export is opened by the real datasette, which is installed for it (`-m soak`), with its descriptions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from catalog.demo.walkthrough import simulated_clouds, sweep_all
from catalog.export.sqlite import description_file, export_sqlite
from catalog.export.tables import KEYS
from catalog.store.db.connection import Database
from tests.tools.conftest import installed

pytestmark = pytest.mark.soak


@pytest.fixture(scope="session")
def datasette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory, "datasette", "datasette<1")


@pytest.fixture
def file(database: Database, tmp_path: Path) -> Path:
    with simulated_clouds() as clouds:
        sweep_all(database, clouds, lambda result: None)
    with database.transaction(read_only=True) as connection:
        export_sqlite(connection, tmp_path / "catalog.db")
    return tmp_path / "catalog.db"


def test_every_table_opens_with_its_descriptions(datasette: Path, file: Path) -> None:
    def get(page: str) -> str:
        command = [datasette, file, "--metadata", description_file(file), "--get", page]
        ended = subprocess.run(
            command, env={"HOME": str(file.parent)}, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr + ended.stdout
        return ended.stdout

    for table in KEYS:
        assert f"/catalog/{table}" in get(f"/catalog/{table}?_size=2")
    page = get("/catalog/images?_size=2&_facet_array=tags")
    assert "When the image was deleted" in page
    (row, *_) = json.loads(get("/catalog/image_tags.json?_size=1&_shape=array&_labels=on"))
    assert set(row["source_id"]) == {"value", "label"}
    assert row["source_id"]["value"] != row["source_id"]["label"]
