"""Evidence of absence counts up to what its login could see, in whatever order it comes (semantics 4.5 and 4.6)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.config.settings import SourceSettings
from catalog.store.db.connection import Database
from catalog.store.state import sources as stored_sources
from catalog.sync.approve_or_keep import decide
from catalog.sync.mapping_adapter import MappingAdapter
from tests.integration.run.cloud_entry import CloudEntry
from tests.integration.run.test_login_reach import lose_sight, roles
from tests.integration.run.test_renewed_logins import with_token_file
from tests.support.faults import body, status
from tests.support.records import image, name_of, write
from tests.support.rows import HISTORY, contents_of, wipe
from tests.support.world import Site, Sites

PROJECT = "1" * 32
OWN = {"visibility": "private", "owner": PROJECT}
THEIRS = {"visibility": "shared", "owner": "b"}
PRIVATE = {"visibility": "private", "owner": "b"}
PUBLIC = {"visibility": "public", "owner": "p"}
FOREIGN = {name_of(6): "login_changed", name_of(7): "login_changed"}


def records() -> list[dict[str, Any]]:
    """Public images, two of the login's project, two of another one that an administrator sees."""
    return [*(image(n, **PUBLIC) for n in range(4)), *(image(n, **OWN) for n in (4, 5)), *foreign()]


def foreign() -> list[dict[str, Any]]:
    return [image(6, **THEIRS), image(7, **PRIVATE)]


@pytest.fixture
def site(sites: Sites, entry: CloudEntry, tmp_path: Path) -> Site:
    site = entry.lead_to(sites.open(images=records()), page_size=100, archive=tmp_path / "archive")
    roles(entry, "admin", "reader")
    return site


def another(site: Site, name: str) -> Site:
    """The same cloud and project as another catalog sweeps it."""
    source = SourceSettings(
        name, "glance", cloud="meadow", page_size=100, deadline=20.0, archive=site.source.archive
    )
    return Site(site.database, site.cloud, site.server, source)


def become_member(site: Site, entry: CloudEntry) -> None:
    roles(entry, "reader")
    lose_sight(site, 6, 7)


def archive(site: Site) -> Path:
    (path,) = (site.source.archive or Path()).glob(f"{site.source.name}/*.gz")
    return path


def told_by(database: Database) -> object:
    """History, and what is held; the ledger may know in two ways that an absence proves nothing."""
    tables = contents_of(database, "s", (*HISTORY, "held_deletions"))
    del tables["observations"]
    return tables


def load(site: Site, *paths: Path, **options: Any) -> None:
    result = backfill(site.database, site.source, paths, confirmed=True, **options)
    assert result.failures == []


# ---- an administrator's archive, and a member's sweep or archive ------------------------------------


@pytest.mark.parametrize("order", ["am", "ma"])
def test_a_members_archive_deletes_nothing_that_an_administrators_shows(
    site: Site, entry: CloudEntry, database: Database, order: str
) -> None:
    """Also one of all's that went in between, as nobody can tell."""
    admin, member = another(site, "a"), another(site, "m")
    admin.sweep()
    become_member(site, entry)
    site.cloud.delete(name_of(3))
    member.sweep()
    files = {"a": archive(admin), "m": archive(member)}
    for one in order:
        load(site, files[one])
    assert (site.reasons(), site.held_for()) == ({}, FOREIGN | {name_of(3): "login_changed"})
    assert site.unlisted() == site.held_for().keys()
    told = told_by(database)
    wipe(database)
    for one in reversed(order):
        load(site, files[one])
    assert told_by(database) == told
    assert (site.sweep().deleted, site.held_for()) == (0, FOREIGN | {name_of(3): "login_changed"})


