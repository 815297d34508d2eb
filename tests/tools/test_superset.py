"""docs/superset: the real Superset imports the dashboard, draws its charts, and exports it again (`-m soak`)."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from catalog.store.db.connection import Database
from tests.tools.conftest import installed

DOCS = Path(__file__).parents[2] / "docs"
CHARTS = sorted(file.stem.replace("_", " ") for file in (DOCS / "superset" / "charts").iterdir())
ADDRESS = "postgresql+psycopg2://dashboards@db.example.com/catalog"
ASK = """
import json
from superset.app import create_app
client = create_app().test_client()
login = {"username": "admin", "password": "admin", "provider": "db"}
token = client.post("/api/v1/security/login", json=login).json["access_token"]
headers = {"Authorization": f"Bearer {token}"}
for chart in client.get("/api/v1/chart/", headers=headers).json["result"]:
    answer = client.get(f"/api/v1/chart/{chart['id']}/data/", headers=headers).json
    print("DRAWN", json.dumps([chart["slice_name"], answer["result"][0]["data"]]))
"""
pytestmark = pytest.mark.soak

Run = Callable[..., str]


@pytest.fixture(scope="session")
def superset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With what it needs and does not name; a newer Flask-Caching breaks its cache of metadata."""
    needs = ("apache-superset>=6.1,<7", "flask-caching<2.4", "cachetools", "rich", "psycopg2-binary")
    return installed(tmp_path_factory, "superset", *needs)


@pytest.fixture
def run(superset: Path, tmp_path: Path) -> Run:
    """A program of Superset's environment, with a Superset of its own that has an administrator."""
    (tmp_path / "superset_config.py").write_text(
        f"SECRET_KEY = 'of this test, forty-two characters and some more'\n"
        f"SQLALCHEMY_DATABASE_URI = 'sqlite:///{tmp_path}/superset.db'\n"
    )
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "FLASK_APP": "superset",
        "SUPERSET_CONFIG_PATH": str(tmp_path / "superset_config.py"),
    }  # fmt: skip

    def run(program: str, *arguments: str | Path) -> str:
        ended = subprocess.run(
            [superset.with_name(program), *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run("superset", "db", "upgrade")
    person = ("--username", "admin", "--firstname", "a", "--lastname", "b", "--email", "a@example.com")
    run("superset", "fab", "create-admin", *person, "--password", "admin")
    run("superset", "init")
    return run


def test_the_dashboard_is_imported_drawn_exported_and_imported_again(
    run: Run, filled: Database, tmp_path: Path
) -> None:
    address = conninfo_to_dict(filled.libpq_url)
    login = ":".join(quote(str(address[key])) for key in ("user", "password") if address.get(key))
    server = f"host={quote(str(address['host']))}&port={address.get('port', 5432)}"
    bundle = tmp_path / "superset.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        for file in sorted((DOCS / "superset").rglob("*.yaml")):
            text = file.read_text(encoding="utf-8")
            text = text.replace(ADDRESS, f"postgresql+psycopg2://{login}@/{address['dbname']}?{server}")
            archive.writestr(str(file.relative_to(DOCS)), text)
    run("superset", "import-dashboards", "--path", bundle, "--username", "admin")
    drawn = [
        json.loads(line[6:]) for line in run("python", "-c", ASK).splitlines() if line.startswith("DRAWN")
    ]
    assert sorted(title for title, _ in drawn) == CHARTS
    assert all(rows for _, rows in drawn), drawn
    platforms = {row["distro"]: row["count"] for row in dict(drawn)["Live images by platform"]}
    with psycopg.connect(filled.libpq_url) as connection:
        by_distro = connection.execute(
            "SELECT coalesce(distro, '(none)'), count(DISTINCT (service, region, image_id))"
            " FROM catalog.image_os JOIN catalog.source_services USING (source_id) WHERE live GROUP BY 1"
        ).fetchall()
    assert platforms == dict(by_distro)
    assert dict(drawn)["Live images"] == [{"count": sum(platforms.values())}]
    again = tmp_path / "again.zip"
    run("superset", "export-dashboards", "--dashboard-file", again)
    run("superset", "import-dashboards", "--path", again, "--username", "admin")
    with zipfile.ZipFile(again) as archive:
        charts = [yaml.safe_load(archive.read(name)) for name in archive.namelist() if "/charts/" in name]
    ours = [yaml.safe_load(file.read_text()) for file in (DOCS / "superset" / "charts").iterdir()]
    assert {one["uuid"]: one["viz_type"] for one in charts} == {one["uuid"]: one["viz_type"] for one in ours}
