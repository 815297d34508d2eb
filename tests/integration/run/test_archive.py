"""The archive of sweeps: what it holds, how it is written, and a database made from nothing else (semantics 7)."""

from __future__ import annotations

import gzip
import json
import os
import stat
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill, find_source
from catalog.backfill.forgetting import forget
from catalog.config.settings import DatabaseSettings, Settings
from catalog.errors import UsageError
from catalog.fetch.files.reader import Dump, open_dump
from catalog.store.db.connection import Database
from catalog.sync import archive as writer
from tests.support.faults import body, status
from tests.support.records import image, name_of, too_deep, write
from tests.support.rows import HISTORY, SWEEPS, contents_of, rows, snapshot, wipe
from tests.support.world import Site, Sites, source

os_open = os.open


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def opened(path: Path) -> Dump:
    dump = open_dump(path)
    for _ in dump.read():
        pass
    return dump


# ---- writing ---------------------------------------------------------------------------------------


def test_folders_that_it_makes_are_their_owners_alone(sites: Sites, tmp_path: Path) -> None:
    """One that was there stays as it is."""
    tmp_path.chmod(0o755)
    sites.open("ims", images=1, archive=tmp_path / "new" / "archive").sweep()
    made = [tmp_path / "new", tmp_path / "new" / "archive", tmp_path / "new" / "archive" / "s"]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (tmp_path, *made)] == [0o755, *[0o700] * 3]


def test_each_sweep_leaves_one_file(sites: Sites, tmp_path: Path) -> None:
    """Named by its moment, in its source's folder, readable by its owner alone; header, records, trailer."""
    site = sites.open("ims", images=3, region="r1", archive=tmp_path)
    runs = [site.sweep(), site.sweep()]
    paths = files(tmp_path)
    assert [path.parent for path in paths] == [tmp_path / "s"] * 2
    for run, path in zip(runs, paths, strict=True):
        assert run.observed_at is not None
        assert path.name == f"{run.observed_at:%Y%m%dT%H%M%S.%fZ}-{run.run_id[:8]}.jsonl.gz"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        dump = opened(path)
        assert dump.header is not None
        assert (dump.header.kind, dump.header.source, dump.header.run_id) == ("ims", "s", run.run_id)
        assert dump.header.observed_at == run.observed_at
        assert dump.trailer is not None
        assert {one.name: one.verdict for one in dump.trailer.passes} == {
            "listed": "complete",
            "pending": "complete",
        }
    lines = gzip.decompress(paths[0].read_bytes()).splitlines()
    assert sorted(json.loads(line)["id"] for line in lines[1:-1]) == [name_of(n) for n in range(3)]


