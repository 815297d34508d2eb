"""The API's document, by the tools that others point at it: a fuzzer, and a generator of clients."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.views.conftest import Shelf
from tests.integration.web.test_pages import stock

DOCUMENT = "api/v1/openapi.json"


def test_a_fuzzer_finds_nothing(site: httpx.Client, shelf: Shelf, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    stock(shelf)
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
    options = ["--phases", "coverage,fuzzing", "--max-examples", "5", "--seed", "1", "--no-color"]
    ended = subprocess.run(
        [*command, f"{site.base_url}{DOCUMENT}", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-1000:]


def test_a_generated_client_asks_each_address(
    site: httpx.Client, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openapi_python_client", reason="openapi-python-client is not installed")
    stock(shelf)
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(site.get(DOCUMENT).json()))
    settings = tmp_path / "settings.yml"
    settings.write_text("post_hooks: []\n")
    command = [
        sys.executable,
        "-m",
        "openapi_python_client",
        "generate",
        "--meta",
        "none",
        "--fail-on-warning",
    ]
    ended = subprocess.run(
        [*command, "--path", str(document), "--config", str(settings), "--output-path", str(tmp_path / "made")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    with importlib.import_module("made").Client(base_url=str(site.base_url).rstrip("/")) as client:
        drive(client)


def drive(client: Any) -> None:
    def ask(operation: str, *path: str, **query: Any) -> Any:
        answer = importlib.import_module(f"made.api.default.{operation}").sync(*path, client=client, **query)
        assert "Problem" not in type(answer).__name__, answer
        return answer

    names = []
    page = ask("list_images", tag=["golden"], limit=2)
    while True:
        names += [image.name for image in page.images]
        if page.next_ is None:
            break
        page = ask("list_images", tag=["golden"], limit=2, after=page.next_)
    assert sorted(names) == ["ubuntu-20.04", "ubuntu-20.04", "ubuntu-21.04", "ubuntu-22.04"]
    whole = ask("get_image", "s-one", "u0")
    assert (whole.name, whole.explanation.standing) == ("ubuntu-20.04", "live")
    assert len(ask("get_history", "s-one", "u0").revisions) == 2
    assert {source.source for source in ask("list_sources").sources} == {"one", "two"}
    assert ask("latest_images", os="ubuntu").images
    assert [change.change for change in ask("list_changes", since="2d").changes] == ["updated"]
    assert ask("list_events").events == []
    missing = importlib.import_module("made.api.default.get_image").sync("s-one", "none", client=client)
    assert (type(missing).__name__, missing.status) == ("Problem", 404)


@pytest.fixture(autouse=True)
def forget_the_client() -> Any:
    yield
    for name in [name for name in sys.modules if name == "made" or name.startswith("made.")]:
        del sys.modules[name]
