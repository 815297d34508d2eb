"""Readers of `catalog web` beside a sweep: does anybody wait, and what does the sweep pay?

Each reader asks for a page, looks at it for some seconds, and asks for the next. Sweeps of two states, one per cent
apart, follow one another meanwhile, as they did before the readers came.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from statistics import median, quantiles
from urllib.parse import quote

import httpx

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.listing import serve, show
from benchmarks.measuring import ROOT
from benchmarks.report import Report, Table, Verdict, goals

DATABASE = "bench_readers"
READERS = 50
SECONDS = 60.0
LOOKING_SECONDS = 5.0
"""Between an answer and the next question, on average."""
BIND = "127.0.0.1:8478"
ADDRESSES = (
    "/images", "/images?text=debian", "/images?text=04211", "/images?tag=golden", "/images?tag=ticket%3D77",
    "/images?os=ubuntu", "/images?sort=name", "/images?capability=kvm&capability=arm", "{image}", "/changes",
    "/sources", "/api/v1/images?limit=100", "/api/v1/changes?since=1d", "/api/v1/latest?os=ubuntu",
)  # fmt: skip


def measure(track: Track, report: Report, count: int) -> None:
    track.prepare(PRODUCT, DATABASE)
    with serve(count, [0, 1], rare_tags=True) as address:
        track.sweep(PRODUCT, DATABASE, show(address, 0))
        track.server.vacuum(DATABASE)
        alone = [track.sweep(PRODUCT, DATABASE, show(address, state)).wall for state in (1, 0, 1, 0)]
        times, failed, beside = asyncio.run(_beside(track, address))
    track.server.drop(DATABASE)
    ratio = median(beside) / median(alone)
    slow = quantiles(times, n=20)[18]
    rows = [
        (
            f"{len(times):,}", str(failed), f"{median(times) * 1000:.0f}", f"{slow * 1000:.0f}",
            f"{max(times) * 1000:.0f}", f"{median(alone):.2f}", f"{median(beside):.2f}", f"{len(beside)}",
        )
    ]  # fmt: skip
    head = (
        "answers", "failed", "median ms", "p95 ms", "longest ms", "sweep alone s", "sweep beside readers s", "sweeps",
    )  # fmt: skip
    report.write(
        "readers",
        f"{READERS} readers for {SECONDS:.0f} s beside sweeps of {count:,} images, 1 % changed",
        f"A reader looks at a page for {LOOKING_SECONDS:.0f} s on average before asking for the next.",
        Table(head, rows).markdown(),
        goals(
            [
                Verdict("errors", str(failed), "none", failed == 0),
                Verdict("p95", f"{slow * 1000:.0f} ms", "500 ms", slow < 0.5),
                Verdict("sweep, times that without readers", f"{ratio:.2f}", "1.1", ratio <= 1.1),
            ]
        ),
    )


async def _beside(track: Track, address: str) -> tuple[list[float], int, list[float]]:
    """Seconds of each answer, how many were not a success, and seconds of each sweep."""
    environment = {**os.environ, "CATALOG_WEB_BIND": BIND}
    command = [*catalog(), "--database-url", track.server.socket_url(DATABASE), "web"]
    times: list[float] = []
    failed = 0
    ((source, image),) = track.server.execute("SELECT source_id, image_id FROM images LIMIT 1", DATABASE)
    one = f"/images/{quote(source, safe='')}/{quote(image, safe='')}"
    with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL) as server:
        try:
            async with httpx.AsyncClient(base_url=f"http://{BIND}", timeout=30, trust_env=False) as client:
                await _ready(client)
                end = time.perf_counter() + SECONDS

                async def reader(number: int) -> None:
                    nonlocal failed
                    dice = random.Random(number)
                    await asyncio.sleep(dice.uniform(0, LOOKING_SECONDS))
                    while time.perf_counter() < end:
                        began = time.perf_counter()
                        answer = await client.get(dice.choice(ADDRESSES).format(image=one))
                        times.append(time.perf_counter() - began)
                        failed += answer.status_code != 200
                        await asyncio.sleep(dice.uniform(0, 2 * LOOKING_SECONDS))

                async def sweeps() -> list[float]:
                    walls: list[float] = []
                    while time.perf_counter() < end:
                        for state in (1, 0):
                            run = await asyncio.to_thread(
                                track.sweep, PRODUCT, DATABASE, show(address, state)
                            )
                            walls.append(run.wall)
                    return walls

                walls, *_ = await asyncio.gather(sweeps(), *map(reader, range(READERS)))
        finally:
            server.send_signal(signal.SIGTERM)
    return times, failed, walls


async def _ready(client: httpx.AsyncClient) -> None:
    for _ in range(100):
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.2)
    raise TimeoutError("catalog web does not begin to serve")
