"""docs/reporting.md, dbt: followed to the letter by the real dbt, which is installed for it (`-m soak`)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from catalog.config.settings import DatabaseSettings
from catalog.demo.walkthrough import let_change, simulated_clouds, sweep_all
from catalog.store.db import privileges, schema
from catalog.store.db.connection import Database

PAGE = (Path(__file__).parents[2] / "docs" / "reporting.md").read_text(encoding="utf-8")
DBT = PAGE[PAGE.index("### dbt\n") :]
FILES = dict(re.findall(r"<!-- dbt: (\S+) -->\n```\w+\n(.*?)^```", DBT, re.DOTALL | re.MULTILINE))
VARS = "{moment: '2030-01-01 00:00+00'}"
pytestmark = pytest.mark.soak

Run = Callable[..., str]


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.12 asks for a package that builds from what it downloads elsewhere."""
    folder = tmp_path_factory.mktemp("dbt")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    installed = subprocess.run(
        [folder / "bin" / "pip", "install", "--quiet", "dbt-core>=1.10,<1.12", "dbt-postgres"], check=False
    )
    if installed.returncode:
        pytest.skip("dbt is not at hand")
    return folder / "bin" / "dbt"


@pytest.fixture
def filled(empty_database_url: str) -> Iterator[Database]:
    """What `catalog demo` leaves, in the schema `catalog`."""
    with Database(DatabaseSettings(url=empty_database_url, data_dir=Path(), schema="catalog")) as database:
        schema.upgrade(database)
        with simulated_clouds() as clouds:
            sweep_all(database, clouds, lambda result: None)
            let_change(clouds)
            sweep_all(database, clouds, lambda result: None)
        yield database


@pytest.fixture
def project(filled: Database, tmp_path: Path) -> Iterator[Path]:
    """The page's role and schema, and its files; the role is named by this process, as a server's are shared."""
    role = f"dbt_{os.getpid()}"
    (statements,) = re.findall(r"^```sql\n(.*?)^```", DBT, re.DOTALL | re.MULTILINE)
    address = conninfo_to_dict(filled.libpq_url)
    with psycopg.connect(filled.libpq_url, autocommit=True) as owner:
        owner.execute(re.sub(r"\bdbt\b", role, statements).encode())
        privileges.grant(filled, role, "reader")
        for name, content in FILES.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
        told = {"name": "catalog_docs", "version": "1.0.0", "profile": "p"}
        (tmp_path / "dbt_project.yml").write_text(json.dumps(told))
        output = {
            "type": "postgres", "host": address["host"], "port": int(address.get("port", 5432)), "user": role,
            "password": "one of your own", "dbname": address["dbname"], "schema": "analytics", "threads": 1,
        }  # fmt: skip
        (tmp_path / "profiles.yml").write_text(json.dumps({"p": {"target": "t", "outputs": {"t": output}}}))
        yield tmp_path
        owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
        owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_the_page_works_to_the_letter(dbt: Path, project: Path, filled: Database) -> None:
    def run(*arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(project), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        }  # fmt: skip
        ended = subprocess.run(
            [dbt, *arguments, "--no-version-check", "--vars", VARS],
            cwd=project, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    assert set(FILES) == {
        "models/sources.yml", "models/closed_month.sql", "models/changes.sql", "tests/catalog_is_fresh.sql",
    }  # fmt: skip
    for _ in range(2):  # the second time incrementally
        assert "PASS=2" in run("run")
    assert "PASS=3" in run("test")
    assert "PASS" in run("source", "freshness")
    with psycopg.connect(filled.libpq_url, autocommit=True) as connection:
        same = connection.execute(
            "SELECT (SELECT count(*) FROM analytics.closed_month)"
            " = (SELECT count(*) FROM catalog.images WHERE deleted_at IS NULL),"
            " (SELECT count(*) FROM analytics.changes) = (SELECT count(*) FROM catalog.image_changes),"
            " (SELECT string_agg(DISTINCT relkind::text, '') FROM pg_class"
            " WHERE relnamespace = 'analytics'::regnamespace AND relkind IN ('r', 'v'))"
        ).fetchone()
        assert same == (True, True, "r")
        connection.execute(
            "UPDATE catalog.sources SET last_complete_at = now() - interval '2 hours' WHERE name ="
            " (SELECT min(name) FROM catalog.sources)"
        )
    assert "WARN" in run("source", "freshness")
