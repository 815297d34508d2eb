"""What lives now: image_overview, distinct_images, capability_matrix, source_freshness."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.views.conftest import T0, Shelf, days
from tests.support import citus


@pytest.mark.parametrize(
    ("kind", "columns", "size"),
    [
        ("ims", {"image_size": 12_040_331_264, "size": 18}, 12_040_331_264),
        ("ims", {"image_size": 0, "size": 2}, None),
        ("ims", {"size": 18}, None),
        ("glance", {"size": 31_719_424}, 31_719_424),
        ("glance", {"size": 0}, None),
        ("glance", {"size": 1, "virtual_size": 1}, None),
        ("glance", {"size": 18, "image_type": "gold"}, None),
        ("glance", {"size": 31_719_424, "image_type": "private"}, 31_719_424),
        ("ims", {"size": 31_719_424}, None),
        ("glance", {"size": 2, "image_size": 5_000_000_000}, 5_000_000_000),
        ("glance", {}, None),
    ],
)
def test_the_size_is_the_true_one_and_stubs_are_none(
    shelf: Shelf, kind: str, columns: dict[str, Any], size: int | None
) -> None:
    source = shelf.source(kind=kind)
    shelf.image(source, "a", **columns)
    assert shelf.one("SELECT size_bytes FROM image_overview")["size_bytes"] == size


@pytest.mark.parametrize(
    ("flags", "injection"),
    [({"fc_inject": False}, False), ({"fc_inject": True}, True), ({"kvm": False}, True)],
)
def test_injection_is_denied_only_by_its_own_flag(
    shelf: Shelf, flags: dict[str, bool], injection: bool
) -> None:
    shelf.image(shelf.source(), "a", flags=flags)
    assert shelf.one("SELECT cloud_init_injection AS x FROM image_overview")["x"] is injection


@pytest.mark.parametrize(
    ("columns", "offered"),
    [
        ({}, True),
        ({"hidden": False, "is_off_shelved": False}, True),
        ({"status": "deactivated"}, False),
        ({"status": None}, False),
        ({"hidden": True}, False),
        ({"unlisted_since": T0}, False),
        ({"is_off_shelved": True}, False),
    ],
)
def test_offered_is_active_not_hidden_listed_and_on_the_shelf(
    shelf: Shelf, columns: dict[str, Any], offered: bool
) -> None:
    shelf.image(shelf.source(), "a", **columns)
    assert shelf.one("SELECT offered FROM image_overview")["offered"] is offered


def test_overview_holds_live_images_with_tags_flags_and_the_owners_name(shelf: Shelf) -> None:
    source = shelf.source("otc/eu-de", region="eu-de")
    shelf.image(
        source,
        "a",
        owner="p1",
        min_ram=512,
        min_disk=40,
        tags=["team b", "Env=prod"],
        flags={"xen": True, "kvm": True, "arm": False},
    )
    shelf.image(source, "gone", deleted_at=days(1), deletion_reason="not_found")
    shelf.insert("projects", {"source_id": source, "project_id": "p1", "name": "Payments", "seen_at": T0})
    row = shelf.one("SELECT * FROM image_overview")
    assert row["source"] == "otc/eu-de"
    assert row["region"] == "eu-de"
    assert row["owner_name"] == "Payments"
    assert row["min_ram_mb"] == 512
    assert row["min_disk_gb"] == 40
    assert row["tags"] == ["Env=prod", "team b"]
    assert row["tags_text"] == "Env=prod, team b"
    assert row["capabilities"] == ["kvm", "xen"]
    assert row["capabilities_text"] == "kvm, xen"
    assert shelf.column("SELECT image_id FROM image_overview WHERE 'team b' = ANY(tags)") == ["a"]
    assert shelf.column("SELECT image_id FROM image_overview WHERE 'arm' = ANY(capabilities)") == []


def test_age_counts_whole_days_since_creation_and_never_below_zero(shelf: Shelf) -> None:
    source = shelf.source()
    now = shelf.one("SELECT now()")["now"]
    shelf.image(source, "a", created_at=now - (days(10.9) - T0))
    shelf.image(source, "b", created_at=None, first_seen_at=now - (days(3) - T0))
    shelf.image(source, "c", created_at=now + (days(1000) - T0))
    assert shelf.column("SELECT age_days FROM image_overview ORDER BY image_id") == [10, 3, 0]


def test_an_image_seen_by_several_projects_is_one_and_the_freshest_copy_counts(shelf: Shelf) -> None:
    a = shelf.source("a", cloud="otc", endpoint="https://ims/", region="eu-de", last_complete_at=days(1))
    b = shelf.source("b", cloud="otc", endpoint="https://ims", region="eu-de", last_complete_at=days(2))
    other = shelf.source("nl", cloud="otc", endpoint="https://ims.nl", region="eu-nl")
    for source in (a, b, other):
        shelf.image(source, "gold", updated_at=T0, name=f"by {source}")
    shelf.image(a, "own", updated_at=days(5), name="newer")
    shelf.image(b, "own", updated_at=T0, name="older")
    rows = shelf.ask("SELECT image_id, region, name, seen_by_sources FROM distinct_images ORDER BY 1, 2")
    assert [tuple(row.values()) for row in rows] == [
        ("gold", "eu-de", "by s-b", 2),
        ("gold", "eu-nl", "by s-nl", 1),
        ("own", "eu-de", "newer", 2),
    ]


def test_a_service_is_known_by_its_endpoint_or_its_cloud(shelf: Shelf) -> None:
    shelf.source("a", cloud="x", endpoint="https://one")
    shelf.source("b", cloud="x", endpoint="https://two")
    shelf.source("c", cloud="y", endpoint="https://two")
    shelf.source("d", endpoint="https://three")
    shelf.source("e")
    shelf.source("f")
    services = {row["source"]: row["service"] for row in shelf.ask("SELECT * FROM source_services")}
    assert services["a"] == services["b"] == services["c"]
    assert len(set(services.values())) == 4


@citus.unfit("a SET does not reach the nodes: docs/citus.md")
def test_views_of_the_present_show_retired_sources_only_if_asked(shelf: Shelf) -> None:
    for name, columns in (("old", {"retired_at": T0}), ("new", {})):
        source = shelf.source(name, endpoint=f"https://{name}", **columns)
        shelf.image(source, "i", name="ubuntu", platform="Ubuntu", flags={"kvm": True}, tags=["x"])
    views = (
        "image_overview", "distinct_images", "live_image_tags", "capability_matrix", "image_lifecycle", "image_os"
    )  # fmt: skip
    for view in views:
        assert [row["source"] for row in shelf.ask(f"SELECT source FROM {view}")] == ["new"], view
    shelf.connection.execute("SET catalog.retired = 'shown'")
    for view in views:
        rows = shelf.ask(f"SELECT source FROM {view} ORDER BY source")
        assert [row["source"] for row in rows] == ["new", "old"], view


def test_copies_of_retired_sources_come_last(shelf: Shelf) -> None:
    shelf.connection.execute("SET catalog.retired = 'shown'")
    old = shelf.source("old", endpoint="https://x", retired_at=days(3), last_complete_at=days(9))
    new = shelf.source("new", endpoint="https://x", last_complete_at=days(1))
    shelf.image(old, "i", name="stale", updated_at=days(8))
    shelf.image(new, "i", name="fresh", updated_at=T0)
    assert shelf.one("SELECT name FROM distinct_images")["name"] == "fresh"


def test_matrix_counts_images_that_say_yes_no_and_nothing(shelf: Shelf) -> None:
    source = shelf.source()
    shelf.image(source, "a", platform="Ubuntu", flags={"kvm": True})
    shelf.image(source, "b", platform="Ubuntu", flags={"kvm": False, "brand_new": True})
    shelf.image(source, "c", platform="Ubuntu")
    shelf.image(source, "d", flags={"kvm": True})
    shelf.image(source, "gone", platform="Ubuntu", flags={"kvm": True}, deleted_at=T0)
    rows = shelf.ask(
        "SELECT capability, family, platform, images, supported, not_supported"
        " FROM capability_matrix ORDER BY capability, platform"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("brand_new", "other", "Ubuntu", 3, 1, 0),
        ("kvm", "hypervisor", "Ubuntu", 3, 1, 1),
        ("kvm", "hypervisor", None, 1, 1, 0),
    ]


@pytest.mark.parametrize(
    ("age", "expected", "columns", "stale"),
    [
        (2500, 900, {}, False),
        (2800, 900, {}, True),
        (2800, 900, {"retired_at": T0}, False),
        (80_000, None, {}, False),
        (90_000, None, {}, True),
    ],
)
def test_a_source_is_stale_after_three_expected_intervals(
    shelf: Shelf, age: int, expected: int | None, columns: dict[str, Any], stale: bool
) -> None:
    source = shelf.source(expected_seconds=expected, **columns)
    shelf.connection.execute(
        "UPDATE sources SET last_complete_at = now() - %s * interval '1 second' WHERE source_id = %s",
        (age, source),
    )
    row = shelf.one("SELECT * FROM source_freshness")
    assert row["stale"] is stale
    assert abs(row["age_seconds"] - age) <= 30
    assert row["expected_seconds"] == expected


def test_a_source_that_never_completed_is_stale_by_the_time_it_is_known(shelf: Shelf) -> None:
    shelf.source(expected_seconds=900, failing_since=T0, error_kind="login")
    row = shelf.one("SELECT * FROM source_freshness")
    assert row["stale"] is True
    assert row["age_seconds"] is None
    assert row["error_kind"] == "login"
    assert row["failing_since"] == T0


def test_held_deletions_are_counted_while_nobody_decided(shelf: Shelf) -> None:
    source = shelf.source()
    for number, decision in enumerate(["open", "open", "approved", "kept", "returned"]):
        shelf.insert(
            "held_deletions",
            {
                "source_id": source,
                "image_id": f"i{number}",
                "run_id": "00000000-0000-4000-8000-000000000001",
                "observed_at": T0,
                "decision": decision,
            },
        )
    assert shelf.one("SELECT held FROM source_freshness")["held"] == 2
