"""The image to use: `latest_images` on catalogs with known contents, now and as of a moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.report.latest import Wanted, latest_images, why_none
from catalog.store.db.connection import Database
from tests.support.observations import add_source, day, observe

BASE: dict[str, Any] = {
    "status": "active",
    "visibility": "public",
    "os_distro": "ubuntu",
    "os_version": "22.04",
}
LATER = timedelta(hours=1)


def born(number: int, **keys: Any) -> dict[str, Any]:
    """An image that was created on the day of that number."""
    return {**BASE, "name": "Ubuntu 22.04", "created_at": day(number).isoformat(), **keys}


def see(database: Database, number: int, images: dict[str, dict[str, Any]], **more: Any) -> None:
    with database.transaction() as connection:
        observe(connection, day(number), images, **more)


def ids(database: Database, **asked: Any) -> list[str]:
    with database.transaction(read_only=True) as connection:
        return [row["image_id"] for row in latest_images(connection, Wanted(**asked)).dicts()]


def reason(database: Database, **asked: Any) -> str:
    with database.transaction(read_only=True) as connection:
        return why_none(connection, Wanted(**asked))


@pytest.fixture
def filled(database: Database) -> Database:
    add_source(database)
    return database


CHOICE = {
    "old": born(1),
    "new": born(5, tags=["golden"], __support_kvm="true"),
    "arm": born(6, architecture="arm64"),
    "gpu": born(7, os_purpose="gpu"),
    "rocky": born(2, os_distro="rocky", os_version="9.4", name="Rocky 9", visibility="private"),
    "hid": born(9, os_hidden=True),
    "stopped": born(9, status="deactivated"),
    "snapshot": born(9, image_type="snapshot"),
    "was": born(9, os_purpose="oldgeneric"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "gpu"),
        ({"family": "ubuntu 22.04"}, "gpu"),
        ({"os": "ubuntu-22.04", "purpose": "generic"}, "arm"),
        ({"os": "Ubuntu", "purpose": "generic", "arch": "AMD64"}, None),
        ({"os": "ubuntu-22.04", "arch": "aarch64"}, "arm"),
        ({"os": "rocky-9"}, "rocky"),
        ({"os": "rocky-9.4"}, "rocky"),
        ({"os": "rocky-9.5"}, None),
        ({"os": "rock"}, None),
        ({"os": "ubuntu-22"}, "gpu"),
        ({"tag": ("golden",)}, "new"),
        ({"tag": ("golden", "other")}, None),
        ({"capability": ("kvm",)}, "new"),
        ({"visibility": "private"}, "rocky"),
        ({"purpose": "oldgeneric"}, "was"),
        ({"purpose": "k8s"}, None),
        ({"source": ("cl*",), "os": "rocky"}, "rocky"),
    ],
)
def test_the_newest_that_is_offered_and_fits(
    filled: Database, asked: dict[str, Any], found: str | None
) -> None:
    see(filled, 10, CHOICE)
    expected = [found] if found else []
    assert ids(filled, **asked) == expected
    assert ids(filled, **asked, as_of=day(10) + LATER) == expected
    see(filled, 12, {image_id: {"name": "of now", "status": "killed"} for image_id in CHOICE})
    assert ids(filled, **asked) == []
    assert ids(filled, **asked, as_of=day(10) + LATER) == expected


def test_of_two_created_at_one_moment_the_greater_id_counts(filled: Database) -> None:
    see(filled, 10, {"a": born(1), "c": born(1), "b": born(1), "z": {**BASE, "name": "without date"}})
    assert ids(filled) == ["c"]


def test_one_row_per_source_and_retired_ones_only_if_they_are_named(filled: Database) -> None:
    see(filled, 10, {"a": born(1)})
    with filled.transaction() as connection:
        connection.execute(
            "INSERT INTO sources (source_id, name, kind, created_at) VALUES ('t', 'second', 'ims', now())"
        )
        for table in ("images", "image_state"):
            connection.execute(
                f'INSERT INTO {table} SELECT (jsonb_populate_record(t, \'{{"source_id": "t"}}\')).* FROM {table} t'
            )
    assert ids(filled) == ["a", "a"]
    assert ids(filled, source=("sec*",)) == ["a"]
    with filled.transaction() as connection:
        connection.execute("UPDATE sources SET retired_at = now() WHERE source_id = 't'")
    assert ids(filled) == ["a"]
    assert ids(filled, source=("second",)) == ["a"]
    with pytest.raises(UsageError, match="nothing"):
        ids(filled, source=("nothing",))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"os": "ubuntu-26.04", "arch": "x86_64"}, "--os ubuntu-26.04 leaves none of the 5 that are offered"),
        (
            {"os": "ubuntu", "tag": ("golden", "x")},
            "--tag golden --tag x leaves none of the 4 that are offered, --os ubuntu",
        ),
        ({"family": "Debian 12"}, "FAMILY Debian 12 leaves none of the 5"),
        ({"as_of": day(9)}, "no image is offered in the sources and at the time asked for"),
    ],
)
def test_the_condition_that_leaves_none_is_named(filled: Database, asked: dict[str, Any], told: str) -> None:
    see(filled, 10, CHOICE)
    assert told in reason(filled, **asked)


def answers(database: Database, moments: list[datetime]) -> list[list[str]]:
    return [ids(database, os="ubuntu", as_of=moment) for moment in moments]


def test_the_same_question_as_of_the_same_moment_has_the_same_answer(filled: Database) -> None:
    """Whatever is seen afterwards: newer images, ones that the cloud dates back, deletions, renamings."""
    moments, asked_then = [], []
    steps: list[dict[str, dict[str, Any]]] = [
        {"a": born(1)},
        {"a": born(1), "b": born(2)},
        # known late, though the cloud made it before: it must not change what was answered before
        {"a": born(1), "b": born(2), "c": born(2, updated_at=(day(2) + LATER).isoformat())},
        {"a": born(1), "b": born(2, os_hidden=True, updated_at=(day(3) + LATER).isoformat())},
        {"a": born(1, os_distro="debian", os_version="12"), "d": born(5)},
        {"d": born(5, status="deactivated")},
    ]
    for number, images in enumerate(steps):
        see(filled, number, images)
        moments.append(day(number) + LATER)
        asked_then.append(ids(filled, os="ubuntu"))
        assert answers(filled, moments) == asked_then, f"after step {number}"
    assert asked_then == [["a"], ["b"], ["c"], ["a"], ["d"], []]


@pytest.mark.parametrize("why", ["unanswered", "held", "kept", "found"])
def test_an_image_that_is_not_listed_is_not_offered_then_and_now(filled: Database, why: str) -> None:
    see(filled, 1, {"a": born(1), "b": born(2)})
    if why == "found":
        see(filled, 3, {"a": born(1), "b": born(2)}, found=["b"])
    else:
        see(filled, 3, {"a": born(1)}, inconclusive={"b": why})
    assert ids(filled) == ["a"]
    see(filled, 5, {"a": born(1), "b": born(2)})
    assert ids(filled) == ["b"]
    assert answers(filled, [day(n) + LATER for n in (1, 3, 5)]) == [["b"], ["a"], ["b"]]


def test_what_a_partial_listing_shows_again_is_offered_then_and_now(filled: Database) -> None:
    """As a sweep that asks for changes alone does."""
    see(filled, 1, {"a": born(1), "b": born(2), "c": born(3)})
    see(filled, 3, {"a": born(1)}, inconclusive={"b": "unanswered", "c": "unanswered"})
    see(filled, 4, {"b": born(2)}, complete=False)
    assert ids(filled) == ["b"]
    see(filled, 6, {"a": born(1)}, complete=False, inconclusive={"b": "unanswered"})
    assert ids(filled) == ["a"]
    see(filled, 7, {"a": born(1), "c": born(3)})
    assert ids(filled) == ["c"]
    assert answers(filled, [day(n) + LATER for n in (1, 3, 4, 6, 7)]) == [["c"], ["a"], ["b"], ["a"], ["c"]]


def test_what_is_announced_is_not_chosen_from_its_date_on(filled: Database) -> None:
    see(filled, 1, {"a": born(1), "b": born(2)})
    with filled.transaction() as connection:
        connection.execute(
            "INSERT INTO image_announcements (source_id, scope, subject, announced_at, deprecated_at, withdrawn_at)"
            " VALUES ('s', 'image', 'b', %s, %s, %s)",
            (day(3), day(5), day(8)),
        )
    assert ids(filled) == ["b"]
    assert answers(filled, [day(n) + LATER for n in (2, 4, 6, 9)]) == [["b"], ["b"], ["a"], ["b"]]


def test_history_that_was_pruned_is_not_answered_for(filled: Database) -> None:
    see(filled, 1, {"a": born(1)})
    with filled.transaction() as connection:
        connection.execute("UPDATE sources SET history_from = %s", (day(5),))
    with pytest.raises(UsageError, match=r"history of source 'cloud' before .* was pruned"):
        ids(filled, as_of=day(3))
    assert ids(filled, as_of=day(6)) == ["a"]
