"""Reporting queries on 100,000 images with a million revisions: times and plans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import psycopg

from benchmarks.contenders import PRODUCT, Track
from benchmarks.crowd import deepen
from benchmarks.listing import serve
from benchmarks.report import Report, Table, Verdict, goals
from catalog.report.images import ImageFilter, count_images, page_of_images

DATABASE = "bench_queries"
REVISIONS = 10
TIMES = 7


@dataclass(frozen=True)
class Query:
    """`bound`: milliseconds that it may take, None where no goal is set."""

    title: str
    statement: str
    bound: float | None = None


FIRST = "SELECT name, status, platform, tags_text, size_bytes FROM image_overview"
PAGE = "ORDER BY name, image_id LIMIT 50"
QUERIES = (
    Query("by a rare tag, all rows", "SELECT * FROM image_overview WHERE 'ticket=77' = ANY(tags)", 50),
    Query("by a common tag, a page", f"{FIRST} WHERE 'golden' = ANY(tags) {PAGE}", 50),
    Query("by a common tag, counted", "SELECT count(*) FROM image_overview WHERE 'golden' = ANY(tags)", 50),
    Query("by capability, a page", f"{FIRST} WHERE 'kvm_nvme_spdk' = ANY(capabilities) {PAGE}", 50),
    Query(
        "by two capabilities, counted",
        "SELECT count(*) FROM image_overview WHERE 'kvm' = ANY(capabilities) AND 'xen_hana' = ANY(capabilities)",
        50,
    ),
    Query("by platform, a page", f"{FIRST} WHERE platform = 'EulerOS' {PAGE}", 50),
    Query("by platform, counted", "SELECT count(*) FROM image_overview WHERE platform = 'EulerOS'", 50),
    Query("by a name's prefix, all rows", "SELECT * FROM image_overview WHERE name LIKE 'Debian 042%'", 50),
    Query("one image", "SELECT * FROM image_overview WHERE image_id = '{image}'"),
    Query(
        "the whole catalog as of a moment",
        "SELECT * FROM images_as_of(now() - interval '4 days 12 hours')",
        2000,
    ),
    Query(
        "one image as of a moment",
        "SELECT * FROM images_as_of(now() - interval '4 days 12 hours')"
        " WHERE source_id = '{source}' AND image_id = '{image}'",
        10,
    ),
    Query(
        "one image's history",
        "SELECT * FROM image_revisions WHERE source_id = '{source}' AND image_id = '{image}' ORDER BY valid_from",
        10,
    ),
    Query("capability matrix", "SELECT * FROM capability_matrix"),
    Query(
        "changes of the last two days",
        "SELECT * FROM image_changes WHERE changed_at > now() - interval '2 days'",
    ),
)


SEARCHES = {
    "newest": ImageFilter(sort="-created"),
    "by a common word": ImageFilter(text="debian", sort="-created"),
    "by a word that nothing has": ImageFilter(text="nothing has this", sort="-created"),
    "by a common tag": ImageFilter(tags=("golden",), sort="-created"),
    "by a rare tag": ImageFilter(tags=("ticket=77",), sort="-created"),
    "by system, sorted by name": ImageFilter(os="ubuntu", sort="name"),
    "sorted by source": ImageFilter(sort="source"),
    "by state": ImageFilter(state="current", sort="-created"),
}
"""What the page of images is asked."""


def measure(track: Track, report: Report, count: int) -> None:
    """Each query some times on a warm database, its rows fetched; then once more for its plan."""
    track.prepare(PRODUCT, DATABASE)
    with serve(count, [0], rare_tags=True) as address:
        track.sweep(PRODUCT, DATABASE, address)
    deepen(track, DATABASE, REVISIONS)
    track.server.vacuum(DATABASE)
    rows, verdicts, plans = [], [], []
    with psycopg.connect(track.server.url(DATABASE), autocommit=True) as connection:
        known = connection.execute(
            "SELECT source_id, image_id FROM images ORDER BY image_id OFFSET 4711 LIMIT 1"
        )
        source, image = known.fetchall()[0]
        for query in QUERIES:
            statement = query.statement.replace("{source}", source).replace("{image}", image)
            milliseconds, found = timed(connection, statement)
            rows.append((query.title, f"{milliseconds:.1f}", f"{found:,}", f"`{statement}`"))
            if query.bound is not None:
                met = milliseconds <= query.bound
                verdicts.append(Verdict(query.title, f"{milliseconds:.1f} ms", f"{query.bound:g} ms", met))
            plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}").fetchall()
            plans.append(f"{query.title}:\n\n```\n" + "\n".join(line for (line,) in plan) + "\n```")
            print(f"queries {query.title:<36} {milliseconds:8.1f} ms {found:>8} rows", flush=True)
        for title, milliseconds, found in searches(connection):
            rows.append((title, f"{milliseconds:.1f}", f"{found:,}", "of `catalog web`"))
            verdicts.append(Verdict(title, f"{milliseconds:.1f} ms", "150 ms", milliseconds <= 150))
            print(f"queries {title:<36} {milliseconds:8.1f} ms {found:>8} rows", flush=True)
    track.server.drop(DATABASE)
    title = f"Reporting queries, {count:,} images with {count * REVISIONS:,} revisions"
    table = Table(("query", "ms", "rows", "statement"), rows).markdown()
    report.write("queries", title, goals(verdicts), table, "### Plans", *plans)


def searches(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, float, int]]:
    """A page of each search, and its facets."""
    for title, wanted in SEARCHES.items():

        def page(wanted: ImageFilter = wanted) -> int:
            with connection.transaction():
                return len(page_of_images(connection, wanted, 50).images)

        def facets(wanted: ImageFilter = wanted) -> int:
            with connection.transaction():
                return len(count_images(connection, wanted, 12).facets)

        yield f"images {title}, a page", *median_of(page)
        yield f"images {title}, facets", *median_of(facets)


def timed(connection: psycopg.Connection[Any], statement: str) -> tuple[float, int]:
    """Median time in milliseconds with all rows fetched, and their number."""
    return median_of(lambda: len(connection.execute(statement).fetchall()))


def median_of(work: Callable[[], int]) -> tuple[float, int]:
    times = []
    found = 0
    for _ in range(TIMES):
        began = time.perf_counter()
        found = work()
        times.append((time.perf_counter() - began) * 1000)
    return median(times), found
