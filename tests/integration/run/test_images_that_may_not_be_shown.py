"""Images that not everybody may see may just not be shown: their absence is held (semantics 4.5)."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.config.settings import SourceSettings
from catalog.demo.answers import Answer
from catalog.sync.approve_or_keep import decide
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.sweep import sweep
from tests.integration.run.test_renewed_logins import with_key_file, with_token_file
from tests.support.cloud_server import Exchange
from tests.support.faults import by_address, status
from tests.support.records import body_of, image, name_of, write
from tests.support.rows import contents_of, wipe
from tests.support.world import Site, Sites, hasty

KINDS = ("glance", "ims")
MINE, THEIRS = {"visibility": "private", "owner": "a"}, {"visibility": "private", "owner": "b"}


def mixed() -> list[dict[str, Any]]:
    """Thirty public images, and two private ones."""
    return [*map(image, range(30)), image(30, **MINE), image(31, **MINE)]


@pytest.fixture
def opened(sites: Sites, tmp_path: Path) -> Callable[..., Site]:
    """Opens a site that is asked with a token or an access key."""

    def open_site(kind: str, records: list[dict[str, Any]]) -> Site:
        site = sites.open(kind, records)
        secret = (with_token_file if kind == "glance" else with_key_file)(site, tmp_path)
        secret.write_text("secret")
        return site

    return open_site


def anonymous(site: Site, shown: Collection[str] = ("public",)) -> None:
    """A gateway drops the token: the service shows what everybody may see."""
    for held in site.cloud.oldest_first():
        held.forbidden = held.record["visibility"] not in shown

    def not_found(exchange: Exchange) -> None:
        found = site.cloud.find(exchange.request.path.rsplit("/", 1)[1])
        if found is not None and found.forbidden:
            status(404)(exchange)
        else:
            exchange.send(exchange.healthy())

    site.server.faults.add(not_found, when=by_address, times=None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changed", [{}, {"lookup_limit": 0}], ids=["looked up", "not looked up"])
def test_a_listing_that_shows_public_images_only_deletes_no_private_one(
    opened: Callable[..., Site], kind: str, changed: dict[str, Any]
) -> None:
    site = opened(kind, mixed())
    site.sweep()
    anonymous(site)
    site.cloud.delete(name_of(3))
    planned = sweep(site.database, site.source, plan=True, opener=hasty)
    for _ in range(2):
        run = site.sweep(changed=changed)
        assert (run.outcome, run.held) == ("complete", 2)
    assert (planned.held, planned.deleted) == (2, 1)
    assert site.held_for() == dict.fromkeys([name_of(30), name_of(31)], "limit")
    assert site.reasons().keys() == {name_of(3)}
    site.server.faults.clear()
    for held in site.cloud.oldest_first():
        held.forbidden = False
    site.cloud.delete(name_of(31))
    run = site.sweep()
    assert (run.held, site.held_for()) == (1, {name_of(31): "limit"})  # a person decides, as with the limit


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("owner", ["a", "z"])
def test_community_images_are_no_sign_that_private_ones_are_shown(
    opened: Callable[..., Site], kind: str, owner: str
) -> None:
    """They are for everybody too; and one that goes while another is listed is gone."""
    community = {"visibility": "community", "owner": owner}
    site = opened(kind, [*mixed(), *(image(n, **community) for n in (40, 41, 42))])
    site.sweep()
    anonymous(site, shown=("public", "community"))
    site.cloud.delete(name_of(40))
    site.cloud.delete(name_of(41))
    assert site.sweep().held == 2
    assert (site.held_for().keys(), site.reasons().keys()) == (
        {name_of(30), name_of(31)},
        {name_of(40), name_of(41)},
    )


def test_a_private_image_that_was_just_published_shows_no_private_ones(opened: Callable[..., Site]) -> None:
    site = opened("glance", [*mixed(), image(32, **MINE)])
    site.sweep()
    site.cloud.change(name_of(32), visibility="public")
    anonymous(site)
    run = site.sweep()
    assert (run.updated, run.held, run.deleted) == (1, 2, 0)


@pytest.mark.parametrize("shown", [[], [image(32, **THEIRS)]], ids=["public only", "a private one"])
def test_a_saved_listing_that_shows_public_images_only_deletes_no_private_one(
    opened: Callable[..., Site], tmp_path: Path, shown: list[dict[str, Any]]
) -> None:
    site = opened("glance", mixed())
    site.sweep()
    path = write(tmp_path, "dump.json", {"images": [*map(image, range(1, 30)), *shown]})
    backfill(site.database, site.source, [path], observed_at=site.database.now(), complete=True)
    private = {name_of(30), name_of(31)}
    assert site.held_for().keys() == (set() if shown else private)
    assert site.reasons().keys() == {name_of(0)} | (private if shown else set())


def test_the_note_says_why(opened: Callable[..., Site]) -> None:
    site = opened("glance", mixed())
    site.sweep()
    anonymous(site)
    assert "nothing is listed of their kind" in str(site.sweep().note)
    assert site.sweep(accept_deletions=True).deleted == 2


@pytest.mark.parametrize("kind", KINDS)
def test_images_in_the_place_of_all_of_their_kind_are_of_it(opened: Callable[..., Site], kind: str) -> None:
    """Built again each night: a new private image, listed for the first time, when the old ones go."""
    site = opened(kind, mixed())
    site.sweep()
    site.cloud.add(image(40, **MINE))
    site.cloud.delete(name_of(30))
    site.cloud.delete(name_of(31))
    assert (site.sweep().deleted, site.reasons().keys()) == (2, {name_of(30), name_of(31)})


def test_the_last_one_of_its_kind_is_deleted_as_any_other(opened: Callable[..., Site]) -> None:
    site = opened("glance", mixed()[:-1])
    site.sweep()
    site.cloud.delete(name_of(30))
    assert (site.sweep().deleted, site.reasons()) == (1, {name_of(30): "not_found"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", ["found", "held", "kept"])
@pytest.mark.parametrize("saved", [False, True], ids=["a sweep", "a saved listing"])
def test_one_of_two_is_not_alone_though_only_it_is_in_doubt(
    opened: Callable[..., Site], tmp_path: Path, kind: str, other: str, *, saved: bool
) -> None:
    site = opened(kind, mixed())
    site.sweep()
    taken = site.cloud.find(name_of(30))
    assert taken is not None
    if other == "found":
        taken.unlisted = True
        site.sweep()
    else:
        taken.forbidden = True
        site.sweep(changed={"deletion_limit_count": 0, "deletion_limit_percent": 0.0})
        if other == "kept":
            decide(site.database, site.source_id, "keep", MappingAdapter.of(site.source), by="somebody")
    if saved:
        path = write(tmp_path, "dump.json", {"images": [*map(image, range(30))]})
        backfill(site.database, site.source, [path], observed_at=site.database.now(), complete=True)
    else:
        anonymous(site)
        site.sweep()
        site.sweep()
    assert (site.reasons(), site.held_for().get(name_of(31))) == ({}, "limit")


def test_who_asks_without_a_login_sees_what_everybody_does(sites: Sites) -> None:
    site = sites.open(images=mixed(), page_size=100)
    site.sweep()
    site.cloud.delete(name_of(30))
    site.cloud.delete(name_of(31))
    assert site.sweep().deleted == 2


def test_one_of_the_kind_that_a_look_up_finds_shows_that_it_is_shown(opened: Callable[..., Site]) -> None:
    site = opened("ims", mixed())
    site.sweep()
    site.cloud.hide(name_of(30))
    site.cloud.delete(name_of(31))
    run = site.sweep()
    assert (run.deleted, run.held, run.unlisted) == (1, 0, 1)


def test_an_empty_listing_is_one_whatever_other_passes_list(sites: Sites) -> None:
    """Even where each address says not found but for those of the other pass."""
    site = sites.open(images=[*map(image, range(6)), image(6, os_hidden=True)], page_size=100)
    site.sweep()
    site.server.faults.add(
        lambda exchange: exchange.send(Answer(200, body_of([]))),
        when=lambda r: r.path == "/v2/images" and "os_hidden" not in r.query,
        times=None,
    )
    gone = {name_of(n) for n in range(6)}
    site.server.faults.add(status(404), when=lambda r: r.path.rsplit("/", 1)[1] in gone, times=None)
    run = site.sweep()
    assert (run.outcome, run.deleted, run.held) == ("complete", 0, 6)


def ready_made(site: Site, folder: Path, auth_type: str) -> Callable[[str], Any]:
    """The source is swept by a cloud of clouds.yaml whose entry holds the credential itself."""
    site.source = SourceSettings("s", "glance", cloud="meadow", page_size=2, deadline=20.0)

    def change(secret: str) -> None:
        auth = {"username": "ann", "password": secret} if auth_type == "http_basic" else {"token": secret}
        auth["endpoint"] = site.server.endpoint
        entry = {"auth_type": auth_type, "auth": auth, "image_endpoint_override": site.server.endpoint}
        (folder / "clouds.yaml").write_text(json.dumps({"clouds": {"meadow": entry}}))

    return change


Keyed = tuple[Site, Callable[[str], Any]]
"""A source with a secret, and what changes it."""


@pytest.fixture(params=["token", "access key", "admin_token", "http_basic"])
def open_keyed(
    request: pytest.FixtureRequest, sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Keyed]:
    """Opens a site that is asked with a secret that tells nothing of itself, and sweeps it once."""
    monkeypatch.chdir(tmp_path)

    def open_site(records: list[dict[str, Any]], project: str = "p") -> Keyed:
        site = sites.open("ims" if request.param == "access key" else "glance", records)
        change: Callable[[str], Any]
        if request.param == "token":
            change = with_token_file(site, tmp_path).write_text
        elif request.param == "access key":
            change = with_key_file(site, tmp_path).write_text
            site.source = dataclasses.replace(site.source, project_id=project)
        else:
            change = ready_made(site, tmp_path, request.param)
        change("first")
        assert site.sweep(changed={"page_size": 100}).inserted == len(records)
        return site, change

    return open_site


@pytest.fixture
def keyed(open_keyed: Callable[..., Keyed]) -> Keyed:
    """Twenty-two images, some of them another project's."""
    private = (image(n, **(MINE if n < 16 else THEIRS)) for n in range(10, 22))
    return open_keyed([*map(image, range(10)), *private])


