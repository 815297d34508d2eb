"""A listed image is looked up before what look-ups say of missing ones is believed (semantics 4.5)."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.demo.answers import Request
from catalog.sync.control_lookup import CONTROL_EVERY
from catalog.sync.sweep import sweep
from tests.support.faults import by_address, hang, status
from tests.support.records import image, name_of
from tests.support.world import Site, Sites, hasty

KINDS = ("glance", "ims")


def no_address_answers(site: Site, code: int = 404) -> None:
    site.server.faults.add(status(code), when=by_address, times=None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [404, 403])
def test_an_address_that_is_dead_for_everything_deletes_nothing(sites: Sites, kind: str, code: int) -> None:
    """The images stay live and unlisted, the run says why, and they are asked for again once it works."""
    site = sites.open(kind, 8)
    site.sweep()
    for n in (1, 4):
        site.cloud.delete(name_of(n))
    no_address_answers(site, code)
    for _ in range(3):
        run = site.sweep()
        assert (run.outcome, run.deleted, run.unlisted, run.held, run.looked_up) == ("complete", 0, 2, 0, 2)
        assert "look-ups prove nothing in this sweep" in str(run.note)
        assert "\n" not in str(run.note)
    assert site.unlisted() == {name_of(1), name_of(4)}
    planned = sweep(site.database, site.source, plan=True, opener=hasty)
    assert (planned.deleted, planned.note) == (0, run.note)
    site.server.faults.clear()
    run = site.sweep()
    assert (run.deleted, run.note) == (2, None)
    assert site.reasons() == dict.fromkeys([name_of(1), name_of(4)], "not_found")


def test_without_a_live_listed_image_there_is_no_control_and_nothing_is_believed(sites: Sites) -> None:
    """All that is listed was recorded as deleted before: it is no measure of what addresses answer."""
    site = sites.open(images=[*map(image, range(4)), image(9, status="deleted")])
    site.sweep()
    for n in range(4):
        site.cloud.delete(name_of(n))
    no_address_answers(site)
    run = site.sweep()
    assert (run.outcome, run.deleted, run.unlisted) == ("complete", 0, 4)
    assert "no live image was listed" in str(run.note)
    assert len(site.live()) == 4


def test_a_dead_address_counts_as_no_answer_for_the_limit(sites: Sites) -> None:
    site = sites.open(images=8, deletion_limit_count=2, deletion_limit_percent=25.0)
    site.sweep()
    for n in range(3):
        site.cloud.delete(name_of(n))
    no_address_answers(site)
    assert (site.sweep().held, len(site.live())) == (3, 8)


def test_nothing_is_controlled_while_there_is_nothing_to_believe(sites: Sites) -> None:
    site = sites.open("ims", 4)
    site.sweep()
    site.cloud.hide(name_of(1))
    site.sweep()
    site.sweep()
    assert site.look_ups() == [name_of(1)]


def test_the_control_is_of_the_same_system_where_one_was_listed(sites: Sites) -> None:
    systems = ["Linux", "Windows", "Linux", "Other", "Windows"]
    site = sites.open(images=[image(n, __os_type=system) for n, system in enumerate(systems)])
    site.sweep()
    site.cloud.delete(name_of(1))
    site.sweep()
    assert site.look_ups() == [name_of(1), name_of(4)]
    site.cloud.delete(name_of(3))
    site.sweep()
    assert site.look_ups()[2] == name_of(3)
    assert site.look_ups()[3] in {name_of(0), name_of(2), name_of(4)}
    assert site.reasons() == dict.fromkeys([name_of(1), name_of(3)], "not_found")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_listed", [{"visibility": "private"}, {"visibility": "private", "owner": "b"}])
def test_one_of_the_same_system_is_asked_also_where_another_one_is_more_alike(
    sites: Sites, kind: str, as_listed: dict[str, str]
) -> None:
    """Windows images lost their addresses. One of them is missing; what is as private as it is for Linux only."""
    system = "os_type" if kind == "glance" else "__os_type"
    images = [image(0, **as_listed, **{system: "Windows"}), image(1, **{system: "Windows"})]
    images += [image(2, **as_listed, **{system: "Linux"}), *map(image, range(5, 20))]
    site = sites.open(kind, images)
    site.sweep()
    site.cloud.delete(name_of(0))
    site.server.faults.add(status(404), when=lambda r: r.path.endswith(name_of(1)), times=None)
    run = site.sweep()
    assert (run.deleted, run.unlisted, site.look_ups()) == (0, 1, [name_of(0), name_of(2), name_of(1)])
    site.server.faults.clear()
    assert site.sweep().deleted == 1


def test_each_of_several_missing_systems_has_its_own_control(sites: Sites) -> None:
    """The rarer one among them is not believed for what is asked about the usual one."""
    systems = ["Linux", "Linux", "Linux", "Linux", "Windows", "Windows"]
    site = sites.open(images=[image(n, __os_type=system) for n, system in enumerate(systems)])
    site.sweep()
    for n in (0, 1, 4):
        site.cloud.delete(name_of(n))
    site.server.faults.add(status(404), when=lambda r: r.path.endswith(name_of(5)), times=None)
    run = site.sweep()
    assert (name_of(5) in site.look_ups(), name_of(4) in site.live()) == (True, True)
    assert "look-ups prove nothing" in str(run.note)


def test_images_that_have_no_address_stop_no_deletion_of_others(sites: Sites) -> None:
    """Some Image Management Services show Windows images in listings alone: what is missing of these can't be told."""
    systems = ["Linux"] * 6 + ["Windows"] * 6
    site = sites.open("ims", [image(n, __os_type=system) for n, system in enumerate(systems)], page_size=50)
    site.server.faults.add(status(404), when=lambda r: by_address(r) and int(r.path[-3:]) > 5, times=None)
    site.sweep()
    for n in (0, 1, 6):
        site.cloud.delete(name_of(n))
    for deleted in (2, 0):
        run = site.sweep()
        assert (run.outcome, run.deleted, run.held, site.unlisted()) == ("complete", deleted, 0, {name_of(6)})
        assert "look-ups prove nothing in this sweep about images like it: image image-0" in str(run.note)


