"""What a network and a cloud do wrong ends in a bounded way, with its reason (semantics 4.7 and 5)."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from catalog.deadline import Deadline
from catalog.demo.answers import Answer
from catalog.errors import ConfigurationError, FetchError
from catalog.fetch.http.client import Limits
from catalog.fetch.http.connection import OriginAuth
from catalog.fetch.http.retry import Patience
from tests.integration.fetch.conftest import Opened, assert_no_reader_left, cloud_of, ids
from tests.support.cloud_server import Fault
from tests.support.faults import (
    body,
    close,
    cut,
    drip,
    endless_body,
    endless_headers,
    gzip_bomb,
    hang,
    html,
    images_null,
    redirect,
    status,
    zipped,
)

SECRET = "tok3n-tok3n"


class Token(OriginAuth):
    """Tokens, one after another; `renew` goes on to the next."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.renewed = 0

    def renew(self) -> bool:
        self.renewed += 1
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["X-Auth-Token"] = self.tokens[0]
        yield request


def failure(listing: Any, kind: str) -> FetchError:
    """Reads a pass that must fail with this kind of error, told in one line."""
    ids(listing)
    assert listing.verdict == "failed"
    assert listing.error is not None
    assert listing.error.error_kind == kind, listing.error
    assert "\n" not in str(listing.error)
    return listing.error  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", ["glance", "ims"])
@pytest.mark.parametrize(
    "fault",
    [
        status(500),
        status(502, b"<html>bad gateway</html>"),
        status(503),
        status(503, retry_after="0"),
        status(408),
        status(429),
        status(429, retry_after="0"),
        status(429, retry_after="1"),
        status(429, retry_after=format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)),
        status(400, b'{"error_code": "APIG.0308", "error_msg": "throttled"}'),
        close(),
        cut(0.0),
        cut(0.5),
        cut(0.5, chunked=True),
        cut(0.5, announced=False),
        body(b"\x1f\x8b\x08\x00cut", Content_Encoding="gzip"),
    ],
)
def test_a_fault_that_passes_costs_a_retry_and_no_image(opened: Opened, kind: Any, fault: Fault) -> None:
    server = opened.server(cloud_of(kind, 9))
    server.faults.add(fault, at=2)
    service = opened.service(server, kind)
    listing = service.listing("listed")
    assert ids(listing) == [f"image-{number:03d}" for number in range(9)]
    assert listing.verdict == "complete"
    assert service.retries == 1
    assert service.requests == len(server.requests)
    assert server.requests[1].query == server.requests[2].query


@pytest.mark.parametrize(
    ("fault", "error_kind", "requests"),
    [
        (status(500), "upstream", 4),
        (status(503), "upstream", 4),
        (close(), "network", 4),
        (cut(), "network", 4),
        (cut(0.3, announced=False), "bad_listing", 4),
        (status(429), "throttled", 8),
        (status(403), "upstream", 1),
        (status(404), "upstream", 1),
        (status(418), "upstream", 1),
        (html(), "bad_listing", 1),
        (images_null(), "bad_listing", 1),
        (body(b"{}"), "bad_listing", 1),
        (body(b"[]"), "bad_listing", 1),
        (body(b'{"images": {}}'), "bad_listing", 1),
        (body(b'{"images": [{"id": "a"}], "images": [{"id": "b"}]}'), "bad_listing", 1),
        (body(b'{"error": {"code": "IMG.0001", "message": "x"}}'), "bad_listing", 1),
        (body(b'{"images": [], "next": 7}'), "bad_listing", 1),
        (body(b'{"images": [], "next": "http://["}'), "bad_listing", 1),
        (body(b'{"images": [{"id": "a", "x": NaN}]}'), "bad_listing", 1),
        (body(b'{"images": [{"id": "a", "x": ' + b"[" * 1_000_000), "bad_listing", 1),
        (body(b'{"images": [], "next": "/v2/images?marker=' + b"x" * 100_000 + b'"}'), "bad_listing", 1),
        (body(b"{}", Content_Encoding="br"), "bad_listing", 1),
        (body(b'{"images": []}', Content_Encoding="gzip"), "bad_listing", 1),
        (status(204), "bad_listing", 1),
    ],
)
def test_a_fault_that_stays_fails_the_pass_with_its_reason(
    opened: Opened, fault: Fault, error_kind: str, requests: int
) -> None:
    server = opened.server(cloud_of("glance", 9))
    server.faults.add(fault, at=1, times=None)
    failure(opened.service(server, "glance").listing("listed"), error_kind)
    assert len(server.requests) == requests


