"""`catalog export` of 100,000 images with a million revisions: time, rows a second, memory, size."""

from __future__ import annotations

import shutil

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.crowd import deepen
from benchmarks.listing import serve
from benchmarks.measuring import run
from benchmarks.queries import REVISIONS
from benchmarks.report import Report, Table, Verdict, goals, number
from catalog.export.tables import KEYS

DATABASE = "bench_export"
FORMATS = ("parquet", "csv", "jsonl", "sqlite")
MOST_MIB = 300


def measure(track: Track, report: Report, count: int) -> None:
    """A first export in each format."""
    track.prepare(PRODUCT, DATABASE)
    with serve(count, [0]) as address:
        track.sweep(PRODUCT, DATABASE, address)
    deepen(track, DATABASE, REVISIONS)
    track.server.vacuum(DATABASE)
    total = sum(int(track.server.execute(f"SELECT count(*) FROM {table}", DATABASE)[0][0]) for table in KEYS)
    folder = track.cache / "exports"
    rows, verdicts = [], []
    for file_format in FORMATS:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        target = folder / file_format
        address = ["--database-url", track.server.socket_url(DATABASE)]
        one = run([*catalog(), *address, "export", target, "--format", file_format])
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        rows.append(
            (
                file_format, f"{one.wall:.1f}", f"{one.cpu:.1f}", number(total / one.wall), f"{one.peak:.0f}",
                number(size / 2**20),
            )
        )  # fmt: skip
        peak = f"{one.peak:.0f} MiB"
        verdicts.append(Verdict(f"{file_format}, peak memory", peak, f"{MOST_MIB} MiB", one.peak <= MOST_MIB))
        print(f"export {file_format:<8} {one.wall:8.1f} s {one.peak:8.0f} MiB", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    track.server.drop(DATABASE)
    head = ("format", "wall s", "client's CPU s", "rows/s", "peak MiB", "size MiB")
    title = f"Export, {count:,} images with {count * REVISIONS:,} revisions, {total:,} rows in all"
    report.write("export", title, goals(verdicts), Table(head, rows).markdown())
