"""Saved files made to exhaust memory or time: each is refused with file, line and reason, the others are loaded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.support.measured import PEAK_MIB, run_measured

SECONDS = 60
"""Bound for one file on a machine that is busy otherwise; none takes more than some seconds."""
MIB = 2**20
GOOD = json.dumps({"images": [{"id": "good", "name": "good"}]})


def gzipped(path: Path, start: bytes, many: bytes, mib: int, end: bytes = b"") -> None:
    """So many MiB of the same, in a file that is hundreds of times smaller."""
    part = gzip.compress(many * (MIB // len(many)), 1)
    path.write_bytes(gzip.compress(start) + mib * part + gzip.compress(end))


def header(run_id: str) -> bytes:
    return (
        b'{"catalog_archive":1,"source":"lab","kind":"glance","region":null,"project_id":null,'
        b'"endpoint":null,"run_id":"%s","observed_at":"2026-03-02T00:00:00Z"}\n' % run_id.encode()
    )


RUN = "6f9c5f0e-0000-4000-8000-000000000001"
Write = Callable[[Path], None]
FILES: dict[str, tuple[Write, str]] = {
    "endless line": (lambda path: gzipped(path, b"{", b"x", 2000), ":1: "),
    "brackets": (lambda path: gzipped(path, b"", b"[", 500), ":1: "),
    "newlines": (lambda path: gzipped(path, b"", b"\n", 1000), "blank lines"),
    "newlines in a list": (lambda path: gzipped(path, b"[", b"\n", 1000), "blank lines"),
    "empty lists": (lambda path: gzipped(path, b"", b"[]\n", 1000), "blank lines"),
    "empty pages": (lambda path: gzipped(path, b"", b'{"images": []}\n', 1000), "blank lines"),
    "empty objects": (lambda path: gzipped(path, b"[{}", b",{}", 300), "not images"),
    "numbers": (lambda path: gzipped(path, b'{"images": [0', b",0", 300), "not images"),
    "endless text": (lambda path: gzipped(path, b'[{"id": "', b"x", 1000), ":1: "),
    "endless key": (lambda path: gzipped(path, b'[{"', b"x", 1000), ":1: "),
    "endless number": (lambda path: gzipped(path, b'[{"id": 1', b"1", 1000), ":1: "),
    "values in a record": (
        lambda path: gzipped(path, b'[{"id": "a", "k": [{}', b",{}", 100, b"]}]"),
        ":1: ",
    ),
    "keys of a page": (lambda path: gzipped(path, b'{"a": 1', b',"a": 1', 300), ":1: "),
    "the same image again and again": (
        lambda path: gzipped(path, b"", b'{"id":"a"}\n', 1000),
        "the gzip stream",
    ),
    "archive with an endless line": (
        lambda path: gzipped(path, header(RUN), b"x", 2000),
        "the gzip stream",
    ),
    "archive of newlines": (lambda path: gzipped(path, header(RUN), b"\n", 1000), ":2: "),
    "archive whose trailer never ends": (
        lambda path: gzipped(path, header(RUN) + b'{"catalog_archive_end":', b"[1],", 500),
        "the gzip stream",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_made_to_exhaust_the_machine_is_refused(name: str, database_url: str, tmp_path: Path) -> None:
    """With a bounded peak and in bounded time, by line and reason; the file beside it is loaded, exit 1."""
    write, reason = FILES[name]
    load = ["backfill", "lab", "--kind", "glance", "2026-03-01.json", "2026-03-02T00:00:00Z.gz"]
    (tmp_path / "2026-03-01.json").write_text(GOOD)
    environment = {"CATALOG_DATABASE_URL": database_url, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    bad = tmp_path / "2026-03-02T00:00:00Z.gz"
    if name.startswith(
        "archive"
    ):  # its run is known: that alone must not make it be walked over without bounds
        with gzip.open(bad, "wb") as file:
            file.write(header(RUN) + b'{"id": "known"}\n')
        first = run_measured(load, tmp_path, environment, give_up_seconds=SECONDS)
        assert first.exit_code == 0, first.stderr
    write(bad)
    result = run_measured(load, tmp_path, environment, give_up_seconds=SECONDS)
    told = [line for line in _lines(result.stdout + result.stderr) if bad.name in line]
    assert any(reason in line for line in told), (told, result)
    assert result.exit_code == 1
    assert result.peak_mib < PEAK_MIB, result.peak_mib
    assert result.seconds < SECONDS
    assert "Traceback" not in result.stderr
    assert sum(map(len, told)) < 2000
    assert "2026-03-01" in result.stdout or name.startswith("archive")


def _lines(text: str) -> Iterable[str]:
    return text.splitlines()
