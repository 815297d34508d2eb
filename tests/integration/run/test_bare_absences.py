"""What a listing merely lacks, where other evidence says that it lives though no listing holds it (semantics 4.6)."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.store.db.connection import Database
from tests.integration.run.test_held_in_any_order import ALL, archive, held, load, run_at, settle
from tests.support.faults import status
from tests.support.records import image, listing, name_of, named, write
from tests.support.rows import images, live, rows, wipe
from tests.support.world import Site, Sites, source

REST = (*range(9), *range(10, 20))
NINE = name_of(9)


def changes(database: Database, image_id: str = NINE) -> list[str]:
    found = rows(database, "SELECT change FROM revisions WHERE image_id = %s ORDER BY observed_at", image_id)
    return [row["change"] for row in found]


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
@pytest.mark.parametrize("when", [(1, 2, 3), (1, 3, 2)], ids=["after it", "before it"])
@pytest.mark.parametrize("said", ["found", "unanswered", "held", "kept"])
def test_a_listing_that_lacks_an_image_that_lives_unlisted_deletes_nothing(
    database: Database, tmp_path: Path, said: str, when: tuple[int, int, int], order: tuple[int, ...]
) -> None:
    """In whatever order the three are loaded, and whether the listing is older than what a sweep learned of it."""
    first, sweep, dump = when
    files = {
        1: (archive(tmp_path, first, *ALL), False),
        2: (archive(tmp_path, sweep, *REST, said=said), False),
        3: (write(tmp_path, named(dump), listing(*REST)), True),
    }
    for number in order:
        path, complete = files[number]
        backfill(database, source(), [path], complete=complete)
    assert changes(database) == ["created"]
    assert images(database)[NINE]["unlisted_since"] is not None


def test_a_listing_counts_again_once_the_evidence_is_forgotten_or_ends(
    database: Database, tmp_path: Path
) -> None:
    backfill(database, source(), [archive(tmp_path, 1, *ALL), archive(tmp_path, 2, *REST, said="found")])
    load(database, tmp_path, 3, *REST)
    assert NINE in live(database)
    forget(database, source(), run_at(database, 2))
    assert images(database)[NINE]["deletion_reason"] == "not_listed"
    load(database, tmp_path, 4, *ALL)
    load(database, tmp_path, 5, *REST)
    assert changes(database) == ["created", "deleted", "restored", "deleted"]


def test_a_listing_says_nothing_of_the_marketplace(database: Database, tmp_path: Path) -> None:
    market = {"images": [*listing(*REST)["images"], image(9, __imagetype="market")]}
    backfill(database, source(), [write(tmp_path, named(1), market)], complete=True)
    load(database, tmp_path, 2, *REST)
    assert changes(database) == ["created"]


def test_whoever_accepts_deletions_ends_what_is_held(database: Database, tmp_path: Path) -> None:
    """Then it is that person's word, and not the listing's."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    path = write(tmp_path, named(3), listing(0))
    backfill(database, source(), [path], complete=True, accept_deletions=True)
    assert live(database) == {name_of(0)}


def unlist(site: Site, *, unlisted: bool = True) -> None:
    held = site.cloud.find(name_of(2))
    assert held is not None
    held.unlisted = unlisted


def unlisted(sites: Sites, tmp_path: Path, **settings: Any) -> Site:
    """A site whose image 2 is answered by id alone, as two sweeps archived."""
    site = sites.open(images=4, archive=tmp_path / "archive", **settings)
    site.sweep()
    unlist(site)
    assert site.sweep().unlisted == 1
    return site


