"""The files that tell other tools of tables and views are what the database says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from catalog.store.db.connection import Database
from tests.integration.views.conftest import Shelf, days
from tools import models, superset


@pytest.fixture
def files(database: Database) -> dict[Path, str]:
    with database.transaction(read_only=True) as connection:
        return models.files(connection)


def test_generated_files_are_what_the_database_says(files: dict[Path, str]) -> None:
    stale = [path.name for path, text in files.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `python tools/generate.py`"


def test_supersets_live_images_are_counted_once_and_by_platforms_of_one_vocabulary(shelf: Shelf) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    for source in (one, two):
        shelf.image(source, "public", platform="Ubuntu")
    shelf.image(one, "ours", platform="ubuntu", properties={"os_distro": "ubuntu"})
    shelf.image(one, "plain")
    shelf.image(one, "gone", platform="Ubuntu", deleted_at=days(1))
    charts = {chart.title: chart for chart in superset.CHARTS}
    pie = charts["Live images by platform"]
    (column,) = pie.query["columns"]
    dataset = yaml.safe_load(
        (models.DOCS / "superset" / "datasets" / "Image_catalog" / f"{pie.view}.yaml").read_text()
    )
    query = dataset["sql"].replace(f"{dataset['schema']}.", "")
    rows = shelf.ask(
        f"SELECT {column} AS platform, count(*) AS images FROM ({query}) AS d GROUP BY 1 ORDER BY 2 DESC"
    )
    assert [tuple(row.values()) for row in rows] == [("ubuntu", 2), ("(none)", 1)]
    (row, *_) = shelf.ask(query)
    assert list(row) == [one["column_name"] for one in dataset["columns"]]
    assert charts["Live images"].view == pie.view


def test_no_file_for_superset_is_left_of_another_time(files: dict[Path, str]) -> None:
    there = {path for path in (models.DOCS / "superset").rglob("*") if path.is_file()}
    assert there == {path for path in files if "superset" in path.parts}
