"""docs/python.md: each library is installed and the page's code runs as it stands there (`-m soak`)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from catalog.store.db.connection import Database
from tests.tools.conftest import installed

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^## ([^\n]+)\n\n```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
pytestmark = pytest.mark.soak

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    readers = ("pandas", "polars", "adbc-driver-postgresql", "pyarrow", "duckdb-ext[postgres]")
    return installed(
        tmp_path_factory,
        "python",
        "sqlalchemy",
        "psycopg[binary]",
        *readers,
        "ibis-framework[postgres]",
        "packaging",
    )


@pytest.fixture
def run(python: Path, filled: Database, tmp_path: Path) -> Run:
    """Runs a block of the page, at this server; the value of an expression after it."""
    address = conninfo_to_dict(filled.libpq_url)
    host, name, role = address["host"], address["dbname"], address["user"]
    server = {
        "reader@db.example.com/catalog": f"{role}@/{name}?host={host}&port={address.get('port', 5432)}",
        "host=db.example.com user=reader dbname=catalog": f"host={host} user={role} dbname={name}",
        'host="db.example.com", user="reader", database="catalog"': f'host="{host}", user="{role}", database="{name}"',
    }
    with psycopg.connect(filled.libpq_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET search_path = catalog'.encode())

    def run(block: str, expression: str, before: str = "") -> Any:
        code = BLOCKS[block]
        for written, here in server.items():
            code = code.replace(written, here)
        assert "db.example.com" not in code
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        if "password" in address:
            environment["PGPASSWORD"] = str(address["password"])
        if "port" in address:
            environment["PGPORT"] = str(address["port"])
        ended = subprocess.run(
            [python, "-c", f"{before}\n{code}\nprint()\nimport json\nprint(json.dumps({expression}, default=str))"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout.splitlines()[-1])

    return run


@pytest.fixture
def ask(filled: Database) -> Callable[[str], list[Any]]:
    def ask(query: str) -> list[Any]:
        with psycopg.connect(filled.libpq_url) as connection:
            connection.execute("SET search_path = catalog")
            return [list(row) for row in connection.execute(query.encode())]

    return ask


def test_every_block_is_tried() -> None:
    assert set(BLOCKS) == {"pandas", "polars", "DuckDB", "ibis", "Without a database"}


def test_pandas(run: Run, ask: Callable[[str], list[Any]]) -> None:
    sizes = "SELECT tag, sum(size_bytes)::bigint FROM live_image_tags JOIN image_overview USING (source_id, image_id)"
    expected = {tag: size or 0 for tag, size in ask(f"{sizes} GROUP BY tag")}
    code = BLOCKS["pandas"].splitlines()[-1]
    assert run("pandas", f"{code}.astype(int).to_dict()") == expected
    assert expected


def test_polars(run: Run, ask: Callable[[str], list[Any]]) -> None:
    found = run("polars", "[periods.height, changes.height, str(periods.schema['seconds'])]")
    (periods,) = ask("SELECT count(*) FROM status_durations")
    (changes,) = ask("SELECT count(*) FROM image_changes")
    assert found == [*periods, *changes, "Float64"]


def test_duckdb(run: Run, ask: Callable[[str], list[Any]]) -> None:
    before = "import duckdb, duckdb_ext\nduckdb_ext.init(duckdb.default_connection())"
    found = run("DuckDB", "duckdb.sql(\"SELECT count(*) FROM 'images.parquet'\").fetchone()[0]", before)
    assert [[found]] == ask("SELECT count(*) FROM image_overview")


def test_ibis(run: Run, ask: Callable[[str], list[Any]]) -> None:
    shown = run("ibis", "images.count().execute()")
    assert [[int(shown)]] == ask("SELECT count(*) FROM image_os WHERE live")
