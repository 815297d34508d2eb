"""The steps of CONTRIBUTING.md do what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from catalog.store.db.connection import Database
from tools import new_column

ROOT = Path(__file__).parent.parent.parent


def test_each_file_that_it_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:catalog|tests|docs|tools|migrations|benchmarks)/[a-z0-9_./-]+)`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_a_field_is_added_by_the_steps_of_contributing(
    tmp_path: Path, server_url: str, empty_database_url: str
) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = re.search(r'^ +(Field\("(\w+)".*)$', text, flags=re.MULTILINE)
    assert example is not None
    line, column = example.groups()
    for name in ("catalog", "migrations", "docs", "tests", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    fields = tmp_path / "catalog" / "fields.py"
    end = ')  # fmt: skip\n"""Columns of `images`'
    code = fields.read_text(encoding="utf-8")
    assert code.count(end) == 1
    fields.write_text(code.replace(end, f"    {line}\n{end}"), encoding="utf-8")

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        here = {"CATALOG_DATABASE_URL": empty_database_url, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, **here, **environment},
            capture_output=True,
            text=True,
        )

    def alembic(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run("-m", "alembic", *arguments)

    assert alembic("upgrade", "head").returncode == 0
    lacking = alembic("check")
    assert lacking.returncode != 0
    assert column in lacking.stdout + lacking.stderr
    assert "versions/" in run("tools/new_column.py").stdout
    assert alembic("upgrade", "head").returncode == 0
    complete = alembic("check")
    assert complete.returncode == 0, complete.stdout + complete.stderr
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(f"SELECT {column} FROM images".encode())
        connection.execute(f"SELECT {column} FROM images_as_of(now())".encode())
    assert run("tools/generate.py").returncode == 0
    assert f"| `{column}` | text |" in (tmp_path / "docs" / "fields.md").read_text(encoding="utf-8")
    assert alembic("downgrade", "-1").returncode == 0
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(b"SELECT updated_at FROM images_as_of(now())")
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute(f"SELECT {column} FROM images".encode())
    tested = run(
        *("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"),
        "tests/migration/test_ways_to_the_schema.py",
        *("-k", "keeps_the_rows or first_schema or tables_in_code or printed"),
        CATALOG_TEST_SERVER_URL=server_url,
        CATALOG_DATABASE_URL="",
    )
    assert tested.returncode == 0, tested.stdout
    assert "5 passed" in tested.stdout


AS_OF = "FUNCTION images_as_of(timestamptz)"


@pytest.fixture
def roles(server_url: str) -> Iterator[list[str]]:
    """An owner, one who may call and grant, one who may not even call; their names need quotes."""
    names = [f'o"w ner {os.getpid()}', f"a'd%min {os.getpid()}", f"guest {os.getpid()}"]
    quoted = [psycopg.sql.Identifier(name).as_string() for name in names]
    with psycopg.connect(server_url, autocommit=True) as connection:
        for name in quoted:
            connection.execute(f"CREATE ROLE {name}".encode())
    yield quoted
    with psycopg.connect(server_url, autocommit=True) as connection:
        for name in quoted:
            connection.execute(f"DROP ROLE {name}".encode())


@pytest.mark.parametrize("is_default", [True, False])
def test_a_function_made_anew_keeps_its_owner_and_callers(
    database: Database, roles: list[str], is_default: bool
) -> None:
    owner, admin, guest = roles
    make_anew = "\n".join([new_column.DROP_AS_OF, new_column.images_as_of(), new_column.SAME_CALLERS])
    question = (
        "SELECT pg_get_userbyid(proowner), array(SELECT grantee::regrole::text || is_grantable FROM"
        " aclexplode(coalesce(proacl, acldefault('f', proowner))) ORDER BY 1) FROM pg_proc"
        " WHERE oid = 'images_as_of(timestamptz)'::regprocedure"
    )
    with database.transaction() as connection:
        connection.execute(f"ALTER {AS_OF} OWNER TO {owner}".encode())
        if is_default:
            # as on a database that was made safer after it was set up
            connection.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        else:
            connection.execute(f"REVOKE ALL ON {AS_OF} FROM PUBLIC".encode())
            connection.execute(f"GRANT EXECUTE ON {AS_OF} TO {admin} WITH GRANT OPTION".encode())
        before = connection.execute(question).fetchone()
        connection.execute(make_anew.encode())
        assert connection.execute(question).fetchone() == before
        may = "SELECT has_function_privilege(rolname, 'images_as_of(timestamptz)', 'EXECUTE') FROM pg_roles"
        allowed = connection.execute(f"{may} WHERE quote_ident(rolname) = %s".encode(), (guest,)).fetchone()
        assert allowed == (is_default,)
        connection.rollback()
