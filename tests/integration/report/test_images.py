"""`catalog images` and the way in which an image is named, on a catalog with known contents."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.report.find import SeveralImages, find_image
from catalog.report.images import ORDERS, STATES, ImageFilter, count_images, list_images
from catalog.report.queries import run_report
from tests.integration.views.conftest import T0, Shelf, days

ID = "8bae893c-3b7b-41ec-849f-5ef561bd94f6"


def listed(shelf: Shelf, **asked: Any) -> list[dict[str, Any]]:
    with shelf.database.transaction(read_only=True) as connection:
        return list_images(connection, ImageFilter(**asked)).dicts()


def ids(shelf: Shelf, **asked: Any) -> list[str]:
    return [row["image_id"] for row in listed(shelf, **asked)]


def found(shelf: Shelf, image: str, *sources: str) -> list[tuple[str, str]]:
    with shelf.database.transaction(read_only=True) as connection:
        return [(each.source, each.image_id) for each in find_image(connection, image, sources)]


@pytest.fixture
def stock(shelf: Shelf) -> Shelf:
    a, b = shelf.source("a"), shelf.source("b", kind="ims")
    old = shelf.source("old", retired_at=days(50))
    shelf.insert("projects", {"source_id": a, "project_id": "p", "name": "Shop", "seen_at": T0})
    ubuntu: dict[str, Any] = {"platform": "ubuntu", "os_version": "22.04", "architecture": "amd64"}
    shelf.image(
        a, ID, name="Ubuntu-22.04-golden", owner="p", tags=["golden", "x"], flags={"kvm": True, "arm": False},
        visibility="public", created_at=days(2), size=5, **ubuntu,
    )  # fmt: skip
    shelf.image(
        a, "a2", name="debian", platform="Debian", os_version="12.4", status="queued", image_kind="snapshot",
        created_at=days(1),
    )  # fmt: skip
    shelf.image(
        a,
        "a3",
        name="gone",
        deleted_at=days(9),
        deletion_reason="not_found",
        tags=["golden"],
        platform="Debian",
    )
    shelf.revision(a, "a3", T0, days(9), "created", name="gone", platform="Debian", tags=["golden"])
    shelf.revision(a, "a3", days(9), change="deleted", deleted_at=days(9), deletion_reason="not_found")
    ims = {"platform": "Ubuntu", "os_version": "Ubuntu 22.04 server 64bit", "architecture": "x86_64"}
    shelf.image(b, "b1", name="Standard_Ubuntu", tags=["golden"], created_at=days(3), image_size=7, **ims)
    shelf.image(b, "b2", name="red hat", platform="RedHat", os_version="Red Hat 9.4", hidden=True)
    shelf.image(old, "o1", name="left")
    return shelf


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["a2", ID, "b2", "b1"]),
        ({"text": "UBUNTU"}, [ID, "b1"]),
        ({"text": "3B7B"}, [ID]),
        ({"text": "%"}, []),
        ({"source": ("a", "o*")}, ["a2", ID, "o1"]),
        ({"source": ("b",)}, ["b2", "b1"]),
        ({"tag": ("golden",)}, [ID, "b1"]),
        ({"tag": ("golden", "x")}, [ID]),
        ({"capability": ("kvm",)}, [ID]),
        ({"capability": ("kvm", "arm")}, []),
        ({"os": "ubuntu"}, [ID, "b1"]),
        ({"os": "Ubuntu-22.04"}, [ID, "b1"]),
        ({"os": "ubuntu-22"}, [ID, "b1"]),
        ({"os": "ubuntu-2"}, []),
        ({"os": "rhel-9"}, ["b2"]),
        ({"arch": "x86_64"}, [ID, "b1"]),
        ({"arch": "amd64"}, [ID, "b1"]),
        ({"status": "queued"}, ["a2"]),
        ({"visibility": "public"}, [ID]),
        ({"owner": "p"}, [ID]),
        ({"kind": "snapshot"}, ["a2"]),
        ({"owner": "shop"}, [ID]),
        ({"state": "hidden"}, ["b2"]),
        ({"state": "gone"}, ["a3"]),
        ({"deleted": True}, ["a3"]),
        ({"deleted": True, "tag": ("x",)}, []),
        ({"as_of": days(5)}, ["a3"]),
        ({"as_of": days(5), "os": "debian"}, ["a3"]),
        ({"as_of": days(10)}, []),
        ({"as_of": days(10), "deleted": True}, ["a3"]),
        ({"sort": "-created", "limit": 2}, ["b1", ID]),
        ({"sort": "name"}, ["a2", "b2", "b1", ID]),
        ({"sort": "-size"}, ["b1", ID, "a2", "b2"]),
    ],
)
def test_each_condition_leaves_what_fits_it(stock: Shelf, asked: dict[str, Any], expected: list[str]) -> None:
    assert ids(stock, **asked) == expected


def test_a_row_says_what_people_look_for(stock: Shelf) -> None:
    [row] = listed(stock, tag=("x",))
    assert (row["source"], row["image_id"], row["name"]) == ("a", ID, "Ubuntu-22.04-golden")
    assert (row["os"], row["arch"], row["owner"], row["owner_name"]) == (
        "ubuntu-22.04",
        "x86_64",
        "p",
        "Shop",
    )
    assert (row["tags"], row["capabilities"], row["size_bytes"]) == (["golden", "x"], ["kvm"], 5)


@pytest.mark.parametrize("order", [*ORDERS, *(f"-{name}" for name in ORDERS)])
def test_every_order_can_be_asked_for(stock: Shelf, order: str) -> None:
    assert len(ids(stock, sort=order)) == 4


def test_an_image_of_the_past_has_the_system_of_then(shelf: Shelf) -> None:
    """A name or a key may have told another one before."""
    a = shelf.source("a")
    shelf.image(a, "x", name="base", platform="Debian", os_version="12", last_changed_at=days(5))
    shelf.revision(a, "x", T0, days(5), "created", name="base", platform="Ubuntu", os_version="22.04")
    shelf.revision(a, "x", days(5), change="updated", name="base", platform="Debian", os_version="12")
    shelf.image(a, "same", name="rocky-9", last_changed_at=T0)
    shelf.revision(a, "same", T0, change="created", name="rocky-9")
    then = days(1)
    assert {row["image_id"]: row["os"] for row in listed(shelf, as_of=then)} == {
        "x": "ubuntu-22.04",
        "same": "rocky-9",
    }
    assert ids(shelf, os="ubuntu", as_of=then) == ["x"]
    assert ids(shelf, os="debian", as_of=then) == []
    assert ids(shelf, os="debian", as_of=days(6)) == ids(shelf, os="debian") == ["x"]
    with shelf.database.transaction(read_only=True) as connection:
        platforms = run_report(connection, "platforms", as_of=then).dicts()
        counts = count_images(connection, ImageFilter(as_of=then), 5)
    assert {row["platform"] for row in platforms} == {"ubuntu", "rocky"}
    assert sorted(counts.facets["os"]) == [("rocky", 1), ("ubuntu", 1)]


def test_every_state_of_a_life_can_be_asked_for(stock: Shelf) -> None:
    known = {row["state"] for row in stock.ask("SELECT state FROM image_lifecycle")}
    assert known <= set(STATES)
    assert sorted(i for state in STATES for i in ids(stock, state=state)) == sorted([ID, "a3", "b1", "b2"])


def test_what_cannot_be_listed_is_said(stock: Shelf) -> None:
    with pytest.raises(UsageError, match="no source is called 'x'"):
        listed(stock, source=("x",))
    with pytest.raises(UsageError, match="states are known for the present only"):
        listed(stock, state="current", as_of=days(1))
    with pytest.raises(UsageError, match="images are sorted by source, name"):
        listed(stock, sort="colour")
    stock.connection.execute("UPDATE sources SET history_from = %s", (days(5),))
    with pytest.raises(UsageError, match="was pruned"):
        listed(stock, as_of=days(4))


def test_an_image_is_named_by_id_by_the_beginning_of_it_or_by_name(stock: Shelf) -> None:
    for name in (ID, ID[:8], ID[:20], "Ubuntu-22.04-golden", "UBUNTU-22.04-GOLDEN", ID.upper()):
        assert found(stock, name) == [("a", ID)], name
    assert found(stock, "a3") == [("a", "a3")], "deleted ones as well"
    for name in (ID[:7], "nothing", "%", "Ubuntu-22.04-%"):
        with pytest.raises(UsageError, match="no image has the id or the name"):
            found(stock, name)


def test_an_id_goes_before_names_and_one_image_may_be_in_several_sources(stock: Shelf) -> None:
    stock.image("s-b", ID, name="same")
    stock.image("s-b", "b9", name="a2")
    assert found(stock, ID[:8]) == [("a", ID), ("b", ID)]
    assert found(stock, ID, "b*") == [("b", ID)]
    assert found(stock, "a2") == [("a", "a2")], "an id goes before a name"


def test_a_name_of_several_images_is_answered_by_all_of_them(stock: Shelf) -> None:
    stock.image("s-b", ID[:9] + "other", name="debian")
    for name, many in ((ID[:8], {ID, ID[:9] + "other"}), ("debian", {"a2", ID[:9] + "other"})):
        with pytest.raises(SeveralImages, match="means 2 images; name one by its id") as caught:
            found(stock, name)
        assert {each.image_id for each in caught.value.found} == many
    assert found(stock, "debian", "a") == [("a", "a2")]