@pytest.mark.parametrize("code", [404, 403])
def test_one_control_that_fails_ends_belief(sites: Sites, code: int) -> None:
    """A part of the store is down: some of what is listed has no address, and nobody can tell what else. An image that
    was deleted between listing and look-up says no less; the next sweep asks again."""
    site = sites.open(images=40, page_size=100)
    site.sweep()
    gone = {name_of(n) for n in (25, 30, 35)}
    for image_id in gone:
        site.cloud.delete(image_id)
    site.server.faults.add(
        status(code), when=lambda r: by_address(r) and r.path.rsplit("/", 1)[1] not in gone, times=1
    )
    run = site.sweep()
    assert (run.deleted, run.unlisted, len(site.look_ups())) == (0, 3, 4)
    assert "look-ups prove nothing" in str(run.note)
    assert site.sweep().deleted == 3


def test_images_of_other_passes_are_controls_too(sites: Sites) -> None:
    """A share that is not accepted is not among what IMS lists by id, but has its address."""
    shared = {"__imagetype": "shared", "visibility": "shared", "owner": "another"}
    site = sites.open("ims", [image(0, **shared), image(2)])
    site.cloud.add(image(1, **shared), member_status="pending")
    assert site.sweep().listed == 3
    site.cloud.delete(name_of(0))
    assert site.sweep().deleted == 1
    assert site.look_ups() == [name_of(0), name_of(1)]


def test_an_image_listed_for_the_first_time_is_a_control(sites: Sites) -> None:
    """All that was known is gone: the address is tried with what came instead."""
    site = sites.open(images=2, deletion_limit_count=5)
    site.sweep()
    for n in range(2):
        site.cloud.delete(name_of(n))
    site.cloud.add(image(5))
    no_address_answers(site)
    assert (site.sweep().deleted, len(site.live())) == (0, 3)
    site.server.faults.clear()
    assert site.sweep().deleted == 2


@pytest.mark.parametrize("kind", [{"visibility": "private"}, {"owner": "b"}, {"__os_type": "Windows"}])
@pytest.mark.parametrize("new", [True, False], ids=["new", "changed"])
def test_a_new_or_changed_record_is_a_control_by_what_it_says(
    sites: Sites, kind: dict[str, str], new: bool
) -> None:
    """All images of a kind lose their addresses; the only other one of it came with this sweep, or became one."""
    site = sites.open(images=[*map(image, range(20)), image(30, **kind), *([] if new else [image(40)])])
    site.sweep()
    if new:
        site.cloud.add(image(40, **kind))
    else:
        site.cloud.change(name_of(40), **kind)
    site.cloud.delete(name_of(30))
    site.server.faults.add(status(404), when=lambda r: r.path.endswith(name_of(40)), times=None)
    run = site.sweep()
    assert (run.deleted, run.unlisted, site.look_ups()) == (0, 1, [name_of(30), name_of(40)])
    site.server.faults.clear()
    assert site.sweep().deleted == 1


def test_a_record_that_says_deleted_is_no_control(sites: Sites) -> None:
    site = sites.open(images=[*map(image, range(4)), image(5, visibility="private")])
    site.sweep()
    site.cloud.add(image(6, visibility="private", status="deleted"))
    site.cloud.delete(name_of(5))
    site.sweep()
    assert site.look_ups()[1] in {name_of(n) for n in range(4)}


def test_an_address_that_dies_in_the_middle_of_a_sweep_is_noticed(sites: Sites) -> None:
    """A gateway that begins to refuse, a new release of the service: what was asked since proves nothing."""
    site = sites.open(images=40, page_size=100, deletion_limit_count=40)
    site.sweep()
    for n in range(9):
        site.cloud.delete(name_of(n))
    alive = 6

    def dies(request: Request) -> bool:
        return by_address(request) and len(site.look_ups()) > alive

    site.server.faults.add(status(403), when=dies, times=None)
    run = site.sweep()
    assert (run.deleted, run.unlisted, run.held) == (1, 8, 0)
    assert "look-ups prove nothing" in str(run.note)
    assert set(site.reasons().values()) == {"not_found"}
    site.server.faults.clear()
    before = len(site.look_ups())
    assert site.sweep().deleted == 8
    assert len(site.look_ups()) - before == 8 + 2


