"""`catalog backfill`: files in, what became of each, and one observation out again."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk

Make = Callable[..., Record]


@pytest.fixture
def saved(desk: Desk, record: Make) -> Desk:
    """A source that was swept, and two older listings of it in files."""
    desk.add_source("lab", Cloud("glance", [record(1), record(2)]))
    desk.run("sync")
    folder = desk.folder / "saved"
    folder.mkdir()
    for day, numbers in (("2026-03-01", (1, 2, 3)), ("2026-03-02", (1, 2))):
        listing = {"images": [record(number) for number in numbers]}
        (folder / f"images-{day}T000000Z.json").write_text(json.dumps(listing))
    return desk


def test_files_become_history_once(saved: Desk) -> None:
    first = saved.run("backfill", "lab", "saved", "--complete", "--format", "json")
    assert first.code == 0, first.err
    assert [(row["observed_at"], row["listed"]) for row in first.rows] == [
        ("2026-03-01T00:00:00Z", 3),
        ("2026-03-02T00:00:00Z", 2),
    ]
    assert saved.query(
        "SELECT deleted_at::date::text, deletion_reason FROM images WHERE image_id = 'image-003'"
    ) == [("2026-03-02", "not_listed")]
    again = saved.run("backfill", "lab", "saved", "--complete")
    assert (again.code, again.out) == (0, "lab: 0 observations loaded, 2 known already\n")


@pytest.mark.parametrize("content", [b'{"images": [{"id": ', b"\x1f\x8b cut", b"no JSON"])
def test_a_broken_file_is_named_once_and_the_others_go_on(saved: Desk, content: bytes) -> None:
    (saved.folder / "saved" / "images-2026-03-03T000000Z.json").write_bytes(content)
    done = saved.run("backfill", "lab", "saved", "--format", "json")
    assert (done.code, len(done.rows)) == (1, 2)
    assert "images-2026-03-03T000000Z.json" in done.error


def test_a_file_that_says_no_time_is_refused_before_anything_is_written(saved: Desk) -> None:
    (saved.folder / "saved" / "undated.json").write_text('{"images": []}')
    refused = saved.run("backfill", "lab", "saved")
    assert (refused.code, "--observed-at" in refused.error) == (2, True)
    assert saved.query("SELECT count(*) FROM runs WHERE kind = 'backfill'") == [(0,)]


def test_an_observation_can_be_forgotten(saved: Desk) -> None:
    first = saved.run("backfill", "lab", "saved", "--format", "json").rows
    refused = saved.run("backfill", "lab", "--forget", first[0]["run_id"])
    assert (refused.code, "--yes" in refused.error) == (2, True)
    assert saved.run("backfill", "lab", "--forget", first[0]["run_id"], "--yes").code == 0
    assert saved.query("SELECT count(*) FROM images WHERE image_id = 'image-003'") == [(0,)]
    for arguments in (["--forget", "nonsense"], [], ["saved", "--forget", first[1]["run_id"]]):
        assert saved.run("backfill", "lab", *arguments).code == 2