@pytest.mark.parametrize("fault", [status(500), html(), cut(), status(403)])
def test_a_pass_that_fails_in_the_middle_keeps_what_it_read(opened: Opened, fault: Fault) -> None:
    server = opened.server(cloud_of("ims", 9))
    server.faults.add(fault, at=3, times=None)
    listing = opened.service(server, "ims").listing("listed")
    assert len(ids(listing)) == 6
    assert (listing.verdict, listing.pages, listing.records) == ("failed", 2, 6)


@pytest.mark.parametrize(
    "fault",
    [
        hang(),
        drip(0.01),
        drip(0.01, headers=True),
        status(429, retry_after="0"),
    ],
)
@pytest.mark.parametrize("at", [1, 3])
def test_the_deadline_ends_whatever_the_server_does(opened: Opened, fault: Fault, at: int) -> None:
    server = opened.server(cloud_of("glance", 30))
    server.faults.add(fault, at=at, times=None)
    deadline = Deadline(0.6)
    listing = opened.service(server, "glance", deadline=deadline).listing("listed")
    assert len(ids(listing)) == 3 * (at - 1)
    assert listing.verdict == "failed"
    assert listing.error is not None
    assert listing.error.error_kind in ("deadline", "throttled")


def test_the_deadline_breaks_a_connection_that_only_drips_headers(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 30))
    server.faults.add(drip(0.2, headers=True), at=2, times=None)
    failure(opened.service(server, "glance", deadline=Deadline(0.8)).listing("listed"), "deadline")
    assert_no_reader_left()


def test_a_deadline_is_called_a_deadline_even_at_the_last_try(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 30))
    server.faults.add(hang(), times=None)
    service = opened.service(server, "glance", deadline=Deadline(0.4), patience=Patience(attempts=1))
    failure(service.listing("listed"), "deadline")


def test_a_stop_ends_a_pass_that_hangs(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9))
    server.faults.add(hang(), at=2, times=None)
    deadline = Deadline(600)
    listing = opened.service(server, "glance", deadline=deadline).listing("listed")
    pages = iter(listing)
    next(pages)
    deadline.stop.set()
    assert list(pages) == []
    assert listing.verdict == "failed"
    assert "stopped" in str(listing.error)


@pytest.mark.parametrize(
    "moment",
    ["3600", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)],
    ids=["seconds", "date"],  # the workers' clocks differ, and their tests may not
)
@pytest.mark.parametrize("code", [429, 503])
def test_a_wait_beyond_the_deadline_is_not_begun(opened: Opened, code: int, moment: str) -> None:
    server = opened.server(cloud_of("glance", 9))
    server.faults.add(status(code, retry_after=moment), at=1, times=None)
    failure(opened.service(server, "glance", deadline=Deadline(60)).listing("listed"), "throttled")
    assert len(server.requests) == 1


def test_throttling_that_names_a_time_is_obeyed_however_often(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 2))
    server.faults.add(status(429, retry_after="0"), at=1, times=12)
    listing = opened.service(server, "glance").listing("listed")
    assert len(ids(listing)) == 2


def test_nothing_answers_at_the_endpoint(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 1))
    server.socket.close()
    service = opened.service(server, "glance", endpoint="http://127.0.0.1:1")
    failure(service.listing("listed"), "network")
    assert (service.requests, service.retries) == (4, 3)


def test_a_page_beyond_the_bound_fails_before_it_is_read_whole(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 1))
    limits = Limits(max_page_bytes=200_000, max_inflated_bytes=200_000)
    for fault in (gzip_bomb(50_000_000), endless_body(), body(b'{"images": [' + b" " * 300_000)):
        server.faults.add(fault)
        failure(opened.service(server, "glance", limits=limits).listing("listed"), "bad_listing")
    assert len(server.requests) == 3


def test_headers_without_end_fail_the_pass(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 1))
    server.faults.add(endless_headers(), times=None)
    failure(opened.service(server, "glance").listing("listed"), "network")


def test_a_gzipped_page_is_inflated(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 900))
    server.faults.add(zipped(), times=None)
    assert len(ids(opened.service(server, "glance", page_size=500).listing("listed"))) == 900
    assert server.requests[0].headers["accept-encoding"] == "gzip"