@pytest.mark.parametrize("first", ["archive", "sweep"])
def test_a_members_sweep_deletes_nothing_that_an_administrators_archive_shows(
    site: Site, entry: CloudEntry, first: str
) -> None:
    admin = another(site, "a")
    admin.sweep()
    become_member(site, entry)
    for what in (first, "sweep" if first == "archive" else "archive"):
        if what == "archive":
            load(site, archive(admin))
        else:
            site.sweep()
    for _ in range(2):
        assert (site.reasons(), site.held_for()) == ({}, FOREIGN)
        assert site.sweep().deleted == 0
    roles(entry, "admin", "reader")
    assert (site.sweep().deleted, site.held_for()) == (2, {})


def test_what_a_member_was_shown_later_it_may_miss(site: Site, entry: CloudEntry) -> None:
    """An older archive of an administrator adds nothing to what all have seen since."""
    admin = another(site, "a")
    admin.sweep()
    become_member(site, entry)
    for record in foreign():
        site.cloud.add(record)
    site.sweep()
    load(site, archive(admin))
    site.cloud.delete(name_of(6))
    site.cloud.delete(name_of(4))
    assert (site.sweep().deleted, site.held_for()) == (2, {})


def test_forgotten_it_is_as_if_it_had_never_been(site: Site, entry: CloudEntry, database: Database) -> None:
    admin = another(site, "a")
    run = admin.sweep()
    become_member(site, entry)
    site.sweep()
    told = told_by(database)
    load(site, archive(admin))
    forget(site.database, site.source, run.run_id, accept_deletions=True)
    assert told_by(database) == told


@pytest.mark.parametrize("verb", ["approve", "keep"])
def test_people_decide(site: Site, entry: CloudEntry, verb: Any) -> None:
    admin = another(site, "a")
    admin.sweep()
    become_member(site, entry)
    member = site.sweep()
    load(site, archive(admin))
    decide(site.database, site.source_id, verb, MappingAdapter.of(site.source), by="test")
    site.sweep()
    if verb == "approve":
        assert site.images()[name_of(6)]["deleted_at"] == member.observed_at
        assert site.reasons() == dict.fromkeys(FOREIGN, "not_listed")
    else:
        assert (site.reasons(), set(site.decisions().values())) == ({}, {"kept"})


# ---- what only saved listings show ------------------------------------------------------------------


@pytest.mark.parametrize("first", ["dump", "sweep"])
@pytest.mark.parametrize("settings", [{}, {"lookup_limit": 0}], ids=["looked up", "not looked up"])
def test_what_only_a_saved_listing_shows_is_not_missing_from_a_members(
    site: Site, entry: CloudEntry, tmp_path: Path, first: str, settings: dict[str, Any]
) -> None:
    """What everybody sees, and what is its own project's, is."""
    at = site.database.now()
    path = write(tmp_path, "dump.json", {"images": [*records(), image(10, **PUBLIC), image(11, **OWN)]})
    become_member(site, entry)
    for what in (first, "sweep" if first == "dump" else "dump"):
        if what == "dump":
            load(site, path, observed_at=at, complete=True)
        else:
            site.sweep(changed=settings)
    for _ in range(2):
        assert site.reasons().keys() == {name_of(10), name_of(11)}
        assert site.held_for() == FOREIGN
        run = site.sweep(changed=settings)
        assert (run.outcome, run.deleted, run.held) == ("complete", 0, 2)
    assert "may just not be shown them" in str(run.note)
    assert site.sweep(accept_deletions=True).deleted == 0
    roles(entry, "admin", "reader")
    assert (site.sweep(changed=settings).deleted, site.held_for()) == (2, {})


@pytest.mark.parametrize(("limit", "again"), [(0, False), (200, True)])
def test_a_sweep_that_may_look_nothing_up_logs_in_once(
    site: Site, entry: CloudEntry, tmp_path: Path, limit: int, again: bool
) -> None:
    """Of what a listing deleted, which it could ask about only with look-ups."""
    site.sweep()
    path = write(tmp_path, "dump.json", {"images": [*records()[:4], *records()[5:]]})
    load(site, path, observed_at=site.database.now(), complete=True)
    lose_sight(site, 4)
    entry.identity.logins.clear()
    site.sweep(changed={"lookup_limit": limit})
    assert (len(entry.identity.logins) > 1) == again