def test_no_archive_unless_asked_for(sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sites.open().sweep()
    assert files(tmp_path) == []


def test_no_secret_is_archived(sites: Sites, tmp_path: Path) -> None:
    """Neither what credentials are cut out of, nor what the source redacts, in listed and in rejected records."""
    secrets: dict[str, Any] = {
        "direct_url": "swift+https://user:hush@host/x?temp_sig=hush",
        "password": "hush",
    }
    rejected = {**too_deep("bad"), **secrets}
    site = sites.open(images=[image(1, **secrets), rejected], archive=tmp_path, redact=("password",))
    assert site.sweep().rejected == 1
    content = gzip.decompress(files(tmp_path)[0].read_bytes())
    assert b"host/x" in content
    assert b"hush" not in content


@pytest.mark.parametrize("name", ["otc/eu-de/proj", "../up", "..", ".hidden", "a\nb", "100%"])
def test_a_sources_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    folder = writer.folder_of(tmp_path, name)
    assert folder.parent == tmp_path
    assert not folder.name.startswith(".")
    assert folder.name.isprintable()


def test_a_failed_sweep_leaves_no_file(sites: Sites, tmp_path: Path) -> None:
    site = sites.open(archive=tmp_path)
    site.server.faults.add(body(b"<html>"), times=None)
    assert site.sweep().outcome == "failed"
    assert files(tmp_path) == []


def test_a_sweep_goes_on_without_its_archive(sites: Sites, tmp_path: Path) -> None:
    """A folder that cannot be made is logged, and the catalog is true all the same."""
    (tmp_path / "file").write_text("in the way")
    site = sites.open(archive=tmp_path / "file")
    assert site.sweep().outcome == "complete"
    assert len(site.live()) == 3


def test_a_full_disk_costs_the_archive_alone(
    sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing half-written is left behind."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    monkeypatch.setattr(writer.os, "open", lambda path, flags, mode: os_open("/dev/full", os.O_WRONLY))
    site = sites.open(archive=tmp_path)
    assert site.sweep().outcome == "complete"
    assert len(site.live()) == 3
    assert files(tmp_path) == []


SOURCES = "SELECT kind, endpoint, region, project_id, last_complete_at, observed_since FROM sources"


# ---- rebuilding ------------------------------------------------------------------------------------


def a_lively_month(site: Site) -> None:
    """Sweeps that meet everything: changes, deletions, hidden and forbidden images, faults, held deletions
    that are returned or accepted, rejected records, reported deletions, an image that comes back."""
    cloud, server = site.cloud, site.server
    site.sweep()
    cloud.change(name_of(1), name="renamed", tags=["a", "b"], __support_kvm=...)
    cloud.delete(name_of(2))
    cloud.forbid(name_of(3))
    cloud.hide(name_of(4))
    site.sweep()
    cloud.add(too_deep(name_of(5)))
    cloud.add({"name": "no id", "id": ""})
    site.sweep()
    cloud.delete("")
    server.faults.add(status(503), when=lambda request: "marker" in request.query, times=4)
    assert site.sweep().outcome == "partial"
    server.faults.clear()
    cloud.add(image(2, name="back"))
    cloud.add(image(5))
    site.sweep()
    cloud.change(name_of(6), status="deleted")
    server.faults.add(status(500), when=lambda request: request.path.endswith(name_of(7)), times=None)
    cloud.delete(name_of(7))
    site.sweep()
    server.faults.clear()
    gone = [name_of(n) for n in range(8, 22)]
    for image_id in gone:
        cloud.delete(image_id)
    assert site.sweep(changed={"lookup_limit": 0}).held > 10
    cloud.add(image(8))
    site.sweep(changed={"lookup_limit": 5})
    site.sweep(changed={"lookup_limit": 0}, accept_deletions=True)
    cloud.add(image(40))
    site.sweep(changed={"filters": {"status": "active"}})
    site.sweep()


@pytest.mark.parametrize("kind", ["glance", "ims"])
def test_a_database_rebuilt_from_the_archive_alone_is_the_same(
    database: Database, sites: Sites, tmp_path: Path, kind: str
) -> None:
    """Every table, look-ups, held deletions and rejected records included."""
    site = sites.open(kind, images=24, archive=tmp_path)
    a_lively_month(site)
    tables = (*HISTORY, *SWEEPS)
    expected = contents_of(database, "s", tables)
    # a Glance that hides images lists them in a pass of its own
    empty = {table for table, content in expected.items() if not content}
    assert empty == ({"lookups"} if kind == "glance" else set()), "the month meets everything"
    stored = rows(database, SOURCES)
    wipe(database)
    nothing = Settings(DatabaseSettings(url=None, data_dir=tmp_path), ())
    settings = find_source(database, nothing, "s", paths=[tmp_path])
    assert settings.kind == kind
    result = backfill(database, settings, [tmp_path])
    assert (result.failures, len(result.runs)) == ([], 11)
    again = contents_of(database, "s", tables)
    for table, content in expected.items():
        assert again[table] == content, table
    assert rows(database, SOURCES) == stored


def test_in_any_order_the_history_is_the_same(database: Database, sites: Sites, tmp_path: Path) -> None:
    """One file per command, the newest first; then each once more, which writes nothing."""
    site = sites.open(images=24, archive=tmp_path)
    a_lively_month(site)
    tables = (*HISTORY, "run_passes", "rejected_records", "lookups")
    expected = contents_of(database, "s", tables)
    wipe(database)
    for path in reversed(files(tmp_path)):
        assert backfill(database, source(), [path]).failures == []
    assert contents_of(database, "s", tables) == expected
    before = snapshot(database)
    result = backfill(database, source(), [tmp_path], accept_deletions=True)
    assert (result.runs, result.unchanged, result.held) == ([], 11, 0)
    assert snapshot(database) == before


def test_loading_the_archive_beside_its_sweeps_writes_nothing(
    database: Database, sites: Sites, tmp_path: Path
) -> None:
    """It keeps the runs' ids, so each is known."""
    site = sites.open(archive=tmp_path)
    for _ in range(3):
        site.sweep()
    before = snapshot(database)
    assert backfill(database, site.source, [tmp_path]).unchanged == 3
    assert snapshot(database) == before


def test_a_forgotten_sweep_comes_back_from_the_archive_if_asked_for(
    database: Database, sites: Sites, tmp_path: Path
) -> None:
    site = sites.open(images=6, archive=tmp_path)
    runs = [site.sweep()]
    site.cloud.delete(name_of(1))
    site.cloud.change(name_of(2), name="new")
    runs.append(site.sweep())
    site.cloud.add(image(1))
    runs.append(site.sweep())
    expected = contents_of(database, "s")
    forget(database, site.source, runs[1].run_id)
    assert contents_of(database, "s") != expected
    (hidden,) = tmp_path.rglob(".*.forgotten")
    assert len(backfill(database, site.source, [hidden], confirmed=True).runs) == 1
    assert contents_of(database, "s") == expected


def test_an_archive_without_its_trailer_proves_no_absence(
    database: Database, sites: Sites, tmp_path: Path
) -> None:
    site = sites.open(archive=tmp_path)
    site.sweep()
    site.cloud.delete(name_of(1))
    site.sweep()
    path = files(tmp_path)[1]
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-1])))
    wipe(database)
    result = backfill(database, source(), [tmp_path], complete=True)
    assert [run.outcome for run in result.runs] == ["complete", "partial"]
    assert len(site.live()) == 3


