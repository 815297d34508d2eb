"""`catalog report`: each ready-made query on a catalog with known contents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.report import queries
from catalog.report.queries import BY_NAME, QUERIES, Query, Report, run_report
from tests.integration.views.conftest import T0, Shelf, days


def ask(shelf: Shelf, name: str, **filters: Any) -> list[dict[str, Any]]:
    report = asked(shelf, name, **filters)
    return [dict(zip(report.columns, row, strict=True)) for row in report.rows]


def asked(shelf: Shelf, name: str, **filters: Any) -> Report:
    with shelf.database.transaction(read_only=True) as connection:
        return run_report(connection, name, **filters)


NAMES = (
    "summary changes lifecycle support promises capabilities platforms stale duplicates drift storage coverage"
    " timeline"
)


def test_the_names_are_those_that_users_rely_on() -> None:
    assert " ".join(BY_NAME) == NAMES
    assert all(query.help for query in QUERIES)


def test_each_query_file_is_a_report() -> None:
    files = (Path(queries.__file__).parent / "sql").glob("*.sql")
    assert {file.stem for file in files} == set(BY_NAME)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_each_query_takes_its_filters_and_refuses_others(shelf: Shelf, query: Query) -> None:
    source = shelf.source("a")
    shelf.image(source, "i")
    shelf.revision(source, "i", T0, change="created")
    given: dict[str, Any] = {
        "image": "i", "source": ["a*"], "as_of": days(1), "since": days(-1), "change": ["created"],
        "field": ["name"], "tag": ["golden"], "limit": 5,
    }  # fmt: skip
    asked(shelf, query.name, **{key: value for key, value in given.items() if key in query.takes})
    needed = {"image": "i"} if "image" in query.takes else {}
    for key in set(given) - query.takes:
        with pytest.raises(UsageError, match="takes no"):
            asked(shelf, query.name, **needed, **{key: given[key]})


def test_what_cannot_be_answered_is_said_in_one_line(shelf: Shelf) -> None:
    shelf.source("a", history_from=days(5))
    with pytest.raises(UsageError, match="no report is called 'nonsense'; there are: summary, "):
        asked(shelf, "nonsense")
    with pytest.raises(UsageError, match="no source is called 'b'; known: a"):
        asked(shelf, "summary", source=["b"])
    with pytest.raises(UsageError, match="needs an IMAGE"):
        asked(shelf, "timeline")
    with pytest.raises(UsageError, match="no image has the id or the name 'x'"):
        asked(shelf, "timeline", image="x")
    with pytest.raises(UsageError, match=r'history of source "a" before .* was pruned.*Ask for a moment'):
        asked(shelf, "platforms", as_of=days(4))


def flows(shelf: Shelf) -> datetime:
    """Births, changes and deaths one hour, three days and twenty days before the moment returned."""
    moment = T0 + timedelta(days=100)
    source = shelf.source("a", last_complete_at=moment)
    shelf.source("empty")

    def before(hours: float) -> datetime:
        return moment - timedelta(hours=hours)

    shelf.image(source, "old")
    shelf.revision(source, "old", T0, before(24 * 20), "created")
    shelf.revision(source, "old", before(24 * 20), before(24 * 3))
    shelf.revision(source, "old", before(24 * 3), before(1))
    shelf.revision(source, "old", before(1))
    shelf.image(source, "new")
    shelf.revision(source, "new", before(24 * 3), change="created")
    shelf.image(source, "gone", deleted_at=before(1))
    shelf.revision(source, "gone", before(24 * 20), before(1), "created")
    shelf.revision(source, "gone", before(1), before(0.5), "deleted", deleted_at=before(1))
    shelf.revision(  # gone already, now also reported: not another departure
        source, "gone", before(0.5), change="deleted", deleted_at=before(1), period_from=before(1)
    )
    return moment


def test_summary_counts_what_came_changed_and_went_within_day_week_and_month(shelf: Shelf) -> None:
    moment = flows(shelf)
    a, empty = ask(shelf, "summary", as_of=moment)
    assert a == {
        "source": "a",
        "live": 2,
        "new_1d": 0,
        "new_7d": 1,
        "new_30d": 2,
        "changed_1d": 1,
        "changed_7d": 1,
        "changed_30d": 1,
        "gone_1d": 1,
        "gone_7d": 1,
        "gone_30d": 1,
        "last_complete_at": moment,
    }
    assert (empty["source"], empty["live"], empty["gone_30d"]) == ("empty", 0, 0)
    assert [
        row["live"] for row in ask(shelf, "summary", as_of=moment - timedelta(days=10), source=["a"])
    ] == [2]
    assert [row["live"] for row in ask(shelf, "summary")] == [2, 0]


def test_summary_counts_images_and_not_events_and_knows_the_sweep_before_a_moment(shelf: Shelf) -> None:
    source = shelf.source("a", last_complete_at=days(9))
    shelf.image(source, "i")
    shelf.revision(source, "i", days(1), days(2), "created")
    shelf.revision(source, "i", days(2), days(3), "deleted", deleted_at=days(2))
    shelf.revision(source, "i", days(3), change="restored")
    for day in (1, 3, 9):
        shelf.observation(source, days(day))
    [row] = ask(shelf, "summary", as_of=days(5))
    assert (row["live"], row["new_30d"], row["gone_30d"]) == (1, 1, 1)
    assert row["last_complete_at"] == days(3)


def test_changes_come_newest_first_without_the_noise_of_updated_at(shelf: Shelf) -> None:
    for name in ("a", "b"):
        source = shelf.source(name)
        shelf.revision(source, "i", T0, days(1), "created")
        shelf.revision(
            source, "i", days(1), changed={"name": ["x", "y"], "updated_at": ["2026-01-01", "2026-01-02"]}
        )
    rows = ask(shelf, "changes", since=T0, source=["a"])
    assert [(row["changed_at"], row["change"], row["field"], row["new_text"]) for row in rows] == [
        (days(1), "updated", "name", "y"),
        (T0, "created", None, None),
    ]
    assert len(ask(shelf, "changes", since=days(0.5))) == 2
    assert ask(shelf, "changes") == []


def changed(shelf: Shelf) -> None:
    """An image that is renamed, tagged and deleted, of a project with a name; another that is created."""
    source = shelf.source("a")
    shelf.insert("projects", {"source_id": source, "project_id": "p", "name": "Shop", "seen_at": T0})
    shelf.image(source, "i", name="web", owner="p", deleted_at=days(3), deletion_reason="not_found")
    shelf.revision(source, "i", T0, days(1), "created", name="app", owner="p")
    changed = {"name": ["app", "web"], "tags": [[], ["golden"]]}
    shelf.revision(source, "i", days(1), days(3), name="web", owner="p", changed=changed, tags=["golden"])
    gone = {"deleted_at": days(3), "deletion_reason": "not_found", "tags": ["golden"]}
    shelf.revision(source, "i", days(3), change="deleted", name="web", owner="p", **gone)
    shelf.image(source, "j", owner="q")
    shelf.revision(source, "j", days(2), change="created", owner="q")


@pytest.mark.parametrize(("report", "image"), [("changes", {}), ("timeline", {"image": "i"})])
def test_changes_say_whose_the_image_is_and_why_it_is_deleted(
    shelf: Shelf, report: str, image: dict[str, str]
) -> None:
    changed(shelf)
    rows = [row for row in ask(shelf, report, since=T0, **image) if row["image_id"] == "i"]
    assert {(row["owner"], row["owner_name"]) for row in rows} == {("p", "Shop")}
    reasons = [(row["change"], row["deletion_reason"]) for row in rows if row["deletion_reason"]]
    assert reasons == [("deleted", "not_found")]


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"change": ["deleted"]}, ["i deleted"]),
        ({"change": ["deleted", "created"]}, ["i deleted", "j created", "i created"]),
        ({"field": ["name"]}, ["i name"]),
        ({"field": ["nam?", "t*"], "tag": ["golden"]}, ["i name", "i tags"]),
        ({"field": ["n_me", "%"]}, []),
        ({"tag": ["golden"]}, ["i deleted", "i name", "i tags"]),
        ({"tag": ["golden", "old"]}, []),
        ({"limit": 2}, ["i deleted", "j created"]),
        ({"change": ["updated"], "field": ["tags"], "tag": ["golden"], "limit": 1}, ["i tags"]),
    ],
)
def test_changes_can_be_narrowed(shelf: Shelf, filters: dict[str, Any], left: list[str]) -> None:
    changed(shelf)
    rows = ask(shelf, "changes", since=T0, **filters)
    assert [f"{row['image_id']} {row['field'] or row['change']}" for row in rows] == left
    if "limit" not in filters:
        life = [f"i {row['field'] or row['change']}" for row in ask(shelf, "timeline", image="i", **filters)]
        assert sorted(life) == sorted(each for each in left if each.startswith("i "))


def test_a_limited_timeline_is_its_latest_part(shelf: Shelf) -> None:
    changed(shelf)
    rows = ask(shelf, "timeline", image="i", limit=2)
    assert [row["field"] or row["change"] for row in rows] == ["tags", "deleted"]


@pytest.mark.parametrize(
    "query", [query for query in QUERIES if query.of_the_present], ids=lambda query: query.name
)
def test_a_retired_source_is_left_out_of_the_present_unless_it_is_named(shelf: Shelf, query: Query) -> None:
    soon = {"provided_until": (datetime.now(UTC) + timedelta(days=3)).date().isoformat()}
    for name in ("used", "retired", "retired-too"):
        source = shelf.source(name, retired_at=None if name == "used" else days(5))
        shelf.image(
            source, "i", flags={"kvm": True}, platform=name, os_version="1", visibility=name, properties=soon
        )
        over = {"distro": name, "release": "1", "phase": "security", "over": True, "source": "x"}
        shelf.insert("os_support", over)
        shelf.image(source, "j", name="i")
        for image in ("i", "j"):
            shelf.revision(source, image, T0, change="created", name="i", visibility=name, platform=name)
    everything = str(asked(shelf, query.name).rows)
    assert "retired" not in everything
    assert "retired" in str(asked(shelf, query.name, source=["*"]).rows)
    if "as_of" in query.takes:
        assert "retired" in str(asked(shelf, query.name, as_of=days(4)).rows), "it was in use then"


def test_lifecycle_tells_what_to_leave_and_what_ends_soon(shelf: Shelf) -> None:
    source = shelf.source("a")
    soon = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    late = (datetime.now(UTC) + timedelta(days=300)).date().isoformat()
    shelf.image(source, "now", name="web_20240201", created_at=days(2))
    shelf.image(source, "old", name="web_20240101", created_at=days(1))
    shelf.image(source, "ends", name="db", properties={"provided_until": soon})
    shelf.image(source, "stays", name="app", properties={"provided_until": late})
    shelf.image(source, "gone", name="web_20231201", deleted_at=days(3))
    rows = {row["image_id"]: row for row in ask(shelf, "lifecycle")}
    assert set(rows) == {"old", "ends"}
    assert (rows["old"]["state"], rows["old"]["use_instead_id"]) == ("superseded", "now")
    assert rows["ends"]["promised_until"].isoformat() == soon
    assert {row["image_id"] for row in ask(shelf, "lifecycle", since=days(2.5))} == {"ends", "gone"}


def test_support_tells_of_live_images_whose_system_is_past_its_end_or_near_it(shelf: Shelf) -> None:
    source = shelf.source()
    today = "(now() AT TIME ZONE 'UTC')::date"
    shelf.connection.execute("DELETE FROM os_support")
    phases = {"1": {"security": 91}, "2": {"security": 90}, "3": {"security": -1, "extended": 400}, "4": {}}
    for release, ends in phases.items():
        shelf.image(source, f"r{release}", platform="testos", os_version=release)
        for phase, days_left in ends.items():
            shelf.connection.execute(
                "INSERT INTO os_support (distro, release, phase, ends_on, source)"
                f" VALUES ('testos', %s, %s, {today} + %s::integer, 'x')",
                (release, phase, days_left),
            )
    shelf.connection.execute(
        "INSERT INTO os_support (distro, release, phase, over, source)"
        " VALUES ('testos', '5', 'security', true, 'x')"
    )
    shelf.image(source, "r5", platform="testos", os_version="5")
    shelf.image(source, "gone", platform="testos", os_version="3", deleted_at=days(1))
    rows = ask(shelf, "support")
    assert [(r["image_id"], r["support_phase"], r["days_left"]) for r in rows] == [
        ("r5", "ended", None),
        ("r3", "extended", -1),
        ("r2", "security", 90),
    ]
    assert rows[1]["paid_support_ends_on"] is not None


def test_promises_show_the_broken_ones_first(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "kept", properties={"uuid_validity": "forever"})
    shelf.image(source, "open", properties={"hotfix_hours": "48"})
    shelf.image(source, "broken", deleted_at=days(3), properties={"uuid_validity": "forever"})
    rows = ask(shelf, "promises")
    assert [(r["image_id"], r["promise"], r["kept"], r["broken_since"]) for r in rows] == [
        ("broken", "uuid_validity", False, days(3)),
        ("kept", "uuid_validity", True, None),
        ("open", "hotfix_hours", None, None),
    ]


def test_capabilities_are_summed_over_platforms_and_sources(shelf: Shelf) -> None:
    """In one vocabulary: a cloud's spelling makes no other system of it."""
    for name, platform in (("a", "Ubuntu"), ("b", "Debian"), ("c", "ubuntu")):
        shelf.image(shelf.source(name), "i", platform=platform, flags={"kvm": True, "arm": name == "a"})
    rows = {row["capability"]: row for row in ask(shelf, "capabilities")}
    assert (rows["kvm"]["supported"], rows["kvm"]["not_supported"], rows["kvm"]["sources"]) == (3, 0, 3)
    assert rows["kvm"]["platforms"] == ["debian", "ubuntu"]
    assert (rows["arm"]["supported"], rows["arm"]["not_supported"]) == (1, 2)
    assert rows["arm"]["platforms"] == ["ubuntu"]


