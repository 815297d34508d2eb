"""A small source beside a crowd: what does a sweep cost in a database that holds a million images already?

The crowd is made from one swept source of 10,000 images by INSERT ... SELECT generate_series: copies under other
source ids, and of each image ten revisions, the older ones dated day by day before the first. Older documents are
small (their keys alone would fill the disk), every other row is as wide as the product writes it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from statistics import median

from benchmarks import queries
from benchmarks.contenders import PRODUCT, Track
from benchmarks.listing import STATES, serve, show
from benchmarks.measuring import Run, middle
from benchmarks.report import Report, Table, at_most

SMALL = 10_000
STEPS = (("first load", 0), ("0 %", 0), ("1 %", 1), ("10 %", 2))
CROWDED, EMPTY = "bench_crowd", "bench_alone"
TABLES = (
    "sources", "images", "image_state", "image_tags", "image_capabilities", "image_properties", "revisions",
    "revision_documents", "status_history", "observations",
)  # fmt: skip
GROUPS = 10
"""Sources that one statement adds."""
HOW = (
    f"The crowd: one swept source of {SMALL:,} images, copied by INSERT ... SELECT generate_series under other "
    f"source ids, with {queries.REVISIONS} revisions an image, the documents of the older ones small."
)


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    """Turns alternate between the full and the empty database; each brings a source of its own."""
    copies = max(1, asked.crowd // SMALL)
    runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
    with serve(SMALL, range(len(STATES) - 1), rare_tags=True) as address:
        fill(track, show(address, 0), copies)
        (size,) = track.server.execute(f"SELECT pg_size_pretty(pg_database_size('{CROWDED}'))")[0]
        for turn in range(asked.turns):
            track.prepare(PRODUCT, EMPTY)
            for step, state in STEPS:
                for database in (CROWDED, EMPTY) if turn % 2 else (EMPTY, CROWDED):
                    name = f"turn{turn}-"
                    one = track.sweep(PRODUCT, database, show(address, state), name=name)
                    runs[step, database].append(one)
                    print(f"crowd turn {turn + 1} {step:>10} {database:<12} {one}", flush=True)
                    track.server.vacuum(database)
    answers, parts = queries.ask_all(track, CROWDED, queries.AT_A_MILLION)
    for database in (CROWDED, EMPTY):
        track.server.drop(database)
    there = copies * SMALL
    report.write(
        "crowd",
        f"A source of {SMALL:,} images beside {there:,} images and {there * queries.REVISIONS:,} revisions ({size})",
        HOW,
        _table(runs).markdown(),
        verdicts=[at_most(f"{step}, times the empty database", _ratio(runs, step), 1.3) for step, _ in STEPS],
    )
    report.write(
        "crowd-queries",
        f"Reading {there:,} images and {there * queries.REVISIONS:,} revisions",
        *parts,
        verdicts=answers,
    )


def _ratio(runs: dict[tuple[str, str], list[Run]], step: str) -> float:
    pairs = zip(runs[step, CROWDED], runs[step, EMPTY], strict=True)
    return median(crowded.wall / alone.wall for crowded, alone in pairs)


def _table(runs: dict[tuple[str, str], list[Run]]) -> Table:
    rows = []
    for step, _ in STEPS:
        alone, crowded = middle(runs[step, EMPTY]), middle(runs[step, CROWDED])
        rows.append(
            (
                step, f"{alone.wall:.2f}", f"{crowded.wall:.2f}", f"{_ratio(runs, step):.2f}",
                f"{alone.written.cpu:.2f}", f"{crowded.written.cpu:.2f}", f"{crowded.peak:.0f}",
            )
        )  # fmt: skip
    head = (
        "changed",
        "empty s",
        "full s",
        "ratio",
        "server CPU s, empty",
        "server CPU s, full",
        "peak MiB, full",
    )
    return Table(head, rows)


def fill(track: Track, endpoint: str, copies: int) -> None:
    """One swept source, multiplied. Statements as wide as the tables, so that new columns come along."""
    track.prepare(PRODUCT, CROWDED)
    track.sweep(PRODUCT, CROWDED, endpoint, name="seed")
    queries.deepen(track, CROWDED, queries.REVISIONS)
    queries.enliven(track, CROWDED)
    for first in range(1, copies, GROUPS):
        last = min(first + GROUPS, copies) - 1
        for table in TABLES:
            _multiply(track, table, first, last)
        print(f"crowd: {last + 1} of {copies} sources", flush=True)
    track.server.vacuum(CROWDED)


def _multiply(track: Track, table: str, first: int, last: int) -> None:
    columns = [name for name in track.server.columns(CROWDED, table) if name not in ("source_id", "name")]
    names = ", ".join(columns)
    extra, value = (", name", ", 'crowd ' || g") if table == "sources" else ("", "")
    if table in ("images", "revisions", "image_properties"):
        extra, value = ", name", ", t.name"
    track.server.execute(
        f"INSERT INTO {table} (source_id{extra}, {names})"
        f" SELECT 'crowd' || lpad(g::text, 4, '0'){value}, {', '.join(f't.{c}' for c in columns)}"
        f" FROM generate_series({first}, {last}) AS g, {table} AS t"
        " WHERE t.source_id = (SELECT source_id FROM sources WHERE name LIKE 'seed%')",
        CROWDED,
    )
