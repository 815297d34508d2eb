"""`catalog export` on the command line."""

from __future__ import annotations

from pathlib import Path

from catalog.demo import Cloud, example_images
from tests.acceptance.cli.conftest import CHECKOUT, Desk


def test_an_export_says_what_it_wrote_and_the_next_one_that_nothing_changed(desk: Desk) -> None:
    desk.add_source("one", Cloud("glance", example_images("glance", 5)))
    assert desk.run("db", "upgrade").code == desk.run("sync").code == 0
    first = desk.run("export", "lake", "--format", "csv", "--table", "images", "--table", "runs")
    assert (first.code, first.err) == (0, "")
    assert first.out == "lake: 1 source written (6 rows, 2 files)\n"
    again = desk.run("export", "lake", "--format", "csv", "--table", "images", "--table", "runs")
    assert again.out == "lake: 0 sources written, 1 unchanged\n"
    other = desk.run("export", "lake", "--format", "jsonl")
    assert other.code == 2
    assert other.error.endswith("give the same --format and --table, or another TARGET")
    lite = desk.run("export", "catalog.db", "--format", "sqlite")
    assert (lite.code, lite.err) == (0, "")
    assert lite.out.endswith("described in catalog.metadata.json\n")


def test_parquet_without_pyarrow_names_the_extra_and_writes_nothing(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "without" / "pyarrow").mkdir(parents=True)
    (tmp_path / "without" / "pyarrow" / "__init__.py").write_text("raise ImportError")
    desk.add_source("one", Cloud("glance", example_images("glance", 1)))
    assert desk.run("db", "upgrade").code == desk.run("sync").code == 0
    for target in ("lake", "s3://bucket/lake"):
        done = desk.run_from_scratch(
            "export", target, "--format", "parquet", PYTHONPATH=f"{tmp_path / 'without'}:{CHECKOUT}"
        )
        assert done.code == 2
        assert "pip install 'image-catalog-sync[parquet]'" in done.error
    assert not (desk.folder / "lake").exists()
