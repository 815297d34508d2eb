"""`catalog sources`: the list, logins, and names."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg
import pytest

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from catalog.store.db.connection import ATTEMPTS
from catalog.store.state import leases
from tests.acceptance.cli.conftest import Desk
from tests.integration.faults.refusals import raise_in
from tests.support import citus
from tests.support.faults import status

Make = Callable[..., Record]


def states(desk: Desk) -> dict[str, str]:
    return {row["source"]: row["state"] for row in desk.run("sources", "--format", "json").rows}


def test_the_list_joins_the_configuration_with_what_the_database_knows(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.add_source("new", kind="ims")
    desk.run("sync", "lab")
    rows = {row["source"]: row for row in desk.run("sources", "--format", "json").rows}
    assert rows["lab"] | {"state": "configured", "live_images": 1} == rows["lab"]
    assert rows["lab"]["last_complete_at"] is not None
    assert rows["new"] | {"state": "new", "kind": "ims", "last_complete_at": None} == rows["new"]


def test_a_renamed_source_keeps_its_images_and_goes_on(desk: Desk, record: Make) -> None:
    desk.add_source("old", Cloud("glance", [record(1)]))
    desk.run("sync")
    assert desk.run("sources", "rename", "old", "lab/new").code == 0
    assert states(desk) == {"lab/new": "not configured", "old": "new"}
    desk.entries = [entry.replace('"old"', '"lab/new"') for entry in desk.entries]
    desk.write_configuration()
    assert desk.run("sync", "--format", "json").results["lab/new"]["unchanged"] == 1
    for wrong in (("nobody", "x"), ("lab/new", "lab/new")):
        assert desk.run("sources", "rename", *wrong).code == 2


def test_a_retired_source_stays_with_its_images(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    assert desk.run("sources", "retire", "lab").code == 0
    assert states(desk) == {"lab": "retired"}
    assert desk.query("SELECT count(*) FROM images WHERE deleted_at IS NULL") == [(1,)]
    assert desk.run("sources", "retire", "nobody").code == 2


def test_a_source_of_another_kind_is_refused_until_it_is_adopted(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    desk.entries.clear()
    server = desk.add_source("lab", Cloud("ims", [record(1)]), kind="ims")
    refused = desk.run("sync", "--format", "json")
    assert refused.code == 2
    assert "`catalog sources adopt lab`" in refused.results["lab"]["error"]
    assert server.requests == []
    assert desk.run("sources", "adopt", "lab").code == 0
    assert desk.run("sync", "--format", "json").results["lab"]["outcome"] == "complete"


def test_a_source_that_is_swept_is_not_adopted_meanwhile(
    desk: Desk, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep would hold what it misses for a login that nobody asks about any more, and record none of its own."""
    monkeypatch.setattr(leases, "PATIENCE_SECONDS", 0.1, raising=False)
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    with psycopg.connect(str(desk.database_url)) as somebody:
        somebody.execute(
            "UPDATE leases SET holder = md5(source_id)::uuid, expires_at = now() + interval '1 hour'"
        )
    refused = desk.run("sources", "adopt", "lab")
    assert (refused.code, "source 'lab' is busy; try again" in refused.error) == (5, True)
    assert desk.query("SELECT login IS NOT NULL, endpoint IS NOT NULL FROM sources") == [(True, True)]
    with psycopg.connect(str(desk.database_url)) as somebody:
        somebody.execute("UPDATE leases SET holder = NULL")
    assert desk.run("sources", "adopt", "lab").code == 0


def tables_with_rows(desk: Desk) -> set[str]:
    names = desk.query(
        "SELECT table_name FROM information_schema.columns JOIN pg_class ON relname = table_name AND relkind = 'r'"
        " WHERE column_name = 'source_id' AND table_schema = 'public'"
    )
    return {name for (name,) in names if desk.query(f"SELECT count(*) FROM {name}") != [(0,)]}


def test_a_source_is_removed_with_all_its_rows_and_others_stay(desk: Desk, record: Make) -> None:
    desk.add_source("lab", Cloud("glance", [record(1, tags=["a"]), record(2, id="")]))
    desk.run("sync")
    planned = desk.run("sources", "remove", "lab", "--plan", "--format", "json")
    assert planned.code == 3
    assert {"images", "image_tags", "rejected_records", "runs", "sources"} <= {
        row["table"] for row in planned.rows
    }
    refused = desk.run("sources", "remove", "lab")
    assert (refused.code, "add --yes" in refused.error) == (2, True)
    declined = desk.on_terminal("sources", "remove", "lab", input="n\n")
    assert (declined.code, "Remove source 'lab' with 1 image, " in declined.out) == (130, True)
    assert tables_with_rows(desk) >= {"images", "image_tags", "rejected_records", "runs", "leases", "sources"}
    desk.add_source("other", Cloud("glance", [record(1)]))
    desk.run("sync", "other")
    kept = desk.query(
        "SELECT * FROM images WHERE source_id = (SELECT source_id FROM sources WHERE name = 'other')"
    )
    removed = desk.run("sources", "remove", "lab", "--yes")
    assert (removed.code, "lab is still configured" in removed.err) == (0, True)
    assert desk.query("SELECT name FROM sources") == [("other",)]
    assert desk.query("SELECT * FROM images") == kept
    desk.entries.clear()
    desk.write_configuration()
    assert desk.run("sources", "remove", "other", "--yes").code == 0
    assert tables_with_rows(desk) == set()
    assert desk.run("sources", "remove", "lab", "--yes").code == 2


