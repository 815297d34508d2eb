"""`catalog sync`: what it prints, its exit codes, and that sources leave one another alone."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from catalog.config.settings import DatabaseSettings
from catalog.demo import Cloud
from catalog.demo.cloud import Record
from catalog.store.db.connection import Database
from catalog.store.db.tables import runs
from catalog.store.state import leases
from tests.acceptance.cli.conftest import Desk
from tests.support.faults import hang, status

Make = Callable[..., Record]


def test_json_is_one_object_a_source_one_a_line_with_the_columns_of_runs(desk: Desk, record: Make) -> None:
    """Standard output holds nothing else; the second sweep finds nothing to do."""
    desk.add_source("a", Cloud("glance", [record(1, min_disk="abc"), record(2)]))
    desk.add_source("b", Cloud("ims", [record(3)]), kind="ims")
    first = desk.run("sync", "--format", "json")
    assert first.code == 0
    assert set(first.results) == {"a", "b"}
    assert list(first.results["a"]) == ["source", *(column.name for column in runs.columns)]
    assert first.results["a"] | {"outcome": "complete", "listed": 2, "inserted": 2} == first.results["a"]
    assert first.results["a"]["started_at"].endswith("Z")
    assert "min_disk" in first.err
    stored = desk.query(
        "SELECT source_id, run_id::text FROM runs r JOIN sources s USING (source_id) WHERE name = 'b'"
    )
    assert stored == [(first.results["b"]["source_id"], first.results["b"]["run_id"])]
    second = desk.run("sync", "--format", "json")
    assert {name: row["unchanged"] for name, row in second.results.items()} == {"a": 2, "b": 1}


def test_the_table_is_a_line_a_source(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1)]))
    done = desk.run("sync")
    assert done.out.startswith("lab: complete, 1 listed, 1 inserted, ")
    assert done.out.count("\n") == 1
    assert done.err == ""


def test_a_plan_writes_nothing_and_exits_3_if_something_would_change(desk: Desk, record: Make) -> None:
    cloud = Cloud("glance", [record(1), record(2)])
    desk.add_source("lab", cloud)
    planned = desk.run("sync", "--plan")
    assert planned.code == 3
    assert planned.out == (
        "lab: complete, 2 listed, would insert 2\n  insert   image-001  name 1\n  insert   image-002  name 2\n"
    )
    assert desk.query("SELECT count(*) FROM sources") == [(0,)]
    desk.run("sync")
    cloud.delete("image-001")
    planned = desk.run("sync", "--plan")
    assert (planned.code, planned.out) == (
        3,
        "lab: complete, 1 listed, would delete 1\n  delete   image-001  name 1\n",
    )
    told = desk.run("sync", "--plan", "--format", "jsonl").results["lab"]["planned"]
    assert told == [{"change": "delete", "image_id": "image-001", "name": "name 1"}]
    desk.run("sync")
    assert desk.run("sync", "--plan").code == 0


def test_a_failing_source_leaves_the_others_alone(desk: Desk, record: Make) -> None:
    """Exit 1, the other one's images are there, and the failure of what was read before is in the ledger."""
    desk.add_source("good", Cloud("glance", [record(1)]))
    bad = desk.add_source("bad")
    desk.run("sync")
    bad.faults.add(status(500), times=None)
    desk.add_source("secretless", auth="token", token_env="NOT_SET")
    done = desk.run("sync", "--format", "json")
    assert done.code == 1
    outcomes = {name: (row["outcome"], row["error_kind"]) for name, row in done.results.items()}
    assert outcomes == {
        "good": ("complete", None),
        "bad": ("failed", "upstream"),
        "secretless": ("failed", "config"),
    }
    assert desk.query("SELECT count(*) FROM images") == [(1,)]
    assert desk.query(
        "SELECT name FROM runs JOIN sources USING (source_id) WHERE outcome = 'failed' ORDER BY 1"
    ) == [("bad",)]


def test_a_failure_is_on_standard_error_with_its_host_and_a_way_out(desk: Desk, record: Make) -> None:
    desk.add_source("good", Cloud("glance", [record(1)]))
    desk.add_source("away", endpoint="http://127.0.0.1:1")
    done = desk.run("sync")
    assert (done.code, done.out.startswith("good: complete, "), done.out.count("\n")) == (1, True, 1)
    assert done.error.startswith("error: away: failed; ")
    assert "no connection to 127.0.0.1:1 " in done.error
    assert "check its address" in done.error


def test_a_configuration_that_a_sweep_finds_wrong_exits_2_unless_something_was_read(
    desk: Desk, record: Make
) -> None:
    desk.add_source("secretless", auth="token", token_env="NOT_SET")
    wrong = desk.run("sync")
    assert (wrong.code, "NOT_SET" in wrong.error) == (2, True)
    desk.add_source("good", Cloud("glance", [record(1)]))
    assert desk.run("sync").code == 1


def test_each_v_tells_more_of_a_sweep_and_q_nothing_that_is_well(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(number) for number in range(5)]), page_size=2)

    def events(*options: str) -> list[str]:
        return [json.loads(line)["event"] for line in desk.run(*options, "sync").err.splitlines()]

    assert events() == []
    assert (events("-v").count("page read"), events("-v").count("request")) == (3, 0)
    assert events("-vv").count("request") >= 4
    quiet = desk.run("-q", "sync")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert desk.run("-q", "sync", "--format", "json").results["lab"]["unchanged"] == 5
    assert desk.run("-q", "-v", "sync").code == 2


