"""How fast old listings become history: a year of hourly listings of 1,000 images, 1 % changed an hour.

    python -m benchmarks.backfill [--hours 8760] [--images 1000] [--without-complete] [--profile]

Needs a database of its own: CATALOG_DATABASE_URL, else an embedded server in a temporary folder is used.
Prints records a second, wall clock, reading and decompressing included.
"""

from __future__ import annotations

import argparse
import cProfile
import gzip
import json
import os
import pstats
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.prepared import benchmark_images
from catalog.backfill.command import backfill
from catalog.config.settings import DatabaseSettings, SourceSettings
from catalog.store.db import schema
from catalog.store.db.connection import Database

BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)


def write_listings(folder: Path, hours: int, images: int, *, seed: int = 1) -> None:
    """One file per hour, as the API answers: 1 % of the images changed, one gone, one new."""
    dice = random.Random(seed)
    records: list[dict[str, Any]] = list(benchmark_images(images + hours))
    alive, coming = records[:images], records[images:]
    bodies = [json.dumps(record) for record in alive]
    for hour in range(hours):
        moment = BEGINNING + timedelta(hours=hour)
        for position in dice.sample(range(images), max(1, images // 100)):
            alive[position]["name"] = f"renamed {hour}"
            alive[position]["updated_at"] = (moment - timedelta(minutes=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
            bodies[position] = json.dumps(alive[position])
        alive[0:1], bodies[0:1] = [], []
        alive.append(coming[hour])
        bodies.append(json.dumps(coming[hour]))
        body = '{"images": [' + ", ".join(bodies) + "]}"
        path = folder / f"listing-{moment:%Y%m%dT%H%M%SZ}.json.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(body.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hours", type=int, default=365 * 24)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--without-complete", action="store_true", help="dumps prove no absence")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "listings")
        folder.mkdir()
        print(f"writing {arguments.hours} listings of {arguments.images} images ...", flush=True)
        write_listings(folder, arguments.hours, arguments.images)
        settings = DatabaseSettings(os.environ.get("CATALOG_DATABASE_URL"), Path(temporary, "database"))
        with Database(settings) as database:
            schema.upgrade(database)
            profile = cProfile.Profile() if arguments.profile else None
            started, used = time.perf_counter(), time.process_time()
            if profile is not None:
                profile.enable()
            source = SourceSettings(f"benchmark {time.time_ns()}", "ims", ignore=("os_glance_*",))
            result = backfill(database, source, [folder], complete=not arguments.without_complete)
            if profile is not None:
                profile.disable()
            seconds, busy = time.perf_counter() - started, time.process_time() - used
            print(
                f"{result.records} records of {len(result.runs)} observations in {seconds:.1f} s"
                f" ({busy:.1f} s of it in this process): {result.records / seconds:,.0f} records a second"
            )
            if profile is not None:
                pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
