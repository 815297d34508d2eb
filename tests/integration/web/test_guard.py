"""Who may read: the token, the names that are answered to, what supervisors may ask."""

from __future__ import annotations

import contextlib
import socket
import time

import httpx
import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.integration.views.conftest import Shelf
from tests.integration.views.readers import reader
from tests.integration.web.conftest import PATIENCE, Start

TOKEN = "0123456789abcdef:x"


@pytest.mark.parametrize(
    "path", ["/images", "/api/v1/images", "/api/v1/openapi.json", "/static/style.css", "/nothing"]
)
def test_without_the_token_nothing_is_told(start: Start, path: str) -> None:
    site = start(token=TOKEN)
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !"},
        {"Authorization": TOKEN},
    ):
        answer = site.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].split()[0] == (
            "Bearer" if path.startswith("/api") else "Basic"
        )
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_token_goes_as_a_bearer_or_as_a_password(start: Start) -> None:
    site = start(token=TOKEN)
    assert site.get("/api/v1/images", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert site.get("/images", auth=httpx.BasicAuth("anybody", TOKEN)).status_code == 200


def test_supervisors_need_none(start: Start) -> None:
    site = start(token=TOKEN)
    assert (site.get("/healthz").text, site.get("/readyz").text) == ("alive\n", "ready\n")


def test_a_name_that_was_made_to_lead_here_is_not_answered(start: Start) -> None:
    site = start(own_names_only=True)
    assert site.get("/images", headers={"Host": "evil.example"}).status_code == 421
    for host in ("localhost:8477", "127.0.0.1", "[::1]:8477"):
        assert site.get("/images", headers={"Host": host}).status_code == 200


def test_a_database_that_is_away_is_said_so_without_its_address(start: Start, database_url: str) -> None:
    site = start()
    assert site.get("/images").status_code == 200
    name = database_url.rpartition("/")[2].partition("?")[0]
    with_admin(database_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    with_admin(
        database_url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    try:
        for path in ("/images", "/api/v1/sources"):
            answer = site.get(path)
            assert answer.status_code == 503
            assert "try again later" in answer.text
            assert name not in answer.text
        assert site.get("/readyz").status_code == 503
        assert site.get("/healthz").status_code == 200
    finally:
        with_admin(database_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert site.get("/images").status_code == 200


def test_a_readers_rights_are_enough(start: Start, shelf: Shelf, database_url: str) -> None:
    source = shelf.source()
    shelf.image(source, "i", tags=["t"])
    with reader(database_url) as connection:
        role = connection.execute("SELECT current_user::text").fetchall()[0][0]
        site = start(url=make_url(database_url).set(username=role).render_as_string(hide_password=False))
        for path in (
            "/images",
            f"/images/{source}/i",
            "/changes",
            "/changes.atom",
            "/compare?a=one&from=1d",
            "/report",
        ):
            assert site.get(path).status_code == 200, path
        for path in ("images", f"images/{source}/i", "latest", "changes", "events", "sources"):
            assert site.get(f"/api/v1/{path}").status_code == 200, path


def with_admin(database_url: str, statement: str) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(database_url.replace(f"/{name}", "/postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    "head",
    ["GET /healthz HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"],
)
def test_whoever_sends_a_request_byte_by_byte_is_left(start: Start, head: str) -> None:
    site = start(head_seconds=1)
    address = ("127.0.0.1", site.base_url.port)
    with (
        socket.create_connection(address, timeout=PATIENCE) as slow,
        socket.create_connection(address) as silent,
    ):
        slow.sendall(head.encode())
        began = time.monotonic()
        with pytest.raises(OSError, match=r"reset|Broken pipe"):  # noqa: PT012
            while time.monotonic() < began + PATIENCE:
                slow.sendall(b"x")
                time.sleep(0.1)
        silent.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(1) == b""
    assert [site.get("/healthz").status_code for _ in range(2)] == [200, 200]


def test_who_takes_time_between_two_requests_is_answered(start: Start) -> None:
    site = start(head_seconds=2)
    for _ in range(3):
        assert site.get("/healthz").status_code == 200
        time.sleep(0.8)
