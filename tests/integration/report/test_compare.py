"""`catalog compare`: which images belong together, and how they differ."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.report.compare import compare
from tests.integration.views.conftest import T0, Shelf, days

Difference = tuple[str, str | None, str | None, str | None, str | None]


def compared(shelf: Shelf, a: str, b: str | None = None, **moments: datetime) -> list[dict[str, Any]]:
    with shelf.database.transaction(read_only=True) as connection:
        return compare(connection, a, b, **moments).dicts()


def short(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        tuple(row[key] for key in ("difference", "matched_by", "field", "a_value", "b_value")) for row in rows
    ]


@pytest.fixture
def two(shelf: Shelf) -> Shelf:
    shelf.source("a")
    shelf.source("b")
    return shelf


def test_images_belong_together_by_id_first(two: Shelf) -> None:
    two.image("s-a", "same", name="x", checksum="1", tags=["t"])
    two.image("s-b", "same", name="y", checksum="2", tags=["t"])
    two.image("s-b", "other", name="x", checksum="1")
    assert short(compared(two, "a", "b")) == [
        ("only in b", None, None, None, None),
        ("differs", "id", "hash", "md5:1", "md5:2"),
        ("differs", "id", "name", "x", "y"),
    ]


def test_else_by_the_hash_of_their_data(two: Shelf) -> None:
    hashed: dict[str, Any] = {"hash_algo": "sha512", "hash_value": "ff"}
    two.image("s-a", "1", name="web", min_ram=1, **hashed)
    two.image("s-b", "2", name="web_renamed", min_ram=2, **hashed)
    rows = compared(two, "a", "b")
    assert short(rows) == [
        ("differs", "hash", "min_ram_mb", "1", "2"),
        ("differs", "hash", "name", "web", "web_renamed"),
    ]
    assert {(row["a_image_id"], row["b_image_id"]) for row in rows} == {("1", "2")}


def test_the_same_data_uploaded_twice_is_no_difference(two: Shelf) -> None:
    """No two regions take an upload in the same second: it would be a difference of each image."""
    for source, moment in (("s-a", days(1)), ("s-b", days(2))):
        two.image(source, f"of-{source}", name="web", checksum="1", created_at=moment)
        two.image(source, f"no-hash-of-{source}", name="db", created_at=moment)
    assert [row[1:3] for row in short(compared(two, "a", "b"))] == [("os", "created_at")]


def test_of_several_with_the_same_data_those_of_one_name_belong_together(two: Shelf) -> None:
    """A new image often stands under its own name and under that of its family."""
    for source, names in (("s-a", ("ubuntu", "ubuntu-2026", "a")), ("s-b", ("ubuntu-2026", "ubuntu", "b"))):
        for number, name in enumerate(names):
            two.image(source, f"{name}-{source}", name=name, checksum="1", created_at=days(number))
    assert short(compared(two, "a", "b")) == [("differs", "hash", "name", "a", "b")]


def test_else_by_system_visibility_and_family_the_newest_with_the_newest(two: Shelf) -> None:
    ubuntu: dict[str, Any] = {"platform": "ubuntu", "os_version": "22.04", "visibility": "public"}
    two.image("s-a", "a-new", name="ubuntu-22.04-20240301", created_at=days(3), checksum="3", **ubuntu)
    two.image("s-a", "a-old", name="ubuntu-22.04-20240201", created_at=days(2), checksum="2", **ubuntu)
    two.image("s-b", "b-new", name="ubuntu-22.04-20240315", created_at=days(4), checksum="4", **ubuntu)
    two.image(
        "s-b", "b-own", name="ubuntu-22.04-20240315", created_at=days(4), **ubuntu | {"visibility": "private"}
    )
    rows = compared(two, "a", "b")
    pairs = {(row["difference"], row["a_image_id"], row["b_image_id"]) for row in rows}
    assert pairs == {
        ("differs", "a-new", "b-new"),
        ("only in a", "a-old", None),
        ("only in b", None, "b-own"),
    }
    assert {row["matched_by"] for row in rows} == {"os", None}


def test_equal_and_deleted_images_are_no_difference_and_each_belongs_to_one(two: Shelf) -> None:
    for source in ("s-a", "s-b"):
        two.image(source, "same", name="x")
        two.image(source, f"gone-{source}", deleted_at=T0)
        for number in range(3):
            two.image(source, f"{source}-{number}", name="twin", checksum="1", created_at=days(number))
    two.image("s-a", "s-a-3", name="twin", checksum="1", created_at=days(-1))
    assert short(compared(two, "a", "b")) == [("only in a", None, None, None, None)]
    assert compared(two, "a", "b")[0]["a_image_id"] == "s-a-3"


def test_one_source_is_compared_with_itself_at_two_moments(two: Shelf) -> None:
    two.image("s-a", "i", name="new")
    two.revision("s-a", "i", T0, days(2), "created", name="old", created_at=T0)
    two.revision("s-a", "i", days(2), name="new", created_at=T0)
    two.image("s-a", "late", name="late")
    two.revision("s-a", "late", days(4), change="created", name="late", created_at=T0)
    assert short(compared(two, "a", from_=days(1), to=days(3))) == [("differs", "id", "name", "old", "new")]
    assert [row["difference"] for row in compared(two, "a", from_=days(3))] == ["only in b"]
    assert compared(two, "a", from_=days(5)) == []
    assert short(compared(two, "a", from_=days(3), to=days(1))) == [("differs", "id", "name", "new", "old")]
    assert compared(two, "a", from_=days(1), to=days(1)) == []


def test_what_cannot_be_compared_is_said(two: Shelf) -> None:
    for arguments, moments, words in (
        (("a",), {}, "name two sources, or one and --from"),
        (("a", "b"), {"from_": T0}, "compare one source with itself"),
        (("a", "x"), {}, "no source is called 'x'"),
        (("*", "b"), {}, "means 2 sources"),
    ):
        with pytest.raises(UsageError, match=words.replace("*", r"\*")):
            compared(two, *arguments, **moments)
    two.connection.execute("UPDATE sources SET history_from = %s", (days(5),))
    with pytest.raises(UsageError, match="was pruned"):
        compared(two, "a", from_=days(4))
    two.connection.execute("UPDATE sources SET history_from = NULL WHERE name = 'a'")
    compared(two, "a", from_=days(4))  # the history of another source does not matter


def test_systems_of_the_past_are_those_of_then(two: Shelf) -> None:
    """Else a new image would not be told to replace the one whose key was set right meanwhile."""
    debian: dict[str, Any] = {"name": "base", "platform": "Debian", "os_version": "12"}
    ubuntu: dict[str, Any] = {"name": "base", "platform": "ubuntu", "os_version": "22.04"}
    two.image("s-a", "old", deleted_at=days(4), last_changed_at=days(4), **debian)
    two.revision("s-a", "old", T0, days(2), "created", **ubuntu | {"platform": "Ubuntu"})
    two.revision("s-a", "old", days(2), days(4), "updated", **debian)
    two.revision("s-a", "old", days(4), None, "deleted", name="base", platform="Debian", deleted_at=days(4))
    two.image("s-a", "new", created_at=days(3), last_changed_at=days(3), **ubuntu)
    two.revision("s-a", "new", days(3), None, "created", **ubuntu)
    assert {row["matched_by"] for row in compared(two, "a", from_=days(1), to=days(5))} == {"os"}
    assert {row["matched_by"] for row in compared(two, "a", from_=days(1))} == {"os"}
    assert {row["matched_by"] for row in compared(two, "a", from_=days(3.5), to=days(5))} == {None}
