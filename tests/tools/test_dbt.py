"""docs/reporting.md, dbt: followed to the letter by the real dbt, which is installed for it (`-m soak`)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from catalog.store.db import privileges
from catalog.store.db.connection import Database
from tests.tools.conftest import installed

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reporting.md").read_text(encoding="utf-8")
DBT = PAGE[PAGE.index("### dbt\n") :]
FILES = dict(re.findall(r"<!-- dbt: (\S+) -->\n```\w+\n(.*?)^```", DBT, re.DOTALL | re.MULTILINE))
COMMANDS = FILES.pop("commands").replace("2026-04-01", "2030-04-01").splitlines()  # the demo's are of today
pytestmark = pytest.mark.soak

Run = Callable[..., str]


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.12 asks for a package that builds from what it downloads elsewhere."""
    return installed(tmp_path_factory, "dbt", "dbt-core>=1.10.5,<1.12", "dbt-postgres")


@pytest.fixture
def folder(filled: Database, tmp_path: Path) -> Iterator[Path]:
    """The page's role, schema and profile, the package; the role is named by this process, as servers share theirs."""
    role = f"dbt_{os.getpid()}"
    statements = re.search(r"^```sql\n(.*?)^```", DBT, re.DOTALL | re.MULTILINE)[1]  # type: ignore[index]
    address = conninfo_to_dict(filled.libpq_url)
    shutil.copytree(DOCS / "dbt", tmp_path / "FOLDER" / "dbt")
    profile = FILES["profiles.yml"].replace("5432", str(address.get("port", 5432)))
    for written, here in (
        ("host: db.example.com", address["host"]),
        ("dbname: catalog", address["dbname"]),
        ("user: dbt", role),
    ):
        assert written in profile
        profile = profile.replace(written, f"{written.partition(':')[0]}: {here}")
    (tmp_path / "profiles.yml").write_text(profile)
    with psycopg.connect(filled.libpq_url, autocommit=True) as owner:
        owner.execute(re.sub(r"\bdbt\b", role, statements).encode())
        privileges.grant(filled, role, "reader")
        yield tmp_path
        owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
        owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def run(dbt: Path, folder: Path) -> Run:
    def run(*arguments: str, ends: int = 0) -> str:
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1", "DBT_PASSWORD": "one of your own",
        }  # fmt: skip
        ended = subprocess.run(
            [dbt, *arguments, "--no-version-check", "--profiles-dir", folder],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == ends, ended.stdout
        return ended.stdout

    return run


def test_the_page_works_to_the_letter(run: Run, filled: Database) -> None:
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "dbt"
        assert "WARN=0 ERROR=0 SKIP=0" in run(*arguments) or "freshness" in arguments
    with psycopg.connect(filled.libpq_url, autocommit=True) as connection:

        def changes() -> tuple[Any, ...] | None:
            return connection.execute(
                "SELECT count(*), (SELECT count(*) FROM catalog.image_changes) FROM analytics.changes"
            ).fetchone()

        def months() -> tuple[Any, ...] | None:
            return connection.execute(
                "SELECT month_ended_at::date::text, count(*) FROM analytics.closed_months GROUP BY 1 ORDER BY 1"
            ).fetchall()

        (stored, all_of_them) = changes() or (0, 1)
        assert stored == all_of_them > 0
        live = connection.execute("SELECT count(*) FROM catalog.images WHERE deleted_at IS NULL").fetchone()
        closed = months()
        assert closed[-1] == ("2030-04-01", *live)
        # what a sweep recorded first and committed after another source's
        connection.execute(
            "DELETE FROM analytics.changes WHERE source_id = (SELECT source_id FROM analytics.changes"
            " GROUP BY source_id ORDER BY max(recorded_at) LIMIT 1)"
        )
        # and what is dated back later changes no month that is closed
        connection.execute(
            "UPDATE catalog.revisions SET valid_from = '2030-06-01', valid_to = '2030-07-01' WHERE valid_to IS NULL"
        )
        run(*shlex.split(COMMANDS[-1])[1:])
        assert months() == closed
        run("build", "--project-dir", "FOLDER/dbt", "--select", "changes")
        assert changes() == (all_of_them, all_of_them)
        tables = (
            "SELECT DISTINCT relkind::text FROM pg_class"
            " WHERE relnamespace = 'analytics'::regnamespace AND relkind IN ('r', 'v')"
        )
        assert connection.execute(tables).fetchall() == [("r",)]


def test_its_tests_see_what_they_are_for(run: Run, filled: Database) -> None:
    with psycopg.connect(filled.libpq_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE catalog.sources SET last_complete_at = now() - interval '2 hours' WHERE name = 'demo-glance'"
        )
        connection.execute("UPDATE catalog.sources SET expected_seconds = 60, error_kind = 'weather'")
    assert "WARN" in run("source", "freshness", "--project-dir", "FOLDER/dbt")
    failed = run("test", "--project-dir", "FOLDER/dbt", ends=1)
    seen = set(re.findall(r"FAIL \d+ (\w+?)(?:__|\b)", failed))
    accepted = "source_accepted_values_image_catalog_"
    assert seen == {
        "catalog_is_fresh",
        f"{accepted}sources_error_kind",
        f"{accepted}source_freshness_error_kind",
    }


def test_another_project_uses_the_package(run: Run, folder: Path, filled: Database) -> None:
    mine = folder / "mine"
    (mine / "models").mkdir(parents=True)
    (mine / "dbt_project.yml").write_text("{name: mine, version: 1.0.0, profile: image_catalog}")
    (mine / "packages.yml").write_text(f"packages: [{{local: {folder / 'FOLDER' / 'dbt'}}}]")
    used = re.findall(r"`(\{\{ (?:source|image_catalog).*?\}\})`", DBT)
    assert len(used) == 2
    for number, name in enumerate(used):
        (mine / "models" / f"mine_{number}.sql").write_text(
            "{{ config(materialized='table') }} SELECT count(*) FROM " + name
        )
    run("deps", "--project-dir", "mine")
    assert "PASS=2" in run("run", "--project-dir", "mine", "--select", "mine")