def test_platforms_count_images_and_their_true_sizes_now_and_then(shelf: Shelf) -> None:
    source = shelf.source("a", kind="ims")
    shelf.image(source, "i", platform="Ubuntu", image_size=3 * 2**30, size=2)
    shelf.image(source, "j", platform="ubuntu", size=2)
    shelf.image(source, "k", platform="Debian", deleted_at=days(3))
    shelf.revision(source, "k", days(1), days(3), "created", platform="Debian")
    [now] = ask(shelf, "platforms")
    assert (now["platform"], now["images"], now["sources"], float(now["size_gib"])) == ("ubuntu", 2, 1, 3.0)
    [then] = ask(shelf, "platforms", as_of=days(2))
    assert (then["platform"], then["images"], then["size_gib"]) == ("debian", 1, None)


def test_stale_names_only_the_sources_that_are_late(shelf: Shelf) -> None:
    now = datetime.now(UTC)
    shelf.source("late", expected_seconds=60, last_complete_at=now - timedelta(hours=1))
    shelf.source("fresh", expected_seconds=3600, last_complete_at=now)
    assert [row["source"] for row in ask(shelf, "stale")] == ["late"]


def test_duplicates_are_names_shared_by_live_images_of_one_source(shelf: Shelf) -> None:
    a, b = shelf.source("a"), shelf.source("b")
    shelf.image(a, "1", name="web", created_at=days(1), owner="p")
    shelf.image(a, "2", name="web", created_at=days(2), owner="q")
    shelf.image(a, "3", name="web", deleted_at=T0)
    shelf.image(a, "4", name=None)
    shelf.image(a, "5", name=None)
    shelf.image(b, "6", name="web")
    [row] = ask(shelf, "duplicates")
    assert (row["source"], row["name"], row["images"], row["owners"]) == ("a", "web", 2, 2)
    assert (row["newest_id"], row["newest_created_at"]) == ("2", days(2))