def test_a_cut_archive_beside_the_whole_one_changes_nothing_in_whatever_order(
    database: Database, sites: Sites, tmp_path: Path
) -> None:
    """Each is a part of one observation, which is complete once the whole one has come."""
    site = sites.open(images=4, archive=tmp_path)
    site.sweep()
    (path,) = files(tmp_path)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    parts = [
        write(tmp_path / "parts", f"{name}.jsonl", b"".join(lines[:end]))
        for name, end in (("whole", None), ("half", 3), ("less", 2))
    ]
    found = []
    for order in permutations(parts):
        wipe(database)
        for part in order:
            assert len(backfill(database, source(), [part]).runs) == 1
        found.append(contents_of(database, "s"))
        again = backfill(database, source(), parts)
        assert (again.runs, again.unchanged) == ([], 3)
        assert [row["complete"] for row in rows(database, "SELECT complete FROM observations")] == [True]
        assert len(site.live()) == 4
    assert found == [found[0]] * 6


def test_a_damaged_archive_is_named_and_the_others_go_on(
    database: Database, sites: Sites, tmp_path: Path
) -> None:
    site = sites.open(archive=tmp_path)
    for _ in range(3):
        site.sweep()
    path = files(tmp_path)[1]
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content.replace(b"name 1", b"name 7")))
    wipe(database)
    result = backfill(database, source(), [tmp_path])
    assert [(one.path, one.line) for one in result.failures] == [(str(path), 5)]
    assert "checksum" in result.failures[0].reason
    assert len(result.runs) == 2


def test_an_archive_of_another_source_is_refused(database: Database, sites: Sites, tmp_path: Path) -> None:
    """By kind, region or project: its images would be taken for this one's. Nothing is written."""
    one = sites.open("ims", region="r1", archive=tmp_path)
    one.sweep()
    path = files(tmp_path)[0]
    before = snapshot(database)
    with pytest.raises(UsageError, match="kind"):
        backfill(database, source("g", kind="glance"), [path])
    assert snapshot(database) == before
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO sources (source_id, name, kind, created_at) VALUES ('x', 'x', 'ims', now())"
        )
    header = json.loads(gzip.decompress(path.read_bytes()).splitlines()[0]) | {"project_id": "p1"}
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(header, separators=(",", ":")) + "\n")
    for region, project, what in (("r9", None, "region"), (None, "p9", "project")):
        with database.transaction() as connection:
            connection.execute(
                "UPDATE sources SET region = %s, project_id = %s WHERE name = 'x'", (region, project)
            )
        with pytest.raises(UsageError, match=what):
            backfill(database, source("x", kind="ims"), [other])
    assert rows(database, "SELECT * FROM runs WHERE source_id = 'x'") == []


def test_an_archive_of_another_region_is_refused_by_a_source_that_is_only_configured(
    database: Database, sites: Sites, tmp_path: Path
) -> None:
    """Else its first sweep would find a region recorded that it does not meet."""
    sites.open("ims", region="r1", archive=tmp_path).sweep()
    with pytest.raises(UsageError, match="region"):
        backfill(database, source("new", kind="ims", region="r2"), [tmp_path])
    assert rows(database, "SELECT FROM sources WHERE name = 'new'") == []
    assert (
        len(backfill(database, source("new", kind="ims", region="r1"), [tmp_path], confirmed=True).runs) == 1
    )


def test_the_option_beats_the_header(database: Database, sites: Sites, tmp_path: Path) -> None:
    """Another moment is another observation, so it gets a run of its own."""
    site = sites.open(archive=tmp_path)
    run = site.sweep()
    assert run.observed_at is not None
    other = run.observed_at.replace(month=2, day=1)
    loaded = backfill(database, site.source, [tmp_path], observed_at=other).runs[0]
    assert (loaded.observed_at, loaded.run_id == run.run_id) == (other, False)
    assert {row["first_seen_at"] for row in site.images().values()} == {other}