def test_with_another_key_what_it_may_not_be_shown_is_held(keyed: Keyed) -> None:
    """It sees one project's private images and not the other's: nobody can tell whether these are gone."""
    site, change_key = keyed
    change_key("second")
    for n in (1, 11, *range(16, 22)):
        site.cloud.delete(name_of(n))
    theirs = {name_of(n) for n in range(16, 22)}
    run = site.sweep(changed={"deletion_limit_count": 20})
    assert (run.outcome, run.deleted, run.held) == ("complete", 2, 6)
    assert "of their kind" in str(run.note)
    again = site.sweep(changed={"deletion_limit_count": 20})
    assert (again.deleted, site.held_for().keys()) == (0, theirs)


@pytest.mark.parametrize("visibility", ["shared", "community"])
def test_what_a_project_shows_others_tells_nothing_of_its_private_images(
    keyed: Keyed, visibility: str
) -> None:
    site, change_key = keyed
    site.cloud.add(image(30, visibility=visibility, owner="b"))
    site.sweep()
    change_key("second")
    for n in range(16, 22):
        site.cloud.delete(name_of(n))
    run = site.sweep(changed={"deletion_limit_count": 20})
    assert (run.deleted, run.held) == (0, 6)


@pytest.mark.parametrize(
    ("key", "more", "held"), [("second", [], 3), ("first", [], 0), ("second", [image(40, **THEIRS)], 0)],
    ids=["another key", "the same key", "another key that is shown all"],
)  # fmt: skip
def test_a_share_that_another_key_is_shown_tells_of_no_other(
    open_keyed: Callable[..., Keyed], key: str, more: list[dict[str, Any]], held: int
) -> None:
    """Of its own project private images are listed, of another one a single share."""
    shares = [image(n, visibility="shared", owner="b") for n in range(10, 14)]
    site, change_key = open_keyed([*map(image, range(10)), *shares, image(30, **MINE), *more], "a")
    change_key(key)
    for n in range(11, 14):
        site.cloud.delete(name_of(n))
    run = site.sweep()
    assert (run.outcome, run.deleted, run.held) == ("complete", 3 - held, held)
    assert (site.sweep().deleted, len(site.held_for())) == (0, held)


