"""Moving away in time: the answers of docs/reporting.md, on a catalog with known contents."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.integration.views.conftest import Shelf, days
from tests.integration.views.cookbook import asked, told


@asked("Which images should I move away from, and where to?")
def test_move_away(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "new", name="Debian 12", created_at=days(9))
    shelf.image(source, "old", name="Debian 12 (old20260101)", created_at=days(1))
    shelf.image(source, "unlisted", name="Debian 12 (20251201)", unlisted_since=days(10))
    shelf.image(source, "gone", name="Debian 12 (20251101)", deleted_at=days(2))
    shelf.image(source, "alone", name="CentOS 7", status="deactivated")
    assert told(
        shelf, answer_by, "image_id", "state", "state_since", "use_instead_id", "use_instead_name"
    ) == [
        ("alone", "deactivated", None, None, None),
        ("old", "superseded", days(9), "new", "Debian 12"),
        ("unlisted", "unlisted", days(10), "new", "Debian 12"),
    ]


@asked("What ends within 90 days?")
def test_what_ends(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    today = shelf.one("SELECT (now() AT TIME ZONE 'UTC')::date AS today")["today"]

    def promised(image_id: str, in_days: int, **columns: Any) -> None:
        until = (today + timedelta(days=in_days)).isoformat()
        shelf.image(source, image_id, properties={"provided_until": until}, **columns)

    promised("overdue", -3)
    promised("last", 90)
    promised("later", 91)
    promised("gone", 5, deleted_at=days(1))
    promised("old_20260101", 30, name="web_20260101", created_at=days(1))
    shelf.image(source, "new", name="web_20260201", created_at=days(2))
    shelf.image(source, "notice", properties={"provided_until": "notice"})
    assert told(shelf, answer_by, "image_id", "state", "days_left", "use_instead_id") == [
        ("overdue", "current", -3, None),
        ("old_20260101", "superseded", 30, "new"),
        ("last", "current", 90, None),
    ]


@asked("Which images are past the end of their system's support, or will be within 90 days?")
def test_the_end_of_support(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "ended", platform="centos", os_version="7.9")
    shelf.image(source, "paid", platform="ubuntu", os_version="20.04")
    shelf.image(source, "long", platform="rhel", os_version="10")
    shelf.image(source, "gone", platform="centos", os_version="7", deleted_at=days(1))
    shelf.image(source, "unknown", name="backup")
    assert told(shelf, answer_by, "image_id", "support_phase", "support_ends_on") == [
        ("ended", "ended", date(2024, 6, 30)),
        ("paid", "extended", date(2025, 5, 31)),
    ]


@asked("Which promises did a provider break?")
def test_broken_promises(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    for image, promise in {"kept": "2020-01-01", "broken": "forever", "open": "?"}.items():
        gone: dict[str, Any] = {"deleted_at": days(3), "deletion_reason": "not_found"}
        shelf.image(source, image, properties={"uuid_validity": promise}, **gone)
    assert told(shelf, answer_by, "image_id", "promise", "value", "broken_since", "evidence") == [
        ("broken", "uuid_validity", "forever", days(3), "gone (not_found) on 2026-03-04"),
    ]


@asked("What was the life of a family?")
def test_the_life_of_a_family(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    common: dict[str, Any] = {"owner": "cloud", "architecture": "x86_64"}
    shelf.image(
        source, "first", name="Ubuntu 22.04 (20260101)", created_at=days(1), deleted_at=days(30), **common
    )
    shelf.image(source, "second", name="Ubuntu 22.04 (20260201)", created_at=days(10), **common)
    shelf.image(source, "third", name="Ubuntu 22.04", created_at=days(20), **common)
    shelf.image(
        source, "arm", name="Ubuntu 22.04", created_at=days(15), owner="cloud", architecture="aarch64"
    )
    shelf.image(source, "snap", name="Ubuntu 22.04", created_at=days(16), image_kind="snapshot", **common)
    shelf.image(source, "other", name="Ubuntu 24.04", created_at=days(17), **common)
    shelf.revision(source, "second", days(10), days(11), "created")
    shelf.revision(
        source, "second", days(11), days(20), changed={"name": ["Ubuntu 22.04 beta", "Ubuntu 22.04"]}
    )
    shelf.revision(source, "second", days(20), changed={"name": ["Ubuntu 22.04", "Ubuntu 22.04 (20260201)"]})
    assert told(
        shelf,
        answer_by,
        "image_id",
        "former_names",
        "born_at",
        "followed_at",
        "deleted_at",
        "state",
        "state_since",
    ) == [
        ("arm", None, days(15), None, None, "current", days(15)),
        ("first", None, days(1), days(10), days(30), "gone", days(30)),
        ("second", "Ubuntu 22.04 beta, Ubuntu 22.04", days(10), days(20), None, "superseded", days(20)),
        ("third", None, days(20), None, None, "current", days(20)),
    ]


@asked("Which of our images are built on one that is superseded, withdrawn or gone?")
def test_built_on_something_old(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "new", name="Debian 12", created_at=days(9))
    shelf.image(source, "old", name="Debian 12 (old20260101)", created_at=days(1))
    shelf.image(source, "up_to_date", parent_image_id="new")
    shelf.image(source, "behind", parent_image_id="old", owner="p")
    shelf.image(source, "grandchild", parent_image_id="behind")
    shelf.image(source, "orphan", parent_image_id="never seen")
    shelf.image(source, "self", parent_image_id="self")
    shelf.image(source, "dead", parent_image_id="old", deleted_at=days(3))
    shelf.image(source, "of_dead", parent_image_id="dead")
    assert told(shelf, answer_by, "image_id", "ancestor_id", "depth", "ancestor_state", "use_instead_id") == [
        ("behind", "old", 1, "superseded", "new"),
        ("grandchild", "old", 2, "superseded", "new"),
        ("of_dead", "dead", 1, "gone", None),
        ("of_dead", "old", 2, "superseded", "new"),
        ("orphan", "never seen", 1, "missing", None),
    ]
