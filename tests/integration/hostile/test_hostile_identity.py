"""An identity service that answers without end costs neither memory nor more time than the deadline."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.identity import PASSWORD, IdentityService
from tests.support.faults import gzipped_blanks
from tests.support.measured import PEAK_MIB, TIME_FACTOR, run_measured

DEADLINE_SECONDS = 10
HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nX-Subject-Token: t\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
Stream = Callable[[], Iterator[bytes]]


def endless(status: bytes) -> Stream:
    block = b"10000\r\n" + b"[" * 0x10000 + b"\r\n"
    return lambda: itertools.chain([HEAD % status + CHUNKED], itertools.repeat(block))


def whole(body: bytes, encoding: str = "identity") -> Stream:
    head = HEAD % b"201 Created" + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    return lambda: iter([head % (encoding.encode(), len(body)), body])


def dripping() -> Iterator[bytes]:
    yield HEAD % b"201 Created" + CHUNKED
    while True:
        yield b"1\r\n \r\n"
        time.sleep(0.5)


GIGABYTE = 2**30
LOGIN, VERSIONS, PROJECTS = "/v3/auth/tokens", "/v3", "/v3/auth/projects"
CASES: dict[str, tuple[str, Stream]] = {
    "endless_login": (LOGIN, endless(b"201 Created")),
    "endless_error": (LOGIN, endless(b"401 Unauthorized")),
    "endless_versions": (VERSIONS, endless(b"200 OK")),
    "endless_projects": (PROJECTS, endless(b"200 OK")),
    "bomb": (LOGIN, whole(gzipped_blanks(GIGABYTE), "gzip")),
    "bomb_in_a_bomb": (LOGIN, whole(gzip.compress(gzipped_blanks(GIGABYTE)), "gzip, gzip")),
    "values": (LOGIN, whole(b'{"token": [' + b"{}," * 4_000_000 + b"1]}")),
    "dripping": (LOGIN, dripping),
    "dripping_projects": (PROJECTS, dripping),
}


@pytest.mark.parametrize("case", CASES)
def test_a_login_stays_within_memory_and_deadline(case: str, tmp_path: Path, database_url: str) -> None:
    hostile_path, stream = CASES[case]
    asked: list[float] = []

    def answer(path: str) -> Iterator[bytes] | None:
        asked.append(time.monotonic())
        return stream() if path == hostile_path else None

    with IdentityService().running() as identity:
        identity.stream = answer
        auth = {
            "auth_url": identity.url, "username": "ann", "password": PASSWORD, "project_name": "hay",
            "user_domain_name": "Default", "project_domain_name": "Default",
        }  # fmt: skip
        (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"lab": {"auth": auth}}}))
        projects = 'projects = "*"' if hostile_path == PROJECTS else ""
        (tmp_path / "catalog.toml").write_text(
            f'[[sources]]\nname = "lab"\nkind = "glance"\ncloud = "lab"\ndeadline = {DEADLINE_SECONDS}\n{projects}'
        )
        environment = {"HOME": str(tmp_path), "CATALOG_DATABASE_URL": database_url}
        ran = run_measured(["sync"], tmp_path, environment, give_up_seconds=4 * DEADLINE_SECONDS)
    assert ran.exit_code == 1, ran.stderr
    assert ran.peak_mib < PEAK_MIB
    assert ran.ended - asked[0] < TIME_FACTOR * DEADLINE_SECONDS
    assert (
        "cloud 'lab' (identity service at http://localhost:" in ran.stdout + ran.stderr or "dripping" in case
    )
    assert "Traceback" not in ran.stdout + ran.stderr