def test_odd_records_pass_and_leave_the_others_alone(opened: Opened) -> None:
    records = [
        b'{"id": "a"}',
        b'{"id": "big", "n": ' + b"9" * 5000 + b"}",
        b'{"id": "half \\ud83d pair"}',
        b'{"id": "whole \\ud83d\\ude00 pair", "path": "C:\\\\ud83d"}',
        b'{"id": "' + b"x" * 5_000_000 + b'"}',
        b'{"id": 7}',
        b'"oops"',
        b"null",
    ]
    server = opened.server(lambda _: Answer(200, b'{"images": [' + b",".join(records) + b"]}"))
    listing = opened.service(server, "glance").listing("listed")
    read = [bytes(record) for page in listing for record in page.records]
    assert listing.verdict == "complete"
    assert read[:2] + read[3:] == records[:2] + records[3:]
    assert json.loads(read[2])["id"] == "half \ufffd pair"


def test_a_token_that_runs_out_in_mid_listing_costs_one_login_and_the_same_page_again(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9), tokens=["old", "new"])
    token = Token("old", "new")
    pages = iter(opened.service(server, "glance", auth=token).listing("listed"))
    first = [next(pages)]
    server.tokens = {"new"}
    assert sum(len(page.records) for page in [*first, *pages]) == 9
    assert token.renewed == 1


def test_a_second_401_is_a_failed_login(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9), tokens=["right"])
    token = Token("wrong", "still wrong")
    failure(opened.service(server, "glance", auth=token).listing("listed"), "login")
    assert token.renewed == 1
    assert len(server.requests) == 2


def test_a_401_without_a_way_to_log_in_again_fails_at_once(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9), tokens=["right"])
    failure(opened.service(server, "glance").listing("listed"), "login")
    assert len(server.requests) == 1


def test_the_token_goes_to_no_other_origin_by_a_redirect(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9), tokens=[SECRET])
    elsewhere = opened.server(cloud_of("glance", 9))
    server.faults.add(redirect(elsewhere.endpoint + "/v2/images"), times=None)
    failure(opened.service(server, "glance", auth=Token(SECRET)).listing("listed"), "upstream")
    assert elsewhere.requests == []


def test_a_redirect_on_the_same_origin_is_followed_a_few_times(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 2), "/image")
    server.faults.add(redirect("/image/v2/images?limit=3", 301))
    service = opened.service(server, "glance")
    assert len(ids(service.listing("listed"))) == 2
    server.faults.add(redirect("/image/v2/images", 308), times=None)
    failure(service.listing("listed"), "bad_listing")
    assert len(server.requests) < 10


def test_no_error_tells_a_token_or_a_query(opened: Opened) -> None:
    """The service quotes the token in its errors, as some do; ours never do."""
    quoting = json.dumps({"error": {"code": "IMG.0011", "message": f"token {SECRET} and marker"}}).encode()
    for code in (400, 401, 403, 404, 429, 500):
        server = opened.server(cloud_of("glance", 9))
        server.faults.add(status(code, quoting), times=None)
        service = opened.service(server, "glance", auth=Token(SECRET), filters={"name": "f1lter"})
        listing = service.listing("listed")
        ids(listing)
        assert SECRET not in str(listing.error)
        assert "f1lter" not in str(listing.error)
        assert "IMG.0011" in str(listing.error)


def test_a_token_that_no_header_carries_is_not_quoted(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 9))
    listing = opened.service(server, "glance", auth=Token(f"{SECRET}\n")).listing("listed")
    assert SECRET not in str(failure(listing, "login"))
    assert server.requests == []


@pytest.mark.parametrize("proxy", ["http://user:passw0rd@h:port", "ftp://user:passw0rd@h:1"])
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    server = opened.server(cloud_of("glance", 1))
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(ConfigurationError, match="HTTP_PROXY") as raised:
        opened.service(server, "glance")
    assert "passw0rd" not in str(raised.value)


def test_the_environments_proxy_is_asked(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    server = opened.server(cloud_of("glance", 4))
    monkeypatch.setenv("HTTP_PROXY", server.origin)
    service = opened.service(server, "glance", endpoint="http://cloud.invalid")
    ids(service.listing("listed"))
    assert server.requests[0].headers["host"] == "cloud.invalid"


def test_a_password_in_the_endpoint_is_not_shown(opened: Opened) -> None:
    server = opened.server(cloud_of("glance", 1))
    service = opened.service(server, "glance", endpoint=server.endpoint.replace("//", "//user:passw0rd@"))
    assert service.endpoint == server.endpoint
    assert len(ids(service.listing("listed"))) == 1
    assert server.requests[0].headers["authorization"].startswith("Basic ")
