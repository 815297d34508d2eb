"""What the database says of itself: the columns that dashboards rely on, comments everywhere, seeds as in the code."""

from __future__ import annotations

import pytest

from catalog.fields import CAPABILITIES
from tests.integration.views.conftest import Shelf

OVERVIEW = (
    "source region image_id name status visibility owner owner_name image_type image_kind platform os_type"
    " os_version architecture size_bytes min_ram_mb min_disk_gb tags tags_text capabilities capabilities_text"
    " cloud_init_injection offered parent_image_id created_at updated_at first_seen_at age_days"
)
PROMISED = {
    "image_overview": OVERVIEW,
    "distinct_images": OVERVIEW + " seen_by_sources",
    "image_revisions": "source_id image_id valid_from valid_to observed_at recorded_at change changed"
    " document run_id",
    "image_changes": "changed_at recorded_at source image_id name change field old_value new_value run_id",
    "status_durations": "source image_id name status entered_at left_at seconds",
    "deleted_images": "source image_id name visibility owner deleted_at last_observed_at deletion_reason"
    " lived_days platform created_at first_seen_at owner_name",
    "capability_matrix": "source capability family platform images supported not_supported",
    "source_freshness": "source last_complete_at age_seconds expected_seconds stale failing_since error_kind"
    " held",
    "image_lineage": "source image_id ancestor_id depth ancestor_state",
    "image_lifecycle": "source image_id name family state state_since use_instead_id use_instead_name"
    " promised_until",
    "image_os": "source image_id distro release arch purpose support_ends_on support_phase",
    "os_support": "distro release phase ends_on source",
    "equivalent_images": "distro release arch purpose source image_id name created_at behind_days",
    "image_promises": "source image_id name promise value kept broken_since evidence",
}


@pytest.mark.parametrize("view", PROMISED)
def test_views_begin_with_the_columns_that_dashboards_rely_on(shelf: Shelf, view: str) -> None:
    cursor = shelf.connection.execute(f"SELECT * FROM {view}")
    names = [column.name for column in cursor.description or ()]
    promised = PROMISED[view].split()
    assert names[: len(promised)] == promised


def test_every_view_function_and_column_of_a_view_says_what_it_means(shelf: Shelf) -> None:
    silent = shelf.column(
        "SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relkind = 'v' AND (obj_description(c.oid, 'pg_class') IS NULL"
        " OR col_description(c.oid, a.attnum) IS NULL)"
        " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
        " UNION ALL SELECT p.proname FROM pg_proc p"
        " JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'public'"
        " WHERE obj_description(p.oid, 'pg_proc') IS NULL"
    )
    assert silent == []


def test_no_view_gives_a_fact_as_an_interval(shelf: Shelf) -> None:
    intervals = shelf.column(
        "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'interval'"
    )
    assert intervals == []


def test_the_capabilities_known_from_the_start_are_those_of_the_code(shelf: Shelf) -> None:
    rows = shelf.connection.execute(
        "SELECT capability, upstream_key, value_kind, inverted, family, description FROM capabilities"
    ).fetchall()
    assert {tuple(row.values()) for row in rows} == {
        (c.capability, c.upstream_key, c.value_kind, c.inverted, c.family, c.description)
        for c in CAPABILITIES
    }


def test_the_products_own_rules_leave_the_first_thousand_ranks_to_the_user(shelf: Shelf) -> None:
    for table in ("image_family_rules", "image_os_rules"):
        rows = shelf.ask(f"SELECT rank, builtin FROM {table}")
        assert rows
        assert all(row["builtin"] and row["rank"] >= 1000 for row in rows)
