"""Small commands: `catalog --help`, and an unchanged sweep of 25 images on a running database."""

from __future__ import annotations

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.listing import serve
from benchmarks.measuring import middle, run
from benchmarks.report import Report, Verdict, goals

TIMES = 20
DATABASE = "bench_start"


def measure(track: Track, report: Report) -> None:
    """Medians of twenty runs each."""
    help_text = middle(run([*catalog(), "--help"]) for _ in range(TIMES))
    track.prepare(PRODUCT, DATABASE)
    with serve(25, [0]) as address:
        track.sweep(PRODUCT, DATABASE, address)
        track.server.vacuum(DATABASE)
        unchanged = middle([track.sweep(PRODUCT, DATABASE, address) for _ in range(TIMES)])
    track.server.drop(DATABASE)
    verdicts = [
        Verdict("`catalog --help`", f"{help_text.wall:.2f} s", "at most 0.15 s", help_text.wall <= 0.15),
        Verdict(
            "unchanged sweep of 25 images, database running",
            f"{unchanged.wall:.2f} s",
            "at most 0.6 s",
            unchanged.wall <= 0.6,
        ),
    ]
    note = f"Peak memory of that sweep: {unchanged.peak:.0f} MiB; WAL: {unchanged.written.wal / 1000:.0f} kB."
    report.write("start", "Small commands", goals(verdicts), note)
