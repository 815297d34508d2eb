"""`catalog db`: schema, rights, address, shell, and the way from one database to another."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy.engine import make_url

from catalog.config.database_url import database_url, parse_database_url
from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk

Make = Callable[..., Record]


@pytest.fixture
def role(desk: Desk) -> Iterator[str]:
    """A role with no rights in the database."""
    name = f"role_{os.getpid()}"
    desk.query(f"CREATE ROLE {name} LOGIN PASSWORD 's3cr3t'")
    yield name
    desk.query(f"DROP OWNED BY {name}")
    desk.query(f"DROP ROLE {name}")


def as_role(desk: Desk, role: str) -> str:
    assert desk.database_url is not None
    url = make_url(desk.database_url).set(username=role, password="s3cr3t")
    return url.render_as_string(hide_password=False)


def test_upgrade_makes_the_schema_and_says_so(desk: Desk, empty_database_url: str) -> None:
    first = desk.run("--database-url", empty_database_url, "db", "upgrade")
    assert (first.code, "schema none -> 0" in first.out) == (0, True)
    again = desk.run("--database-url", empty_database_url, "db", "upgrade")
    assert (again.code, "->" in again.out) == (0, False)
    assert desk.run("--database-url", empty_database_url, "sources").code == 0


def test_the_printed_sql_makes_the_same_schema(desk: Desk, empty_database_url: str) -> None:
    """A database team may run it by hand; the command line finds everything in place then."""
    printed = desk.run("db", "upgrade", "--sql")
    assert printed.code == 0
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(printed.out.encode())
    assert desk.run("--database-url", empty_database_url, "db", "check").code == 0


def test_check_names_each_missing_grant(desk: Desk, role: str) -> None:
    """First the schema itself, then all that a writer needs but one right that somebody took away."""
    desk.query("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    shut_out = desk.run("--database-url", as_role(desk, role), "db", "check")
    assert shut_out.code != 0
    assert f'GRANT USAGE ON SCHEMA "public" TO "{role}"' in " ".join((shut_out.out + shut_out.err).split())
    assert desk.run("db", "grant", role, "--as", "writer").code == 0
    assert desk.run("--database-url", as_role(desk, role), "db", "check").code == 0
    desk.query(f"REVOKE UPDATE ON images FROM {role}")
    desk.query(f"REVOKE SELECT ON image_overview FROM {role}")
    checked = desk.run("--database-url", as_role(desk, role), "db", "check", "--format", "json")
    assert checked.code == 1
    missing = {row["check"]: row["detail"] for row in checked.rows if not row["ok"]}
    assert missing == {
        "UPDATE on images": f'GRANT UPDATE ON TABLE "public"."images" TO "{role}";',
        "SELECT on image_overview": f'GRANT SELECT ON TABLE "public"."image_overview" TO "{role}";',
    }


def test_check_tells_of_a_collation_that_changed_with_the_machine(desk: Desk) -> None:
    """As a restored data folder, or an upgraded C library, leaves it."""
    if desk.query("SELECT 1 FROM pg_database WHERE datname = current_database() AND datcollversion IS NULL"):
        pytest.skip("this server's collation has no version")
    assert desk.run("db", "check").code == 0
    desk.query("UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()")
    checked = desk.run("db", "check", "--format", "json")
    assert checked.code == 1
    assert "REINDEX DATABASE" in checked.out
    assert "REFRESH COLLATION VERSION" in checked.out


def test_a_writer_can_do_all_that_a_sweep_does(desk: Desk, role: str, record: Make) -> None:
    cloud = Cloud("glance", [record(number) for number in range(5)])
    desk.add_source("lab", cloud)
    desk.run("db", "grant", role, "--as", "writer")
    desk.database_url, owner = as_role(desk, role), desk.database_url
    assert desk.run("sync").code == 0
    cloud.delete("image-001")
    cloud.change("image-002", name="other", tags=["x"])
    cloud.add(record(7, __support_kvm_new="true"))
    done = desk.run("sync", "--format", "json").results["lab"]
    assert (done["outcome"], done["inserted"], done["updated"], done["deleted"]) == ("complete", 1, 1, 1)
    desk.database_url = owner


def test_a_reader_queries_every_view_and_writes_nothing(desk: Desk, role: str) -> None:
    assert desk.run("db", "grant", role).code == 0
    views = [name for (name,) in desk.query("SELECT viewname FROM pg_views WHERE schemaname = 'public'")]
    assert "image_overview" in views
    with psycopg.connect(as_role(desk, role), autocommit=True) as connection:
        for view in views:
            connection.execute(f"SELECT * FROM {view} LIMIT 0".encode())
        connection.execute("SELECT * FROM images_as_of(now())")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM images")
    assert desk.run("db", "grant", "nobody_there").code == 2


def test_rights_that_could_not_be_granted_are_no_success(desk: Desk, role: str) -> None:
    """PostgreSQL only warns a reader who grants on; the command fails, and nothing is granted."""
    desk.run("db", "grant", role)
    refused = desk.run("--database-url", as_role(desk, role), "db", "grant", "pg_monitor")
    assert (refused.code, refused.out) == (1, "")
    assert "owner" in refused.error
    assert desk.query("SELECT has_table_privilege('pg_monitor', 'images', 'SELECT')") == [(False,)]


def test_only_what_is_ours_is_granted(desk: Desk, role: str) -> None:
    desk.query("CREATE TABLE somebody_elses (secret text)")
    desk.run("db", "grant", role)
    assert desk.query("SELECT has_table_privilege(%s, 'somebody_elses', 'SELECT')", role) == [(False,)]


def test_the_address_is_printed_without_its_password(desk: Desk, role: str) -> None:
    printed = desk.run("--database-url", as_role(desk, role), "db", "url")
    assert printed.out.startswith(f"postgresql://{role}@")
    assert "s3cr3t" not in printed.out + printed.err
    assert "***" not in printed.out


def test_an_address_is_taken_as_libpq_takes_it(desk: Desk) -> None:
    """And so printed: a socket's folder as percent-encoded host, blanks that are no plus; what libpq would
    refuse is refused before anything else."""
    printed = desk.run("--database-url", "postgresql://me@%2Frun%2Fpg/name", "db", "url")
    assert printed.out == "postgresql://me@/name?host=%2Frun%2Fpg\n"
    blank = "postgresql://me@db/name?application_name=a%20b"
    assert desk.run("--database-url", blank, "db", "url").out == f"{blank}\n"
    wrong = desk.run("--database-url", "postgresql://me@db/name?nonsense=1", "db", "url")
    assert (wrong.code, '"nonsense"' in wrong.error) == (2, True)


def test_the_first_of_several_hosts_that_can_be_written_to_is_taken(desk: Desk) -> None:
    """The daemon's connections, the migrations' and psql's alike."""
    one = parse_database_url(str(desk.database_url))
    hosts, ports = f"127.0.0.1,{one['host']}", f"1,{one.get('port', 5432)}"
    several = one | {"host": hosts, "port": ports, "target_session_attrs": "read-write"}
    desk.database_url = database_url(several, secrets=True)
    for command in (["db", "check"], ["db", "upgrade"], ["db", "shell", "-c", "SELECT 1"], ["runs"]):
        ran = desk.run(*command)
        assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("setting", "variable"),
    [
        ("client_encoding = 'LATIN1'", {"PGCLIENTENCODING": "LATIN1"}),
        ("DateStyle = 'German'", {"PGDATESTYLE": "German"}),
    ],
)
def test_what_the_server_or_the_environment_prefers_changes_nothing(
    desk: Desk, record: Make, setting: str, variable: dict[str, str]
) -> None:
    """Names in any script and times are read and written as ever."""
    (name,) = desk.query("SELECT current_database()")[0]
    desk.query(f'ALTER DATABASE "{name}" SET {setting}')
    desk.add_source("lab", Cloud("glance", [record(1, name="画像")]))
    assert desk.run("sync", **variable).code == 0
    (change,) = desk.run("report", "changes", "--since", "2026-01-01", "--format", "json", **variable).rows
    assert change["name"] == "画像"
    assert change["changed_at"] == "2026-01-02T00:01:00Z"