def test_a_member_does_not_prove_what_a_listing_deleted_of_others(
    site: Site, entry: CloudEntry, tmp_path: Path
) -> None:
    """It is asked about what only a listing proves; once that listing is forgotten, its answer would stay. What it may
    see is proved."""
    assert site.sweep().listed == 8
    rest = [record for record in records() if record["id"] not in {name_of(n) for n in (4, 6, 7)}]
    at = site.database.now()
    load(
        site,
        write(tmp_path, "dump.json", {"images": rest}),
        observed_at=at,
        complete=True,
        accept_deletions=True,
    )
    assert site.reasons() == dict.fromkeys(map(name_of, (4, 6, 7)), "not_listed")
    become_member(site, entry)
    site.cloud.delete(name_of(4))
    for _ in range(2):
        site.sweep()
    asked = len(site.look_ups())
    site.sweep()
    assert set(site.look_ups()[asked:]) & {name_of(4), *FOREIGN} == FOREIGN.keys(), "the other one is proved"
    (run,) = site.rows("SELECT run_id::text FROM runs WHERE kind = 'backfill'")
    forget(site.database, site.source, run["run_id"], accept_deletions=True)
    assert site.reasons() == {name_of(4): "not_found"}
    assert (site.sweep().deleted, site.held_for()) == (0, FOREIGN)


@pytest.mark.parametrize("bad", ["nothing is listed", "no answer", "no control"])
def test_what_a_bad_sweep_says_of_images_that_a_listing_deleted_is_no_proof(
    sites: Sites, tmp_path: Path, bad: str
) -> None:
    """The listing was wrong; a bad sweep asks about what it deleted, or merely lacks it. Forgotten, all live again."""
    site = sites.open(images=20, page_size=50, deletion_limit_count=12)
    site.sweep()
    path = write(tmp_path, "dump.json", {"images": [image(n) for n in range(3, 20)]})
    load(site, path, observed_at=site.database.now(), complete=True)
    wrong = dict.fromkeys(map(name_of, range(3)), "not_listed")
    assert site.reasons() == wrong
    for n in range(3):
        site.cloud.find(name_of(n)).unlisted = True
    if bad == "nothing is listed":
        site.server.faults.add(body(b'{"images": []}'), when=lambda r: r.path == "/v2/images", times=None)
    site.server.faults.add(
        status(503 if bad == "no answer" else 404),
        when=lambda r: r.path.startswith("/v2/images/"),
        times=None,
    )
    run = site.sweep(changed={"page_size": 50})
    assert (run.outcome, run.deleted, run.unlisted) == (
        "complete",
        0,
        17 if bad == "nothing is listed" else 0,
    )
    site.server.faults.clear()
    (listing,) = site.rows("SELECT run_id::text FROM runs WHERE kind = 'backfill'")
    forget(site.database, site.source, listing["run_id"], accept_deletions=True)
    assert (site.reasons(), len(site.live())) == ({}, 20)


@pytest.mark.parametrize("since", [PRIVATE, THEIRS, {**THEIRS, "visibility": "private"}])
@pytest.mark.parametrize("by", ["dump", "archive"])
@pytest.mark.parametrize("settings", [{}, {"lookup_limit": 0}], ids=["looked up", "not looked up"])
def test_who_was_shown_an_image_before_it_became_private_may_not_be_shown_it_now(
    site: Site, entry: CloudEntry, tmp_path: Path, since: dict[str, Any], by: str, settings: dict[str, Any]
) -> None:
    """Public, or shared, for a member's sweep; its owner shows it to nobody by the time of an administrator's."""
    was = PUBLIC if since != {**THEIRS, "visibility": "private"} else THEIRS
    become_member(site, entry)
    site.cloud.add(image(8, **was))
    assert site.sweep().listed == 7
    site.cloud.change(name_of(8), **since)
    if by == "dump":
        path = write(tmp_path, "dump.json", {"images": [*records(), image(8, **since)]})
        load(site, path, observed_at=site.database.now(), complete=True)
    else:
        roles(entry, "admin", "reader")
        site.sweep()
        roles(entry, "reader")
    lose_sight(site, 8)
    run = site.sweep(changed=settings)
    assert (run.outcome, run.deleted, site.reasons()) == ("complete", 0, {})
    assert site.held_for()[name_of(8)] == "login_changed"
    roles(entry, "admin", "reader")
    site.sweep(changed=settings)
    assert site.reasons().keys() >= {name_of(8)}


