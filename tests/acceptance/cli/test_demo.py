"""`catalog demo`: nothing to set up, the same story each time, and data to query afterwards."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from tests.acceptance.cli.conftest import Desk


def test_the_demo_needs_nothing_and_can_be_queried(tmp_path: Path) -> None:
    """Not even a sound configuration: it is for people who have none."""
    (tmp_path / "catalog.toml").write_text("nonsense")
    with ExitStack() as stack:
        desk = Desk(tmp_path, None, stack)
        first, second = desk.run("demo"), desk.run("demo")
        assert (first.code, first.err) == (0, "")
        assert second.code == 0
        told = [line for line in second.out.splitlines() if "complete" not in line]  # those name seconds
        assert told == [line for line in first.out.splitlines() if "complete" not in line]
        for word in ("created", "status", "tags", "__support_kvm", "deleted"):
            assert word in second.out
        shown = click.unstyle(desk.on_terminal("demo").out).splitlines()
        assert shown[-1] == told[-1]
        assert all(len(line) <= 80 for line in shown if str(tmp_path) not in line)
        (tmp_path / "catalog.toml").unlink()
        folder = str(tmp_path / "data" / "demo")
        assert f"export CATALOG_DATA_DIR={folder}" in second.out
        rows = desk.run("report", "summary", "--format", "json", CATALOG_DATA_DIR=folder).rows
        assert [row["source"] for row in rows] == ["demo-glance", "demo-ims"]
        sources = desk.run(
            "db", "shell", "-At", "-c", "SELECT count(*) FROM sources", CATALOG_DATA_DIR=folder
        )
        assert sources.out == "2\n"