def test_an_archive_that_comes_after_a_rebuilt_catalogs_first_sweep_deletes_nothing(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    site = unlisted(sites, tmp_path)
    files = sorted((tmp_path / "archive").rglob("*.gz"))
    wipe(database)
    site.sweep()
    for path in files:
        assert backfill(database, site.source, [path], confirmed=True).failures == []
    assert changes(database, name_of(2)) == ["created"]
    site.sweep()
    assert site.unlisted() == {name_of(2)}


def test_what_another_catalog_deleted_unasked_is_no_more_than_missing_from_its_listing(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    site = unlisted(sites, tmp_path)
    there = Site(database, site.cloud, site.server, source("t", endpoint=site.server.endpoint, auth="none",
                 archive=site.source.archive, lookup_limit=0))  # fmt: skip
    unlist(site, unlisted=False)
    there.sweep()
    unlist(site)
    assert there.sweep().deleted == 1
    backfill(database, site.source, [max((tmp_path / "archive" / "t").glob("*.gz"))], confirmed=True)
    assert name_of(2) in site.live()


@pytest.mark.parametrize("order", list(itertools.permutations((2, 3, 4))))
def test_an_older_listing_deletes_no_more_than_the_limit_allows(
    database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """It shows that images were listed after a look-up had found them, so that a later listing's lack counts."""
    unseen = [name_of(n) for n in range(5, 20)]
    found = {"found": unseen, "answers": dict.fromkeys(unseen, "found")}
    files = {
        2: (archive(tmp_path, 2, *ALL, **found), False),
        3: (write(tmp_path, named(3), listing(*ALL)), False),
        4: (write(tmp_path, named(4), listing(*range(5))), True),
    }
    backfill(database, source(), [archive(tmp_path, 1, *ALL)])
    for number in order:
        path, complete = files[number]
        backfill(database, source(), [path], complete=complete)
    assert len(live(database)) == 20
    assert held(database) == dict.fromkeys(unseen, ("open", 4))


def test_within_the_limit_it_deletes_as_in_the_order_of_time(database: Database, tmp_path: Path) -> None:
    backfill(database, source(), [archive(tmp_path, 1, *ALL), archive(tmp_path, 2, *REST, said="found")])
    load(database, tmp_path, 4, *REST)
    load(database, tmp_path, 3, *ALL, complete=False)
    assert changes(database) == ["created", "deleted"]


@pytest.mark.parametrize("late", [3, 5])
def test_what_is_kept_is_deleted_by_no_older_listing(database: Database, tmp_path: Path, late: int) -> None:
    """Nor is it in the past: absences up to the decision prove nothing, those that were loaded before it, too."""
    backfill(database, source(), [archive(tmp_path, 1, *ALL), archive(tmp_path, 2, *REST, said="found")])
    load(database, tmp_path, 4, *REST)
    backfill(database, source(), [archive(tmp_path, 6, *REST, said="held")])
    settle(database, "keep")
    for number in (late, 8 - late):
        load(database, tmp_path, number, *ALL, complete=False)
    assert changes(database) == ["created"]
    assert NINE in live(database)


# ---- deletions that nothing but a listing proves -----------------------------------------------------


def lacks_two(site: Site, tmp_path: Path) -> None:
    """A listing of today lacks an image, and nothing else is known of it."""
    at = site.database.now()
    path = write(tmp_path, f"{at:%Y%m%dT%H%M%S.%fZ}.json", listing(0, 1, 3))
    assert backfill(site.database, site.source, [path], complete=True).failures == []
    assert site.reasons() == {name_of(2): "not_listed"}


def test_a_sweep_asks_for_what_only_a_listing_deleted_and_restores_what_it_finds(
    sites: Sites, tmp_path: Path
) -> None:
    site = sites.open(images=4)
    site.sweep()
    lacks_two(site, tmp_path)
    unlist(site)
    run = site.sweep()
    assert (run.looked_up, run.restored, site.unlisted()) == (1, 1, {name_of(2)})
    assert "deleted" not in changes(site.database, name_of(2))


def test_a_sweep_asks_once_for_what_is_gone(sites: Sites, tmp_path: Path) -> None:
    site = sites.open(images=4)
    site.sweep()
    lacks_two(site, tmp_path)
    site.cloud.delete(name_of(2))
    site.server.faults.add(status(500), when=lambda request: request.path.endswith(name_of(2)), times=None)
    assert site.sweep().looked_up == 1  # and has no answer
    site.server.faults.clear()
    assert [site.sweep().looked_up for _ in range(3)] == [1, 0, 0]
    assert site.reasons() == {name_of(2): "not_listed"}


@pytest.mark.parametrize("limit", [0, 1])
def test_what_is_missing_comes_first(sites: Sites, tmp_path: Path, limit: int) -> None:
    site = sites.open(images=4, lookup_limit=limit)
    site.sweep()
    lacks_two(site, tmp_path)
    unlist(site)
    site.cloud.delete(name_of(3))
    assert site.sweep().looked_up == limit
    assert site.reasons().keys() == {name_of(2), name_of(3)}
    assert site.sweep().restored == limit


# ---- what people decided -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_a_rebuilt_catalog_knows_what_somebody_keeps(
    database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    files = {
        1: archive(tmp_path, 1, *ALL),
        2: archive(tmp_path, 2, *REST, said="held"),
        3: archive(tmp_path, 3, *REST, said="kept"),
    }
    for number in order:
        backfill(database, source(), [files[number]])
    assert [row["decision"] for row in rows(database, "SELECT decision FROM held_deletions")] == ["kept"]


@pytest.mark.parametrize("late", [3, 5])
def test_the_past_of_what_was_kept_is_the_same_whenever_a_listing_is_loaded(
    database: Database, tmp_path: Path, late: int
) -> None:
    """One from between the decision and the listing that holds the image again."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    settle(database, "keep")
    for number in sorted((4, 5), key=lambda number: number == late - 1):
        load(database, tmp_path, number, *(ALL if number == 5 else (0,)))
    assert {change for n in ALL for change in changes(database, name_of(n))} == {"created"}


def test_a_listing_from_before_the_decision_does_not_end_it(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    settle(database, "keep")
    load(database, tmp_path, 3, *ALL)
    assert {row["decision"] for row in rows(database, "SELECT decision FROM held_deletions")} == {"kept"}
    load(database, tmp_path, 4, 0)
    assert len(live(database)) == 20


def test_a_sweep_that_lists_it_after_the_decision_ends_it(sites: Sites, tmp_path: Path) -> None:
    site = sites.open(images=20)
    site.sweep()
    for number in range(1, 20):
        site.cloud.delete(name_of(number))
    site.sweep()
    settle(site.database, "keep")
    site.sweep()
    assert set(site.decisions().values()) == {"kept"}
    site.cloud.add(image(1))
    site.sweep()
    assert site.decisions()[name_of(1)] == "returned"
    assert len(site.live()) == 20


def test_another_catalogs_archive_ends_nothing_that_is_held_here(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET continues = 'own'")
    for number, said in ((3, "kept"), (4, "not_found")):
        backfill(database, source(), [archive(tmp_path, number, 0, said=said, source_id="elsewhere")])
        assert len(live(database)) == 20
        assert {row["decision"] for row in rows(database, "SELECT decision FROM held_deletions")} == {"open"}
