"""Views, reports and searches on 100,000 images with a million revisions: times and plans."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import psycopg

from benchmarks.contenders import Track
from benchmarks.listing import serve
from benchmarks.report import Report, Table, Verdict, at_most
from catalog.report.images import ImageFilter, count_images, list_images, page_of_images
from catalog.report.latest import Wanted, latest_images
from catalog.report.queries import run_report

DATABASE = "bench_queries"
REVISIONS = 10
TIMES = 7
DATED = ("observed_at", "valid_from", "valid_to", "change", "changed")
MOMENT = "r.observed_at - g * interval '1 day'"

Work = Callable[[psycopg.Connection[Any]], int]
"""Asks something; the number of rows that came."""


@dataclass(frozen=True)
class Query:
    """`asked`: a statement, or what is done instead. `bound`: milliseconds that it may take; None: no goal is set."""

    title: str
    asked: str | Work
    bound: float | None = None


def search(wanted: ImageFilter) -> Work:
    """A page of `catalog web`."""
    return lambda connection: len(page_of_images(connection, wanted, 50).images)


def facets(wanted: ImageFilter) -> Work:
    return lambda connection: len(count_images(connection, wanted, 12).facets)


def listing(**wanted: Any) -> Work:
    """`catalog images`."""
    return lambda connection: len(list_images(connection, ImageFilter(limit=50, **wanted)).rows)


def latest(os: str) -> Work:
    return lambda connection: len(latest_images(connection, Wanted(os=os)).rows)


def answer(name: str, *sources: str) -> Work:
    """`catalog report`."""
    return lambda connection: len(run_report(connection, name, source=sources).rows)


FIRST = "SELECT name, status, platform, tags_text, size_bytes FROM image_overview"
PAGE = "ORDER BY name, image_id LIMIT 50"
THEN = "SELECT * FROM images_as_of(now() - interval '4 days 12 hours')"
HISTORY = (
    "SELECT * FROM image_revisions WHERE source_id = '{source}' AND image_id = '{image}' ORDER BY valid_from"
)
STATES = "SELECT state, count(*) FROM image_lifecycle GROUP BY state"
OVERVIEW = (
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
    Query("the whole catalog as of a moment", THEN, 2000),
    Query(
        "one image as of a moment", f"{THEN} WHERE source_id = '{{source}}' AND image_id = '{{image}}'", 10
    ),
    Query("one image's history", HISTORY, 10),
    Query("capability matrix", "SELECT * FROM capability_matrix"),
    Query(
        "changes of the last two days",
        "SELECT * FROM image_changes WHERE changed_at > now() - interval '2 days'",
    ),
)
LIFE = (
    Query("images by state, counted", STATES),
    Query("images of a state", "SELECT * FROM image_lifecycle WHERE state = 'deactivated'"),
    Query("the same system in every source", "SELECT * FROM equivalent_images"),
    Query("promises", "SELECT * FROM image_promises"),
    Query(
        "systems, counted", "SELECT distro, release, count(*) FROM image_os WHERE live GROUP BY distro, release"
    ),
    Query("latest --os ubuntu-22.04", latest("ubuntu-22.04")),
    Query("report support", answer("support")),
)  # fmt: skip
SEARCHES = {
    "newest": ImageFilter(sort="-created"),
    "by a common word": ImageFilter(text="debian", sort="-created"),
    "by a word that nothing has": ImageFilter(text="nothing has this", sort="-created"),
    "by a common tag": ImageFilter(tag=("golden",), sort="-created"),
    "by a rare tag": ImageFilter(tag=("ticket=77",), sort="-created"),
    "by system, sorted by name": ImageFilter(os="ubuntu", sort="name"),
    "sorted by source": ImageFilter(sort="source"),
    "by state": ImageFilter(state="current", sort="-created"),
    "by a state that few have": ImageFilter(state="deactivated", sort="-created"),
}
"""What the page of images is asked."""
ONE = "WHERE source = '{name}'"
AT_A_MILLION = (
    Query("one image's history", HISTORY, 5),
    *(
        Query(f"a page of `catalog web` {title}", search(wanted), 100)
        for title, wanted in SEARCHES.items()
        if "sorted" not in title
    ),
    Query("`catalog images --tag golden --limit 50`", listing(tag=("golden",)), 100),
    Query("`catalog images --tag ticket=77 --limit 50`", listing(tag=("ticket=77",)), 100),
    Query("`catalog images --capability kvm --limit 50`", listing(capability=("kvm",)), 100),
    Query("`catalog images --os ubuntu --limit 50`", listing(os="ubuntu"), 100),
    Query("`catalog images 'Debian 042' --limit 50`", listing(text="Debian 042"), 100),
    Query("by a rare tag, all rows", OVERVIEW[0].asked, 300),
    Query("by a common tag, a page", OVERVIEW[1].asked, 300),
    Query("a source as of a moment", f"{THEN} WHERE source_id = '{{source}}'", 300),
    Query("image_lifecycle of a source", f"SELECT * FROM image_lifecycle {ONE}", 300),
    Query("distinct_images of a source", f"SELECT * FROM distinct_images {ONE}", 300),
    Query("report summary of a source", answer("summary", "crowd 1"), 300),
    Query("distinct_images, counted", "SELECT count(*) FROM distinct_images", 10_000),
    Query("report summary", answer("summary"), 10_000),
    *(Query(query.title, query.asked, 1000) for query in LIFE),
)
"""On many sources, a million images and ten million revisions."""


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    with serve(asked.images, [0], rare_tags=True) as address:
        track.load(DATABASE, address)
    deepen(track, DATABASE, REVISIONS)
    enliven(track, DATABASE)
    track.server.vacuum(DATABASE)
    searches = [
        Query(f"images {title}, {what}", ask(wanted), 150)
        for title, wanted in SEARCHES.items()
        for what, ask in (("a page", search), ("facets", facets))
    ]
    life = [Query(query.title, query.asked, 100) for query in LIFE]
    verdicts, parts = ask_all(track, DATABASE, [*OVERVIEW, *life, *searches])
    track.server.drop(DATABASE)
    title = f"Reporting queries, {asked.images:,} images with {asked.images * REVISIONS:,} revisions"
    report.write("queries", title, *parts, verdicts=verdicts)


def ask_all(track: Track, database: str, queries: Iterable[Query]) -> tuple[list[Verdict], list[str]]:
    """Each query some times on a warm database, its rows fetched; then once more for its plan."""
    rows, verdicts, plans = [], [], []
    with psycopg.connect(track.server.url(database), autocommit=True) as connection:
        known = connection.execute(
            "SELECT source_id, image_id, s.name FROM images JOIN sources AS s USING (source_id)"
            " ORDER BY source_id, image_id OFFSET (SELECT count(*) / 2 FROM images) LIMIT 1"
        )
        names = dict(zip(("{source}", "{image}", "{name}"), known.fetchall()[0], strict=True))
        for query in queries:
            statement = query.asked if isinstance(query.asked, str) else ""
            for mark, value in names.items():
                statement = statement.replace(mark, value)
            work = partial(_fetch, statement=statement) if statement else query.asked
            milliseconds, found = _timed(connection, work)  # type: ignore[arg-type]
            rows.append(
                (query.title, f"{milliseconds:.1f}", f"{found:,}", f"`{statement}`" if statement else "")
            )
            if query.bound is not None:
                verdicts.append(at_most(query.title, milliseconds, query.bound, " ms", 1))
            if statement:
                plan = connection.execute(
                    f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}".encode()
                ).fetchall()
                plans.append(f"{query.title}:\n\n```\n" + "\n".join(line for (line,) in plan) + "\n```")
            print(f"queries {query.title:<50} {milliseconds:8.1f} ms {found:>8} rows", flush=True)
    return verdicts, [Table(("query", "ms", "rows", "statement"), rows).markdown(), "### Plans", *plans]


def _fetch(connection: psycopg.Connection[Any], statement: str) -> int:
    return len(connection.execute(statement.encode()).fetchall())


def _timed(connection: psycopg.Connection[Any], work: Work) -> tuple[float, int]:
    """Median time in milliseconds, and what the work found."""
    times = []
    found = 0
    for _ in range(TIMES):
        began = time.perf_counter()
        with connection.transaction():
            found = work(connection)
        times.append((time.perf_counter() - began) * 1000)
    return median(times), found


def deepen(track: Track, database: str, revisions: int) -> None:
    """Gives each image of the database's only source more revisions, a day apart, before its last one."""
    names = [c for c in track.server.columns(database, "revisions") if c not in DATED]
    track.server.execute(
        f"INSERT INTO revisions ({', '.join(DATED)}, {', '.join(names)})"
        f" SELECT {MOMENT}, {MOMENT}, {MOMENT} + interval '1 day', 'updated', '{{\"name\": [\"a\", \"b\"]}}'::jsonb,"
        f" {', '.join(f'r.{c}' for c in names)}"
        f" FROM revisions AS r, generate_series(1, {revisions - 1}) AS g;"
        " UPDATE revisions SET valid_from = observed_at WHERE change = 'created' AND valid_from <> observed_at;"
        " INSERT INTO revision_documents (source_id, image_id, observed_at, document)"
        " SELECT source_id, image_id, observed_at, jsonb_build_object('id', image_id, 'name', name)"
        " FROM revisions WHERE change = 'updated'",
        database,
    )


def enliven(track: Track, database: str) -> None:
    """Families of about a dozen images; one image of a hundred promises something, one of a thousand is deactivated."""
    track.server.execute(
        "UPDATE image_state SET family = left(family, -2);"
        ' UPDATE images SET properties = properties || \'{"replace_frequency": "monthly", "uuid_validity": "last-3"}\''
        " WHERE hashtext(image_id) % 100 = 0;"
        " UPDATE images SET status = 'deactivated' WHERE hashtext(image_id) % 1000 = 1",
        database,
    )