@pytest.mark.parametrize("visibility", ["private", "shared"])
def test_a_single_image_of_another_project_is_not_its_last_one_to_another_key(
    open_keyed: Callable[..., Keyed], visibility: str
) -> None:
    theirs = image(12, visibility=visibility, owner="b")
    site, change_key = open_keyed([*map(image, range(10)), image(10, **MINE), image(11, **MINE), theirs], "a")
    change_key("second")
    site.cloud.delete(name_of(11))
    site.cloud.delete(name_of(12))
    run = site.sweep()
    assert (run.deleted, site.held_for()) == (1, {name_of(12): "limit"})


def test_another_key_holds_up_nothing_else(keyed: Keyed) -> None:
    """Tokens end by the hour: each new one is the measure from its first complete sweep on."""
    site, change_key = keyed
    for number in range(3):
        change_key(f"next {number}")
        site.cloud.delete(name_of(number))
        site.cloud.delete(name_of(10 + number))
        run = site.sweep()
        assert (run.deleted, run.held, run.note) == (2, 0, None)
        [row] = site.rows("SELECT login FROM sources WHERE source_id = $")
        assert sum(right.startswith("key ") for right in row["login"]) == 1
        assert not any("next" in right for right in row["login"])
    for n in range(16, 21):
        site.cloud.delete(name_of(n))
    site.sweep()
    site.cloud.delete(name_of(21))
    assert site.sweep().deleted == 1  # the last one of its owner, and with the same key as before


