"""Whatever a cloud answers in mid-listing, the sweep ends with a verdict, the images stay as they are, and the
next healthy listing is merged."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.demo.answers import Answer, Request
from tests.support.cloud_server import Exchange, Fault
from tests.support.faults import body, endless_body, endless_headers, gzip_bomb
from tests.support.records import image, name_of
from tests.support.world import Site, Sites

ROOT = Path(__file__).parents[3]
GIGABYTE = 1 << 30


def page(*records: str) -> Fault:
    """The healthy page with these records, written as they are, added."""

    def play(exchange: Exchange) -> None:
        healthy = json.loads(exchange.healthy().body)
        listed = [json.dumps(record) for record in healthy["images"]] + list(records)
        more = f', "next": {json.dumps(healthy["next"])}' if "next" in healthy else ""
        told = f'{{"images": [{",".join(listed)}]{more}}}'
        exchange.send(
            Answer(200, told.encode("utf-8", "surrogatepass"), {"Content-Type": "application/json"})
        )

    return play


def a_record(key: str, value: str, image_id: str = '"odd"') -> str:
    return f'{{"id": {image_id}, "name": "odd", "status": "active", {json.dumps(key)}: {value}}}'


def of_length(length: str) -> Fault:
    def play(exchange: Exchange) -> None:
        exchange.close = True
        exchange.write(f'HTTP/1.1 200 -\r\nContent-Length: {length}\r\n\r\n{{"images": []}}'.encode())

    return play


def is_second_page(request: Request) -> bool:
    return "marker" in request.query


REFUSED: dict[str, Fault] = {
    "a million brackets": body(b'{"images": ' + b"[" * 1_000_000),
    "many braces": body(b'{"images": [' + b'{"a":' * 200_000),
    "half a listing of brackets": body(b'{"images": [{"id": "a", "x": ' + b"[" * 500_000 + b"]" * 500_000),
    "NaN for a listing": body(b"NaN"),
    "NaN in place of records": body(b'{"images": NaN}'),
    "a gzip bomb": gzip_bomb(4 * GIGABYTE // 16),
    "a gzip bomb in a gzip bomb": body(
        gzip.compress(gzip.compress(b'{"images": [' + b" " * 200_000_000)), Content_Encoding="gzip, gzip"
    ),
    "an endless body": endless_body(),
    "endless headers": endless_headers(),
    "a header of a megabyte": body(b'{"images": []}', X_More="x" * 1_000_000),
    "a negative length": of_length("-1"),
    "a length of twenty digits": of_length("9" * 20),
    "no text at all": body(bytes(range(256)) * 100),
    "UTF-16": body('{"images": []}'.encode("utf-16")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_that_is_no_listing_deletes_nothing(sites: Sites, name: str) -> None:
    """The pass fails, what it read before is merged, and memory stays far below what was sent."""
    site = sites.open(images=6, page_size=3)
    assert site.sweep().outcome == "complete"
    before = site.images()
    site.server.faults.add(REFUSED[name], when=is_second_page, times=None)
    run = site.sweep()
    assert (run.outcome, run.deleted, run.updated) == ("partial", 0, 0), run.error
    assert run.error_kind in ("bad_listing", "network")
    assert site.passes(run)["listed"] == "failed"
    assert_one_line(run.error)
    assert site.images() == before
    check_recovers(site)


def assert_one_line(error: str | None) -> None:
    assert error is not None
    assert len(error.splitlines()) == 1
    assert len(error) < 2000


def check_recovers(site: Site) -> None:
    site.server.faults.clear()
    site.cloud.change(name_of(0), name="well again")
    site.cloud.delete(name_of(1))
    run = site.sweep()
    assert (run.outcome, run.error) == ("complete", None)
    assert site.images()[name_of(0)]["name"] == "well again"
    assert site.reasons()[name_of(1)] == "not_found"


REJECTED: dict[str, tuple[str, str | None]] = {
    "an id of 5 MB": (a_record("x", "1", json.dumps("i" * 5_000_000)), None),
    "an id that is a number of 5,000 digits": (a_record("x", "1", "1" * 5000), None),
    "NaN in a record": (a_record("x", "NaN"), "odd"),
    "an empty id": (a_record("x", "1", '""'), None),
    "a million brackets": (a_record("x", "[" * 500_000 + "]" * 500_000), "odd"),
    "fifty thousand braces": (a_record("x", '{"\\"[":' * 50_000 + "1" + "}" * 50_000), "odd"),
    "a thousand levels": (a_record("x", "[" * 1000 + "]" * 1000), "odd"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_record_that_cannot_be_stored_harms_no_other(sites: Sites, name: str) -> None:
    record, image_id = REJECTED[name]
    site = sites.open(images=6, page_size=3)
    assert site.sweep().outcome == "complete"
    before = site.images()
    site.server.faults.add(page(record), when=is_second_page)
    run = site.sweep()
    if name == "NaN in a record" and run.outcome != "complete":
        assert (run.outcome, run.error_kind) == ("partial", "bad_listing")
    else:
        assert (run.outcome, run.rejected, run.deleted) == ("complete", 1, 0), run.error
        found = site.rows("SELECT image_id, record FROM rejected_records WHERE source_id = $")
        assert [row["image_id"] for row in found] == [image_id]
    assert site.images() == before
    check_recovers(site)


ODD_NAMES = [
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "\u200f\u200e\u2066isolated\u2069",
    "tab\tline\nfeed\r\x7f\x85\x9b",
    "\ufeff\u0000NUL",
    "'; DROP TABLE images; --",
    "<script>alert(1)</script>{{ 7*7 }}",
    "%s %(name)s {0} $1 \\N \\.",
    "\U0001f4bf" * 100,
    "e\u0301 is not \u00e9",
    " blanks ",
]


def test_names_are_stored_as_they_are(sites: Sites) -> None:
    """But for NUL, which PostgreSQL can't hold."""
    records = [image(n, name=name, tags=[name], odd={name: name}) for n, name in enumerate(ODD_NAMES)]
    site = sites.open(images=records)
    assert site.sweep().outcome == "complete"
    stored = site.images()
    for number, name in enumerate(ODD_NAMES):
        shown = name.replace("\0", "\ufffd")
        row = stored[name_of(number)]
        assert (row["name"], row["tags"]) == (shown, [shown])
        assert row["properties"] == {"purpose": "test", "odd": {shown: shown}}
    assert site.sweep().unchanged == len(ODD_NAMES)


