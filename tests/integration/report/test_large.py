"""Pages of a catalog that is too large to be looked through for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from catalog.report.images import (
    MOST_COUNTED,
    NEWEST,
    ImageFilter,
    Place,
    count_images,
    list_images,
    page_of_images,
)
from catalog.report.statements import prepare, statement
from tests.integration.views.conftest import T0, Shelf, days
from tests.support import citus

IMAGES = MOST_COUNTED + 2000
RARE = 40
"""One image of so many hundred has a rare tag."""


@pytest.fixture
def catalog(shelf: Shelf) -> Iterator[psycopg.Connection[TupleRow]]:
    """Two sources; five images each second; every third image has the tag `third`, one of 4,000 `rare`."""
    for name in ("a", "b"):
        shelf.source(name)
    tags = (
        "array_remove(ARRAY[CASE WHEN g %% 3 = 0 THEN 'third' END,"
        f" CASE WHEN g %% {RARE * 100} = 7 THEN 'rare' END], NULL)"
    )
    shelf.connection.execute(
        "INSERT INTO images (source_id, image_id, name, status, created_at, first_seen_at, last_changed_at, tags,"
        " capabilities, properties, deleted_at, description) SELECT CASE WHEN g %% 4 = 0 THEN 's-a' ELSE 's-b' END,"
        " md5(g::text), 'image ' || g %% 977, 'active', CASE WHEN g %% 1000 <> 0 THEN %s + g / 5 * interval '1 s' END,"
        f" %s, %s, {tags}, '{{kvm}}', '{{}}', CASE WHEN g %% 10 = 9 THEN %s END, repeat('x', 800)"
        " FROM generate_series(1, %s) AS g",
        (T0, T0, T0, days(1), IMAGES),
    )
    shelf.connection.execute(
        "INSERT INTO image_state (source_id, image_id, live, distro, purpose, family)"
        " SELECT source_id, image_id, deleted_at IS NULL, 'ubuntu', 'generic', name FROM images"
    )
    shelf.connection.execute("ANALYZE images, image_state")
    with shelf.database.transaction() as connection:
        yield connection


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"tag": ("third",)},
        {"tag": ("rare",)},
        {"text": "nothing"},
        {"source": ("a",)},
        {"state": "current"},
        {"state": "hidden"},
    ],
)
def test_parts_of_the_listing_join_without_a_gap(
    catalog: psycopg.Connection[TupleRow], asked: dict[str, Any]
) -> None:
    wanted = ImageFilter(sort="-created", **asked)
    expected = [row["image_id"] for row in list_images(catalog, wanted).dicts()]
    found: list[str] = []
    place: Place | None = None
    while place is not None or not found:
        page = page_of_images(catalog, wanted, 3 * NEWEST, place)
        found += [row["image_id"] for row in page.images]
        place = page.next
        if not found:
            break
    assert found == expected


def test_a_large_catalog_is_estimated(catalog: psycopg.Connection[TupleRow]) -> None:
    counts = count_images(catalog, ImageFilter(), 12)
    assert counts.estimated
    live = 0.9 * IMAGES
    assert counts.total == pytest.approx(live, rel=0.15)
    assert dict(counts.facets["tag"])["third"] == pytest.approx(live / 3, rel=0.15)
    assert [value for value, _ in counts.facets["source"]] == ["b", "a"]
    assert dict(counts.facets["os"])["ubuntu"] == pytest.approx(live, rel=0.15)


def test_what_few_images_have_is_counted(catalog: psycopg.Connection[TupleRow]) -> None:
    wanted = ImageFilter(tag=("rare",))
    few = len(list_images(catalog, wanted).rows)
    assert 1 < few < 10
    counts = count_images(catalog, wanted, 12)
    assert not counts.estimated
    assert counts.total == few == dict(counts.facets["tag"])["rare"]
    assert count_images(catalog, wanted, 12, page_of_images(catalog, wanted, 50)) == counts


def test_the_past_of_a_large_catalog_is_estimated_too(
    shelf: Shelf, catalog: psycopg.Connection[TupleRow]
) -> None:
    shelf.connection.execute(
        "INSERT INTO revisions (source_id, image_id, observed_at, valid_from, recorded_at, change, reported,"
        " period_from, name, status, tags, capabilities, properties) SELECT source_id, image_id, %s, %s, %s,"
        " 'created', false, %s, name, status, tags, capabilities, properties FROM images",
        (T0, T0, T0, T0),
    )
    counts = count_images(catalog, ImageFilter(as_of=days(0.5)), 12)
    assert counts.estimated
    assert counts.total == pytest.approx(IMAGES, rel=0.15)
    assert not counts.facets.get("state")


@citus.unfit("EXPLAIN shows no buffers of nodes")
@pytest.mark.parametrize("name", ["image", "lineage"])
def test_one_image_is_shown_without_comparing_all_others(
    catalog: psycopg.Connection[TupleRow], name: str
) -> None:
    prepare(catalog)
    row = catalog.execute(
        "SELECT source_id, image_id, pg_relation_size('images') / 8192 FROM images LIMIT 1"
    ).fetchone()
    assert row is not None
    source, image, every = row
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement(f"image/{name}")
    found = catalog.execute(explain.encode(), {"source": source, "image": image}).fetchone()
    assert found is not None
    plan = found[0][0]["Plan"]
    # what was made from it is looked for among all, once
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1.5 * every
