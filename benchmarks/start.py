"""Small commands: `catalog --help`, and on a running database questions and an unchanged sweep of 25 images."""

from __future__ import annotations

import argparse

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.listing import serve
from benchmarks.measuring import middle, run
from benchmarks.report import Report, Table, at_most

TIMES = 20
DATABASE = "bench_start"
QUESTIONS = ("images", "runs")


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    """Medians of twenty runs each. CPU tells more than wall time where others share the machine."""
    found = {"--help": middle(run([*catalog(), "--help"]) for _ in range(TIMES))}
    with serve(25, [0]) as address:
        track.load(DATABASE, address)
        options = ["--config", str(track.configuration(["s0"], address))]
        options += ["--database-url", track.server.socket_url(DATABASE)]
        for question in QUESTIONS:
            found[question] = middle(run([*catalog(), *options, question]) for _ in range(TIMES))
        found["sync"] = middle([track.sweep(PRODUCT, DATABASE, address) for _ in range(TIMES)])
    track.server.drop(DATABASE)
    verdicts = [
        at_most("`catalog --help`", found["--help"].wall, 0.15, " s"),
        at_most("unchanged sweep of 25 images, database running", found["sync"].wall, 0.6, " s"),
    ]
    rows = [(f"`catalog {name}`", f"{one.wall:.2f}", f"{one.cpu:.2f}") for name, one in found.items()]
    table = Table(("command", "wall s", "CPU s"), rows).markdown()
    note = f"Peak memory of that sweep: {found['sync'].peak:.0f} MiB; WAL: {found['sync'].written.wal / 1000:.0f} kB."
    report.write("start", "Small commands", table, note, verdicts=verdicts)
