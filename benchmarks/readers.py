"""Readers of `catalog web` beside a sweep: does anybody wait, and what does the sweep pay?

Each reader asks for a page, looks at it for some seconds, and asks for the next. Sweeps of two states, one per cent
apart, follow one another meanwhile, some seconds apart, as they did before the readers came: first of a service that
answers from memory, as fast as it is read; then of one that takes the time that a real Glance takes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from urllib.parse import quote

import httpx

from benchmarks.contenders import PRODUCT, Track, catalog
from benchmarks.listing import pause, serve, show
from benchmarks.report import ROOT, Report, Table, Verdict, at_most

DATABASE = "bench_readers"
READERS = 50
SECONDS = 72.0
"""As long as the slower of the sweeps."""
LOOKING_SECONDS = 5.0
"""Between an answer and the next question, on average."""
BIND = "127.0.0.1:8478"
ADDRESSES = (
    "/images", "/images?text=debian", "/images?text=04211", "/images?tag=golden", "/images?tag=ticket%3D77",
    "/images?os=ubuntu", "/images?sort=name", "/images?state=current", "/images?state=hidden",
    "/images?capability=kvm&capability=arm", "{image}", "/api/v1{image}/history", "/changes", "/changes.atom",
    "/sources", "/api/v1/images?limit=100", "/api/v1/changes?since=1d", "/api/v1/latest?os=ubuntu",
)  # fmt: skip
SELDOM = ("/report", "/compare?a=s0&from=1h", "/images?as_of=1m", "/images?sort=-created&state=superseded")
SELDOM_OF = 30
"""One question of so many is one of these."""


GLANCE_PAGE_SECONDS = 0.74
"""For a page of a thousand images, as measured of a real one: 1,350 images a second."""
COURSES = {
    "sweeps of a service that answers from memory": 0.0,
    "a sweep at the speed of a real Glance": GLANCE_PAGE_SECONDS,
}


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    parts: list[str] = []
    verdicts: list[Verdict] = []
    with serve(asked.images, [0, 1], rare_tags=True) as address:
        track.load(DATABASE, address)
        for course, seconds in COURSES.items():
            pause(address, seconds)
            states = (1, 0) if seconds else (1, 0, 1, 0)
            alone = [track.sweep(PRODUCT, DATABASE, show(address, state)).wall for state in states]
            answers, beside = asyncio.run(_beside(track, address))
            parts += [f"### Beside {course}", *_table(answers, alone, beside)]
            verdicts += _verdicts(course, answers, alone, beside)
    track.server.drop(DATABASE)
    title = f"{READERS} readers for {SECONDS:.0f} s beside sweeps of {asked.images:,} images, 1 % changed"
    report.write("readers", title, *parts, verdicts=verdicts)


def _verdicts(course: str, answers: list[Answer], alone: list[float], beside: list[float]) -> list[Verdict]:
    failed = sum(answer.failed for answer in answers)
    return [
        Verdict(f"errors beside {course}", str(failed), "none", failed == 0),
        at_most(f"p95 beside {course}", _p95(answers), 500, " ms", 0),
        at_most(f"{course}, times that without readers", median(beside) / median(alone), 1.1),
    ]


def _table(answers: list[Answer], alone: list[float], beside: list[float]) -> tuple[str, str]:
    by_path = {path: [one for one in answers if one.path == path] for path in (*ADDRESSES, *SELDOM)}
    rows = [_row(path, of_path) for path, of_path in by_path.items() if of_path]
    head = (
        f"A reader looks at a page for {LOOKING_SECONDS:.0f} s on average before asking for the next. A sweep takes"
        f" {median(alone):.2f} s alone, {median(beside):.2f} s beside readers ({len(beside)} of them)."
    )
    return (
        head,
        Table(
            ("path", "answers", "failed", "median ms", "p95 ms", "longest ms"),
            [_row("all", answers), *sorted(rows, key=lambda row: -float(row[5]))],
        ).markdown(),
    )


@dataclass(frozen=True)
class Answer:
    path: str
    milliseconds: float
    failed: bool


def _p95(answers: list[Answer]) -> float:
    times = sorted(one.milliseconds for one in answers)
    return times[int(0.95 * (len(times) - 1))]


def _row(path: str, answers: list[Answer]) -> tuple[str, ...]:
    times = [one.milliseconds for one in answers]
    failed = sum(one.failed for one in answers)
    shown = (f"{value:.0f}" for value in (median(times), _p95(answers), max(times)))
    return (f"`{path}`", str(len(times)), str(failed), *shown)


async def _beside(track: Track, address: str) -> tuple[list[Answer], list[float]]:
    """What readers got, and seconds of each sweep."""
    environment = {**os.environ, "CATALOG_WEB_BIND": BIND}
    command = [*catalog(), "--database-url", track.server.socket_url(DATABASE), "web"]
    answers: list[Answer] = []
    walls: list[float] = []
    ((source, image),) = track.server.execute("SELECT source_id, image_id FROM images LIMIT 1", DATABASE)
    one = f"/images/{quote(source, safe='')}/{quote(image, safe='')}"
    with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL) as server:
        try:
            async with httpx.AsyncClient(base_url=f"http://{BIND}", timeout=30, trust_env=False) as client:
                await _ready(client)
                end = time.perf_counter() + SECONDS

                async def reader(number: int) -> None:
                    dice = random.Random(number)
                    await asyncio.sleep(dice.uniform(0, LOOKING_SECONDS))
                    while time.perf_counter() < end:
                        began = time.perf_counter()
                        path = dice.choice(ADDRESSES if dice.randrange(SELDOM_OF) else SELDOM)
                        answer = await client.get(path.format(image=one))
                        milliseconds = (time.perf_counter() - began) * 1000
                        answers.append(Answer(path, milliseconds, answer.status_code != 200))
                        await asyncio.sleep(dice.uniform(0, 2 * LOOKING_SECONDS))

                async def sweeps() -> None:
                    states = cycle((1, 0))
                    while time.perf_counter() < end:
                        shown = show(address, next(states))
                        run = await asyncio.to_thread(track.sweep, PRODUCT, DATABASE, shown)
                        walls.append(run.wall)

                await asyncio.gather(sweeps(), *map(reader, range(READERS)))
        finally:
            server.send_signal(signal.SIGTERM)
    return answers, walls


async def _ready(client: httpx.AsyncClient) -> None:
    for _ in range(100):
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.2)
    raise TimeoutError("catalog web does not begin to serve")
