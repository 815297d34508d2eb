"""Which images to move away from, and where to: image_lifecycle, image_family."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from tests.integration.views.conftest import NOW, T0, Shelf, days

FAMILIES = {
    "Standard_Ubuntu_22.04_latest": "Standard_Ubuntu_22.04",
    "Standard_Ubuntu_22.04_20240129_0": "Standard_Ubuntu_22.04",
    "Standard_Debian_11_prev": "Standard_Debian_11",
    "Enterprise_RedHat_8_20231109-0": "Enterprise_RedHat_8",
    "Ubuntu 22.04 (20230901)": "Ubuntu 22.04",
    "Ubuntu 22.04 (20230901) old": "Ubuntu 22.04",
    "Ubuntu 22.04 2024-01-15 latest": "Ubuntu 22.04",
    "Debian 12 (old20240101)": "Debian 12",
    "Debian 11 (deprecated)": "Debian 11",
    "[deprecated] Debian 10": "Debian 10",
    "old_Ubuntu_20240101": "Ubuntu",
    "win2012-r2-CURRENT": "win2012-r2",
    "API-Featured-Ubuntu18-Latest": "API-Featured-Ubuntu18",
    "CentOS 6.10 (2018.10.23)": "CentOS 6.10",
    "openEuler 20.03 64bit 20220428": "openEuler 20.03 64bit",
    "debian-12-generic-amd64-20240211-1654": "debian-12-generic-amd64",
    "Rocky-9-GenericCloud-Base-9.3-20231113.0.x86_64": "Rocky-9-GenericCloud-Base-9.3.x86_64",
    "ubuntu-2024-01-29T12:00:00Z": "ubuntu",
    "runner-20240101120000": "runner",
    "runner-202401": "runner",
    "runner-1706486400": "runner",
    # no date and no mark: the name is the family
    "Ubuntu 22.04": "Ubuntu 22.04",
    "Ubuntu 20.04 LTS": "Ubuntu 20.04 LTS",
    "Windows Server 2019": "Windows Server 2019",
    "CentOS-7.6-x86_64-1907": "CentOS-7.6-x86_64-1907",
    "Toolkit 2.31.9 v.1.0": "Toolkit 2.31.9 v.1.0",
    "web-1": "web-1",
    "thresholder": "thresholder",
    "build-20231301": "build-20231301",
    "20240101": "20240101",
    "latest": "latest",
    "": "",
    "测试镜像_20240101": "测试镜像",
}


def test_families_are_told_from_the_names_that_clouds_really_use(shelf: Shelf) -> None:
    rows = shelf.ask("SELECT n, image_family(n) AS family FROM unnest(%s::text[]) AS n", list(FAMILIES))
    assert {row["n"]: row["family"] for row in rows} == FAMILIES


def test_the_users_own_rules_come_first(shelf: Shelf) -> None:
    rule = {"rank": 1, "pattern": "^corp-(web|db)-.*$", "family": r"corp \1"}
    shelf.insert("image_family_rules", rule)
    assert shelf.column("SELECT image_family('corp-db-77_latest')") == ["corp db"]
    assert shelf.column("SELECT builtin FROM image_family_rules WHERE rank < 1000") == [False]
    assert shelf.column("SELECT image_family('other_latest')") == ["other"]


def test_a_rule_that_is_no_regular_expression_is_refused_when_it_is_written(shelf: Shelf) -> None:
    with pytest.raises(psycopg.errors.InvalidRegularExpression):
        shelf.insert("image_family_rules", {"rank": 1, "pattern": "(unclosed", "family": "x"})


def life(shelf: Shelf) -> dict[str, tuple[Any, ...]]:
    rows = shelf.ask("SELECT image_id, state, state_since, use_instead_id FROM image_lifecycle")
    return {row["image_id"]: tuple(row.values())[1:] for row in rows}


def test_the_newest_that_is_offered_is_current_and_all_others_point_to_it(shelf: Shelf) -> None:
    source = shelf.source()
    common: dict[str, Any] = {"owner": "cloud"}
    shelf.image(source, "new", name="Ubuntu 22.04", created_at=days(30), **common)
    shelf.image(source, "middle", name="Ubuntu 22.04 (20240201)", created_at=days(20), **common)
    shelf.image(source, "old", name="Ubuntu 22.04 (old20240101)", created_at=days(10), **common)
    shelf.image(source, "hid", name="Ubuntu 22.04 (20231201)", created_at=days(5), hidden=True, **common)
    shelf.revision(source, "hid", days(5), days(12), "created")
    shelf.revision(source, "hid", days(12), days(13), hidden=True)
    shelf.revision(source, "hid", days(13), hidden=True, name="renamed")
    shelf.image(
        source,
        "unlisted",
        name="Ubuntu 22.04 (20231101)",
        created_at=days(4),
        unlisted_since=days(14),
        **common,
    )
    shelf.image(
        source, "off", name="Ubuntu 22.04 (20231001)", created_at=days(3), is_off_shelved=True, **common
    )
    shelf.revision(source, "off", days(3), change="created", is_off_shelved=True)
    shelf.image(
        source, "stopped", name="Ubuntu 22.04 (20230901)", status="deactivated", hidden=True, **common
    )
    shelf.spell(source, "stopped", "active", days(1), days(16))
    shelf.spell(source, "stopped", "deactivated", days(16))
    shelf.image(source, "gone", name="Ubuntu 22.04 (20230801)", deleted_at=days(17), **common)
    assert life(shelf) == {
        "new": ("current", days(30), None),
        "middle": ("superseded", days(30), "new"),
        "old": ("superseded", days(20), "new"),
        "hid": ("hidden", days(12), "new"),
        "unlisted": ("unlisted", days(14), "new"),
        "off": ("off_shelf", days(3), "new"),
        "stopped": ("deactivated", days(16), "new"),
        "gone": ("gone", days(17), "new"),
    }
    row = shelf.one("SELECT * FROM image_lifecycle WHERE image_id = 'old'")
    assert (row["source"], row["family"], row["use_instead_name"]) == ("one", "Ubuntu 22.04", "Ubuntu 22.04")


def test_a_newer_one_that_was_withdrawn_leaves_the_older_one_current(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "good", name="web_20240101", created_at=days(1))
    shelf.image(source, "bad", name="web_20240201", created_at=days(2), deleted_at=days(3))
    assert life(shelf) == {"good": ("current", days(1), None), "bad": ("gone", days(3), "good")}


@pytest.mark.parametrize(
    "other",
    [
        {"owner": "somebody else"},
        {"architecture": "aarch64"},
        {"name": "Debian 11"},
        {"image_kind": "snapshot"},
    ],
)
def test_only_the_same_owner_family_and_architecture_replace_an_image(
    shelf: Shelf, other: dict[str, Any]
) -> None:
    source = shelf.source()
    same: dict[str, Any] = {"name": "Debian 12", "owner": "p", "architecture": "x86_64"}
    shelf.image(source, "a", created_at=days(1), **same)
    shelf.image(source, "b", created_at=days(2), **same | other)
    assert [state for state, _, _ in life(shelf).values()] == ["current", "current"]


def test_another_source_never_replaces_an_image(shelf: Shelf) -> None:
    shelf.image(shelf.source("one"), "a", name="Debian 12", created_at=days(1))
    shelf.image(shelf.source("two"), "b", name="Debian 12", created_at=days(2))
    assert [state for state, _, _ in life(shelf).values()] == ["current", "current"]


def test_snapshots_and_nameless_images_supersede_nothing(shelf: Shelf) -> None:
    source = shelf.source()
    for number in (1, 2):
        shelf.image(source, f"s{number}", name=f"nightly_2024010{number}", image_kind="snapshot")
        shelf.image(source, f"n{number}", name=None, created_at=days(number))
    assert {state for state, _, _ in life(shelf).values()} == {"current"}


def test_images_that_never_became_usable_have_no_life_cycle(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "ok", name="web_20240101")
    shelf.image(source, "coming", name="web_20240301", status="queued", created_at=days(9))
    shelf.image(source, "failed", name="web_20240201", status="killed", created_at=days(8))
    assert list(life(shelf)) == ["ok"]


@pytest.mark.parametrize(
    ("promise", "day"),
    [
        ("2027-01-31", date(2027, 1, 31)),
        ("2027-06-30T00:00:00Z", date(2027, 6, 30)),
        ("2027-02-31", date(2027, 2, 28)),
        ("notice", None),
        ("none", None),
        ("2027-13-01", None),
        ("0000-01-01", None),
        (20270131, None),
        (None, None),
    ],
)
def test_the_promise_is_read_where_it_is_a_date(shelf: Shelf, promise: Any, day: date | None) -> None:
    shelf.image(shelf.source(), "a", properties={"provided_until": promise})
    assert shelf.one("SELECT promised_until AS x FROM image_lifecycle")["x"] == day


def announce(shelf: Shelf, source: str, subject: str, **columns: Any) -> None:
    row = {"source_id": source, "scope": "image", "subject": subject, "announced_at": days(1), **columns}
    shelf.insert("image_announcements", row)


@pytest.mark.parametrize("now", ["community", "private"])
def test_a_public_image_that_is_community_or_private_now_is_withdrawn(shelf: Shelf, now: str) -> None:
    source = shelf.source()
    shelf.image(source, "was", name="Ubuntu 22.04", visibility=now, created_at=days(1))
    shelf.image(source, "again", name="Debian 12", visibility="public", created_at=days(1))
    shelf.image(source, "never", name="mine", visibility="private", created_at=days(1))
    for image in ("was", "again"):
        shelf.revision(source, image, days(1), days(5), change="created", visibility="public")
        shelf.revision(source, image, days(5), changed={"visibility": ["public", now]}, visibility=now)
    assert {image: state[:2] for image, state in life(shelf).items()} == {
        "was": ("withdrawn", days(5)),
        "again": ("current", days(1)),
        "never": ("current", days(1)),
    }


def test_what_is_announced_holds_from_its_date_on_and_names_what_to_use_instead(shelf: Shelf) -> None:
    source = shelf.source()
    for number in range(1, 6):
        shelf.image(source, f"v{number}", name=f"web_2024010{number}", created_at=days(number))
    shelf.image(source, "other", name="other", created_at=days(1))
    announce(shelf, source, "v5", deprecated_at=days(9), use_instead_id="other")
    announce(shelf, source, "v4", deprecated_at=days(9), obsolete_at=days(10))
    announce(shelf, source, "v3", deprecated_at=NOW + timedelta(days=30))
    announce(shelf, source, "v2", deprecated_at=days(9), withdrawn_at=days(2))
    assert life(shelf) == {
        "v5": ("deprecated", days(9), "other"),
        "v4": ("obsolete", days(10), "v3"),
        "v3": ("current", days(3), None),
        "v2": ("superseded", days(3), "v3"),
        "v1": ("superseded", days(2), "v3"),
        "other": ("current", days(1), None),
    }
    row = shelf.one("SELECT use_instead_name FROM image_lifecycle WHERE image_id = 'v5'")
    assert row["use_instead_name"] == "other"


def test_a_family_is_announced_as_a_whole_and_an_image_apart(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "old", name="CentOS 7 20240101", created_at=days(1))
    shelf.image(source, "new", name="CentOS 7", created_at=days(2))
    announce(shelf, source, "CentOS 7", scope="family", obsolete_at=days(5))
    announce(shelf, source, "new", announced_at=days(2), deprecated_at=days(6))
    assert life(shelf) == {"old": ("obsolete", days(5), None), "new": ("deprecated", days(6), None)}


def test_the_latest_announcement_counts(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", created_at=days(1))
    announce(shelf, source, "a", announced_at=days(2), obsolete_at=days(3))
    announce(shelf, source, "a", announced_at=days(4), deprecated_at=days(5))
    assert life(shelf)["a"][:2] == ("deprecated", days(5))


def test_a_hidden_newer_image_supersedes_none_that_is_listed(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "listed", name="Debian 12", created_at=days(1))
    shelf.image(source, "hid", name="Debian 12", created_at=days(2), hidden=True)
    assert life(shelf)["listed"] == ("current", days(1), None)


def test_what_the_cloud_calls_old_is_superseded_even_if_it_is_alone(shelf: Shelf) -> None:
    source = shelf.source()
    old: dict[str, Any] = {"properties": {"os_purpose": "oldgeneric"}}
    shelf.image(source, "new", name="Ubuntu 22.04", created_at=days(3), properties={"os_purpose": "generic"})
    shelf.image(source, "old", name="Ubuntu 22.04", created_at=days(4), **old)
    shelf.image(source, "alone", name="Debian 11", created_at=days(1), last_changed_at=days(6), **old)
    assert life(shelf) == {
        "new": ("current", days(3), None),
        "old": ("superseded", T0, "new"),
        "alone": ("superseded", days(6), None),
    }


def test_images_for_other_purposes_replace_none(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "plain", name="Ubuntu 22.04", created_at=days(1))
    gpu = {"os_purpose": "gpu"}
    shelf.image(source, "gpu", name="Ubuntu 22.04", created_at=days(2), properties=gpu)
    assert [state for state, _, _ in life(shelf).values()] == ["current", "current"]


def test_a_protected_golden_image_is_not_superseded_by_one_of_the_same_second(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", name="web", created_at=days(1), protected=True, tags=["golden"])
    shelf.image(source, "b", name="web", created_at=days(1) + timedelta(milliseconds=300))
    assert {image: state for image, (state, _, _) in life(shelf).items()} == {
        "a": "current",
        "b": "superseded",
    }


def test_one_sources_answer_reads_the_images_of_that_one(shelf: Shelf) -> None:
    """The source is chosen before images are compared, not after all of them were."""
    question = "SELECT * FROM image_lifecycle WHERE source = 'a'"
    plan = [row["QUERY PLAN"] for row in shelf.ask(f"EXPLAIN (COSTS OFF) {question}")]
    chosen = next(n for n, line in enumerate(plan) if "(name = 'a'" in line)
    assert max(n for n, line in enumerate(plan) if "WindowAgg" in line) < chosen, "\n".join(plan)
    assert not any("CTE" in line for line in plan)