def test_drift_shows_each_value_with_the_sources_that_say_so(shelf: Shelf) -> None:
    for name, visibility in (("a", "public"), ("b", "public"), ("c", "private")):
        source = shelf.source(name)
        shelf.image(source, "same", name="x", visibility=visibility, tags=["t"])
        shelf.image(source, f"own-{name}")
    rows = ask(shelf, "drift")
    assert [tuple(row.values()) for row in rows] == [
        ("same", "visibility", "private", ["c"]),
        ("same", "visibility", "public", ["a", "b"]),
    ]
    assert ask(shelf, "drift", source=["[ab]"]) == []


def test_storage_charges_each_month_for_the_part_of_it_that_an_image_lived(shelf: Shelf) -> None:
    source = shelf.source("a", kind="ims", project_id="p")
    march, april = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    half = datetime(2026, 4, 16, tzinfo=UTC)
    shelf.image(source, "i", owner="p")
    content: dict[str, Any] = {"owner": "p", "image_type": "private", "image_size": 10 * 2**30}
    shelf.revision(source, "i", march, april, "created", **content)
    shelf.revision(source, "i", april, half, **content)
    shelf.revision(source, "i", half, change="deleted", deleted_at=half, **content)
    shelf.insert("projects", {"source_id": source, "project_id": "p", "name": "Shop", "seen_at": T0})
    rows = ask(shelf, "storage", since=march, as_of=datetime(2026, 6, 1, tzinfo=UTC))
    assert [(row["month"], row["owner_name"], row["kind"], float(row["gib_months"])) for row in rows] == [
        ("2026-04", "Shop", "private", 5.0),
        ("2026-03", "Shop", "private", 10.0),
    ]


