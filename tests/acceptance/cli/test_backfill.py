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


def test_it_is_told_whether_an_observation_is_complete(saved: Desk) -> None:
    """Complete is what proves absence, not what was read to its end."""
    said = saved.run("backfill", "lab", "saved").out
    assert ("incomplete" in said, "observation" in said) == (True, True)
    assert "incomplete" not in saved.run("backfill", "lab", "saved", "--complete").out


def test_an_observation_can_be_forgotten(saved: Desk) -> None:
    first = saved.run("backfill", "lab", "saved", "--format", "json").rows
    refused = saved.run("backfill", "lab", "--forget", first[0]["run_id"])
    assert (refused.code, "--yes" in refused.error) == (2, True)
    for said in ("is forgotten (runs", "nothing to do: forgotten already"):
        done = saved.run("backfill", "lab", "--forget", first[0]["run_id"], "--yes")
        assert (done.code, said in done.out) == (0, True)
    assert saved.query("SELECT count(*) FROM images WHERE image_id = 'image-003'") == [(0,)]
    for arguments in (
        ["--forget", "nonsense"],
        ["--forget", "0000000a"],
        ["--forget", first[1]["run_id"][:7]],
        [],
        ["saved", "--forget", first[1]["run_id"]],
    ):
        assert saved.run("backfill", "lab", *arguments).code == 2


def test_runs_show_the_id_the_moment_and_the_file_by_which_they_are_forgotten(saved: Desk) -> None:
    saved.run("backfill", "lab", "saved")
    rows = saved.run("runs", "lab", "--kind", "backfill", "--format", "json").rows
    assert sorted(row["file"] for row in rows) == [
        "saved/images-2026-03-01T000000Z.json",
        "saved/images-2026-03-02T000000Z.json",
    ]
    table = saved.run("runs", "lab").out
    terminal = saved.on_terminal("runs", "lab", columns=200).out
    for row in rows:
        assert f"{row['run_id']} " in table
        assert f"{row['run_id'][:8]} " in terminal
        assert row["file"] in table
    assert "2026-03-01" in table
    (sweep,) = saved.run("runs", "lab", "--kind", "sync", "--format", "json").rows
    ids = [row["run_id"][:8] for row in (*rows, sweep)]
    planned = saved.run(
        "backfill", "lab", *(part for i in ids for part in ("--forget", i)), "--plan", "--format", "json"
    )
    assert planned.code == 3
    assert {row["id"][:8] for row in planned.rows if row["change"] == "forget"} == set(ids)
    assert [row["id"] for row in planned.rows if row["change"] == "erase"] == [
        "image-001",
        "image-002",
        "image-003",
    ]
    assert saved.query("SELECT count(*) FROM observations") == [(3,)]
    done = saved.run("backfill", "lab", "--forget", ids[0], "--forget", ids[1], "--yes")
    assert (done.code, done.out.count("is forgotten")) == (0, 2)
    assert saved.query("SELECT kind FROM runs") == [("sync",)]


def test_a_plan_names_all_runs_that_go_together(saved: Desk) -> None:
    """A listing said to be of a sweep's own moment is one observation with it."""
    (sweep,) = saved.run("runs", "lab", "--format", "json").rows
    part = ["backfill", "lab", "saved/images-2026-03-02T000000Z.json", "--observed-at", sweep["observed_at"]]
    (listing,) = saved.run(*part, "--format", "json").rows
    ids = {sweep["run_id"], listing["run_id"]}
    forget = ["backfill", "lab", "--forget", listing["run_id"]]
    planned = saved.run(*forget, "--plan", "--format", "json").rows
    assert {row["id"] for row in planned if row["change"] == "forget"} == ids
    refused = saved.run(*forget).error
    assert "take 1 observation out" in refused
    assert all(run_id[:8] in refused for run_id in ids)
    assert saved.run(*forget, "--yes").code == 0
    assert saved.query("SELECT count(*) FROM runs") == [(0,)]


def test_a_span_of_observations_is_forgotten(saved: Desk) -> None:
    saved.run("backfill", "lab", "saved")
    span = ["backfill", "lab", "--forget", "--since", "2026-03-01", "--until", "2026-03-02"]
    refused = saved.run(*span)
    assert (refused.code, "2 observations" in refused.error, "add --yes" in refused.error) == (2, True, True)
    declined = saved.on_terminal(*span, input="n\n")
    assert (declined.code, "Take 2 observations out of the history of 'lab'" in declined.out) == (130, True)
    assert "would erase 1" in declined.out
    planned = saved.run(*span, "--plan")
    assert (planned.code, planned.out.splitlines()[-1]) == (
        3,
        "lab: would erase 1, change 1 revision of the past",
    )
    done = saved.run(*span, "--yes")
    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        "lab: 1 erased, 1 revision of the past changed",
    )
    assert saved.query("SELECT kind FROM runs") == [("sync",)]
    assert saved.run(*span).out == "lab: nothing to do: forgotten already\n"
    assert saved.run(*span[:-1], "2026-02-01").code == 2
    for wrong in (["--forget"], ["--since", "2026-03-01"], ["saved", "--plan"]):
        assert saved.run("backfill", "lab", *wrong).code == 2