@pytest.mark.parametrize("first", ["dump", "sweep"])
def test_an_administrator_misses_what_old_listings_show(site: Site, tmp_path: Path, first: str) -> None:
    at = site.database.now()
    path = write(tmp_path, "dump.json", {"images": [*records(), image(10, **PRIVATE), image(11, **THEIRS)]})
    lose_sight(site, 6, 7)
    for what in (first, "sweep" if first == "dump" else "dump"):
        if what == "dump":
            load(site, path, observed_at=at)
        else:
            site.sweep()
    assert (len(site.reasons()), site.held_for()) == (4, {})


@pytest.mark.parametrize("first", ["dump", "sweep"])
def test_who_is_shown_private_images_of_others_sees_all(sites: Sites, tmp_path: Path, first: str) -> None:
    """Of a token nothing tells that; of another project's private images the listing does."""
    site = sites.open(images=records(), page_size=100)
    with_token_file(site, tmp_path).write_text("secret")
    settings = {"project_id": PROJECT, "page_size": 100}
    at = site.database.now()
    path = write(tmp_path, "dump.json", {"images": [image(10, visibility="private", owner="c")]})
    for what in (first, "sweep" if first == "dump" else "dump"):
        if what == "dump":
            load(site, path, observed_at=at)
        else:
            site.sweep(changed=settings)
    assert (site.reasons().keys(), site.held_for()) == ({name_of(10)}, {})


def test_a_private_image_that_was_published_since_shows_nothing_of_others(
    site: Site, entry: CloudEntry, tmp_path: Path
) -> None:
    become_member(site, entry)
    site.sweep()
    dump = {"images": [*records(), image(8, visibility="private", owner="c")]}
    load(site, write(tmp_path, "dump.json", dump), observed_at=site.database.now(), complete=True)
    site.cloud.add(image(8, visibility="public", owner="c", updated_at="2026-05-05T00:00:00Z"))
    assert (site.sweep().updated, site.reasons(), site.held_for()) == (1, {}, FOREIGN)


def test_what_a_member_was_shown_is_missing(site: Site, entry: CloudEntry, tmp_path: Path) -> None:
    """An image that was shared with it, whatever listings were loaded since."""
    roles(entry, "reader")
    at = site.database.now()
    load(site, write(tmp_path, "dump.json", {"images": records()}), observed_at=at)
    site.sweep()
    load(site, write(tmp_path, "later.json", {"images": records()}), observed_at=site.database.now())
    site.cloud.delete(name_of(6))
    assert (site.sweep().deleted, site.reasons()) == (1, {name_of(6): "not_found"})


def test_the_last_image_of_its_own_project_goes(site: Site, entry: CloudEntry, tmp_path: Path) -> None:
    become_member(site, entry)
    load(site, write(tmp_path, "dump.json", {"images": [image(4, **OWN), image(5, **OWN)]}),
         observed_at=site.database.now())  # fmt: skip
    site.cloud.delete(name_of(5))
    assert site.sweep().deleted == 1
    site.cloud.delete(name_of(4))
    assert (site.sweep().deleted, site.held_for()) == (1, {})


