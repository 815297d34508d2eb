"""Archives of a source that was adopted: one name, and two regions or projects (semantics 3 and 7)."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.errors import UsageError
from catalog.fetch.files.archive_format import HEADER_START
from catalog.store.db.connection import Database
from catalog.store.state import sources
from tests.support.records import name_of, write
from tests.support.rows import contents_of, rows, snapshot, wipe
from tests.support.world import Site, Sites, source

IDENTITY = "SELECT region, project_id, endpoint FROM sources WHERE name = %s"
NEW = {"region": "r2", "project_id": "p2"}


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.gz"))


def identity(database: Database, name: str = "s") -> tuple[Any, ...]:
    return tuple(rows(database, IDENTITY, name)[0].values())


def adopt(database: Database) -> None:
    with database.transaction() as connection:
        sources.adopt(connection, "s", None)


def headed(path: Path, folder: Path, **changed: Any) -> Path:
    """An archive without trailer, with some of its header changed."""
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    header = json.loads(lines[0]) | changed
    head = json.dumps(header, separators=(",", ":")).encode() + b"\n"
    assert head.startswith(HEADER_START)
    return write(folder, f"{len(list(folder.glob('*')))}.jsonl", head + b"".join(lines[1:-1]))


@pytest.fixture
def adopted(sites: Sites, tmp_path: Path) -> Site:
    """Two sweeps of one region and project, then two of others: four archives of one name."""
    site = sites.open(images=4, region="r1", project_id="p1", archive=tmp_path / "archive")
    site.sweep()
    site.cloud.change(name_of(1), name="new")
    site.sweep()
    adopt(site.database)
    site.cloud.delete(name_of(2))
    site.sweep(changed=NEW)
    site.cloud.change(name_of(3), name="newer")
    site.sweep(changed=NEW)
    assert identity(site.database) == ("r2", "p2", site.server.endpoint)
    return site


def test_the_whole_archive_rebuilds_what_was_before_the_adoption_and_after(
    adopted: Site, database: Database, tmp_path: Path
) -> None:
    """With the latest region and project, whether the new region is configured or not; and once."""
    expected, stored = contents_of(database, "s"), identity(database)
    for settings in (source(), source(region="r2")):
        wipe(database)
        result = backfill(database, settings, [tmp_path])
        assert (result.failures, len(result.runs)) == ([], 4)
        assert contents_of(database, "s") == expected
        assert identity(database) == stored
        before = snapshot(database)
        for again in ([tmp_path], files(tmp_path)[:1]):
            assert backfill(database, settings, again).runs == []
        assert snapshot(database) == before


def test_an_interrupted_rebuild_goes_on(adopted: Site, database: Database, tmp_path: Path) -> None:
    """The source is the latest archive's only once that is loaded, so what is left is never refused."""
    expected = contents_of(database, "s")
    wipe(database)
    latest = files(tmp_path)[-1]
    content = latest.read_bytes()
    latest.write_bytes(gzip.compress(gzip.decompress(content).replace(b"newer", b"other")))
    assert len(backfill(database, source(), [tmp_path]).failures) == 1
    assert identity(database) == (None, None, None)
    latest.write_bytes(content)
    assert len(backfill(database, source(), [tmp_path]).runs) == 1
    assert contents_of(database, "s") == expected
    assert identity(database) == ("r2", "p2", adopted.server.endpoint)


def test_a_sweep_from_before_the_adoption_comes_back(
    adopted: Site, database: Database, tmp_path: Path
) -> None:
    """Beside the others, which tell whose it is; alone it could be another source's."""
    expected, stored = contents_of(database, "s"), identity(database)
    first = rows(database, "SELECT run_id::text FROM runs ORDER BY observed_at")[0]["run_id"]
    forget(database, source(), first)
    before = snapshot(database)
    with pytest.raises(
        UsageError, match=r"'s' with region 'r1', while 's' has 'r2'.*sources adopt s`.*nothing"
    ):
        backfill(database, source(), files(tmp_path)[:1], confirmed=True)
    assert snapshot(database) == before
    assert len(backfill(database, source(), files(tmp_path), confirmed=True).runs) == 1
    assert (contents_of(database, "s"), identity(database)) == (expected, stored)


