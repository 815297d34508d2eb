"""Each fuzzer, where atheris is installed, and what earlier runs of them found."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.fetch.files import archive_format
from catalog.model import PassResult, RejectedRecord
from tests.fuzz.claims import CLAIMS

RUNS = os.environ.get("CATALOG_TEST_FUZZ_RUNS")
"""How many inputs each tries, beginning with the same ones each time; else it looks for new ones, for SECONDS."""
SECONDS = int(os.environ.get("CATALOG_TEST_FUZZ_SECONDS", "60"))
CHECKOUT = Path(__file__).parents[2]
SEEDS = {
    "envelope": [b'{"images": [{"id": "a", "x": [1.5, null]}], "next": "/v2/images?marker=a"}'],
    "record": [
        b'{"id": "a", "name": "n", "tags": ["a", "b"], "updated_at": "2026-01-01T00:00:00Z", "n": 1.50}',
        b'{"id": "a", "__support_kvm": "true", "__support_fc_inject": "True", "__os_version": "6.10"}',
    ],
    "dump": [
        b'{"images": [{"id": "a"}]}\n{"images": []}\n',
        b'\xef\xbb\xbf[{"id": "a"}]',
        b'{"catalog_archive": 1, "kind": "glance"}\n{"id": "a"}\n',
        archive_format.write_header(
            archive_format.Header(1, "s", "ims", "r", None, None, "n", datetime(2026, 1, 1, tzinfo=UTC))
        )
        + b'{"id": "a"}\n'
        + archive_format.write_trailer(
            archive_format.Trailer(
                True, "complete", 1, [PassResult("listed", "complete", 1, 1)],
                {"z": "not_found"}, {"b": "rejected"}, ["c"], {"d": "active"}, ["e"],
                [RejectedRecord("r", "{}", "i")], {"u": 1},
            )
        ),
    ],
}  # fmt: skip
FOUND = [("dump", b'{"catalog_archive": 1, "kind": "glance\xde\x82\xf5\x84\xdd\x96\x9b\xd3: "a"}\n')]


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_once(name: str, data: bytes) -> None:
    CLAIMS[name](data)


@pytest.mark.parametrize("name", CLAIMS)
def test_the_claims_hold_of_what_fuzzers_begin_with(name: str) -> None:
    for seed in SEEDS[name]:
        for end in range(len(seed) + 1):
            CLAIMS[name](seed[:end])


@pytest.mark.soak
@pytest.mark.parametrize("name", CLAIMS)
def test_a_while_of_fuzzing(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[name]):
        (corpus / str(number)).write_bytes(seed)
    same = ["-seed=1", "-entropic=0", "-reduce_inputs=0"]
    extent = [*same, f"-runs={RUNS}"] if RUNS else [f"-max_total_time={SECONDS}"]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.fuzzer", name, *extent, str(corpus)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