def test_storage_counts_an_image_that_two_projects_see_once_where_its_owner_is(shelf: Shelf) -> None:
    for name in ("a", "b"):
        source = shelf.source(name, kind="ims", endpoint="https://ims", project_id=name)
        shelf.image(source, "shared", owner="b")
        shelf.revision(
            source, "shared", days(31), days(62), "created", owner="b", image_size=2**30, image_type="shared"
        )
    rows = ask(shelf, "storage", since=T0, as_of=days(70))
    assert {row["source"] for row in rows} == {"b"}


def test_coverage_lists_the_holes_between_complete_observations(shelf: Shelf) -> None:
    now = datetime.now(UTC)
    source = shelf.source("a", expected_seconds=3600, created_at=now - timedelta(hours=20), observed_since=T0)
    for hours in (20, 19, 18, 9, 8, 7, 6, 5, 4, 3, 2, 1):
        shelf.observation(source, now - timedelta(hours=hours))
    shelf.observation(source, now - timedelta(hours=12), complete=False)
    shelf.source("never", created_at=now - timedelta(days=2))
    shelf.source("young", created_at=now)
    hole, never = ask(shelf, "coverage")
    assert (hole["source"], float(hole["hours"]), hole["partial_observations"]) == ("a", 9.0, 1)
    assert hole["gap_from"] == now - timedelta(hours=18)
    assert (never["source"], never["observed_since"]) == ("never", T0)
    assert len(ask(shelf, "coverage", since=now - timedelta(hours=8))) == 1
    shelf.connection.execute(
        "UPDATE sources SET history_from = %s WHERE name = 'a'", (now - timedelta(hours=8),)
    )
    assert [row["source"] for row in ask(shelf, "coverage")] == ["never"], "the ledger before it is thinned"


def test_a_timeline_tells_one_images_life_by_its_id_or_its_name(shelf: Shelf) -> None:
    source = shelf.source("a")
    shelf.image(source, "i", name="web")
    shelf.revision(source, "i", T0, days(1), "created", name="app")
    changed = {"name": ["app", "web"], "updated_at": ["2026-01-01", "2026-01-02"]}
    shelf.revision(source, "i", days(1), days(2), name="web", changed=changed)
    shelf.revision(source, "i", days(2), change="deleted", name="web")
    shelf.image(source, "other")
    shelf.revision(source, "other", T0, change="created")
    life = [(row["changed_at"], row["change"], row["field"]) for row in ask(shelf, "timeline", image="i")]
    assert life == [(T0, "created", None), (days(1), "updated", "name"), (days(2), "deleted", None)]
    assert len(ask(shelf, "timeline", image="web")) == 3
    assert len(ask(shelf, "timeline", image="web", since=days(1))) == 2
