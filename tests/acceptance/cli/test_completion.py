"""What the shells complete, asked as they ask; and the version."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from catalog import __version__
from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import CHECKOUT, Desk

Make = Callable[..., Record]


def completed(desk: Desk, line: str, shell: str = "bash") -> list[str]:
    """What is offered for the last word; of zsh and fish with its help."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1) if shell != "fish" else words[-1]}
    done = desk.run(_CATALOG_COMPLETE=f"{shell}_complete", **asked)
    assert done.err == ""
    return done.out.split()


def test_sources_reports_and_images_are_completed(desk: Desk, record: Make) -> None:
    desk.add_source("lab/a", Cloud("glance", [record(1, name="ubuntu"), record(2, name="debian")]))
    desk.run("sync")
    desk.add_source("lab/new")
    for command in (
        "sync",
        "runs",
        "deletions list",
        "db prune",
        "report summary --source",
        "sources remove",
    ):
        assert completed(desk, f"catalog {command} lab/") == ["plain,lab/a", "plain,lab/new"], command
    assert completed(desk, "catalog report su") == ["plain,summary", "plain,support"]
    assert completed(desk, "catalog show ubu") == ["plain,ubuntu"]
    assert completed(desk, "catalog report timeline image-00") == ["plain,image-002", "plain,image-001"]
    assert "summary" in completed(desk, "catalog report su", "zsh")
    assert "plain,summary" in completed(desk, "catalog report su", "fish")
    assert completed(desk, "catalog exp") == ["plain,export"]


def test_what_cannot_be_known_is_not_offered_and_no_database_is_made(desk: Desk) -> None:
    desk.add_source("lab")
    desk.database_url = "postgresql://nobody@127.0.0.1:1/nowhere"
    assert completed(desk, "catalog sync l") == ["plain,lab"]
    assert completed(desk, "catalog show u") == []
    desk.database_url = None
    assert completed(desk, "catalog show u") == []
    assert not (desk.folder / "data" / "postgresql").exists()
    (desk.folder / "catalog.toml").write_text("broken")
    assert completed(desk, "catalog sync l") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(desk: Desk, shell: str) -> None:
    done = desk.run(_CATALOG_COMPLETE=f"{shell}_source")
    assert (done.code, "_CATALOG_COMPLETE" in done.out) == (0, True)


def test_the_version_is_told_in_two_ways(desk: Desk) -> None:
    for arguments in (["--version"], ["-V"]):
        done = desk.run(*arguments)
        assert (done.code, __version__ in done.out) == (0, True)


def test_the_manual_page_is_read_without_complaint() -> None:
    page = CHECKOUT / "docs" / "catalog.1"
    try:
        done = subprocess.run(
            ["groff", "-man", "-Tascii", "-ww", str(page)], capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        pytest.skip("groff is not installed")
    assert (done.returncode, done.stderr) == (0, "")
    assert "catalog sync" in done.stdout
