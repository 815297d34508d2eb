"""What an export leaves in its target, whatever happens to it: the manifest describes one moment."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import CatalogError, UsageError
from catalog.export.manifest import NAME
from catalog.export.sqlite import export_sqlite
from catalog.export.tables import KEYS
from tests.integration.export.conftest import AWKWARD, Catalog, files, manifest
from tests.migration.conftest import surroundings


def names(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - {".lock", NAME}


def check(folder: Path, told: dict[str, Any] | None = None) -> dict[str, Any]:
    """All that the manifest names is there, as it says."""
    told = told or manifest(folder)
    for source in told["sources"]:
        assert set(source["tables"]) == set(told["tables"])
        for table in source["tables"].values():
            assert table["rows"] == sum(file["rows"] for file in table["files"])
            for file in table["files"]:
                content = (folder / file["path"]).read_bytes()
                assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    return told


def test_a_manifest_names_runs_rows_and_hashes(catalog: Catalog, tmp_path: Path) -> None:
    done = catalog.export(tmp_path, "jsonl")
    told = check(tmp_path)
    assert done.written == [source["source"] for source in told["sources"]] == [AWKWARD, "one"]
    assert names(tmp_path) == {
        file["path"] for s in told["sources"] for t in s["tables"].values() for file in t["files"]
    }
    newest = catalog.ask(
        "SELECT DISTINCT ON (source_id) source_id, run_id::text FROM runs ORDER BY source_id, started_at DESC"
    )
    assert {s["source_id"]: s["run_id"] for s in told["sources"]} == {
        r["source_id"]: r["run_id"] for r in newest
    }
    for table in KEYS:
        lines = [line for file in files(tmp_path, table) for line in Path(file).read_text().splitlines()]
        assert len(lines) == catalog.ask(f"SELECT count(*) AS n FROM {table}")[0]["n"]
    assert (tmp_path / "images" / "source=one").is_dir()
    assert (tmp_path / "images" / "source=it%27s %5Ba%5D 100%25 test%2Feu-de é").is_dir()


def test_only_sources_with_a_newer_run_are_written_again(catalog: Catalog, tmp_path: Path) -> None:
    catalog.export(tmp_path)
    before, kept = names(tmp_path), (tmp_path / NAME).read_bytes()
    assert catalog.export(tmp_path).written == []
    assert ((tmp_path / NAME).read_bytes(), names(tmp_path)) == (kept, before)
    catalog.one.sweep()
    done = catalog.export(tmp_path)
    assert (done.written, done.unchanged) == (["one"], [AWKWARD])
    check(tmp_path)
    assert {name for name in before if "source=one/" not in name} <= names(tmp_path)
    assert not {name for name in before if "source=one/" in name} & names(tmp_path)
    assert len(names(tmp_path)) == len(before)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sources SET retired_at = now() WHERE name = 'one'",
        "UPDATE leases SET fence = fence + 1 WHERE source_id = (SELECT source_id FROM sources WHERE name = 'one')",
    ],
    ids=["its own row", "whatever takes the lease: remap, prune, approve, forget"],
)
def test_what_changes_a_source_without_a_run_counts_too(
    catalog: Catalog, tmp_path: Path, change: str
) -> None:
    catalog.export(tmp_path)
    with catalog.database.transaction() as connection:
        connection.execute(change.encode())
    assert catalog.export(tmp_path).written == ["one"]


def test_what_somebody_was_about_to_write_is_in_the_next_export(catalog: Catalog, tmp_path: Path) -> None:
    """Who holds the lease already will not count it up again."""
    with catalog.database.transaction() as connection:
        connection.execute(
            "UPDATE leases SET holder = md5(source_id)::uuid, expires_at = now() + interval '1 minute'"
        )
    catalog.export(tmp_path)
    with catalog.database.transaction() as connection:
        connection.execute("DELETE FROM image_tags")
        connection.execute("UPDATE leases SET holder = NULL")
    assert len(catalog.export(tmp_path).written) == 2
    assert catalog.export(tmp_path).written == []


def test_a_renamed_source_moves_and_a_removed_one_goes(catalog: Catalog, tmp_path: Path) -> None:
    catalog.export(tmp_path)
    with catalog.database.transaction() as connection:
        connection.execute("UPDATE sources SET name = 'new' WHERE name = 'one'")
        connection.execute("DELETE FROM sources WHERE name <> 'new'")
    done = catalog.export(tmp_path)
    assert (done.written, done.removed) == (["new"], [AWKWARD])
    check(tmp_path)
    assert {name.split("/")[1] for name in names(tmp_path)} == {"source=new"}
    assert not (tmp_path / "images" / "source=one").exists()


def test_a_glob_leaves_other_sources_as_they_are(catalog: Catalog, tmp_path: Path) -> None:
    catalog.export(tmp_path)
    catalog.one.sweep()
    catalog.two.sweep()
    assert catalog.export(tmp_path, sources=["on*"]).written == ["one"]
    assert len(check(tmp_path)["sources"]) == 2
    with pytest.raises(UsageError, match="no source is called 'nothing'"):
        catalog.export(tmp_path, sources=["nothing"])


def test_a_file_that_somebody_took_away_is_written_again(catalog: Catalog, tmp_path: Path) -> None:
    catalog.export(tmp_path)
    Path(files(tmp_path, "image_tags")[0]).unlink()
    assert len(catalog.export(tmp_path).written) == 1
    check(tmp_path)


def test_other_peoples_files_stay_and_our_own_remains_go(catalog: Catalog, tmp_path: Path) -> None:
    catalog.export(tmp_path, "csv", tables=["runs"])
    folder = tmp_path / "runs" / "source=one"
    for name in (
        "part-0123456789ab-00000.csv",
        ".part-0123456789ab-00001.csv.k3j_x9",
        "part-mine.csv",
        "notes.txt",
    ):
        (folder / name).write_text("x")
    catalog.export(tmp_path, "csv", tables=["runs"])
    assert {file.name for file in folder.iterdir() if len(file.name) < 20} == {"part-mine.csv", "notes.txt"}
    assert len(list(folder.iterdir())) == 3


def test_a_target_keeps_its_format_and_its_tables(catalog: Catalog, tmp_path: Path) -> None:
    catalog.export(tmp_path, "csv", tables=["runs", "images"])
    assert set(manifest(tmp_path)["tables"]) == {"images", "runs"}
    for file_format, tables in (("csv", ["runs"]), ("csv", []), ("jsonl", ["images", "runs"])):
        with pytest.raises(UsageError, match="holds images, runs as csv; give the same"):
            catalog.export(tmp_path, file_format, tables=tables)
    (tmp_path / NAME).write_text('{"format": "something else"}')
    with pytest.raises(UsageError, match="was not written by this release"):
        catalog.export(tmp_path, "csv", tables=["runs", "images"])


def test_two_exports_never_share_a_folder(catalog: Catalog, tmp_path: Path) -> None:
    def beside(rows: int) -> None:
        with pytest.raises(CatalogError, match="another export is at work there"):
            catalog.export(tmp_path)

    assert catalog.export(tmp_path, progress=beside).written


def test_what_a_sweep_writes_meanwhile_is_not_half_in_it(catalog: Catalog, tmp_path: Path) -> None:
    """One snapshot: a merge in the middle of an export shows in none of its tables."""
    expected = {table: catalog.ask(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in KEYS}

    def meanwhile(rows: int) -> None:
        if len(ran) < 1:
            ran.append(rows)
            catalog.one.cloud.add({**catalog.one.cloud.records[0], "id": "meanwhile"})
            catalog.one.sweep()

    ran: list[int] = []
    catalog.export(tmp_path, progress=meanwhile)
    told = check(tmp_path)
    assert ran
    assert {t: sum(s["tables"][t]["rows"] for s in told["sources"]) for t in KEYS} == expected
    assert catalog.export(tmp_path).written == ["one"]


def test_killed_at_any_moment_the_manifest_describes_one_moment(
    catalog: Catalog, tmp_path: Path, database_url: str
) -> None:
    """`kill -9` of real exports; what the manifest names is whole, and of the moment that it names."""
    chance = random.Random(22)
    folder = tmp_path / "lake"
    catalog.export(folder, "jsonl")
    command = [sys.executable, "-m", "catalog", "export", str(folder), "--format", "jsonl"]
    options = {k: v for k, v in surroundings(database_url, tmp_path).items() if k != "capture_output"}
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, **options)
    length = time.monotonic() - began
    moments = {told_of(catalog)}
    for turn in range(12):
        catalog.one.cloud.add({**catalog.one.cloud.records[0], "id": f"turn-{turn}"})
        catalog.one.sweep()
        catalog.two.sweep()
        moments.add(told_of(catalog))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        time.sleep(length * chance.uniform(0.5, 1.2))
        process.kill()
        process.wait()
        told = check(folder)
        assert tuple(sum(s["tables"][t]["rows"] for s in told["sources"]) for t in KEYS) in moments
    catalog.export(folder, "jsonl")
    told = check(folder)
    assert names(folder) == {
        f["path"] for s in told["sources"] for t in s["tables"].values() for f in t["files"]
    }


def told_of(catalog: Catalog) -> tuple[int, ...]:
    """Rows of each table: every sweep adds to some, so they tell moments apart."""
    return tuple(catalog.ask(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in KEYS)


def test_one_sqlite_file_with_its_descriptions(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    for _ in range(2):  # the second one replaces the first
        with catalog.database.transaction(read_only=True) as connection:
            rows = export_sqlite(connection, file)
    with sqlite3.connect(file) as lite:
        counts = {table: lite.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in KEYS}
        assert counts == {table: catalog.ask(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in KEYS}
        assert sum(counts.values()) == rows
        tagged = lite.execute(
            "SELECT image_id FROM images, json_each(tags) AS tag JOIN sources USING (source_id)"
            " WHERE tag.value = 'x,y' AND deleted_at IS NULL ORDER BY 1"
        ).fetchall()
        assert tagged == [
            (row["image_id"],)
            for row in catalog.ask(
                "SELECT image_id FROM images WHERE 'x,y' = ANY (tags) AND deleted_at IS NULL ORDER BY 1"
            )
        ]
        (text,) = lite.execute("SELECT sql FROM sqlite_master WHERE name = 'images'").fetchone()
        assert "When the image was deleted" in text
    described = json.loads((tmp_path / "catalog.metadata.json").read_text())["databases"]["catalog"]["tables"]
    assert set(described) == set(KEYS)
    assert described["images"]["columns"]["deleted_at"].startswith("When the image was deleted")


def test_no_other_file_is_replaced_by_a_sqlite_file(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    file.write_text("something of somebody's")
    with catalog.database.transaction(read_only=True) as connection:
        with pytest.raises(UsageError, match="is not a SQLite file"):
            export_sqlite(connection, file)
    assert file.read_text() == "something of somebody's"
