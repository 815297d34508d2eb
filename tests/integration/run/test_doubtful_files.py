"""Files that are not what they are taken for: output of the `openstack` client, a wrong time, a wrong source."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.errors import UsageError
from catalog.fetch.files.client_output import SAVE
from catalog.store.db.connection import Database
from tests.support.records import hour, image, listing, name_of, named, write
from tests.support.rows import contents_of, images, live, rows, snapshot, wipe
from tests.support.world import source

OWN = {
    "id", "name", "status", "visibility", "created_at", "updated_at", "tags", "owner", "protected", "size",
    "min_ram", "min_disk", "checksum", "container_format", "disk_format", "file", "schema", "virtual_size",
}  # fmt: skip


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """As `openstack image show -f json` prints it."""
    properties = {key: value for key, value in record.items() if key not in OWN}
    return {**{key: value for key, value in record.items() if key in OWN}, "properties": properties}


def test_what_image_show_prints_is_the_record(database: Database, tmp_path: Path) -> None:
    """One object a file or many in a row, as a loop over all ids saves them: the same history as the API's."""
    records = [
        image(n, os_hidden=False, hw_rng=1.50, stores="fs", min_ram=512, locations=[{"url": "http://h/x"}])
        for n in range(2)
    ]
    backfill(database, source(), [write(tmp_path, named(1), {"images": records})], complete=True)
    text = "".join(json.dumps(shown(one), indent=2) + "\n" for one in records)
    result = backfill(database, source(), [write(tmp_path, named(2), text.encode())], complete=True)
    assert (result.failures, result.runs[0].unchanged, result.runs[0].listed) == ([], 2, 2)
    assert len(rows(database, "SELECT * FROM revisions")) == 2
    expected = contents_of(database, "s")
    wipe(database)
    for number in (2, 1):
        backfill(database, source(), [tmp_path / named(number)], complete=True)
    assert contents_of(database, "s") == expected


@pytest.mark.parametrize("fails", [None, "image-000", "image-001", "image-002"])
def test_the_command_that_saves_a_listing_spoils_it_where_an_image_is_not_shown(
    database: Database, tmp_path: Path, fails: str | None
) -> None:
    """The loop goes on behind a client that failed for one image, first, last or between."""
    client, saved = tmp_path / "bin" / "openstack", tmp_path / named(2)
    client.parent.mkdir()
    lists = " ".join(name_of(n) for n in range(3))
    client.write_text(f"""#!/bin/sh
if [ "$2" = list ]; then echo {lists}
elif [ "$5" = "{fails}" ]; then exit 1
else echo "{{\\"id\\": \\"$5\\", \\"status\\": \\"active\\"}}"
fi
""")
    client.chmod(0o755)
    environment = {"PATH": f"{client.parent}:/usr/bin:/bin"}
    subprocess.run(
        ["bash", "-c", SAVE.replace("images.json", saved.name)], cwd=tmp_path, env=environment, check=True
    )
    backfill(database, source(), [write(tmp_path, named(1), listing(0, 1, 2))], complete=True)
    result = backfill(database, source(), [saved], complete=True)
    assert (len(live(database)), len(result.failures), len(result.runs)) == (
        3,
        int(bool(fails)),
        int(not fails),
    )


def test_one_record_alone_is_no_whole_listing(database: Database, tmp_path: Path) -> None:
    """What `image show` prints of one image says nothing of others; a list or a page of one does."""
    backfill(database, source(), [write(tmp_path, named(1), listing(*range(5)))], complete=True)
    one = write(tmp_path, named(2), json.dumps(shown(image(0)), indent=2).encode())
    result = backfill(database, source(), [one], complete=True)
    assert ("--complete" in result.failures[0].reason, result.runs) == (True, [])
    assert rows(database, "SELECT * FROM images WHERE deleted_at IS NOT NULL") == []
    assert len(backfill(database, source(), [one]).runs) == 1
    for number, whole in ((3, [image(0)]), (4, listing(0))):
        run = backfill(database, source(), [write(tmp_path, named(number), whole)], complete=True).runs[0]
        assert run.proves_absence


def test_what_an_old_client_shows_is_refused(database: Database, tmp_path: Path) -> None:
    record = {**shown(image(1)), "properties": "os_distro='ubuntu', stores='fs'"}
    (failure,) = backfill(database, source(), [write(tmp_path, named(1), record)]).failures
    assert "old openstack clients" in failure.reason
    assert images(database) == {}


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), quoting=csv.QUOTE_NONNUMERIC)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


LISTED = [{"ID": f"image-{n}", "Name": "ubuntu", "Status": "active"} for n in range(3)]
LISTS = {
    "json": json.dumps(LISTED, indent=2),
    "json, in one line": json.dumps(LISTED),
    "csv": _csv(LISTED),
    "yaml": "".join(f"- ID: {one['ID']}\n  Name: {one['Name']}\n  Status: active\n" for one in LISTED),
    "table": "+------+--------+\n| ID   | Name   |\n+------+--------+\n| a    | b      |\n+------+--------+\n",
}


@pytest.mark.parametrize("form", LISTS)
def test_what_image_list_prints_is_refused_with_the_way_out(
    database: Database, tmp_path: Path, form: str
) -> None:
    result = backfill(database, source(), [write(tmp_path, named(1), LISTS[form].encode())])
    assert "openstack image show -f json" in result.failures[0].reason
    assert images(database) == {}


def test_a_record_that_was_created_later_is_refused_with_its_file(database: Database, tmp_path: Path) -> None:
    """But for what clocks may differ by, and a date in the future, which tells of a clock alone."""
    late = [image(1), image(2, created_at=hour(2).isoformat())]
    good = write(tmp_path, named(1, "-good"), listing(3))
    result = backfill(database, source(), [write(tmp_path, named(1), late), good])
    assert "image-002 was created at" in result.failures[0].reason
    assert "--observed-at" in result.failures[0].reason
    assert images(database).keys() == {"image-003"}
    for at in (hour(2), hour(3)):
        assert backfill(database, source(), [tmp_path / named(1)], observed_at=at).failures == []
    future = write(tmp_path, named(1, "-future"), [image(4, created_at="2099-01-01T00:00:00Z")])
    assert backfill(database, source(), [future]).failures == []


def test_a_listing_of_another_source_is_refused_unless_somebody_says_so(
    database: Database, tmp_path: Path
) -> None:
    backfill(database, source("eu-de"), [write(tmp_path, named(1), listing(*range(18)))])
    strange = write(tmp_path, named(2), listing(*range(19)))
    before = snapshot(database)
    for name in ("eu-nl", "new"):
        with pytest.raises(UsageError, match=r"known in 'eu-de' and not in .*--yes.*nothing was written"):
            backfill(database, source(name), [strange])
    assert snapshot(database) == before
    backfill(database, source("eu-nl"), [write(tmp_path, named(1, "-nl"), listing(*range(100, 120)))])
    # among files of its own it is one that the others go on without
    own = write(tmp_path, named(3, "-nl"), listing(*range(100, 121)))
    mine = write(tmp_path, named(1, "-nl2"), listing(*range(100, 119)))
    result = backfill(database, source("eu-nl"), [mine, strange, own])
    assert [failure.path for failure in result.failures] == [str(strange)]
    assert len(result.runs) == 2
    assert len(backfill(database, source("eu-nl"), [strange], confirmed=True).runs) == 1
    # another kind's ids mean nothing
    assert len(backfill(database, source("ims", kind="ims"), [strange]).runs) == 1
