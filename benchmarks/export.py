"""`catalog export` of 100,000 images with a million revisions: time, rows a second, memory, size."""

from __future__ import annotations

import argparse
import shutil

from benchmarks.contenders import Track, catalog
from benchmarks.listing import serve
from benchmarks.measuring import run
from benchmarks.queries import REVISIONS, deepen
from benchmarks.report import Report, Table, at_most, number
from catalog.export.tables import KEYS

DATABASE = "bench_export"
FORMATS = ("parquet", "csv", "jsonl", "sqlite")
MOST_MIB = 300


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    """A first export in each format."""
    with serve(asked.images, [0]) as address:
        track.load(DATABASE, address)
    deepen(track, DATABASE, REVISIONS)
    track.server.vacuum(DATABASE)
    total = sum(int(track.server.execute(f"SELECT count(*) FROM {table}", DATABASE)[0][0]) for table in KEYS)
    folder = track.cache / "exports"
    rows, verdicts = [], []
    for file_format in FORMATS:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        target = folder / file_format
        database = ["--database-url", track.server.socket_url(DATABASE)]
        one = run([*catalog(), *database, "export", target, "--format", file_format])
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        rows.append(
            (
                file_format, f"{one.wall:.1f}", f"{one.cpu:.1f}", number(total / one.wall), f"{one.peak:.0f}",
                number(size / 2**20),
            )
        )  # fmt: skip
        verdicts.append(at_most(f"{file_format}, peak memory", one.peak, MOST_MIB, " MiB", 0))
        print(f"export {file_format:<8} {one.wall:8.1f} s {one.peak:8.0f} MiB", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    track.server.drop(DATABASE)
    head = ("format", "wall s", "client's CPU s", "rows/s", "peak MiB", "size MiB")
    title = (
        f"Export, {asked.images:,} images with {asked.images * REVISIONS:,} revisions, {total:,} rows in all"
    )
    report.write("export", title, Table(head, rows).markdown(), verdicts=verdicts)
