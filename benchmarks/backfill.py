"""Saved listings become history: hourly ones, 1 % changed an hour. Does the rate hold as history grows?"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.measuring import run
from benchmarks.prepared import benchmark_images
from benchmarks.report import Report, Table, at_most, number

DATABASE = "bench_backfill"
BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
COURSES = ((1000, 8760, 8), (100_000, 40, 5))
"""Images, hours, and in how many parts they are loaded: a year, and some hours of a large source."""


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    for images, hours, parts in COURSES:
        rows, rates, peaks = [], [], []
        track.prepare(PRODUCT, DATABASE)
        folder = track.cache / "listings"
        configuration = str(track.configuration(["s0"], "http://127.0.0.1:9"))
        command = [*catalog(), "--config", configuration, "--database-url", track.server.socket_url(DATABASE)]
        listings = hourly(images, hours)
        for part in range(parts):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for _ in range(hours // parts):
                write(folder, *next(listings))
            one = run([*command, "backfill", "s0", str(folder), "--complete", "--accept-deletions"])
            records = images * (hours // parts)
            rates.append(records / one.wall)
            peaks.append(one.peak)
            rows.append(
                (
                    str(part + 1),
                    number(records),
                    f"{one.wall:.1f}",
                    number(rates[-1]),
                    f"{one.cpu:.1f}",
                    number(one.peak),
                )
            )
            print(
                f"backfill {images:>8} images, part {part + 1}: {number(rates[-1])} records/s, {one.peak:.0f} MiB",
                flush=True,
            )
            track.server.vacuum(DATABASE)
        shutil.rmtree(folder)
        track.server.drop(DATABASE)
        report.write(
            f"backfill-{images:07d}",
            f"{hours:,} hourly listings of {images:,} images, 1 % changed an hour",
            Table(("part", "records", "wall s", "records/s", "client CPU s", "peak MiB"), rows).markdown(),
            verdicts=[
                at_most("last part, times as slow as the first", rates[0] / rates[-1], 1.2),
                at_most("peak memory of the last part, times that of the first", peaks[-1] / peaks[0], 1.2),
            ],
        )


def hourly(images: int, hours: int, *, seed: int = 1) -> Iterator[tuple[datetime, list[str]]]:
    """Bodies of records: each hour 1 % of the images changed, one gone, one new."""
    dice = random.Random(seed)
    records: list[dict[str, Any]] = list(benchmark_images(images + hours))
    bodies = [json.dumps(record) for record in records[:images]]
    for hour in range(hours):
        moment = BEGINNING + timedelta(hours=hour)
        for position in dice.sample(range(images), max(1, images // 100)):
            record = records[hour + position]
            record["name"] = f"renamed {hour}"
            record["updated_at"] = (moment - timedelta(minutes=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
            bodies[position] = json.dumps(record)
        bodies = [*bodies[1:], json.dumps(records[images + hour])]
        yield moment, bodies


def write(folder: Path, moment: datetime, bodies: list[str]) -> None:
    """A file as the API answers."""
    with gzip.open(folder / f"listing-{moment:%Y%m%dT%H%M%SZ}.json.gz", "wt", compresslevel=1) as file:
        file.write(f'{{"images": [{", ".join(bodies)}]}}')
