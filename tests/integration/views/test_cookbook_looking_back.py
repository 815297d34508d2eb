"""Looking back: the answers of docs/reporting.md, on a catalog with known contents."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.integration.views.conftest import T0, Shelf, ago, days
from tests.integration.views.cookbook import asked, told


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
@asked("What was in the catalog at the end of a day in Berlin, and how sure is that?")
def test_the_end_of_a_day_in_berlin(shelf: Shelf, answer_by: str, zone: str) -> None:
    """29 March 2026 has 23 hours in Berlin and ends at 22:00 UTC."""
    end = datetime(2026, 3, 29, 22, tzinfo=UTC)
    instant, hour = timedelta(microseconds=1), timedelta(hours=1)
    shelf.connection.execute(f"SET timezone = '{zone}'")
    source = shelf.source("one")
    young = shelf.source("young", observed_since=end + hour)
    for image_id in ("stays", "renamed", "goes", "went", "comes"):
        shelf.image(source, image_id)
    shelf.revision(source, "stays", T0, change="created", owner="p", platform="Ubuntu")
    shelf.revision(source, "renamed", T0, end - instant, "created", name="before")
    shelf.revision(source, "renamed", end - instant, name="at last")
    shelf.revision(source, "goes", T0, end, "created")
    shelf.revision(source, "goes", end, change="deleted", deleted_at=end)
    shelf.revision(source, "went", T0, end - instant, "created")
    shelf.revision(source, "went", end - instant, change="deleted", deleted_at=end - instant)
    shelf.revision(source, "comes", end, change="created")
    shelf.image(young, "told")
    shelf.revision(young, "told", end + hour, change="created", valid_from=days(1))
    for at, complete in ((-5, True), (-1, True), (-0.5, False), (0.5, False), (2, True), (3, True)):
        shelf.observation(source, end + at * hour, complete=complete)
    shelf.observation(young, end + hour)
    assert told(
        shelf, answer_by, "source", "image_id", "name", "complete_before", "complete_after", "observed"
    ) == [
        ("one", "renamed", "at last", end - hour, end + 2 * hour, True),
        ("one", "goes", "goes", end - hour, end + 2 * hour, True),
        ("one", "stays", "stays", end - hour, end + 2 * hour, True),
        ("young", "told", "told", None, end + hour, False),
    ]


@asked("What differs between two moments?")
def test_two_moments(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    before, between, later = days(-10), days(10), days(20)
    shelf.revision(source, "same", before, change="created")
    shelf.revision(source, "renamed", before, between, "created", name="old")
    shelf.revision(source, "renamed", between, name="new")
    shelf.revision(source, "gone", before, between, "created")
    shelf.revision(source, "gone", between, change="deleted", deleted_at=between)
    shelf.revision(source, "came", between, change="created")
    shelf.revision(source, "back", before - timedelta(1), before, "created")
    shelf.revision(source, "back", before, between, "deleted", deleted_at=before)
    shelf.revision(source, "back", between, change="restored")
    shelf.revision(source, "flash", between, later, "created")
    shelf.revision(source, "flash", later, change="deleted", deleted_at=later)
    shelf.revision(source, "long_gone", before - timedelta(1), before, "created")
    shelf.revision(source, "long_gone", before, between, change="deleted", deleted_at=before)
    shelf.revision(source, "long_gone", between, change="deleted", deleted_at=before)
    shelf.revision(source, "too_late", days(40), change="created")
    assert told(shelf, answer_by, "image_id", "name", "difference", "old_name", "since") == [
        ("back", "back", "came", "back", between),
        ("came", "came", "came", None, between),
        ("renamed", "new", "changed", "old", between),
        ("gone", "gone", "gone", "gone", between),
    ]


@asked("What changed last week, counted once and not once a project?")
def test_changes_are_counted_once(shelf: Shelf, answer_by: str) -> None:
    """Three projects of one cloud see the same public image; the service of another cloud has the same id."""
    first = shelf.source("a", cloud="otc", region="eu-de", project_id="pa")
    owner = shelf.source("b", cloud="otc", region="eu-de", project_id="pb")
    late = shelf.source("c", cloud="otc", region="eu-de", project_id="pc")
    other = shelf.source("d", cloud="elsewhere", region="eu-de", project_id="pd")
    for source, seen in ((first, ago(50)), (owner, ago(40)), (late, ago(1)), (other, ago(30))):
        shelf.image(source, "gold", owner="cloud", first_seen_at=seen)
        change = "created" if source == late else "updated"
        shelf.revision(
            source,
            "gold",
            ago(2) if source == late else ago(3),
            change=change,
            changed={"status": ["active", "deactivated"], "updated_at": ["x", "y"]},
        )
    for source in (first, owner):
        shelf.image(source, "shared", owner="pb", first_seen_at=ago(50) if source == first else ago(10))
        shelf.revision(source, "shared", ago(10), ago(5), "created")
    shelf.revision(first, "shared", ago(5), change="deleted", deleted_at=ago(5))
    shelf.revision(owner, "shared", ago(5), ago(4), changed={"min_ram": [1, 2]})
    shelf.revision(owner, "shared", ago(4), ago(2), changed={"min_ram": [2, 1]})
    shelf.revision(owner, "shared", ago(2), changed={"min_ram": [1, 2]})
    shelf.image(first, "early", first_seen_at=ago(8))
    shelf.revision(first, "early", ago(8), change="created")
    columns = (
        "changed_at",
        "source",
        "image_id",
        "change",
        "field",
        "old_text",
        "new_text",
        "seen_by_sources",
    )
    assert told(shelf, answer_by, *columns) == [
        (ago(2), "b", "shared", "updated", "min_ram", "1", "2", 2),
        (ago(3), "a", "gold", "updated", "status", "active", "deactivated", 3),
        (ago(3), "d", "gold", "updated", "status", "active", "deactivated", 1),
        (ago(4), "b", "shared", "updated", "min_ram", "2", "1", 2),
        (ago(5), "b", "shared", "updated", "min_ram", "1", "2", 2),
    ]


@asked("How many images come and go each week?")
def test_weeks(shelf: Shelf, answer_by: str) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    week = timedelta(weeks=1)
    instant = timedelta(microseconds=1)
    shelf.image(one, "sunday", created_at=monday - instant)
    for source, left in ((one, monday + week), (two, monday + 2 * week)):
        shelf.image(source, "both", created_at=monday, first_seen_at=monday + week, deleted_at=left)
    shelf.image(one, "stays_in_two", created_at=monday, deleted_at=monday)
    shelf.image(two, "stays_in_two", created_at=monday)
    shelf.image(two, "dateless", created_at=None, first_seen_at=monday + 2 * week)
    assert told(shelf, answer_by, "week_from", "came", "went") == [
        (date(2026, 3, 16), 1, 1),
        (date(2026, 3, 2), 2, 0),
        (date(2026, 2, 23), 1, 0),
    ]


@asked("How many images of each platform were there, month by month?")
def test_platforms_by_month(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    months = [
        row["m"]
        for row in shelf.ask(
            "SELECT date_trunc('month', now(), 'UTC') AS this, (date_trunc('month', now() AT TIME ZONE 'UTC')"
            " - make_interval(months => back)) AT TIME ZONE 'UTC' AS m FROM generate_series(0, 12) AS back"
        )
    ]
    gone = {"deleted_at": months[1]}
    for image, platform in {"a": "Ubuntu", "b": "ubuntu", "nameless": None, "dead": "Debian"}.items():
        shelf.image(source, image, platform=platform, **(gone if image == "dead" else {}))
    shelf.revision(source, "a", months[1], change="created")
    shelf.revision(source, "b", months[1] + timedelta(seconds=1), change="created")
    shelf.revision(source, "nameless", months[1], change="created")
    shelf.revision(source, "dead", months[2], months[1], "created")
    shelf.revision(source, "dead", months[1], change="deleted", **gone)
    rows = told(shelf, answer_by, "month_from", "platform", "images")
    assert [(month.replace(tzinfo=UTC), platform, images) for month, platform, images in rows] == [
        (months[2], "debian", 1),
        (months[1], "(none)", 1),
        (months[1], "ubuntu", 1),
        (months[0], "ubuntu", 2),
        (months[0], "(none)", 1),
    ]


@asked("Who opened an image to others?")
def test_opened(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "a", owner="p", visibility="private")
    shelf.revision(source, "a", T0, days(1), changed={"visibility": ["private", "public"]})
    shelf.revision(source, "a", days(1), changed={"visibility": ["public", "private"]})
    columns = ("changed_at", "image_id", "owner", "was", "became", "is_now")
    assert told(shelf, answer_by, *columns) == [(T0, "a", "p", "private", "public", "private")]


@asked("What did a key of one image hold, and when?")
def test_a_key_over_time(shelf: Shelf, answer_by: str) -> None:
    source, image_id = shelf.source(), "7f0c4f52-0b5e-4f0e-9d43-6a2b7d4b1f10"
    for start, end, bus in ((T0, days(1), "scsi"), (days(1), None, "virtio")):
        shelf.revision(source, image_id, start, end)
        document = {"id": image_id, "hw_disk_bus": bus}
        key = {"source_id": source, "image_id": image_id, "observed_at": start}
        shelf.insert("revision_documents", key | {"document": document})
    shelf.revision(source, "another", T0)
    assert told(shelf, answer_by, "source", "valid_from", "valid_to", "hw_disk_bus") == [
        ("one", T0, days(1), "scsi"),
        ("one", days(1), None, "virtio"),
    ]
