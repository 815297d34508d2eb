"""Every way to the newest schema leads to the same one, and back again."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from alembic import command as alembic
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from catalog.config.settings import DatabaseSettings
from catalog.errors import DatabaseError
from catalog.store.db import schema
from catalog.store.db.connection import Database
from tests.migration.conftest import CHECKOUT, Run, start, surroundings
from tests.migration.filled import columns_of, fill, fill_first, rows_of
from tests.migration.portrait import Portrait, portrait

ROUNDS = 1
"""How often all of the processes begin at once."""


def go(database: Database, direction: str, revision: str) -> None:
    """Alembic's own upgrade or downgrade, on a connection of ours."""
    config = schema.configuration()
    with database.migration_connection() as connection:
        config.attributes["connection"] = connection
        getattr(alembic, direction)(config, revision)


@pytest.mark.parametrize("name", [None, 'My "odd" 100%: %(s)s :schema'])
def test_the_printed_sql_makes_the_same_schema(empty: Database, expected: Portrait, name: str | None) -> None:
    printed = io.StringIO()
    schema.print_sql(printed, name)
    with psycopg.connect(empty.libpq_url) as connection:
        connection.execute(printed.getvalue().encode())
    assert portrait(empty.libpq_url, name or "public") == expected
    if name is not None:
        assert portrait(empty.libpq_url)["tables"] == []


@pytest.mark.parametrize("module", ["alembic", "catalog"])
def test_commands_print_the_sql_for_the_configured_schema(command: Run, tmp_path: Path, module: str) -> None:
    (tmp_path / "catalog.toml").write_text('[database]\nschema = "inventory"\n')
    where = ("upgrade", "head", "--sql") if module == "alembic" else ("db", "upgrade", "--sql")
    printed = command(module, *where)
    assert printed.returncode == 0, printed.stderr
    assert 'SET LOCAL search_path TO "inventory";' in printed.stdout.split("CREATE TABLE")[0]


def test_a_checkout_below_an_odd_path(empty: Database, expected: Portrait, tmp_path: Path) -> None:
    checkout = tmp_path / "50%(x)s %"
    for folder in ("catalog", "migrations"):
        shutil.copytree(CHECKOUT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "alembic.ini", checkout)
    named = surroundings(empty.libpq_url, checkout)
    named["env"].pop("PYTHONPATH")  # type: ignore[attr-defined]
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    ran = subprocess.run(command, **named, timeout=120)  # type: ignore[call-overload]
    assert ran.returncode == 0, ran.stderr
    assert portrait(empty.libpq_url) == expected


def test_alembic_prints_sql_that_psql_runs(
    empty: Database, expected: Portrait, command: Run, tmp_path: Path
) -> None:
    printed = command("alembic", "upgrade", "head", "--sql")
    assert printed.returncode == 0, printed.stderr
    (tmp_path / "schema.sql").write_text(printed.stdout)
    psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "schema.sql", empty.libpq_url]
    try:
        ran = subprocess.run(psql, **surroundings(None, tmp_path), timeout=120)  # type: ignore[call-overload]
    except FileNotFoundError:
        pytest.skip("psql is not installed")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert portrait(empty.libpq_url) == expected


def test_plain_alembic_makes_the_same_schema(empty: Database, expected: Portrait, command: Run) -> None:
    ran = command("alembic", "upgrade", "head", url=empty.libpq_url)
    assert ran.returncode == 0, ran.stderr
    assert portrait(empty.libpq_url) == expected
    checked = command("alembic", "check", url=empty.libpq_url)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_down_to_nothing_and_up_again_with_rows_present(database: Database, expected: Portrait) -> None:
    fill(database)
    go(database, "downgrade", "base")
    bare = portrait(database.libpq_url)
    assert [table[0] for table in bare.pop("tables")] == ["catalog_schema_version"]
    assert bare["views"] == bare["functions"] == bare["catalog_schema_version"] == []
    go(database, "upgrade", "head")
    assert portrait(database.libpq_url) == expected
    fill(database)


def test_each_step_down_and_up_keeps_the_rows(database: Database, expected: Portrait) -> None:
    """All but the first migration, whose downgrade drops the tables."""
    fill(database)
    columns = columns_of(database)
    rows = rows_of(database, columns)
    go(database, "downgrade", "0001")
    go(database, "upgrade", "head")
    assert unheard_left_out(portrait(database.libpq_url)) == expected
    assert rows_of(database, columns) == rows


def test_rows_of_the_first_schema_are_there_in_the_newest(empty: Database, expected: Portrait) -> None:
    go(empty, "upgrade", "0001")
    fill_first(empty)
    columns = columns_of(empty)
    rows = rows_of(empty, columns)
    assert [table for table, found in rows.items() if not found] == []
    assert schema.upgrade(empty) == ("0001", schema.head())
    assert unheard_left_out(portrait(empty.libpq_url)) == expected
    assert rows_of(empty, columns) == rows


