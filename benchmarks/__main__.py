"""`python -m benchmarks`: makes the listing, starts the server and PostgreSQL, measures, writes RESULTS.md.

    python -m benchmarks                                   everything; about two hours, 20 GB of disk
    python -m benchmarks load --sizes 100000               the table with the goals
    python -m benchmarks load --sizes 1000000 --turns 1 --contenders catalog,limit
    python -m benchmarks crowd|start|queries|readers|events|export|profile    one section

Sections: `load` (sizes, per cent changed, 1 and 50 sources, product against baselines), `crowd` (a small source
in a database that holds a million images), `start` (small commands), `queries` (reporting, with plans), `readers`
(50 of them, of the web pages, beside sweeps), `events` (what they cost), `export` (rows a second, memory), `profile`
(where the time goes).
PostgreSQL is an embedded one with its default, durable settings, or the server of `--database-url`, where databases
named bench_* are made and dropped. The listing is served from memory by a process of its own; everything shares the
machine, as a user's does. Before each measured run the server's dirty buffers are written, after each one its
database is vacuumed, both outside of the measured time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import load
from benchmarks.contenders import CONTENDERS, Track
from benchmarks.databases import server
from benchmarks.report import Report, goals

ROOT = Path(__file__).parent
SECTIONS = ("load", "crowd", "start", "queries", "readers", "events", "export", "profile")


def main() -> None:
    asked = arguments()
    asked.cache.mkdir(parents=True, exist_ok=True)
    for watched, sections in ((False, [s for s in asked.sections if s != "profile"]), (True, ["profile"])):
        if sections and set(sections) <= set(asked.sections):
            measure(asked, sections, watched=watched)


def measure(asked: argparse.Namespace, sections: list[str], *, watched: bool) -> None:
    """Runs sections on a server of their own."""
    with server(asked.database_url, asked.cache, watched=watched) as database_server:
        track = Track(database_server, asked.cache)
        needs_baselines = "load" in sections and set(asked.contenders) != {"catalog"}
        report = Report(
            asked.cache / "results",
            asked.results,
            f"{database_server.version} ({database_server.describe()})",
            track.versions() if needs_baselines else {},
        )
        for name in sections:
            RUN[name](track, report, asked)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="default: all")
    parser.add_argument(
        "--sizes", type=numbers, default=[10_000, 100_000, 1_000_000], help="images, of `load`"
    )
    parser.add_argument("--sources", type=numbers, default=[1, 50], help="numbers of sources, of `load`")
    parser.add_argument(
        "--steps", type=words, default=list(load.STEPS), help="of `load`: first, per cent changed"
    )
    parser.add_argument("--contenders", type=words, default=[c.name for c in CONTENDERS])
    parser.add_argument("--turns", type=int, default=3, help="how often each run is repeated")
    parser.add_argument(
        "--images", type=int, default=100_000, help="images, of `queries`, `readers`, `export` and `profile`"
    )
    parser.add_argument(
        "--crowd", type=int, default=1_000_000, help="images that are there already, of `crowd`"
    )
    parser.add_argument(
        "--database-url", help="a server where databases may be made, instead of an embedded one"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=ROOT.parent / "build" / "benchmarks",
        help="environment, data and parts of results",
    )
    parser.add_argument("--results", type=Path, default=ROOT / "RESULTS.md")
    asked = parser.parse_args()
    asked.sections = asked.sections or list(SECTIONS)
    asked.cache = asked.cache.absolute()
    return asked


def numbers(text: str) -> list[int]:
    return [int(part.replace("_", "")) for part in text.split(",")]


def words(text: str) -> list[str]:
    return text.split(",")


def run_load(track: Track, report: Report, asked: argparse.Namespace) -> None:
    contenders = [contender for contender in CONTENDERS if contender.name in asked.contenders]
    for size in asked.sizes:
        for sources in asked.sources:
            if sources > 1 and size != 100_000 and len(asked.sizes) > 1:
                continue  # many sources are a matter of their number, told at one size
            course = load.Course(size, sources, asked.steps, contenders, asked.turns)
            runs = load.measure(track, course)
            told = goals(load.verdicts(course, runs)) if size == 100_000 and sources == 1 else ""
            report.write(course.key, course.title, load.table(course, runs).markdown(), told)


def run_crowd(track: Track, report: Report, asked: argparse.Namespace) -> None:
    from benchmarks import crowd

    crowd.measure(track, report, asked.crowd, asked.turns)


def run_events(track: Track, report: Report, asked: argparse.Namespace) -> None:
    from benchmarks import events

    events.measure(track, report)


def run_start(track: Track, report: Report, asked: argparse.Namespace) -> None:
    from benchmarks import start

    start.measure(track, report)


def run_queries(track: Track, report: Report, asked: argparse.Namespace) -> None:
    from benchmarks import queries

    queries.measure(track, report, asked.images)


def run_readers(track: Track, report: Report, asked: argparse.Namespace) -> None:
    from benchmarks import readers

    readers.measure(track, report, asked.images)


def run_export(track: Track, report: Report, asked: argparse.Namespace) -> None:
    from benchmarks import export

    export.measure(track, report, asked.images)


def run_profile(track: Track, report: Report, asked: argparse.Namespace) -> None:
    from benchmarks import profile

    profile.measure(track, report, asked.images)


RUN: dict[str, Callable[[Track, Report, argparse.Namespace], None]] = {
    "load": run_load,
    "crowd": run_crowd,
    "start": run_start,
    "events": run_events,
    "queries": run_queries,
    "readers": run_readers,
    "export": run_export,
    "profile": run_profile,
}

if __name__ == "__main__":
    main()
