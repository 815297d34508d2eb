"""Each fuzzer, where atheris is installed, and what earlier runs of them found."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.claims import CLAIMS

SECONDS = int(os.environ.get("CATALOG_TEST_FUZZ_SECONDS", "60"))
"""How long each runs."""
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
    ],
}
FOUND: list[tuple[str, bytes]] = []


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
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.fuzzer", name, f"-max_total_time={SECONDS}", str(corpus)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
