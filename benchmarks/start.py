"""Small commands: `catalog --help`, and an unchanged sweep of 25 images on a running database."""

from __future__ import annotations

import argparse

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.listing import serve
from benchmarks.measuring import middle, run
from benchmarks.report import Report, at_most

TIMES = 20
DATABASE = "bench_start"


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    """Medians of twenty runs each."""
    help_text = middle(run([*catalog(), "--help"]) for _ in range(TIMES))
    with serve(25, [0]) as address:
        track.load(DATABASE, address)
        unchanged = middle([track.sweep(PRODUCT, DATABASE, address) for _ in range(TIMES)])
    track.server.drop(DATABASE)
    verdicts = [
        at_most("`catalog --help`", help_text.wall, 0.15, " s"),
        at_most("unchanged sweep of 25 images, database running", unchanged.wall, 0.6, " s"),
    ]
    note = f"Peak memory of that sweep: {unchanged.peak:.0f} MiB; WAL: {unchanged.written.wal / 1000:.0f} kB."
    report.write("start", "Small commands", note, verdicts=verdicts)