def unheard_left_out(drawn: Portrait) -> Portrait:
    """Without the capability that `fill` brought."""
    return {**drawn, "capabilities": [row for row in drawn["capabilities"] if row[0] != "unheard"]}


def test_the_tables_in_code_are_those_of_the_migrations(database: Database) -> None:
    config = schema.configuration()
    with database.migration_connection() as connection:
        config.attributes["connection"] = connection
        alembic.check(config)
        connection.exec_driver_sql("ALTER TABLE images DROP COLUMN description CASCADE")
        connection.commit()
        with pytest.raises(CommandError, match="description"):
            alembic.check(config)


def test_the_head_read_from_file_names_is_alembics() -> None:
    script = ScriptDirectory.from_config(schema.configuration())
    assert script.get_heads() == [schema.head()]
    assert script.get_bases() == ["0001"]


def test_a_newer_schema_than_this_release_knows_is_left_alone(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE catalog_schema_version SET version_num = '9999'")
    schema.require(database)
    assert schema.upgrade(database) == ("9999", "9999")


@pytest.mark.parametrize("name", [None, 'o"dd'])
def test_three_upgrades_at_once_make_one_schema(
    server_url: str, empty: Database, expected: Portrait, tmp_path: Path, name: str | None
) -> None:
    """Processes, each as if it were the only one; one of them does the work, the others find it done."""
    if name is not None:
        quoted = name.replace('"', '\\"')
        (tmp_path / "catalog.toml").write_text(f'[database]\nschema = "{quoted}"\n')
    for _ in range(ROUNDS):
        with empty.transaction() as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            connection.execute('DROP SCHEMA IF EXISTS "o""dd" CASCADE')
        with_pipes = {**surroundings(empty.libpq_url, tmp_path), "capture_output": False}
        with_pipes.pop("capture_output")
        processes = [
            subprocess.Popen(
                start("catalog", "db", "upgrade"),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **with_pipes,  # type: ignore[call-overload]
            )
            for _ in range(3)
        ]
        told = [process.communicate(timeout=120) for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0], told
        assert portrait(empty.libpq_url, name or "public") == expected


def test_upgrades_that_begin_together_wait_for_each_other(empty: Database, expected: Portrait) -> None:
    """However the moments fall: the first step of each is taken before the second step of any."""
    steps = threading.Barrier(3)
    errors: list[BaseException] = []
    settings = DatabaseSettings(url=empty.libpq_url, data_dir=Path(), schema="together")

    def enter() -> None:
        try:
            with Database(settings) as database:
                steps.wait(30)
                with database.migration_connection():
                    pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=enter) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Database(settings) as database:
        schema.upgrade(database)
    assert portrait(empty.libpq_url, "together") == expected


def test_a_view_of_the_users_own_is_named_when_it_is_in_the_way(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that changes a column which such a view reads; nothing of it stays."""
    with database.transaction() as connection:
        connection.execute("CREATE VIEW our_names AS SELECT file_url, self_url FROM images")
    before = portrait(database.libpq_url)
    migrations = schema.migrations_folder()
    for number, statement in enumerate(
        (
            "ALTER TABLE images DROP COLUMN file_url",
            "ALTER TABLE images ALTER COLUMN self_url TYPE varchar(9000)",
        )
    ):
        folder = tmp_path / str(number)
        later_release(migrations, folder, f"ALTER TABLE images ADD COLUMN more text; {statement}")
        monkeypatch.setattr(schema, "migrations_folder", lambda folder=folder: folder)
        with pytest.raises(DatabaseError, match="our_names") as raised:
            schema.upgrade(database)
        assert_one_line(raised.value)
        assert "drop" in str(raised.value)
        assert portrait(database.libpq_url) == before


def test_a_view_of_the_users_own_is_named_on_the_way_down(database: Database, expected: Portrait) -> None:
    with database.transaction() as connection:
        connection.execute("CREATE VIEW our_names AS SELECT name FROM images")
    with pytest.raises(DatabaseError, match="our_names") as raised:
        go(database, "downgrade", "base")
    assert_one_line(raised.value)
    with database.transaction() as connection:
        connection.execute("DROP VIEW our_names")
    assert portrait(database.libpq_url) == expected


def assert_one_line(error: DatabaseError) -> None:
    assert "\n" not in str(error)
    assert "[SQL" not in str(error)


def later_release(migrations: Path, folder: Path, statement: str) -> None:
    """This release's migrations and one more."""
    shutil.copytree(migrations, folder)
    names = sorted(path.name for path in (folder / "versions").glob("[0-9]*.py"))
    (folder / "versions" / "0900_later.py").write_text(
        f"from alembic import op\nrevision = '0900'\ndown_revision = {names[-1][:4]!r}\n\n\n"
        f"def upgrade():\n    op.execute({statement!r})\n"
    )