def test_one_control_vouches_for_some_answers_only(sites: Sites) -> None:
    site = sites.open(images=80, page_size=100, deletion_limit_count=80)
    site.sweep()
    for n in range(2 * CONTROL_EVERY + 5):
        site.cloud.delete(name_of(n))
    assert site.sweep().deleted == 2 * CONTROL_EVERY + 5
    listed = [i for i in site.look_ups() if i >= name_of(2 * CONTROL_EVERY + 5)]
    assert len(listed) == 4


def test_a_control_that_takes_too_long_costs_the_answers_and_not_the_merge(sites: Sites) -> None:
    site = sites.open(images=5, deadline=1.5)
    site.sweep()
    site.cloud.change(name_of(4), name="renamed")
    site.cloud.delete(name_of(0))
    site.server.faults.add(
        hang(), when=lambda r: by_address(r) and not r.path.endswith(name_of(0)), times=None
    )
    run = site.sweep()
    assert (run.outcome, run.updated, run.deleted, run.unlisted) == ("complete", 1, 0, 1)


def test_accepted_deletions_spare_what_a_dead_address_says_of(sites: Sites) -> None:
    """And what was not asked about: the order of asking tells nothing."""
    site = sites.open(images=6)
    site.sweep()
    for n in range(3):
        site.cloud.delete(name_of(n))
    no_address_answers(site)
    run = site.sweep(accept_deletions=True, changed={"lookup_limit": 1})
    assert (run.deleted, run.unlisted, run.looked_up) == (0, 3, 1)
    assert "look-ups prove nothing" in str(run.note)
    site.server.faults.clear()
    assert site.sweep(accept_deletions=True, changed={"lookup_limit": 1}).deleted == 3
    assert sorted(site.reasons().values()) == ["not_found", "not_listed", "not_listed"]


def test_where_none_are_made_no_dead_address_is_met(sites: Sites) -> None:
    site = sites.open(images=6)
    site.sweep()
    site.cloud.delete(name_of(0))
    no_address_answers(site)
    assert site.sweep(changed={"lookup_limit": 0}).deleted == 1


def test_the_sweep_says_so(sites: Sites, capsys: Any) -> None:
    from catalog.cli.output import summary

    site = sites.open(images=3)
    site.sweep()
    site.cloud.delete(name_of(0))
    no_address_answers(site)
    run = site.sweep()
    assert "its look-up says not found" in summary(run)
    assert "nothing proved" in "".join(capsys.readouterr())


def test_a_control_is_of_the_visibility_and_then_of_the_owner_of_what_it_vouches_for(sites: Sites) -> None:
    """A service may begin to hide private images, or those of some projects, from all but their owners."""
    owners = [
        ("public", "a"),
        ("private", "a"),
        ("private", "b"),
        ("private", "b"),
        ("private", "a"),
        ("public", "b"),
    ]
    site = sites.open(
        images=[
            image(n, visibility=visibility, owner=owner, __os_type="Linux" if n else "Windows")
            for n, (visibility, owner) in enumerate(owners)
        ]
    )
    site.sweep()
    for gone, *controls in ((2, 3), (4, 1), (5, 0, 3)):
        site.cloud.delete(name_of(gone))
        asked = len(site.look_ups())
        site.sweep()
        assert site.look_ups()[asked:] == [name_of(gone), *map(name_of, controls)]


def test_public_images_vouch_for_no_private_ones(sites: Sites) -> None:
    """Neither for those asked about beside public ones, nor where the only private one listed is not found."""
    site = sites.open(
        images=[*map(image, range(30)), *(image(n, visibility="private") for n in range(30, 41))],
        page_size=100,
        deletion_limit_count=20,
    )
    site.sweep()
    gone = {name_of(n) for n in (0, 1, 30, 31, 32, 33)}
    for image_id in gone:
        site.cloud.delete(image_id)
    hidden = {name_of(n) for n in range(30, 41)}
    site.server.faults.add(status(404), when=lambda r: r.path.rsplit("/", 1)[1] in hidden, times=None)
    assert site.sweep().deleted <= 2
    assert set(site.reasons()) <= {name_of(0), name_of(1)}
    for n in range(34, 40):
        site.cloud.delete(name_of(n))
    site.sweep()
    assert set(site.reasons()) <= {name_of(0), name_of(1)}


def test_controls_take_turns(sites: Sites) -> None:
    """One image may be a special one for years."""
    site = sites.open(images=60, page_size=100, deletion_limit_count=60)
    site.sweep()
    for n in range(10):
        site.cloud.delete(name_of(n))
        site.sweep()
    controls = {image_id for image_id in site.look_ups() if image_id >= name_of(10)}
    assert len(controls) > 2
