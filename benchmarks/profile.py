"""Where the time goes: the product's threads by py-spy, the server's statements by pg_stat_statements."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.listing import serve, show
from benchmarks.measuring import run
from benchmarks.report import Report, Table, number

RATE = 250
"""Samples a second, taken from outside: one taken by a thread of Python's own sees where others let it run."""
STEPS = {"first load": 0, "unchanged": 0, "1 % changed": 1, "10 % changed": 2}
MOST = 12
"""Lines of each table."""
IDLE = ("MainThread", "lease")
"""Threads that wait for the others, and are no cost."""
_SAMPLE = re.compile(r"(?P<stack>.+) (?P<times>\d+)")
_THREAD = re.compile(r"thread \(\d+\)(?:: (?P<name>[^\d\s_]+))?")
_FRAME = re.compile(r"(?P<name>.+) \((?P<file>.+):\d+\)")


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    """Four sweeps, each sampled; their times are longer than those of the other sections."""
    database = "bench_profile"
    has_statements = _watch_statements(track)
    track.prepare(PRODUCT, database)
    parts = []
    with serve(asked.images, sorted(set(STEPS.values()))) as address:
        for step, state in STEPS.items():
            if has_statements:
                track.server.execute("SELECT pg_stat_statements_reset()")
            samples = track.cache / "samples.raw"
            configuration = track.configuration(["s0"], show(address, state))
            url = track.server.socket_url(database)
            arguments = ["--config", str(configuration), "--database-url", url, "sync"]
            one = run([*track.sampler(RATE, samples), *catalog(), *arguments])
            text = f"### {step}: {one.wall:.1f} s, of which the client's processor {one.cpu:.1f} s"
            parts += [text, _client(samples)]
            if has_statements:
                parts.append(_statements(track, database))
            print(text, flush=True)
            track.server.vacuum(database)
    track.server.drop(database)
    report.write("profile", f"Where the time goes, {asked.images:,} images", *parts)


def _watch_statements(track: Track) -> bool:
    """Whether the server tells of its statements; a server of one's own may not have the extension loaded."""
    if "pg_stat_statements" not in str(track.server.execute("SHOW shared_preload_libraries")[0][0]):
        return False
    track.server.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    return True


def _client(samples: Path) -> str:
    """Of each thread our innermost function, and what it was in; waiting counts as being there."""
    top: Counter[tuple[str, str, str]] = Counter()
    for line in samples.read_text().splitlines():
        if not (found := _SAMPLE.fullmatch(line)):
            continue
        thread, *stack = found["stack"].split(";")
        named = _THREAD.match(thread)
        name = (named["name"] if named else None) or "start"
        frames = [frame for part in stack if (frame := _FRAME.fullmatch(part))]
        ours = next((f for f in reversed(frames) if "catalog/" in f["file"]), None)
        if not name.startswith(IDLE) and frames:
            top[name, _name(ours), _name(frames[-1])] += int(found["times"])
    rows = [(f"{times / RATE:.2f}", *where) for where, times in top.most_common(MOST)]
    return Table(("s", "thread", "our function", "innermost"), rows).markdown()


def _name(frame: re.Match[str] | None) -> str:
    return f"{Path(frame['file']).stem}.{frame['name']}" if frame else ""


def _statements(track: Track, database: str) -> str:
    rows = track.server.execute(
        "SELECT s.total_exec_time, s.calls, s.rows, s.wal_bytes, left(regexp_replace(s.query, '\\s+', ' ', 'g'), 90)"
        " FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
        f" WHERE d.datname = '{database}' ORDER BY s.total_exec_time DESC LIMIT {MOST}"
    )
    shown = [
        (f"{ms / 1000:.2f}", number(calls), number(count), number(wal / 1000), f"`{query.replace('|', '/')}`")
        for ms, calls, count, wal, query in rows
    ]
    return Table(("s", "calls", "rows", "WAL kB", "statement"), shown).markdown()
