"""Tidying up: the answers of docs/reporting.md, on a catalog with known contents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg

from tests.integration.views.conftest import T0, Shelf, ago, days
from tests.integration.views.cookbook import GIB, asked, told


@asked("How much storage does each project use?")
def test_storage(shelf: Shelf, answer_by: str) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    shelf.insert("projects", {"source_id": two, "project_id": "p", "name": "shop", "seen_at": T0})
    for source in (one, two):
        shelf.image(source, "seen_twice", owner="p", size=GIB)
    shelf.image(one, "half", owner="p", size=GIB // 2)
    shelf.image(one, "stub", owner="p", size=0)
    shelf.image(one, "dead", owner="p", size=GIB, deleted_at=days(1))
    shelf.image(two, "q", owner="q", size=4 * GIB)
    shelf.image(two, "unknown", owner="r")
    columns = ("owner", "owner_name", "images", "size_gib", "images_of_unknown_size")
    assert told(shelf, answer_by, *columns) == [
        ("q", None, 1, Decimal("4.00"), 0),
        ("p", "shop", 3, Decimal("1.50"), 1),
        ("r", None, 1, None, 1),
    ]


@asked("Which old snapshots have no descendants?")
def test_old_snapshots(shelf: Shelf, answer_by: str) -> None:
    source, other = shelf.source(), shelf.source("other")
    old: dict[str, Any] = {"image_kind": "snapshot", "created_at": ago(181)}
    shelf.image(source, "idle", size=GIB, **old)
    shelf.image(source, "of_a_server", source_server_id="srv", created_at=ago(200), protected=True)
    shelf.image(source, "its_own_parent", parent_image_id="its_own_parent", size=2 * GIB, **old)
    shelf.image(source, "young", image_kind="snapshot", created_at=ago(179))
    shelf.image(source, "uploaded", created_at=ago(999))
    shelf.image(source, "used", **old)
    shelf.image(source, "dead_child", parent_image_id="used", deleted_at=days(1))
    shelf.image(source, "grandchild", parent_image_id="dead_child")
    shelf.image(source, "used_elsewhere", **old)
    shelf.image(other, "used_elsewhere", **old)
    shelf.image(other, "child", parent_image_id="used_elsewhere")
    shelf.image(source, "only_dead_child", size=GIB // 2, **old)
    shelf.image(source, "dead", parent_image_id="only_dead_child", deleted_at=days(1))
    assert told(shelf, answer_by, "image_id", "age_days", "size_gib", "protected") == [
        ("its_own_parent", 181, Decimal("2.00"), None),
        ("idle", 181, Decimal("1.00"), None),
        ("only_dead_child", 181, Decimal("0.50"), None),
        ("of_a_server", 200, None, True),
    ]


@asked("Which images are stored more than once?")
def test_same_content(shelf: Shelf, answer_by: str) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    for source in (one, two):
        shelf.image(source, "seen_twice", hash_value="h1", size=GIB)
    for number in range(3):
        shelf.image(
            one, f"copy{number}", name=f"n{number % 2}", owner=f"p{number}", hash_value="h2", size=GIB
        )
    shelf.image(one, "old1", checksum="c", size=GIB // 2)
    shelf.image(one, "old2", checksum="c", size=GIB // 2)
    shelf.image(one, "empty1", checksum="d41d8", size=0)
    shelf.image(one, "empty2", checksum="d41d8", size=0)
    assert told(shelf, answer_by, "content", "images", "names", "owners", "spare_gib") == [
        ("h2", 3, "n0, n1", 3, Decimal("2.00")),
        ("c", 2, "old1, old2", 0, Decimal("0.50")),
    ]


@asked("Which of our images lack a tag that they should have?")
def test_untagged(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "bare")
    shelf.image(source, "other", visibility="shared", tags=["envy", "my env=x", "team=web"])
    shelf.image(source, "tagged", visibility="private", tags=["env=prod"])
    shelf.image(source, "public", visibility="public")
    assert told(shelf, answer_by, "image_id", "tags_text") == [
        ("bare", ""),
        ("other", "envy, my env=x, team=web"),
    ]


@asked("Which values does a property have?")
def test_property_values(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    values: dict[str, Any] = {"a": "scsi", "b": "scsi", "c": ["virtio", "ide"], "dead": "scsi"}
    for image_id, value in values.items():
        shelf.image(source, image_id, deleted_at=days(1) if image_id == "dead" else None)
        for name in ("hw_disk_bus", "another"):
            shelf.connection.execute(
                "INSERT INTO image_properties VALUES (%s, %s, %s, %s)",
                (source, image_id, name, psycopg.types.json.Jsonb(value)),
            )
    assert told(shelf, answer_by, "property", "value", "images") == [
        ("hw_disk_bus", "scsi", 2),
        ("hw_disk_bus", "virtio, ide", 1),
    ]


@asked("How long do images live?")
def test_life_spans(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    for number, platform in ((1, "Ubuntu"), (2, "ubuntu"), (9, "Ubuntu"), (4.5, None)):
        shelf.image(source, f"i{number}", platform=platform, deleted_at=days(number))
    shelf.image(source, "alive", platform="Debian")
    assert told(shelf, answer_by, "platform", "images", "median_days", "longest_days") == [
        ("ubuntu", 3, 2, 9),
        ("(none)", 1, Decimal("4.5"), Decimal("4.5")),
    ]
