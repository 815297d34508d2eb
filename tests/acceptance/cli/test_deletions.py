"""`catalog deletions`: what is held, and what people decide about it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.config.settings import DatabaseSettings
from catalog.demo import Cloud
from catalog.demo.cloud import Record
from catalog.store.db.connection import Database
from catalog.store.state import leases
from tests.acceptance.cli.conftest import Desk
from tests.support.records import image

Make = Callable[..., Record]
GONE = [f"image-{number:03d}" for number in range(12)]


@pytest.fixture
def cloud(record: Make) -> Cloud:
    return Cloud("glance", [record(number) for number in range(20)])


@pytest.fixture
def held(desk: Desk, cloud: Cloud) -> Desk:
    """A source of twenty images, twelve of which went at once: their deletion is held."""
    desk.add_source("lab", cloud)
    desk.run("sync")
    for image_id in GONE:
        cloud.delete(image_id)
    assert desk.run("sync").code == 4
    return desk


def test_the_list_shows_what_is_held_by_source_and_image(held: Desk) -> None:
    rows = held.run("deletions", "list", "lab", "--format", "json").rows
    assert [row["image_id"] for row in rows] == GONE
    assert {(row["source"], row["decision"]) for row in rows} == {("lab", "open")}
    (source,) = held.run("sources", "--format", "json").rows
    assert (source["held"], source["live_images"]) == (12, 20)
    (one,) = held.run("deletions", "list", "--all", "--image", GONE[3], "--format", "json").rows
    assert (one["image_id"], one["name"]) == (GONE[3], "name 3")


def test_approve_deletes_as_of_the_observation_that_first_held(held: Desk) -> None:
    """Sweeps in between change nothing about it, and history says when each image went."""
    (observed,) = held.query("SELECT DISTINCT observed_at FROM held_deletions")
    held.run("sync")
    approved = held.run("deletions", "approve", "lab", "--format", "json")
    assert approved.code == 0
    assert {row["decision"] for row in approved.rows} == {"approved"}
    assert held.query(
        "SELECT DISTINCT deleted_at, deletion_reason FROM images WHERE deleted_at IS NOT NULL"
    ) == [(*observed, "not_listed")]
    assert held.query(
        "SELECT count(*), min(valid_from), max(valid_from) FROM status_history WHERE status = 'deleted'"
    ) == [(12, *observed, *observed)]
    assert held.query(
        "SELECT count(*) FROM held_deletions WHERE decision = 'approved' AND decided_by <> ''"
    ) == [(12,)]
    after = held.run("sync", "--format", "json")
    assert (after.code, after.results["lab"]["unchanged"], after.results["lab"]["held"]) == (0, 8, 0)
    assert held.run("deletions", "approve", "lab", "--format", "json").rows == []


def test_a_plan_decides_nothing_and_exits_3(held: Desk) -> None:
    for verb in ("approve", "keep"):
        planned = held.run("deletions", verb, "--all", "--plan", "--format", "json")
        assert (planned.code, len(planned.rows)) == (3, 12)
    assert held.query("SELECT DISTINCT decision FROM held_deletions") == [("open",)]


def test_one_image_can_be_decided_alone(held: Desk) -> None:
    assert held.run("deletions", "approve", "lab", "--image", GONE[0]).code == 0
    assert held.query("SELECT image_id FROM images WHERE deleted_at IS NOT NULL") == [(GONE[0],)]
    unknown = held.run("deletions", "approve", "lab", "--image", "nowhere")
    assert (unknown.code, "'nowhere'" in unknown.error) == (2, True)


def test_kept_images_stay_until_they_were_listed_and_went_again(
    held: Desk, cloud: Cloud, record: Make
) -> None:
    """Keeping ends exit 4; a return and a new loss make a new case."""
    assert held.run("deletions", "keep", "lab").code == 0
    after = held.run("sync", "--format", "json")
    assert (after.code, after.results["lab"]["held"], after.results["lab"]["deleted"]) == (0, 0, 0)
    assert held.query("SELECT count(*) FROM images WHERE deleted_at IS NULL") == [(20,)]
    for number in range(12):
        cloud.add(record(number))
    assert held.run("sync").code == 0
    assert held.query("SELECT DISTINCT decision FROM held_deletions") == [("returned",)]
    for image_id in GONE:
        cloud.delete(image_id)
    assert held.run("sync").code == 4


def test_a_kept_image_is_deleted_if_somebody_names_it(held: Desk) -> None:
    held.run("deletions", "keep", "lab")
    assert held.run("deletions", "approve", "lab", "--format", "json").rows == []
    (row,) = held.run("deletions", "approve", "lab", "--image", GONE[5], "--format", "json").rows
    assert (row["image_id"], row["decision"]) == (GONE[5], "approved")
    assert held.query("SELECT image_id FROM images WHERE deleted_at IS NOT NULL") == [(GONE[5],)]


@pytest.mark.parametrize("since", ["found", "listed"])
def test_an_image_that_was_seen_since_cannot_be_approved(
    held: Desk, cloud: Cloud, record: Make, since: str
) -> None:
    """Its deletion would be undone by what was seen: refused, and nothing is written, of other images neither."""
    held.run("deletions", "keep", "lab", "--image", GONE[5])
    cloud.add(record(5))
    one = cloud.find(GONE[5])
    assert one is not None
    one.unlisted = since == "found"
    held.run("sync")
    before = held.query("SELECT image_id, decision, decided_at FROM held_deletions ORDER BY 1")
    for plan in ([], ["--plan"]):
        refused = held.run("deletions", "approve", "lab", "--image", GONE[5], "--image", GONE[6], *plan)
        assert (refused.code, GONE[5] in refused.error) == (2, True)
    assert held.query("SELECT image_id, decision, decided_at FROM held_deletions ORDER BY 1") == before
    assert held.query("SELECT FROM images WHERE deleted_at IS NOT NULL") == []
    assert held.run("deletions", "approve", "lab", "--image", GONE[6]).code == 0


def test_the_list_says_why_an_image_is_held_whose_it_is_and_how_many_there_are(held: Desk) -> None:
    held.query("UPDATE images SET owner = 'p1'")
    held.query(
        "INSERT INTO projects (source_id, project_id, name, seen_at) SELECT source_id, 'p1', 'web', now() FROM sources"
    )
    rows = held.run("deletions", "list", "lab", "--format", "json").rows
    assert {(row["reason"], row["owner"], row["owner_name"]) for row in rows} == {("limit", "p1", "web")}
    table = held.run("deletions", "list").out
    assert table.count(" web ") == 12
    assert table.endswith("\n12 deletions held in 1 source\n")
    everything = held.run("deletions", "list", "--all", "--plan", "--format", "json")
    assert (everything.code, {row["decision"] for row in everything.rows}) == (0, {"would be deleted"})
    planned = held.run("deletions", "approve", "lab", "--plan", "--format", "json").rows
    assert {row["decision"] for row in planned} == {"would be approved"}


def test_a_source_that_is_worked_on_exits_5_and_is_left_alone(held: Desk) -> None:
    source_id = str(held.query("SELECT source_id FROM sources")[0][0])
    with Database(DatabaseSettings(url=held.database_url, data_dir=Path())) as database:
        with database.transaction() as connection:
            assert leases.acquire(connection, source_id, str(uuid.uuid4())) is not None
    busy = held.run("deletions", "approve", "lab", "--format", "json")
    assert (busy.code, busy.rows) == (5, [])
    assert busy.error.startswith("error: lab: another process is working on this source")
    assert held.query("SELECT DISTINCT decision FROM held_deletions") == [("open",)]


def test_a_decision_needs_a_source_or_all(held: Desk) -> None:
    for arguments in (["approve"], ["keep"], ["approve", "lab", "--all"]):
        wrong = held.run("deletions", *arguments)
        assert (wrong.code, "name a SOURCE, or --all" in wrong.error) == (2, True)


def test_what_is_kept_can_be_kept_again(held: Desk) -> None:
    """It says the same, and counts from then on."""
    for _ in range(2):
        done = held.run("deletions", "keep", "lab", "--image", GONE[3], "--format", "json")
        assert (done.code, [row["decision"] for row in done.rows]) == (0, ["kept"])
    assert held.query("SELECT count(*) FROM kept_images") == [(2,)]


def test_what_a_look_up_decides_is_not_called_approved(held: Desk, cloud: Cloud) -> None:
    """A hold for the login ends by itself once a login that reaches as much finds the image gone."""
    held.query("UPDATE held_deletions SET reason = 'login_changed'")
    for image_id in GONE[3:]:
        cloud.add(image(int(image_id[-3:])))
    assert held.run("sync").code == 0
    assert dict(held.query("SELECT decision, count(*) FROM held_deletions GROUP BY 1")) == {
        "deleted": 3,
        "returned": 9,
    }
    assert "approved" not in held.run("show", GONE[0], "--explain").out
