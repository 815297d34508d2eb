"""A configuration that names a cloud, on a machine without clouds.yaml: where people only look at the catalog."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk

AWAY = '[[sources]]\nname = "meadow"\nkind = "glance"\ncloud = "meadow"\n'


@pytest.fixture
def viewer(desk: Desk, record: Callable[..., Record]) -> Desk:
    """One source has been swept; another one's cloud is not known here."""
    desk.add_source("lab", Cloud("glance", [record(1)]))
    assert desk.run("sync").code == 0
    desk.entries.append(AWAY)
    desk.write_configuration()
    return desk


@pytest.mark.parametrize(
    "command",
    [
        "images",
        "runs",
        "show image-001",
        "report summary",
        "events",
        "deletions list",
        "db check",
        "db upgrade",
    ],
)
def test_what_asks_the_database_alone_needs_none(viewer: Desk, command: str) -> None:
    told = viewer.run(*command.split())
    assert (told.code, "clouds.yaml" in told.err) == (0, False), told.err


@pytest.mark.parametrize(
    "command",
    [
        "sync",
        "sources",
        "remap",
        "backfill lab saved.json",
        "deletions approve lab",
        "sources remove lab --yes",
        "sources rename lab other",
        "sources adopt lab",
    ],
)
def test_what_goes_by_a_source_s_settings_writes_nothing_by_half_of_them(viewer: Desk, command: str) -> None:
    (viewer.folder / "saved.json").write_text('{"images": []}')
    before = viewer.query("SELECT xmin::text, * FROM sources") + viewer.query("SELECT run_id FROM runs")
    wrong = viewer.run(*command.split())
    assert (wrong.code, "expected a cloud of clouds.yaml, not 'meadow'" in wrong.error) == (2, True)
    assert (
        viewer.query("SELECT xmin::text, * FROM sources") + viewer.query("SELECT run_id FROM runs") == before
    )


@pytest.mark.parametrize(
    ("odd", "expected"),
    [("typo = 1\n", "typo"), ("page_size = []\n", "page_size")],
    ids=["a key that nobody knows", "a wrong type"],
)
@pytest.mark.parametrize("command", ["images", "db check"])
def test_a_wrong_table_of_a_source_is_named_by_every_command(
    viewer: Desk, command: str, odd: str, expected: str
) -> None:
    viewer.entries.append(AWAY + odd)
    viewer.write_configuration()
    wrong = viewer.run(*command.split())
    assert (wrong.code, expected in wrong.error, "sources[2]" in wrong.error) == (2, True, True)