@pytest.mark.parametrize("order", list(itertools.permutations("dmn")))
def test_any_order_says_the_same(
    site: Site, entry: CloudEntry, database: Database, tmp_path: Path, order: tuple[str, ...]
) -> None:
    """A saved listing, and two sweeps of a member's: one before another deletes what it missed itself."""
    at = site.database.now()
    path = write(tmp_path, "dump.json", {"images": records()})
    become_member(site, entry)
    member = another(site, "m")
    first = archive_of(member)
    site.cloud.delete(name_of(4))
    second = archive_of(member)
    for one in order:
        if one == "d":
            load(site, path, observed_at=at)
        else:
            load(site, first if one == "m" else second)
    assert (site.reasons().keys(), site.held_for()) == ({name_of(4)}, FOREIGN)
    assert [change for change, _ in site.history(name_of(6))] == ["created"]


def archive_of(site: Site) -> Path:
    """A sweep's archive."""
    run = site.sweep()
    (path,) = (site.source.archive or Path()).glob(f"{site.source.name}/*{run.run_id[:8]}*.gz")
    return path


@pytest.mark.parametrize("order", ["dpa", "pda", "pad"])
def test_what_a_login_of_another_project_could_see_is_judged_by_its_own(
    site: Site, entry: CloudEntry, tmp_path: Path, order: str
) -> None:
    """The source was adopted by one of another project since (`p`, `a`); a saved listing shows images of both."""
    at = site.database.now()
    new_owner = {"visibility": "private", "owner": "2" * 32}
    path = write(tmp_path, "dump.json", {"images": [*records(), image(10, **new_owner)]})
    become_member(site, entry)
    for what in order:
        if what == "d":
            load(site, path, observed_at=at)
        elif what == "p":
            site.sweep()
        else:
            with site.database.transaction() as connection:
                stored_sources.adopt(connection, "s", None)
            lose_sight(site, 4, 5)
            site.cloud.add(image(10, **new_owner))
            entry.write(project_id="2" * 32)
            site.sweep()
    assert site.reasons() == {}
    assert [change for change, _ in site.history(name_of(10))] == ["created"]


@pytest.mark.parametrize("order", ["rsl", "rls"])
def test_what_was_reported_deleted_and_listed_again_is_beyond_a_member(
    site: Site, entry: CloudEntry, tmp_path: Path, order: str
) -> None:
    """The sweep only misses what a saved listing calls deleted (`r`): of the one in which it lives (`l`), too."""
    become_member(site, entry)
    first, second = site.database.now(), site.database.now()
    files = {
        name: write(tmp_path, f"{name}.json", {"images": [*records(), image(10, **PRIVATE, **keys)]})
        for name, keys in {"r": {"status": "deleted"}, "l": {}}.items()
    }
    for what in order:
        if what == "s":
            site.sweep()
        else:
            load(site, files[what], observed_at=first if what == "r" else second)
    assert site.reasons() == {}
    assert site.held_for() == FOREIGN | {name_of(10): "login_changed"}


# ---- a key that says nothing of itself --------------------------------------------------------------


@pytest.fixture
def keyed(sites: Sites, tmp_path: Path) -> Callable[..., Site]:
    """Opens a site that is swept with a token of which nobody knows what it reaches."""

    def open_site(*more: dict[str, Any], **settings: Any) -> Site:
        site = sites.open(images=[*records(), *more])
        with_token_file(site, tmp_path).write_text("secret")
        changed = {"page_size": 100, "project_id": PROJECT, **settings}
        site.source = SourceSettings(
            "s", "glance", endpoint=site.server.endpoint, auth="token",
            token_file=site.source.token_file, deadline=20.0, **changed,
        )  # fmt: skip
        site.sweep()
        return site

    return open_site