def test_a_terminal_shows_pages_while_they_are_read(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(number) for number in range(6)]), page_size=2)
    shown = desk.on_terminal("sync", columns=120)
    assert (shown.code, "images, now lab" in shown.out) == (0, True)
    assert ", 6 listed, 6 inserted" in shown.out


def test_held_deletions_exit_4_until_they_are_accepted(desk: Desk, record: Make) -> None:
    cloud = Cloud("glance", [record(number) for number in range(20)])
    desk.add_source("lab", cloud)
    desk.run("sync")
    for number in range(12):
        cloud.delete(f"image-{number:03d}")
    held = desk.run("sync")
    assert held.code == 4
    assert "12 deletions held, see `catalog deletions list lab`" in held.out
    assert "warning: lab: 12 deletions held; decide by `catalog deletions list lab`" in held.err
    assert desk.run("sync", "--plan").code == 4
    accepted = desk.run("sync", "--accept-deletions", "--format", "json")
    assert (accepted.code, accepted.results["lab"]["deleted"]) == (0, 12)


def test_a_busy_source_exits_5_or_is_waited_for(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    with Database(DatabaseSettings(url=desk.database_url, data_dir=Path())) as database:
        with database.transaction() as connection:
            source_id = str(desk.query("SELECT source_id FROM sources")[0][0])
            lease = leases.acquire(connection, source_id, str(uuid.uuid4()))
        assert lease is not None
        busy = desk.run("sync", "--format", "json", "--wait", "1s")
        assert (busy.code, busy.results["lab"]["outcome"]) == (5, "busy")
        assert desk.query("SELECT count(*) FROM runs") == [(1,)]
        waiting = subprocess.Popen(
            desk.command("sync", "--wait", "60s"),
            cwd=desk.folder,
            env=desk.environment(),
            stdout=subprocess.PIPE,
        )
        time.sleep(4)  # so long that it looks more than once
        leases.release(database, lease)
        assert waiting.communicate()[0].startswith(b"lab: complete")
        assert waiting.returncode == 0


def test_globs_choose_sources_and_a_name_that_fits_none_is_a_usage_error(desk: Desk) -> None:
    desk.add_source("otc/a")
    desk.add_source("otc/b")
    desk.add_source("lab")
    assert set(desk.run("sync", "otc/*", "--format", "json").results) == {"otc/a", "otc/b"}
    wrong = desk.run("sync", "lab", "zzz")
    assert wrong.code == 2
    assert "'zzz'; known: otc/a, otc/b, lab" in wrong.error
    assert desk.query("SELECT count(*) FROM sources WHERE name = 'lab'") == [(0,)]


def test_a_cloud_named_by_os_cloud_alone_is_the_source(desk: Desk, record: Make) -> None:
    server = desk.add_source("unused", Cloud("glance", [record(1)]))
    (desk.folder / "catalog.toml").unlink()
    (desk.folder / "clouds.yaml").write_text(
        f"clouds:\n  mine:\n    auth_type: none\n    auth: {{endpoint: '{server.endpoint}'}}\n"
        f"    image_endpoint_override: '{server.endpoint}'\n"
    )
    done = desk.run("sync", "--format", "json", OS_CLOUD="mine")
    assert (done.code, done.results["mine"]["inserted"]) == (0, 1), done.err


def test_a_wrong_configuration_is_one_line_and_nothing_is_asked(desk: Desk) -> None:
    server = desk.add_source("lab", paging_size=5)
    wrong = desk.run("sync")
    assert wrong.code == 2
    assert "catalog.toml" in wrong.error
    assert "paging_size" in wrong.error
    assert server.requests == []


def test_a_database_without_schema_names_the_command_that_helps(desk: Desk, empty_database_url: str) -> None:
    server = desk.add_source("lab")
    wrong = desk.run("--database-url", empty_database_url, "sync")
    assert (wrong.code, "run `catalog db upgrade`" in wrong.error) == (2, True)
    assert server.requests == []


def test_an_unreachable_database_is_one_line_without_its_password(desk: Desk) -> None:
    desk.add_source("lab")
    away = desk.run("--database-url", "postgresql://u:s3cr3t@127.0.0.1:1/x", "-v", "sync")
    assert away.code == 1
    assert "postgresql://u@127.0.0.1:1/x cannot be reached" in away.error
    assert "s3cr3t" not in away.err


def test_an_interrupt_ends_the_sweep_politely(desk: Desk, record: Make) -> None:
    """Exit 130, the run is closed in the ledger, and the source is free at once."""
    server = desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    server.requests.clear()
    server.faults.add(hang())
    process = subprocess.Popen(
        desk.command("sync"),
        cwd=desk.folder,
        env=desk.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        while not server.requests:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == b""
    assert b"error: lab: failed; " in err
    assert desk.query("SELECT outcome, finished_at IS NOT NULL FROM runs ORDER BY started_at")[1:] == [
        ("failed", True)
    ]
    assert desk.query("SELECT holder FROM leases") == [(None,)]
