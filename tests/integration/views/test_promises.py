"""Whether promises were kept, and whether the same image is in every source: image_promises, equivalent_images."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.integration.views.conftest import Shelf, ago, days

NAME = "Ubuntu 22.04"


def promise(shelf: Shelf, image: str = "a") -> tuple[bool | None, datetime | None]:
    row = shelf.one("SELECT * FROM image_promises WHERE image_id = %s", image)
    assert row["evidence"]
    return row["kept"], row["broken_since"]


@pytest.mark.parametrize(
    ("frequency", "born", "next_born", "broken_since"),
    [
        ("monthly", 20, None, None),
        ("monthly", 60, None, ("1 month", 60)),
        ("monthly", 60, 28, None),  # up to three days late is no violation
        ("monthly", 90, 20, ("1 month", 90)),
        ("Weekly", 11, None, ("7 days", 11)),
        ("weekly", 9.5, None, None),
        ("quarterly", 200, 120, None),
        ("quarterly", 200, None, ("3 months", 200)),
        ("daily", 10, None, ("1 day", 10)),
        ("yearly", 380, None, ("1 year", 380)),
        ("never", 100, None, None),
    ],
)
def test_a_name_is_replaced_as_often_as_promised(
    shelf: Shelf, frequency: str, born: float, next_born: float | None, broken_since: tuple[str, float] | None
) -> None:
    source = shelf.source()
    shelf.image(
        source, "a", name=NAME, created_at=ago(born), hidden=True, properties={"replace_frequency": frequency}
    )
    shelf.revision(source, "a", ago(1), hidden=True)
    shelf.connection.execute("UPDATE images SET hidden = %s", (next_born is not None,))
    if next_born is not None:
        shelf.image(source, "b", name=NAME, created_at=ago(next_born))
    if broken_since is None:
        assert promise(shelf) == (True, None)
    else:
        due = shelf.one(
            "SELECT %s + %s::interval + interval '3 days' AS at", ago(broken_since[1]), broken_since[0]
        )
        assert promise(shelf) == (False, due["at"])


def test_after_its_last_day_a_name_need_not_be_replaced(shelf: Shelf) -> None:
    until = (ago(40)).date().isoformat()
    shelf.image(shelf.source(), "a", created_at=ago(60), properties={"replace_frequency": "monthly"})
    shelf.connection.execute(
        "UPDATE images SET properties = properties || jsonb_build_object('provided_until', %s::text)",
        (until,),
    )
    rows = shelf.ask("SELECT promise, kept FROM image_promises")
    assert {row["promise"]: row["kept"] for row in rows} == {
        "replace_frequency": True,
        "provided_until": True,
    }


def test_an_image_that_never_changes_is_broken_by_a_newer_one(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", name=NAME, created_at=ago(60), properties={"replace_frequency": "never"})
    shelf.image(source, "b", name=NAME, created_at=ago(10))
    assert promise(shelf) == (False, ago(10))


@pytest.mark.parametrize(
    ("until", "kept"), [(-30, True), (-5, False), (30, False)], ids=["passed", "too early", "in force"]
)
def test_a_name_is_provided_until_the_day_that_was_promised(shelf: Shelf, until: int, kept: bool) -> None:
    day = ago(-until).date().isoformat()
    shelf.image(
        shelf.source(), "a", created_at=ago(90), deleted_at=ago(10), properties={"provided_until": day}
    )
    assert promise(shelf) == (kept, None if kept else ago(10))


def test_a_newer_image_takes_over_what_the_name_promises(shelf: Shelf) -> None:
    source = shelf.source()
    until = {"provided_until": ago(-100).date().isoformat()}
    shelf.image(source, "a", name=NAME, created_at=ago(90), deleted_at=ago(10), properties=until)
    shelf.image(source, "b", name=NAME, created_at=ago(20), properties=until)
    assert promise(shelf, "a") == promise(shelf, "b") == (True, None)


def test_a_promise_until_notice_needs_one(shelf: Shelf) -> None:
    source = shelf.source()
    for image in ("told", "untold"):
        shelf.image(
            source, image, created_at=ago(90), deleted_at=ago(10), properties={"provided_until": "notice"}
        )
    shelf.insert(
        "image_announcements",
        {"source_id": source, "scope": "image", "subject": "told", "announced_at": ago(20)},
    )
    assert promise(shelf, "told") == (True, None)
    assert promise(shelf, "untold") == (False, ago(10))


@pytest.mark.parametrize(
    ("validity", "newer", "kept"),
    [
        ("forever", 5, False),
        ("notice", 5, False),
        ("last-3", 3, True),
        ("last-3", 2, False),
        ("until", 0, False),
        ("passed", 0, True),
    ],
)
def test_an_id_stays_valid_as_promised(shelf: Shelf, validity: str, newer: int, kept: bool) -> None:
    source = shelf.source()
    value = {"until": ago(-10).date().isoformat(), "passed": ago(20).date().isoformat()}.get(
        validity, validity
    )
    shelf.image(
        source,
        "a",
        name=NAME,
        created_at=ago(90),
        deleted_at=ago(10),
        deletion_reason="not_found",
        properties={"uuid_validity": value},
    )
    for number in range(newer):
        shelf.image(source, f"n{number}", name=NAME, created_at=ago(80 - number))
    shelf.image(source, "later", name=NAME, created_at=ago(5))
    assert promise(shelf) == (kept, None if kept else ago(10))


def test_what_is_there_keeps_every_promise_of_its_id(shelf: Shelf) -> None:
    source = shelf.source()
    for validity in ("forever", "notice", "last-1", "2020-01-01"):
        shelf.image(source, validity, created_at=ago(90), properties={"uuid_validity": validity})
        assert promise(shelf, validity) == (True, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hotfix_hours", "48"),
        ("replace_frequency", "critical_bug"),
        ("provided_until", "soon"),
        ("uuid_validity", "?"),
    ],
)
def test_what_history_can_not_tell_is_left_open(shelf: Shelf, key: str, value: str) -> None:
    shelf.image(shelf.source(), "a", created_at=ago(400), properties={key: value})
    assert promise(shelf) == (None, None)


@pytest.mark.parametrize("key", ["provided_until", "uuid_validity"])
def test_none_is_not_a_promise(shelf: Shelf, key: str) -> None:
    shelf.image(shelf.source(), "a", properties={key: "none"})
    assert shelf.ask("SELECT * FROM image_promises") == []


def test_a_promise_that_was_taken_back_is_broken_since_then(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", properties={"replace_frequency": "critical_bug"})
    shelf.revision(source, "a", days(1), days(5), change="created")
    shelf.revision(source, "a", days(5), changed={"provided_until": ["2027-12-31", "2026-06-30"]})
    rows = shelf.ask("SELECT promise, value, kept, broken_since FROM image_promises ORDER BY promise")
    assert [tuple(row.values()) for row in rows] == [
        ("provided_until", "2027-12-31", False, days(5)),
        ("replace_frequency", "critical_bug", None, None),
    ]


def equivalents(shelf: Shelf) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = shelf.ask("SELECT * FROM equivalent_images")
    return {(row["distro"], row["source"]): (row["image_id"], row["behind_days"]) for row in rows}


def test_the_same_system_in_every_source_and_how_far_it_is_behind(shelf: Shelf) -> None:
    one, two = shelf.source("one", kind="ims"), shelf.source("two")
    ims: dict[str, Any] = {"platform": "Ubuntu", "os_version": "Ubuntu 22.04 server 64bit", "os_bit": 64}
    glance: dict[str, Any] = {"platform": "ubuntu", "os_version": "22.04", "architecture": "x86_64"}
    shelf.image(one, "old", created_at=days(1), **ims)
    shelf.image(one, "new", created_at=days(20), **ims)
    shelf.image(two, "behind", created_at=days(2) + timedelta(hours=1), **glance)
    for number, reason in enumerate(
        (
            {"hidden": True},
            {"image_kind": "snapshot"},
            {"deleted_at": days(9)},
            {"status": "queued"},
            {"unlisted_since": days(9)},
        )
    ):
        shelf.image(two, f"not{number}", created_at=days(30), **glance | reason)
    shelf.image(two, "told", created_at=days(30), **glance)
    shelf.insert(
        "image_announcements",
        {
            "source_id": two,
            "scope": "image",
            "subject": "told",
            "announced_at": days(1),
            "deprecated_at": days(2),
        },
    )
    shelf.image(two, "unknown", name="x")
    assert equivalents(shelf) == {("ubuntu", "one"): ("new", 0), ("ubuntu", "two"): ("behind", 17)}


def test_a_retired_source_is_compared_with_none(shelf: Shelf) -> None:
    shelf.image(shelf.source(retired_at=days(1)), "a", platform="ubuntu", os_version="22.04")
    assert equivalents(shelf) == {}
