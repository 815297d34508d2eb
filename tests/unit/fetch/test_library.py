"""httpx can be changed for a successor of the same interface in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import httpx

import catalog

LISTING_WITHOUT_HTTPX = """
import importlib, pkgutil, sys
sys.modules["httpx"] = None
import catalog
for module in pkgutil.walk_packages(catalog.__path__, "catalog."):
    if not module.name.startswith(("catalog.__main__", "catalog.migrations")):
        importlib.import_module(module.name)
from catalog.config.settings import SourceSettings
from catalog.demo import Cloud, CloudServer, example_images
from catalog.fetch.auth.login import connect
from catalog.fetch.listing.service import open_service
from catalog.deadline import Deadline
with CloudServer(Cloud("glance", example_images("glance", 3))) as server:
    source = SourceSettings("s", "glance", endpoint=server.endpoint, auth="none")
    deadline = Deadline(20)
    service = open_service(source, deadline, connect(source, deadline))
    listing = service.listing("listed")
    print(sum(len(page.records) for page in listing), listing.verdict, "successor" in sys.modules)
"""


def test_a_successor_of_the_http_library_is_one_changed_line(tmp_path: Path) -> None:
    """Copies the product and httpx, the latter under another name, changes one line, and forbids the old name."""
    for package, name in ((catalog, "catalog"), (httpx, "successor")):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    library = tmp_path / "catalog/fetch/http/library.py"
    lines = library.read_text().splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("import httpx"))
    lines[at] = "import successor as httpx"
    library.write_text("\n".join(lines))
    ran = subprocess.run(
        [sys.executable, "-c", LISTING_WITHOUT_HTTPX],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.stdout.splitlines()[-1:], ran.stderr) == (["3 complete True"], "")
