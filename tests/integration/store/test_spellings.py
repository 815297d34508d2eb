"""API nodes of two releases answer in turn: other spellings of the same values are no change (semantics 3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.config.settings import SourceSettings
from catalog.mapping import MappingRules
from catalog.store.db.connection import Database
from catalog.store.state import sources
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.remap import remap
from tests.support.observations import add_source, day, observe
from tests.support.rows import rows
from tests.support.world import Sites

OLD: dict[str, Any] = {
    "status": "active", "protected": False, "min_disk": 40, "__support_kvm": "true",
    "created_at": "2026-03-01T10:00:00Z",
    "stores": "ceph,file", "locations": [{"url": "file:///a"}, {"url": "rbd://b"}], "tags": ["env=prod"],
    "__support_agent_list": "hss,ces", "max_ram": "0", "__isregistered": "true",
}  # fmt: skip
NEW: dict[str, Any] = {
    "status": "active", "protected": "False", "min_disk": "40", "__support_kvm": "True",
    "created_at": "2026-03-01T10:00:00.000000", "stores": "file,ceph", "deleted_at": "0001-01-01T00:00:00Z",
    "locations": [{"url": "rbd://b"}, {"url": "file:///a"}], "tags": [{"key": "env", "value": "prod"}],
    "virtual_size": -1,
    "__support_agent_list": '["hss","ces"]', "max_ram": 0, "__isregistered": True,
}  # fmt: skip


def test_ten_sweeps_that_alternate_spellings_make_no_revision(sites: Sites) -> None:
    records = [{"id": f"image-{number:04}", "name": f"n{number}"} for number in range(1000)]
    site = sites.open(images=[record | OLD for record in records], page_size=1000, deadline=120.0)
    assert site.sweep().inserted == 1000
    images = site.images()
    for number in range(10):
        for record in records:
            site.cloud.add(record | (OLD if number % 2 else NEW))
        run = site.sweep()
        assert (run.outcome, run.listed, run.updated, run.deleted) == ("complete", 1000, 0, 0)
    assert site.images() == images
    (revisions,) = site.rows(
        "SELECT count(*) AS count, count(DISTINCT change) AS changes FROM revisions WHERE source_id = $"
    )
    assert revisions == {"count": 1000, "changes": 1}


# what was delivered, and what the tables hold of it
TABLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"deleted_at": "0001-01-01T00:00:00Z"}, {"deleted": False}),
    ({"deleted_at": "0000-00-00 00:00:00", "updated_at": 0}, {"deleted": False, "updated_at": None}),
    ({"deleted": "true"}, {"deleted": True}),
    ({"status": "DELETED"}, {"deleted": True, "status": "DELETED"}),
    ({"size": -1, "max_ram": "-1"}, {"size": None, "max_ram": None}),
    ({"tags": {"env": "prod"}, "image_tags": [{"key": "a", "value": "b"}]}, {"tags": ["a=b", "env=prod"]}),
    ({"__support_agent_list": '["hss","ces"]'}, {"models": ["hss", "ces"], "supported": True}),
    ({"__support_agent_list": "none"}, {"models": None, "supported": False}),
    ({"created_at": 1772359200000}, {"created": "2026-03-01T10:00:00"}),
    ({"created_at": "Sun, 01 Mar 2026 10:00:00 GMT"}, {"created": "2026-03-01T10:00:00"}),
    ({"note": "https://h.test/o?X-Amz-Signature=SECRET", "s3+https://A:1/SECRET@h.test/": 1}, {"secret": False}),
]  # fmt: skip
HELD = """
    SELECT i.image_id, i.deleted_at IS NOT NULL AS deleted, i.status, i.size, i.max_ram, i.updated_at,
      to_char(i.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') AS created,
      ARRAY(SELECT tag FROM image_tags t WHERE (t.source_id, t.image_id) = (i.source_id, i.image_id)
        ORDER BY tag) AS tags,
      c.models, c.supported, i::text || coalesce(p.held, '') || coalesce(d.held, '') LIKE '%%SECRET%%' AS secret
    FROM images i LEFT JOIN image_capabilities c USING (source_id, image_id)
      LEFT JOIN (SELECT source_id, image_id, string_agg(name || value, ' ') AS held
        FROM image_properties GROUP BY 1, 2) p
        USING (source_id, image_id)
      LEFT JOIN (SELECT source_id, image_id, string_agg(document::text, ' ') AS held
        FROM revision_documents GROUP BY 1, 2) d
        USING (source_id, image_id)
    ORDER BY i.image_id"""


def check(database: Database) -> None:
    found = rows(database, HELD)
    assert len(found) == len(TABLE)
    for row, (delivered, expected) in zip(found, TABLE, strict=True):
        assert {key: row[key] for key in expected} == expected, delivered


def listing() -> list[dict[str, Any]]:
    return [{"id": f"i{number:02}", **record} for number, (record, _) in enumerate(TABLE)]


def test_each_spelling_lands_where_it_belongs_by_remap_too(database: Database) -> None:
    add_source(database)
    with database.transaction() as connection:
        observe(connection, day(1), {record.pop("id"): record for record in listing()}, complete=False)
    check(database)
    with database.transaction() as connection:
        connection.execute("UPDATE images SET size = 5, max_ram = 5, created_at = now(), updated_at = now()")
        connection.execute("UPDATE image_capabilities SET supported = NOT supported, models = NULL")
        connection.execute("DELETE FROM image_tags")
        source = sources.find(connection, "cloud")
    assert source is not None
    assert remap(database, source, MappingAdapter(MappingRules())).rows
    check(database)


@pytest.mark.parametrize("kind", ["glance", "ims"])
def test_each_spelling_lands_where_it_belongs_by_backfill_too(
    database: Database, tmp_path: Path, kind: Any
) -> None:
    path = tmp_path / "20260401T000000Z.json"
    path.write_text(json.dumps({"images": listing()}))
    backfill(database, SourceSettings("s", kind), [path])
    check(database)