def test_a_database_that_cannot_hold_every_name_is_refused(desk: Desk, empty_database_url: str) -> None:
    """Before anything is written, with the statement that makes a better one."""
    url = make_url(empty_database_url)
    narrow = f"{url.database}_latin"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {narrow} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0".encode()
        )
        try:
            desk.database_url = url.set(database=narrow).render_as_string(hide_password=False)
            refused = desk.run("db", "upgrade")
            assert (refused.code, "ENCODING 'UTF8'" in refused.error) == (2, True)
            assert desk.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
        finally:
            connection.execute(f"DROP DATABASE {narrow}".encode())


def test_the_shell_gets_the_password_by_the_environment(desk: Desk, role: str) -> None:
    desk.run("db", "grant", role)
    statement = "SELECT current_user, count(*) FROM images"
    shell = ["--database-url", as_role(desk, role), "db", "shell"]
    shown = desk.run(*shell, "-At", "-c", statement)
    assert (shown.code, shown.out) == (0, f"{role}|0\n")
    asked = "\\! echo password=$PGPASSWORD; tr '\\0' ' ' < /proc/$PPID/cmdline\n"
    password, command = desk.run(*shell, "-At", input=asked).out.split("\n", 1)
    assert password == "password=s3cr3t"
    assert "psql" in command
    assert "s3cr3t" not in command
    assert desk.run("db", "shell", "-c", "no sql").code == 1


def test_a_dump_restores_into_another_database(desk: Desk, record: Make, empty_database_url: str) -> None:
    desk.add_source("lab", Cloud("glance", [record(number) for number in range(5)]))
    desk.run("sync")
    assert desk.run("db", "dump", "all.dump").code == 0
    desk.database_url = empty_database_url
    assert desk.run("db", "upgrade").code == 0
    restored = desk.run("db", "restore", "all.dump")
    assert restored.code == 0, restored.err
    assert desk.run("sync", "--format", "json").results["lab"]["unchanged"] == 5
    again = desk.run("db", "restore", "all.dump")
    assert (again.code, "has rows" in again.error) == (2, True)
    missing = desk.run("db", "restore", "nowhere.dump")
    assert (missing.code, "nowhere.dump" in missing.error) == (2, True)


