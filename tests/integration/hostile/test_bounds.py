"""Whatever an image service sends, a sweep stays within its memory and its deadline, and harms no other source.

Each input is served over loopback to the real command beside a good source; its memory and its time are measured
from outside, the time from the first request on: an interpreter's start on a busy machine is no part of a sweep.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from catalog.demo.answers import Answer, Request, answer_json
from catalog.demo.cloud import Cloud
from tests.support.cloud_server import CloudServer
from tests.support.measured import PEAK_MIB, TIME_FACTOR, run_measured
from tests.support.records import image

LOG_BYTES = 200_000
"""Most that one sweep may say."""
Service = Callable[[Request], Answer]


def zipped(body: bytes) -> Answer:
    return Answer(
        200, gzip.compress(body, 1), {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    )


def page(records: str, more: str = "") -> Answer:
    return zipped(f'{{"images": [{records}]{more}}}'.encode())


def once(answer: Answer) -> Service:
    """Pages without end would be cut by the deadline alone: one page, then an empty one."""
    return lambda request: answer_json({"images": []}) if _is_later(request) else answer


def _is_later(request: Request) -> bool:
    return "marker" in request.query or "os_hidden" in request.query


def filled(key: str, item: str, megabytes: float = 30) -> Service:
    """One record with a list of as many of these as the page may have bytes."""
    items = ",".join([item] * int(megabytes * 2**20 / (len(item) + 1)))
    return once(page(f'{{"id": "a", "{key}": [{items}]}}'))


def many_keys(text: str, number: int) -> Service:
    members = ",".join(text % n for n in range(number))
    return once(page(f'{{"id": "a", {members}}}'))


def duplicates() -> Service:
    big = f'{{"id": "X", "updated_at": "2030-01-01T00:00:00Z", "k": "{"x" * 15_000_000}"}}'
    copies = page(",".join(['{"id": "X"}'] * 9_000 + ['{"id": "Y"}']))

    def service(request: Request) -> Answer:
        if "os_hidden" in request.query:
            return answer_json({"images": []})
        return copies if "marker" in request.query else page(big, ', "next": "/v2/images?marker=X"')

    return service


def endless(record: Callable[[int], str], records: int) -> Service:
    """A listing that never ends, page after page of new records."""
    numbers, pages = count(), count(1)

    def service(request: Request) -> Answer:
        if "os_hidden" in request.query:
            return answer_json({"images": []})
        made = ",".join(record(next(numbers)) for _ in range(records))
        return page(made, f', "next": "/v2/images?marker=m{next(pages)}"')

    return service


def missing_images() -> Service:
    """Forty images; the next sweep lists none of them, and answers each look-up with 8 MB."""
    big = "x" * 8_000_000
    listed = iter([True])

    def service(request: Request) -> Answer:
        if request.path.startswith("/v2/images/"):
            return zipped(f'{{"id": "{request.path.rsplit("/", 1)[1]}", "k": "{big}"}}'.encode())
        if _is_later(request) or not next(listed, False):
            return answer_json({"images": [] if _is_later(request) else [image(999)]})
        return answer_json({"images": [image(number) for number in range(40)]})

    return service


def odd_record(number: int) -> str:
    return (
        f'{{"id": "odd-{number}", "min_disk": "abc", "min_ram": "abc", "created_at": "x", "updated_at": "y",'
        ' "size": "z", "protected": "maybe"}'
    )


@dataclass(frozen=True)
class Hostile:
    service: Callable[[], Service]
    sweeps: int = 1
    outcomes: tuple[str, ...] = ("partial", "failed", "complete")
    deadline_seconds: int = 10


HOSTILE = {
    "a list of empty objects": Hostile(lambda: filled("k", "{}")),
    "a list of decimals": Hostile(lambda: filled("k", "1.5")),
    "a list of numbers": Hostile(lambda: filled("k", "1")),
    "tags that are lists": Hostile(lambda: filled("tags", "[]")),
    "a list of texts": Hostile(lambda: filled("k", '""')),
    "an id of many values": Hostile(lambda: once(page(f'{{"id": [{",".join(["{}"] * 99_000)}]}}'))),
    "records that are numbers": Hostile(lambda: once(page(",".join("0" * 16_000_000)))),
    "as many values as a record may hold": Hostile(lambda: once(page(",".join(
        f'{{"id": "r{n}", "k": [{",".join(["1.5"] * 99_000)}]}}' for n in range(10))))),
    "millions of keys": Hostile(lambda: many_keys('"key%d": 1', 1_500_000)),
    "a hundred thousand capabilities": Hostile(
        lambda: many_keys('"__support_c%d": "maybe"', 99_000), deadline_seconds=20),
    "escapes and half a pair": Hostile(lambda: once(page('{"id": "a", "k": "' + "\\n" * 15_000_000 + '\\ud83d"}'))),
    "half pairs": Hostile(lambda: once(page('{"id": "a", "k": "' + "\\ud83d" * 4_000_000 + '"}'))),
    "a text with one emoji": Hostile(lambda: once(page('{"id": "a", "k": "' + "x" * 15_000_000 + '\U0001f4bf"}'))),
    "a record followed by its copies": Hostile(duplicates),
    "small records without end": Hostile(lambda: endless(lambda n: f'{{"id": "i{n}"}}', 9_000)),
    "records of a megabyte": Hostile(lambda: endless(lambda n: f'{{"id": "i{n}", "k": "{"x" * 2**20}"}}', 25)),
    "records without an id": Hostile(lambda: endless(lambda n: f'{{"k": "{n:09d}{"x" * 30_000_000}"}}', 1)),
    "records that warn": Hostile(lambda: endless(odd_record, 9_000)),
    "look-ups of megabytes": Hostile(missing_images, sweeps=2, outcomes=("complete",), deadline_seconds=20),
}  # fmt: skip


@pytest.fixture
def good() -> Iterator[CloudServer]:
    with CloudServer(Cloud("glance", [image(number) for number in range(50)])) as server:
        yield server


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_and_deadline_hold(name: str, good: CloudServer, database_url: str, tmp_path: Path) -> None:
    hostile = HOSTILE[name]
    answer = hostile.service()
    asked: list[float] = []

    def service(request: Request) -> Answer:
        asked.append(time.monotonic())
        return answer(request)

    with CloudServer(service) as bad:
        (tmp_path / "catalog.toml").write_text(
            f'[defaults]\ndeadline = "{hostile.deadline_seconds}s"\n'
            + "".join(
                f'[[sources]]\nname = "{source}"\nkind = "glance"\nauth = "none"\nendpoint = "{server.endpoint}"\n'
                for source, server in (("bad", bad), ("good", good))
            )
        )
        for _ in range(hostile.sweeps):
            asked.clear()
            ran = run_measured(
                ["sync", "--format", "json"],
                tmp_path,
                {"CATALOG_DATABASE_URL": database_url, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
                give_up_seconds=6 * hostile.deadline_seconds,
            )
    runs = {run["source"]: run for run in map(json.loads, ran.stdout.splitlines())}
    seconds = ran.ended - asked[0]
    figures = f"{ran.peak_mib:.0f} MiB, {seconds:.1f} s, {len(ran.stderr)} bytes, {runs}"
    sys.stderr.write(f"{name}: {figures}\n")
    assert ran.exit_code in (0, 1, 4), ran.stderr[-2000:]
    assert ran.peak_mib < PEAK_MIB
    assert seconds < hostile.deadline_seconds * TIME_FACTOR
    assert len(ran.stderr) < LOG_BYTES
    assert (runs["good"]["outcome"], runs["good"]["error"]) == ("complete", None)
    assert runs["bad"]["outcome"] in hostile.outcomes
    assert len(runs["bad"]["error"] or "") < 3000
