"""What events cost: a sweep of 10,000 images, 10 % changed, beside one whose `EventWriter.changes` does nothing."""

from __future__ import annotations

import argparse
import sys
from statistics import median

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.listing import STATES, serve, show
from benchmarks.report import Report, Table, at_most

COUNT, TURNS, MOST_PERCENT = 10_000, 9, 5.0
SILENT = (
    "from catalog.store.state.events import EventWriter; EventWriter.changes = lambda *_, **__: None;"
    " from catalog.__main__ import main; main()"
)
KINDS = {"events": catalog(), "without": [sys.executable, "-c", SILENT]}


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    """Medians of CPU seconds, as other work on the machine disturbs them less; the order changes with each turn."""
    client: dict[str, list[float]] = {kind: [] for kind in KINDS}
    server: dict[str, list[float]] = {kind: [] for kind in KINDS}
    changed = STATES.index(10)
    with serve(COUNT, [0, changed]) as address:
        for turn in range(TURNS):
            for kind in KINDS if turn % 2 else reversed(KINDS):
                database = f"bench_events_{kind}"
                track.load(database, show(address, 0))
                one = track.sweep(PRODUCT, database, show(address, changed), program=KINDS[kind])
                client[kind].append(one.cpu)
                server[kind].append(one.written.cpu)
                track.server.drop(database)
                spent = f"{one.cpu:.2f} + {one.written.cpu:.2f} s CPU"
                print(f"events turn {turn + 1} {kind:<8} {spent}", flush=True)
    whole = {kind: [c + s for c, s in zip(client[kind], server[kind], strict=True)] for kind in KINDS}
    more = 100 * (median(a / b for a, b in zip(whole["events"], whole["without"], strict=True)) - 1)
    verdict = at_most("events, CPU more", more, MOST_PERCENT, " %", 1)
    rows = [
        (kind, f"{median(client[kind]):.3f}", f"{median(server[kind]):.3f}", f"{min(whole[kind]):.3f}")
        for kind in KINDS
    ]
    head = ("sweep", "client CPU s", "server CPU s", "least of both")
    title = f"Events of {COUNT:,} images, 10 % changed"
    report.write("events", title, Table(head, rows).markdown(), verdicts=[verdict])