def test_all_of_it_works_in_a_schema_of_its_own(desk: Desk, record: Make, empty_database_url: str) -> None:
    desk.database_url = empty_database_url
    desk.entries.append("[database]\nschema = 'My \"image, catalog\"'\n")
    desk.add_source("lab", Cloud("glance", [record(1)]))
    for command in (
        ["db", "upgrade"],
        ["sync"],
        ["db", "check"],
        ["db", "dump", "x.dump"],
        ["report", "summary"],
    ):
        done = desk.run(*command)
        assert done.code == 0, (command, done.err)
    shown = desk.run("db", "shell", "-At", "-c", "SELECT count(*) FROM images")
    assert shown.out == "1\n", shown.err
    assert desk.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.fixture
def aged(desk: Desk, record: Make) -> Desk:
    """A source whose image was another forty and thirty days ago."""
    cloud = Cloud("glance", [record(1)])
    desk.add_source("lab", cloud)
    for days, name in ((40, "first"), (30, "second")):
        saved = desk.folder / f"{name}.json"
        saved.write_text(json.dumps([record(1, name=name)]))
        desk.run("backfill", "lab", saved.name, "--observed-at", f"{days}d")
    desk.run("sync")
    assert desk.query("SELECT count(*) FROM image_revisions") == [(3,)]
    return desk


def test_prune_plans_first_and_remap_finds_nothing_to_do(aged: Desk) -> None:
    planned = aged.run("db", "prune", "--older-than", "7d", "--plan", "--format", "json")
    assert planned.code == 3
    assert {row["table"]: row["rows"] for row in planned.rows}["revisions"] == 1
    assert aged.query("SELECT count(*) FROM image_revisions") == [(3,)]
    assert aged.run("db", "prune", "--older-than", "1w", "--yes").code == 0
    assert aged.query("SELECT count(*) FROM image_revisions") == [(2,)]
    remapped = aged.run("remap", "--format", "json")
    assert (remapped.code, [row["rows_changed"] for row in remapped.rows]) == (0, [0])


def test_prune_asks_on_a_terminal_and_refuses_without_one(aged: Desk) -> None:
    refused = aged.run("db", "prune", "--older-than", "7d")
    assert (refused.code, "add --yes" in refused.error) == (2, True)
    declined = aged.on_terminal("db", "prune", "--older-than", "7d", input="n\n")
    assert declined.code == 130
    assert re.search(r"Forget all history older than 7 days \(\d+ rows of 1 source\)\? \[y/N\]", declined.out)
    assert "nothing was changed" in declined.out
    assert aged.query("SELECT count(*) FROM image_revisions") == [(3,)]
    assert aged.on_terminal("db", "prune", "--older-than", "7d", input="y\n").code == 0
    assert aged.query("SELECT count(*) FROM image_revisions") == [(2,)]


def test_a_dump_over_a_file_asks_on_a_terminal_and_refuses_without_one(desk: Desk) -> None:
    kept = desk.folder / "all.dump"
    kept.write_text("something else")
    refused = desk.run("db", "dump", "all.dump")
    assert (refused.code, "replace all.dump" in refused.error) == (2, True)
    assert desk.on_terminal("db", "dump", "all.dump", input="n\n").code == 130
    assert kept.read_text() == "something else"
    assert desk.on_terminal("db", "dump", "all.dump", input="y\n").code == 0
    assert desk.run("db", "dump", "all.dump", "--yes").code == 0
    assert desk.run("db", "dump", "/dev/null").code == 2


def test_a_prune_that_cannot_be_is_one_line_that_says_the_way_out(desk: Desk, record: Make) -> None:
    """Longer than any calendar goes back; or images forgotten that the history kept still shows."""
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    for arguments, hint in (
        (["--older-than", "900000000d", "--plan"], "at most"),
        (["--older-than", "400d", "--deleted-images-older-than", "900000d"], "at most"),
        (["--older-than", "400d", "--deleted-images-older-than", "399d"], "give the same duration"),
        (["--older-than", "6m", "--yes"], "days or weeks"),
        (["--older-than", "720h", "--yes"], "days or weeks"),
        (["--older-than", "30", "--yes"], "days or weeks"),
        (["--older-than", "6d", "--yes"], "at least 7d"),
    ):
        wrong = desk.run("db", "prune", *arguments)
        assert (wrong.code, wrong.out) == (2, "")
        assert hint in wrong.error
        assert "--older-than" in wrong.error or "--deleted-images-older-than" in wrong.error
    assert desk.query("SELECT history_from FROM sources") == [(None,)]
    assert desk.run("db", "prune", "--older-than", "365000d", "--yes").code == 0