def test_an_old_archive_does_not_undo_an_adoption(sites: Sites, database: Database, tmp_path: Path) -> None:
    """Whether the source was swept or loaded: its next sweep records what it meets."""
    site = sites.open(images=3, project_id="p1", archive=tmp_path)
    runs = [site.sweep(), site.sweep()]
    old, late = files(tmp_path)
    forget(database, source(), runs[1].run_id)
    adopt(database)
    assert len(backfill(database, source(), [late], confirmed=True).runs) == 1
    assert identity(database) == (None, None, None)
    assert site.sweep(changed=NEW).outcome == "complete"
    wipe(database)
    backfill(database, source(), [late])
    assert identity(database)[1] == "p1"
    adopt(database)
    assert len(backfill(database, source(), [old]).runs) == 1
    assert identity(database) == (None, None, None)
    assert site.sweep(changed=NEW).outcome == "complete"


def test_what_is_recorded_is_never_overwritten(sites: Sites, database: Database, tmp_path: Path) -> None:
    """Not the address either, where the cloud moved since."""
    site = sites.open(images=1, project_id="p1", archive=tmp_path)
    site.sweep()
    site.sweep()
    old, late = files(tmp_path)
    wipe(database)
    backfill(database, source(), [old])
    stored = identity(database)
    moved = headed(late, tmp_path / "moved", endpoint="http://elsewhere", region="r9")
    assert len(backfill(database, source(), [moved]).runs) == 1
    assert identity(database) == stored == (None, "p1", site.server.endpoint)


def test_archives_of_two_sources_are_refused_where_nothing_is_recorded(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    """Another source, and another kind, region, project or service, in whatever order; a new name doesn't matter."""
    site = sites.open(images=1, region="r1", project_id="p1", archive=tmp_path / "archive")
    site.sweep()
    site.sweep()
    early, late = files(tmp_path)
    wipe(database)
    before = snapshot(database)
    strange = ({"project_id": "p2"}, {"region": "r2"}, {"kind": "ims"}, {"endpoint": "http://elsewhere"})
    for changed, (mine, other) in itertools.product(strange, ((early, late), (late, early))):
        another = headed(other, tmp_path / "other", source_id="another", **changed)
        what = next(iter(changed)).removesuffix("_id")
        with pytest.raises(UsageError, match=f"with {what} '.*nothing was written|of kind") as caught:
            backfill(database, source(), [mine, another])
        assert "\n" not in str(caught.value)
        assert snapshot(database) == before
    renamed = headed(late, tmp_path / "renamed", source="another", project_id="p2")
    assert len(backfill(database, source(), [early, renamed]).runs) == 2


def test_an_archive_of_another_cloud_is_refused_though_its_source_has_the_same_name(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    """Into a source that was swept, and into one that was not, whose service is configured."""
    sites.open(images=4, archive=tmp_path).sweep()
    wipe(database)
    elsewhere = sites.open(images=2)
    for known in (False, True):
        if known:
            elsewhere.sweep()
        before = snapshot(database)
        with pytest.raises(UsageError, match=r"'s' with endpoint 'http.*nothing was written"):
            backfill(database, elsewhere.source, [tmp_path])
        assert snapshot(database) == before
    wipe(database)
    assert len(backfill(database, elsewhere.source, [tmp_path], confirmed=True).runs) == 1
    assert elsewhere.sweep().outcome == "failed"


def test_an_archive_of_another_source_of_one_service_is_refused(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    """One endpoint and no project, as a token alone names none: its header tells, also where it was loaded."""
    site = sites.open(images=3, archive=tmp_path / "archive")
    site.sweep()
    (own,) = files(tmp_path)
    other = source("other", endpoint=site.server.endpoint)
    for known in ("swept", "loaded"):
        if known == "loaded":
            wipe(database)
            backfill(database, source(), [own])
        before = snapshot(database)
        with pytest.raises(UsageError, match=r"an archive of source 's'.*--yes.*nothing was written"):
            backfill(database, other, [own])
        assert snapshot(database) == before
    assert len(backfill(database, other, [own], confirmed=True).runs) == 1
    assert backfill(database, other, [own]).unchanged == 1


def test_an_archive_of_its_own_passes_though_the_service_has_another_address_now(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    site = sites.open(images=2, archive=tmp_path)
    run = site.sweep()
    adopt(database)
    moved = sites.open(images=2)
    moved.sweep()
    forget(database, source(), run.run_id)
    assert len(backfill(database, moved.source, files(tmp_path), confirmed=True).runs) == 1


def test_the_archive_of_a_forgotten_sweep_is_hidden_though_the_source_was_renamed_since(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    site = sites.open(images=2, archive=tmp_path)
    run = site.sweep()
    with database.transaction() as connection:
        sources.rename(connection, "s", "t")
    forget(database, source("t", archive=tmp_path), run.run_id)
    assert files(tmp_path) == []