def test_a_sync_that_reads_nothing_of_a_new_source_leaves_no_row_and_pins_nothing(
    desk: Desk, record: Make
) -> None:
    desk.add_source("lab").faults.add(status(403), times=None)
    failed = desk.run("sync", "--format", "json")
    assert (failed.code, failed.results["lab"]["outcome"], failed.results["lab"]["source_id"]) == (
        1,
        "failed",
        None,
    )
    assert tables_with_rows(desk) == set()
    desk.entries.clear()
    faulty = desk.add_source("lab", Cloud("ims", [record(1)]), kind="ims", region="here")
    assert desk.run("sync").code == 0
    faulty.faults.add(status(403), times=None)
    assert desk.run("sync").code == 1
    assert desk.query("SELECT kind, region FROM sources") == [("ims", "here")]
    assert desk.query("SELECT outcome FROM runs ORDER BY started_at") == [("complete",), ("failed",)]


def test_two_sources_on_one_service_are_warned_of_until_one_is_gone(desk: Desk, record: Make) -> None:
    server = desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    desk.entries.clear()
    desk.add_source("lab/new", endpoint=server.endpoint)
    desk.add_source("elsewhere")
    for command in (["sync"], ["sources"]):
        warned = desk.run(*command)
        assert warned.code == 0
        assert warned.err.startswith("warning: lab, lab/new look at one endpoint, region and project")
        assert "`catalog sources remove lab`" in warned.err
    desk.run("sources", "retire", "lab")
    assert desk.run("sync").err == ""


@citus.unfit("its tables have no triggers")
@pytest.mark.parametrize("arguments", [("rename", "lab", "new"), ("retire", "lab"), ("adopt", "lab")])
def test_another_users_locks_are_waited_out(desk: Desk, record: Make, arguments: tuple[str, ...]) -> None:
    desk.add_source("lab", Cloud("glance", [record(1)]))
    desk.run("sync")
    with psycopg.connect(str(desk.database_url)) as somebody:
        raise_in(somebody, "sources", "40P01", "in the way", times=ATTEMPTS - 1)
    done = desk.run("sources", *arguments)
    assert (done.code, "in the way" in done.err) == (0, True)


def test_check_logs_in_and_lists_one_image_without_any_database(desk: Desk, record: Make) -> None:
    desk.database_url = "postgresql://nobody@127.0.0.1:1/nowhere"
    glance = desk.add_source("lab", Cloud("glance", [record(1), record(2)]))
    desk.add_source("ims", Cloud("ims", [record(3)]), kind="ims")
    desk.add_source("broken").faults.add(status(403), times=None)
    desk.add_source("secretless", auth="token", token_env="NOT_SET")
    checked = desk.run("sources", "--check", "--format", "json")
    assert checked.code == 1
    found = {row["source"]: (row["ok"], row["images"], row["error_kind"]) for row in checked.rows}
    assert found["lab"] == (True, 2, None)
    assert found["ims"] == (True, 1, None)
    assert found["broken"][0] is False
    assert found["secretless"] == (False, None, "config")
    assert glance.requests[0].query["limit"] == "1"
    failed = desk.run("sources", "--check", "--failed", "--format", "json")
    assert [row["source"] for row in failed.rows] == ["broken", "secretless"]
    assert desk.run("sources", "--check", "--source", "lab").code == 0


def test_what_the_loader_of_clouds_yaml_warns_of_is_a_log_line(desk: Desk, record: Make) -> None:
    server = desk.add_source("plain", Cloud("glance", [record(1)]))
    entry = {"auth_type": "none", "profile": "missing", "auth": {"endpoint": server.endpoint}}
    (desk.folder / "clouds.yaml").write_text(json.dumps({"clouds": {"lab": entry}}))
    desk.entries = ['[[sources]]\nname = "lab"\nkind = "glance"\ncloud = "lab"\n']
    desk.write_configuration()
    synced = desk.run("sync")
    assert synced.code == 0
    assert {json.loads(line)["level"] for line in synced.err.splitlines()} == {"warning"}
    assert "vendor profile missing" in synced.err


def test_options_that_do_not_go_together_are_usage_errors(desk: Desk) -> None:
    for arguments in (["--failed"], ["--check", "retire", "lab"]):
        wrong = desk.run("sources", *arguments)
        assert (wrong.code, wrong.error[:7]) == (2, "error: ")


def test_every_command_reads_a_name_with_brackets_and_refuses_a_misspelt_one(
    desk: Desk, record: Make
) -> None:
    desk.add_source("lab[1]", Cloud("glance", [record(1)]))
    desk.add_source("lab1", Cloud("glance", [record(1)]))
    commands = (["sync"], ["sources", "--source"], ["runs"], ["remap"], ["report", "summary", "--source"])
    for command in (*commands, ["db", "prune", "--older-than", "400d", "--plan"]):
        if command == ["sync"]:
            assert list(desk.run(*command, "lab[1]", "--format", "json").results) == ["lab[1]"]
        else:
            found = desk.run(*command, "lab[1]", "--format", "json")
            assert found.code in (0, 3), found.err
            assert {row["source"] for row in found.rows if "source" in row} <= {"lab[1]"}
        wrong = desk.run(*command, "lap")
        assert (wrong.code, "no source is called 'lap'; known: " in wrong.error) == (2, True)
