"""Modules are short enough to be read at one go."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LINES = 400
"""The house rule of CONTRIBUTING.md: a longer module is split by what it says."""


@pytest.mark.parametrize("folder", ["catalog", "tests", "benchmarks", "docs", "migrations"])
def test_no_module_is_longer_than_400_lines(folder: str) -> None:
    modules = sorted((ROOT / folder).rglob("*.py"))
    assert modules, f"no modules in {folder}"
    lengths = {
        module.relative_to(ROOT).as_posix(): len(module.read_text(encoding="utf-8").splitlines())
        for module in modules
    }
    assert {module: length for module, length in lengths.items() if length > LINES} == {}
