"""Archives know what their sweep's login reached, as sweeps do (semantics 4.5 and 7.6)."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.config.settings import SourceSettings
from catalog.fetch.files import archive_format
from catalog.store.db.connection import Database
from catalog.store.state import sources as stored_sources
from tests.integration.run.cloud_entry import CloudEntry
from tests.integration.run.test_login_reach import lose_sight, roles
from tests.support.faults import status
from tests.support.records import image, name_of
from tests.support.rows import HISTORY, SWEEPS, contents_of, wipe
from tests.support.world import Site, Sites


@pytest.fixture
def site(sites: Sites, entry: CloudEntry, tmp_path: Path) -> Site:
    """Twenty images, of which an administrator saw all."""
    site = entry.lead_to(sites.open(images=20), page_size=100, archive=tmp_path / "archive")
    roles(entry, "admin", "reader")
    assert site.sweep().inserted == 20
    return site


def login(site: Site) -> list[str]:
    return [
        right for row in site.rows("SELECT login FROM sources WHERE source_id = $") for right in row["login"]
    ]


def files(tmp_path: Path, name: str = "s") -> list[Path]:
    return sorted((tmp_path / "archive" / name).glob("*.gz"))


def load(site: Site, *paths: Path, **options: Any) -> None:
    result = backfill(site.database, site.source, paths, confirmed=True, **options)
    assert result.failures == []


def whole(site: Site) -> object:
    return contents_of(site.database, "s", HISTORY + SWEEPS), login(site)


def other(site: Site, **settings: Any) -> Site:
    """A second source of the same cloud and project."""
    kept = {"page_size": 100, "deadline": 20.0, "archive": site.source.archive, **settings}
    return Site(site.database, site.cloud, site.server, SourceSettings("t", "glance", cloud="meadow", **kept))


def retold(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """The archive with its header and trailer changed."""
    *lines, last = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    covered, _ = archive_format.split_trailer(last) or (b"", "")
    header = json.loads(lines[0])
    trailer = json.loads(covered[len(archive_format.TRAILER_START) :])
    change(header, trailer)
    content = json.dumps(header, separators=(",", ":")).encode() + b"\n" + b"".join(lines[1:])
    content += archive_format.TRAILER_START + json.dumps(trailer, separators=(",", ":")).encode()
    content += archive_format.write_checksum(hashlib.sha256(content).hexdigest())
    path.write_bytes(gzip.compress(content))
    return path


def test_a_rebuilt_catalog_holds_what_a_lesser_login_does_not_see(
    site: Site, entry: CloudEntry, database: Database, tmp_path: Path
) -> None:
    lose_sight(site, *range(5))
    roles(entry, "reader")
    site.sweep()
    expected = whole(site)
    wipe(database)
    load(site, tmp_path / "archive")
    assert whole(site) == expected
    assert site.held_for() == dict.fromkeys(map(name_of, range(5)), "login_changed")
    lose_sight(site, 5)
    assert (site.sweep().deleted, len(site.held_for())) == (0, 6)


def test_a_rebuilt_catalog_takes_a_lesser_login_for_the_measure_where_the_sweeps_did(
    site: Site, entry: CloudEntry, database: Database, tmp_path: Path
) -> None:
    """It saw all, or somebody adopted the source; also where the rebuilding was interrupted."""
    roles(entry, "reader")
    site.sweep()
    lose_sight(site, 1)
    assert site.sweep().deleted == 1
    roles(entry, "other")
    with database.transaction() as connection:
        stored_sources.adopt(connection, "s", None)
    lose_sight(site, 2)
    assert site.sweep().deleted == 1
    expected = whole(site)
    assert "role other" in login(site)
    wipe(database)
    for path in files(tmp_path):
        load(site, path)
    assert whole(site) == expected


@pytest.mark.parametrize("knew", [True, False], ids=["named", "not named"])
@pytest.mark.parametrize("more", [{}, {"accept_deletions": True}], ids=["", "accepted"])
def test_what_another_catalog_saw_with_less_deletes_nothing_here(
    site: Site, entry: CloudEntry, database: Database, tmp_path: Path, knew: bool, more: dict[str, bool]
) -> None:
    """Whether its trailer names the image or its sweep never knew it."""
    roles(entry, "reader")
    there = other(site)
    if knew:
        there.sweep()
    lose_sight(site, 3)
    assert there.sweep().deleted == knew
    load(site, files(tmp_path, "t")[-1], **more)
    assert (site.held_for(), site.reasons()) == ({name_of(3): "login_changed"}, {})
    ledger = site.rows("SELECT complete FROM observations WHERE source_id = $ ORDER BY observed_at")
    assert [row["complete"] for row in ledger] == [True, False]
    assert "role admin" in login(site)
    assert (site.sweep().deleted, len(site.held_for())) == (0, 1)


def test_what_another_catalog_saw_with_more_is_not_judged_by_the_lesser_login_later(
    sites: Sites, entry: CloudEntry, tmp_path: Path
) -> None:
    roles(entry, "reader")
    site = entry.lead_to(sites.open(images=3), page_size=100, archive=tmp_path / "archive")
    site.sweep()
    site.cloud.add(image(3))
    roles(entry, "admin", "reader")
    other(site).sweep()
    load(site, *files(tmp_path, "t"))
    lose_sight(site, 3)
    roles(entry, "reader")
    assert (site.sweep().deleted, site.held_for()) == (0, {name_of(3): "login_changed"})


@pytest.mark.parametrize("gone", [5, 12])
def test_an_archive_that_does_not_say_its_login_deletes_within_the_limit_only(
    site: Site, entry: CloudEntry, database: Database, tmp_path: Path, gone: int
) -> None:
    lose_sight(site, *range(gone))
    assert site.sweep(accept_deletions=True).deleted == gone

    def forget(header: dict[str, Any], trailer: dict[str, Any]) -> None:
        header.pop("source_id")
        for name in ("logins", "login"):
            trailer.pop(name)

    wipe(database)
    load(site, *[retold(path, forget) for path in files(tmp_path)])
    assert len(site.reasons()) == (gone if gone < 10 else 0)
    assert set(site.reasons().values()) <= {"not_found"}
    assert set(site.held_for().values()) <= {"limit"}
    assert len(site.live()) + len(site.reasons()) == 20


def test_the_archive_of_another_catalog_with_another_token_counts(sites: Sites, tmp_path: Path) -> None:
    """As nothing tells that its token reaches less."""
    site = sites.open(images=20)
    settings: dict[str, Any] = {"page_size": 100, "deadline": 20.0, "archive": tmp_path / "archive"}
    for name in ("s", "t"):
        token = tmp_path / name
        token.write_text(f"token of {name}")
        site.source = SourceSettings(
            name, "glance", endpoint=site.server.endpoint, auth="token", token_file=token, **settings
        )
        site.sweep()
    site.cloud.delete(name_of(1))
    assert site.sweep().deleted == 1
    site.source = SourceSettings("s", "glance", endpoint=site.server.endpoint, auth="none", **settings)
    load(site, files(tmp_path, "t")[-1])
    assert (site.held_for(), site.reasons()) == ({}, {name_of(1): "not_found"})


# ---- in any order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_what_is_held_for_its_login_is_so_in_whatever_order_archives_are_loaded(
    site: Site, entry: CloudEntry, database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """The first one that is loaded may name images of which the catalog knows nothing yet."""
    roles(entry, "reader")
    for gone in (0, 1):
        lose_sight(site, gone)
        site.sweep()
    held, expected = site.held_for(), whole(site)
    assert held == dict.fromkeys([name_of(0), name_of(1)], "login_changed")
    wipe(database)
    for path in [files(tmp_path)[number] for number in order]:
        load(site, path)
    assert (site.held_for(), whole(site)) == (held, expected)
    roles(entry, "admin", "reader")
    assert (site.sweep().deleted, site.held_for()) == (2, {})


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (3, 0, 1, 2), (1, 3, 0, 2)])
def test_once_the_limit_holds_it_that_is_so_in_any_order(
    site: Site, entry: CloudEntry, database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Until the sweep is forgotten by which it does."""
    roles(entry, "reader")
    lose_sight(site, 0)
    site.sweep()
    roles(entry, "admin", "reader")
    lose_sight(site, *range(1, 12))
    by_limit = site.sweep()
    roles(entry, "reader")
    site.sweep()
    expected = whole(site)
    assert site.held_for() == dict.fromkeys(map(name_of, range(12)), "limit")
    wipe(database)
    for path in [files(tmp_path)[number] for number in order]:
        load(site, path)
    assert whole(site) == expected
    forget(database, site.source, by_limit.run_id)
    assert site.held_for() == dict.fromkeys(map(name_of, range(12)), "login_changed")


@pytest.mark.parametrize("known_before", [False, True])
def test_look_ups_count_of_images_that_only_an_earlier_archive_brings(
    site: Site, database: Database, tmp_path: Path, known_before: bool
) -> None:
    """Be it that the catalog never knew them, or that it forgot them meanwhile."""
    for held in site.cloud.oldest_first()[:3]:
        held.unlisted = True
    site.server.faults.add(status(503), when=lambda request: "/images/" in request.path, times=None)
    site.sweep()
    expected = whole(site)
    first, last = files(tmp_path)
    wipe(database)
    load(site, last)
    if known_before:
        load(site, first)
        of_first = str(site.run_rows()[-1]["run_id"])
        forget(database, replace(site.source, archive=None), of_first, accept_deletions=True)
    load(site, first)
    assert whole(site) == expected
    asked = site.rows("SELECT image_id, answer FROM lookups WHERE source_id = $")
    assert {row["image_id"]: row["answer"] for row in asked} == dict.fromkeys(
        map(name_of, range(3)), "unanswered"
    )