@pytest.mark.parametrize("settings", [{}, {"project_id": None}], ids=["of a project", "of some project"])
def test_the_same_key_that_reaches_less_deletes_nothing_of_others(
    keyed: Callable[..., Site], settings: dict[str, Any]
) -> None:
    """Its own images are shown as ever."""
    site = keyed(**settings)
    lose_sight(site, 6, 7)
    site.cloud.delete(name_of(5))
    site.cloud.delete(name_of(3))
    for deleted in (2, 0):
        run = site.sweep()
        assert (run.deleted, run.held) == (deleted, 2)
        assert site.held_for().keys() == FOREIGN.keys()
    for record in foreign():
        site.cloud.add(record)
    assert (site.sweep().held, site.reasons().keys()) == (0, {name_of(3), name_of(5)})


def test_what_is_shared_by_the_same_owner_is_no_control(keyed: Callable[..., Site]) -> None:
    """An image that was shared with the key's project is shown on, and no other one of its owner's."""
    site = keyed(image(8, **THEIRS))
    lose_sight(site, 6, 7)
    for _ in range(2):
        assert (site.sweep().deleted, site.held_for()) == (0, FOREIGN)


def test_one_alone_may_be_the_last_of_its_kind(keyed: Callable[..., Site]) -> None:
    site = keyed()
    site.cloud.delete(name_of(7))
    assert (site.sweep().deleted, site.held_for()) == (1, {})


def test_without_a_login_all_are_shown_the_same(sites: Sites, tmp_path: Path) -> None:
    """No private image is listed that would say so."""
    site = sites.open(images=[image(0, **PUBLIC)], page_size=100)
    path = write(tmp_path, "dump.json", {"images": [image(1, **PRIVATE)]})
    load(site, path, observed_at=site.database.now())
    assert (site.sweep().deleted, site.held_for()) == (1, {})


def test_with_a_key_too_one_s_own_go_and_what_was_shared(keyed: Callable[..., Site]) -> None:
    """All of its project's at once; an image that was accepted."""
    site = keyed(image(8, visibility="shared", owner="c"))
    for n in (4, 5, 8):
        site.cloud.delete(name_of(n))
    assert (site.sweep().deleted, site.held_for()) == (3, {})
    site.cloud.delete(name_of(6))
    assert (site.sweep().deleted, site.held_for()) == (1, {})


def test_who_is_shown_others_private_images_still_misses_one(keyed: Callable[..., Site]) -> None:
    site = keyed(image(8, **PRIVATE))
    site.cloud.delete(name_of(7))
    assert (site.sweep().deleted, site.held_for()) == (1, {})


@pytest.mark.parametrize("key", ["secret", "another"])
def test_an_archive_of_a_key_deletes_no_more_than_its_sweep_would(
    keyed: Callable[..., Site], database: Database, tmp_path: Path, key: str
) -> None:
    """It is of another catalog, or of this one when it knew less; the key shows nothing but public images."""
    site = keyed(image(8, **THEIRS))
    token = tmp_path / "other"
    token.write_text(key)
    settings = {"name": "t", "token_file": token, "archive": tmp_path / "archive"}
    lesser = Site(database, site.cloud, site.server, dataclasses.replace(site.source, **settings))
    lose_sight(site, 4, 5, 6, 7, 8)
    lesser.sweep()
    load(site, archive(lesser))
    assert (site.reasons(), len(site.held_for())) == ({}, 5)


@pytest.mark.parametrize("order", ["as", "sa"])
def test_what_a_key_was_shown_before_it_reached_less_is_judged_by_owner(
    keyed: Callable[..., Site], database: Database, tmp_path: Path, order: str
) -> None:
    """An older archive of its own comes after the sweep that lacks the images: nobody looked them up."""
    site = keyed(image(8, **PRIVATE))
    wipe(database)
    site.source = dataclasses.replace(site.source, archive=tmp_path / "archive")
    older = archive_of(site)
    wipe(database)
    lose_sight(site, 6, 7, 8)
    site.cloud.delete(name_of(5))
    for what in order:
        if what == "a":
            load(site, older)
        else:
            site.sweep()
    for _ in range(2):
        assert (site.reasons().keys(), len(site.held_for())) == ({name_of(5)}, 3)
        site.sweep()
