"""`python -m benchmarks`: makes the listing, starts the server and PostgreSQL, measures, writes RESULTS.md.

    python -m benchmarks                                   everything; about two hours, 20 GB of disk
    python -m benchmarks load --sizes 100000               the table with the goals
    python -m benchmarks load --sizes 1000000 --turns 1 --contenders catalog,limit
    python -m benchmarks crowd|start|queries|readers|events|export|backfill|profile    one section

Sections: `load` (sizes, per cent changed, 1 and 50 sources, product against baselines), `crowd` (a small source
in a database that holds a million images, and what reading it takes), `start` (small commands), `queries` (views,
reports and searches, with plans), `readers` (50 of them, of the web pages, beside sweeps), `events` (what they cost),
`export` (rows a second, memory), `backfill` (saved listings), `profile` (where the time goes).
PostgreSQL is an embedded one with its default, durable settings, or the server of `--database-url`, where databases
named bench_* are made and dropped. The listing is served from memory by a process of its own; everything shares the
machine, as a user's does. Before each measured run the server's dirty buffers are written, after each one its
database is vacuumed, both outside of the measured time.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.contenders import CONTENDERS, Track
from benchmarks.databases import server
from benchmarks.load import STEPS
from benchmarks.report import ROOT, Report

SECTIONS = ("load", "crowd", "start", "queries", "readers", "events", "export", "backfill", "profile")
"""Each a module with a function `measure`."""


def main() -> None:
    asked = arguments()
    asked.cache.mkdir(parents=True, exist_ok=True)
    for watched in (False, True):
        if sections := [name for name in asked.sections if (name == "profile") == watched]:
            measure(asked, sections, watched=watched)


def measure(asked: argparse.Namespace, sections: list[str], *, watched: bool) -> None:
    """Runs sections on a server of their own."""
    with server(asked.database_url, asked.cache, watched=watched) as database_server:
        track = Track(database_server, asked.cache)
        needs_baselines = "load" in sections and not set(asked.contenders) <= {"catalog", "limit"}
        report = Report(
            asked.results,
            f"{database_server.version} ({database_server.describe()})",
            track.versions() if needs_baselines else {},
        )
        for name in sections:
            import_module(f"benchmarks.{name}").measure(track, report, asked)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("sections", nargs="*", choices=[*SECTIONS, []], help="default: all")
    add("--sizes", type=numbers, default=[10_000, 100_000, 1_000_000], help="images, of `load`")
    add("--sources", type=numbers, default=[1, 50], help="numbers of sources, of `load`")
    add("--steps", type=words, default=list(STEPS), help="of `load`: first, per cent changed")
    add("--contenders", type=words, default=[c.name for c in CONTENDERS])
    add("--turns", type=int, default=3, help="how often each run is repeated")
    add("--images", type=int, default=100_000, help="images, of `queries`, `readers`, `export` and `profile`")
    add("--crowd", type=int, default=1_000_000, help="images that are there already, of `crowd`")
    add("--database-url", help="a server where databases may be made, instead of an embedded one")
    cache = ROOT / "build" / "benchmarks"
    add("--cache", type=Path, default=cache, help="environment and data")
    add("--results", type=Path, default=ROOT / "benchmarks" / "RESULTS.md")
    asked = parser.parse_args()
    asked.sections = asked.sections or list(SECTIONS)
    asked.cache = asked.cache.absolute()
    return asked


def numbers(text: str) -> list[int]:
    return [int(part.replace("_", "")) for part in text.split(",")]


def words(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    main()
