"""docs/export.md: its Python runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.export.conftest import Catalog

PAGE = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a notebook's line closes no file
def test_the_page_reads_by_the_manifest_and_as_of_a_moment(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.export(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    found = re.search(r"<!-- python: duckdb -->\n```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    for moment in catalog.moments:
        names: dict[str, Any] = {}
        code = found[1].replace("2026-11-01 00:00+00", moment)
        assert moment in code
        exec(code, names)
        expected = catalog.ask(
            "SELECT source, image_id, name, status FROM images_as_of(%s) WHERE deleted_at IS NULL", moment
        )
        assert sorted(names["as_of"].fetchall()) == sorted(tuple(row.values()) for row in expected)
        assert expected
