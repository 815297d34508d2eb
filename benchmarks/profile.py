"""Where the time goes: the product's threads by sampling, the server's statements by pg_stat_statements."""

from __future__ import annotations

import json
import runpy
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.listing import serve
from benchmarks.measuring import ROOT, run
from benchmarks.report import Report, Table, number

EVERY = 0.004
"""Seconds between two samples."""
STEPS = {"first load": 0, "unchanged": 0, "1 % changed": 1, "10 % changed": 2}
MOST = 12
"""Lines of each table."""
IDLE = ("MainThread|side_by_side.", "lease|")
"""Threads that wait for the others, and are no cost."""
SWITCH = 0.0005
"""Seconds after which a thread hands over; at Python's own 5 ms samples would cluster where threads wait."""


def measure(track: Track, report: Report, count: int) -> None:
    """Four sweeps, each sampled; their times are longer than those of the other sections."""
    database = "bench_profile"
    has_statements = _watch_statements(track)
    track.prepare(PRODUCT, database)
    parts = []
    with serve(count, sorted(set(STEPS.values()))) as address:
        for step, state in STEPS.items():
            if has_statements:
                track.server.execute("SELECT pg_stat_statements_reset()")
            samples = track.cache / "samples.json"
            configuration = track.configuration(["s0"], f"{address}/{state}")
            url = track.server.socket_url(database)
            arguments = ["--config", str(configuration), "--database-url", url, "sync"]
            one = run([sys.executable, "-m", "benchmarks.profile", samples, *arguments])
            text = f"### {step}: {one.wall:.1f} s, of which the client's processor {one.cpu:.1f} s"
            parts += [text, _client(samples)]
            if has_statements:
                parts.append(_statements(track, database))
            print(text, flush=True)
            track.server.vacuum(database)
    track.server.drop(database)
    report.write("profile", f"Where the time goes, {count:,} images", *parts)


def _watch_statements(track: Track) -> bool:
    """Whether the server tells of its statements; a server of one's own may not have the extension loaded."""
    if "pg_stat_statements" not in str(track.server.execute("SHOW shared_preload_libraries")[0][0]):
        return False
    track.server.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    return True


def _client(samples: Path) -> str:
    counted = json.loads(samples.read_text())
    each = counted["seconds"] / max(1, counted["samples"])
    busy = [(where, times) for where, times in counted["top"] if not where.startswith(IDLE)]
    rows = [(f"{times * each:.2f}", *where.split("|")) for where, times in busy[:MOST]]
    return Table(("s", "thread", "our function", "innermost"), rows).markdown()


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


class Sampler(threading.Thread):
    """Notes, every few milliseconds, where each other thread is; waiting counts as being there."""

    def __init__(self) -> None:
        super().__init__(name="sampler", daemon=True)
        self.top: Counter[str] = Counter()
        self.samples = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(EVERY):
            self.samples += 1
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():
                if ident != self.ident:
                    name = names.get(ident, "?")
                    self.top[f"{name.split('_')[0].split()[0]}|{_ours(frame)}|{_name(frame)}"] += 1


def _ours(frame: FrameType | None) -> str:
    while frame is not None:
        if f"{ROOT}/catalog/" in frame.f_code.co_filename:
            return _name(frame)
        frame = frame.f_back
    return ""


def _name(frame: FrameType) -> str:
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}:{frame.f_lineno}"


def main(target: str, *arguments: str) -> None:
    """Runs the console command under the sampler."""
    sys.setswitchinterval(SWITCH)
    sampler = Sampler()
    sampler.start()
    sys.argv = ["catalog", *arguments]
    began = time.perf_counter()
    try:
        runpy.run_module(catalog()[-1], run_name="__main__")
    finally:
        sampler.done.set()
        took = time.perf_counter() - began
        told = {"seconds": took, "samples": sampler.samples, "top": sampler.top.most_common(200)}
        Path(target).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