def test_numbers_of_any_length_are_no_obstacle(sites: Sites) -> None:
    site = sites.open(images=3)
    site.server.faults.add(page(a_record("min_disk", "1" * 5000), a_record("n", "9" * 100_000, '"big"')))
    run = site.sweep()
    assert (run.outcome, run.rejected) == ("complete", 0), run.error
    (row,) = site.rows("SELECT min_disk FROM images WHERE source_id = $ AND image_id = 'odd'")
    assert row["min_disk"] is None
    (row,) = site.rows(
        "SELECT length((value #>> '{}')) AS digits FROM image_properties WHERE source_id = $ AND name = 'n'"
    )
    assert row["digits"] == 100_000
    assert any("min_disk" in warning for warning in run.warnings)


def test_numbers_that_would_fill_the_disk_are_text(sites: Sites) -> None:
    """Written out, each would have 131,072 digits."""
    site = sites.open(images=3)
    site.server.faults.add(page(a_record("x", "[" + ",".join(["1e131071"] * 2000) + "]")))
    run = site.sweep()
    assert (run.outcome, run.inserted, run.rejected) == ("complete", 4, 0), run.error
    (row,) = site.rows("SELECT value FROM image_properties WHERE source_id = $ AND name = 'x'")
    assert row["value"] == ["1E+131071"] * 2000


@pytest.mark.parametrize("kind", ["glance", "ims"])
def test_a_listing_that_grows_while_it_is_read_ends(sites: Sites, kind: str) -> None:
    """A cloud that adds images faster than they are listed: newcomers land at the end and are read; what
    never ends is cut at `max_pages`, and a truncated pass deletes nothing."""
    site = sites.open(kind, images=4)
    assert site.sweep().outcome == "complete"
    site.cloud.delete(name_of(1))
    count = 4

    def grow(request: Request) -> bool:
        nonlocal count
        for _ in range(3):
            site.cloud.add({**image(count), "created_at": f"2026-03-01T{count // 3600:02d}:"
                            f"{count // 60 % 60:02d}:{count % 60:02d}Z"})  # fmt: skip
            count += 1
        return False

    site.server.faults.add(body(b""), when=grow, times=None)
    run = site.sweep(changed={"max_pages": 20})
    assert site.passes(run)["listed"] == "truncated"
    assert (run.outcome, run.deleted) == ("partial", 0)
    assert run.inserted >= 30
    site.server.faults.clear()
    run = site.sweep()
    assert (run.outcome, run.deleted) == ("complete", 1)
    assert len(site.live()) == count - 1


def test_a_listing_that_grows_for_a_while_is_read_to_its_end(sites: Sites) -> None:
    site = sites.open(images=4)
    left = 10

    def grow(request: Request) -> bool:
        nonlocal left
        for _ in range(min(left, 2)):  # as many as a page holds
            left -= 1
            site.cloud.add({**image(50 + left), "created_at": f"2026-03-01T00:00:{30 - left:02d}Z"})
        return False

    site.server.faults.add(body(b""), when=grow, times=None)
    run = site.sweep()
    assert run.outcome == "complete"
    assert len(site.live()) == 14


def within_a_gigabyte() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (GIGABYTE, GIGABYTE))


@pytest.mark.parametrize(
    "fault",
    [gzip_bomb(4 * GIGABYTE // 2), endless_body(), endless_headers()],
    ids=["a gzip bomb", "an endless body", "endless headers"],
)
def test_a_sweep_needs_no_more_memory_than_a_page_may_take(
    sites: Sites, database_url: str, fault: Callable[[Exchange], None]
) -> None:
    """A process that may use a gigabyte reads what would take two, or has no end."""
    site = sites.open(images=6, page_size=2)
    site.server.faults.add(fault, when=is_second_page, times=None)
    asked: dict[str, Any] = {"database": database_url, "endpoint": site.source.endpoint, "kind": "glance"}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.integration.run.sweeper"],
        input=json.dumps({**asked, "wait": 0}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        preexec_fn=within_a_gigabyte,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert (told["outcome"], told["inserted"]) == ("partial", 2), told