def test_a_key_that_comes_in_the_middle_of_a_sweep_is_another_one(
    keyed: Keyed,
) -> None:
    site, change_key = keyed
    for n in range(16, 22):
        site.cloud.delete(name_of(n))

    def play(exchange: Exchange) -> None:
        change_key("second")
        status(401)(exchange)

    site.server.faults.add(play, at=len(site.server.requests) + 2)
    run = site.sweep(changed={"deletion_limit_count": 20})
    assert (run.outcome, run.deleted, run.held) == ("complete", 0, 6)


def test_what_is_held_for_another_key_is_held_in_any_order(
    open_keyed: Callable[..., Keyed], tmp_path: Path
) -> None:
    """Rebuilt from the sweeps' archives, and beside a saved listing from between them."""
    shares = [image(n, visibility="shared", owner="b") for n in range(10, 14)]
    records = [*map(image, range(10)), *shares, image(30, **MINE)]
    site, change_key = open_keyed(records, "a")
    site.source = dataclasses.replace(site.source, archive=tmp_path / "archive")
    site.sweep()
    between = site.database.now()
    change_key("second")
    for n in range(11, 14):
        site.cloud.delete(name_of(n))
    assert site.sweep().held == 3
    held = site.held_for()
    archives = sorted((tmp_path / "archive").rglob("*.gz"))
    dump = write(tmp_path, "dump.json", {"images": records})
    histories = []
    for order in itertools.permutations([*archives, dump]):
        wipe(site.database)
        for path in order:
            at = between if path == dump else None
            result = backfill(site.database, site.source, [path], observed_at=at, confirmed=True)
            assert result.failures == []
        assert (site.reasons(), site.held_for()) == ({}, held)
        histories.append(contents_of(site.database, "s"))
    assert all(one == histories[0] for one in histories)
