"""The deletion limit: what it holds back, what leaves by itself, what was kept (semantics 4.5)."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.sync.approve_or_keep import Verb, decidable, decide
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.sweep import sweep
from tests.support.cloud_server import Exchange
from tests.support.faults import body, status
from tests.support.records import body_of, image, name_of
from tests.support.world import HASTY, Site, Sites, hasty

LIMIT: dict[str, Any] = {"deletion_limit_count": 2, "deletion_limit_percent": 25.0}
TIGHT: dict[str, Any] = {"deletion_limit_count": 1, "deletion_limit_percent": 10.0}
KINDS = ("glance", "ims")


def delete(site: Site, numbers: Any) -> None:
    for n in numbers:
        site.cloud.delete(name_of(n))


def names(numbers: Any) -> set[str]:
    return {name_of(n) for n in numbers}


@pytest.mark.parametrize(
    ("live", "gone", "held"),
    [(8, 2, 0), (8, 3, 3), (11, 3, 3), (12, 3, 0), (13, 4, 4), (16, 4, 0), (3, 2, 0), (2, 2, 0)],
    ids=lambda value: str(value),
)
def test_deletions_are_held_only_above_both_bounds(sites: Sites, live: int, gone: int, held: int) -> None:
    """More than the share, and more than the number; at a bound is not above it."""
    site = sites.open(images=[image(n) for n in range(live)] + [image(500, status="deleted")], **LIMIT)
    site.sweep()
    delete(site, range(gone))
    site.cloud.add(image(400))
    run = site.sweep()
    assert (run.outcome, run.held, run.deleted) == ("complete", held, 0 if held else gone)
    assert site.unlisted() == (names(range(gone)) if held else set())
    assert site.decisions() == dict.fromkeys(names(range(gone)) if held else (), "open")
    assert name_of(400) in site.live()


def test_reported_deletions_are_not_counted(sites: Sites) -> None:
    """The cloud said so itself: nothing is inferred."""
    site = sites.open(images=6, **LIMIT)
    site.sweep()
    for n in range(5):
        site.cloud.change(name_of(n), status="deleted")
    run = site.sweep()
    assert (run.deleted, run.held) == (5, 0)


def test_images_found_by_look_ups_are_not_counted(sites: Sites) -> None:
    """Counted after the look-ups: clouds that hide many images lose none, and hold none."""
    site = sites.open("ims", 6, **LIMIT)
    site.sweep()
    for n in range(4):
        site.cloud.hide(name_of(n))
    delete(site, [4])
    run = site.sweep()
    assert (run.deleted, run.held, run.unlisted) == (1, 0, 4)


def test_held_images_count_each_once_with_those_of_later_sweeps(sites: Sites) -> None:
    """A few more a day do not slip through below the limit while others are held."""
    site = sites.open(images=10, **LIMIT)
    site.sweep()
    delete(site, range(3))
    assert site.sweep().held == 3
    delete(site, [3])
    run = site.sweep(changed={"lookup_limit": 1})
    assert (run.held, run.deleted) == (4, 0)
    assert site.sweep().held == 4
    assert len(site.rows("SELECT FROM held_deletions WHERE source_id = $")) == 4


@pytest.mark.parametrize("returned", [1, 2])
def test_what_is_held_stays_so_when_some_of_it_comes_back(sites: Sites, returned: int) -> None:
    """A cloud that recovers from an outage lists a part at a time: what is left may be below the limit by then."""
    site = sites.open(images=10, **LIMIT)
    site.sweep()
    delete(site, range(3))
    assert site.sweep().held == 3
    for n in range(returned):
        site.cloud.add(image(n))
    runs = [site.sweep() for _ in range(3)]
    assert [(run.held, run.deleted) for run in runs] == [(3 - returned, 0)] * 3
    assert len(site.live()) == 10
    assert sorted(site.decisions().values()) == ["open"] * (3 - returned) + ["returned"] * returned
    run = site.sweep(accept_deletions=True)
    assert (run.held, run.deleted) == (0, 3 - returned)


def test_what_is_held_stays_so_when_new_images_raise_the_limit(sites: Sites) -> None:
    site = sites.open(images=10, **LIMIT)
    site.sweep()
    delete(site, range(3))
    site.sweep()
    for n in range(20, 40):
        site.cloud.add(image(n))
    assert [(run.held, run.deleted) for run in (site.sweep(), site.sweep())] == [(3, 0)] * 2
    assert site.decisions() == dict.fromkeys(names(range(3)), "open")


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_source_that_lists_little_is_held_at_once(sites: Sites, kind: str) -> None:
    """What waits for its look-up counts too: else `lookup_limit` images would go in each sweep."""
    site = sites.open(kind, 60, page_size=100, lookup_limit=6)
    site.sweep()
    delete(site, range(10, 60))
    for n in range(7):
        run = site.sweep()
        assert (run.outcome, run.deleted, run.held, run.looked_up) == ("complete", 0, 50, 6), n
    assert site.live() == names(range(60))
    assert set(site.decisions()) == names(range(10, 60))


def test_all_that_no_look_up_found_counts_each_once(sites: Sites) -> None:
    """Not found, unanswered, waiting: five of them are above the limit, of whatever kind each is."""
    site = sites.open(images=12, lookup_limit=3, **{**LIMIT, "deletion_limit_count": 4})
    site.sweep()
    delete(site, range(4))
    site.server.faults.add(status(500), when=lambda r: r.path.endswith(name_of(0)), times=None)
    run = site.sweep()
    assert (run.held, run.deleted, run.looked_up) == (
        0,
        2,
        3,
    )  # of four: 1 and 2 go, 0 is unanswered, 3 waits
    delete(site, [4, 5, 6])
    run = site.sweep()
    assert (run.held, run.deleted) == (5, 0)
    assert set(site.decisions()) == names([0, 3, 4, 5, 6])


def test_what_waits_for_its_daily_look_up_after_one_that_found_it_is_not_counted(sites: Sites) -> None:
    """Many images that the cloud hides for good hold nothing back, on whatever day."""
    site = sites.open("ims", 12, lookup_limit=9, **LIMIT)
    site.sweep()
    for n in range(8):
        site.cloud.hide(name_of(n))
    assert site.sweep().held == 0
    site.a_day_later()
    delete(site, [10, 11])
    run = site.sweep(changed={"lookup_limit": 3})
    assert (run.held, run.deleted, run.unlisted) == (0, 2, 8)


def test_what_waits_leaves_the_hold_as_look_ups_find_it(sites: Sites) -> None:
    site = sites.open("ims", 12, lookup_limit=3, **LIMIT)
    site.sweep()
    for n in range(8):
        site.cloud.hide(name_of(n))
    assert [site.sweep().held for _ in range(3)] == [5, 2, 0]
    assert set(site.decisions().values()) == {"returned"}
    assert site.live() == names(range(12))


def test_what_filters_leave_out_is_held_above_the_limit(sites: Sites) -> None:
    """Of an incomplete observation too: only what was looked up would go, and all of it counts."""
    site = sites.open(images=12, lookup_limit=2, **LIMIT)
    site.sweep()
    delete(site, range(4))
    for _ in range(3):
        run = site.sweep(changed={"filters": {"purpose": "test"}})
        assert (run.outcome, run.held, run.deleted) == ("complete", 4, 0)


def test_a_plan_holds_what_a_sweep_would(sites: Sites) -> None:
    site = sites.open(images=30, lookup_limit=3)
    site.sweep()
    delete(site, range(11))
    planned = sweep(site.database, site.source, plan=True, opener=hasty)
    assert (planned.held, planned.deleted) == (11, 0)
    assert sweep(site.database, site.source, plan=True, opener=hasty, accept_deletions=True).deleted == 11


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_listing_holds_everything(sites: Sites, kind: str) -> None:
    """However small the bounds leave room: a role that was lost looks like this."""
    site = sites.open(kind, 2, deletion_limit_count=100, deletion_limit_percent=100.0)
    site.sweep()
    delete(site, range(2))
    run = site.sweep()
    assert (run.outcome, run.listed, run.held, run.deleted) == ("complete", 0, 2, 0)
    assert site.live() == names(range(2))
    site.cloud.add(image(5))
    run = site.sweep()
    assert (run.held, run.deleted) == (2, 0)


def test_an_empty_listing_of_images_that_are_still_there_holds_nothing(sites: Sites) -> None:
    """Their look-ups found them: they are unlisted, and live."""
    site = sites.open(images=2)
    site.sweep()
    site.server.faults.add(body(body_of([])), when=lambda r: r.path == "/v2/images", times=None)
    run = site.sweep()
    assert (run.held, run.unlisted, run.deleted) == (0, 2, 0)


def test_a_held_image_that_is_seen_again_leaves_by_itself(sites: Sites) -> None:
    site = sites.open(images=6, **LIMIT)
    site.sweep()
    delete(site, range(3))
    site.sweep()
    for n in range(3):
        site.cloud.add(image(n))
    run = site.sweep()
    assert (run.held, run.unlisted, run.restored, run.unchanged) == (0, 0, 0, 6)
    assert site.decisions() == dict.fromkeys(names(range(3)), "returned")
    assert [change for change, _ in site.history(name_of(0))] == ["created"]


def test_a_held_image_leaves_even_if_the_sweep_that_sees_it_is_partial(sites: Sites) -> None:
    site = sites.open(images=6, **LIMIT)
    site.sweep()
    delete(site, range(3))
    site.sweep()
    site.cloud.add(image(0))
    site.server.faults.add(status(500), when=lambda r: "marker" in r.query, times=None)
    run = site.sweep()
    assert (run.outcome, run.held) == ("partial", 2)
    assert site.decisions()[name_of(0)] == "returned"
    assert site.live() == names(range(6))


def test_accepted_deletions_pass_the_limit_and_close_what_was_held(sites: Sites) -> None:
    """Looked up where that is possible; where it is not, absence from a complete sweep is enough."""
    site = sites.open(images=10, lookup_limit=2, **TIGHT)
    site.sweep()
    delete(site, range(5))
    site.sweep()
    site.sweep()
    assert site.live() == names(range(10))
    run = site.sweep(accept_deletions=True)
    assert (run.deleted, run.held) == (5, 0)
    assert sorted(site.reasons().values()) == ["not_found"] * 2 + ["not_listed"] * 3
    assert set(site.decisions().values()) <= {"deleted"}


def test_accepted_deletions_spare_an_image_whose_look_up_brought_no_answer(sites: Sites) -> None:
    site = sites.open(images=8, **LIMIT)
    site.sweep()
    delete(site, range(4))
    site.sweep()
    site.server.faults.add(status(500), when=lambda r: r.path.endswith(name_of(0)), times=None)
    run = site.sweep(accept_deletions=True)
    assert (run.deleted, run.held) == (3, 1)
    assert name_of(0) in site.live()


def test_accepted_deletions_spare_an_image_that_was_found_by_id(sites: Sites) -> None:
    site = sites.open("ims", 4)
    site.sweep()
    site.cloud.hide(name_of(0))
    site.sweep()
    assert site.sweep(accept_deletions=True).deleted == 0


@pytest.mark.parametrize("verb", ["approve", "keep"])
def test_a_decision_is_about_what_was_shown_to_whoever_decides(sites: Sites, verb: Verb) -> None:
    """While a command goes on from source to source, a sweep may hold more, or hold another time what came back."""
    site = sites.open(images=12, **LIMIT)
    site.sweep()
    delete(site, range(4))
    site.sweep()
    with site.database.transaction() as connection:
        shown = decidable(connection, site.source_id, verb)
    site.cloud.add(image(0))
    site.sweep()
    delete(site, [0, 4, 5])
    assert site.sweep().held == 6
    rules = MappingAdapter.of(site.source)
    decided = decide(site.database, site.source_id, verb, rules, by="me", shown=shown)
    assert {row.image_id for row in decided} == names([1, 2, 3])
    waiting = {image_id for image_id, decision in site.decisions().items() if decision == "open"}
    assert waiting == names([0, 4, 5])


def test_a_kept_image_is_not_held_again_until_it_was_listed_once_more(sites: Sites) -> None:
    site = sites.open(images=8, **LIMIT)
    site.sweep()
    delete(site, range(3))
    site.sweep()
    for n in range(3):
        site.decide(name_of(n), "kept")
    run = site.sweep()
    assert (run.held, run.deleted) == (0, 0)
    assert site.sweep(accept_deletions=True).deleted == 0
    assert site.live() == names(range(8))
    site.cloud.add(image(0))
    site.sweep()
    assert site.decisions()[name_of(0)] == "returned"
    site.cloud.delete(name_of(0))
    site.sweep()
    assert site.reasons() == {name_of(0): "not_found"}


def test_a_kept_image_that_a_look_up_finds_was_not_listed(sites: Sites) -> None:
    """Only a listing ends what was decided."""
    site = sites.open("ims", 8, **LIMIT)
    site.sweep()
    delete(site, range(3))
    site.sweep()
    for n in range(3):
        site.decide(name_of(n), "kept")
    site.cloud.add(image(0))
    site.cloud.hide(name_of(0))
    site.sweep()
    assert site.decisions()[name_of(0)] == "kept"


def test_so_it_is_by_an_incomplete_sweep_where_one_that_began_before_the_decision_listed_it(
    sites: Sites,
) -> None:
    """The image is unlisted since a later sweep than the one that held it, and nothing has listed it since `keep`."""
    site = sites.open("ims", 8, page_size=100, **LIMIT)
    site.sweep()
    delete(site, range(3))
    site.sweep()
    site.cloud.add(image(0, updated_at="2026-06-01T00:00:00Z"))

    def decide_meanwhile(exchange: Exchange) -> None:
        answer = exchange.healthy()
        site.decide(name_of(0), "kept")
        exchange.send(answer)

    site.server.faults.add(decide_meanwhile, when=lambda request: "updated_at" in request.query)
    site.sweep_changes()
    site.cloud.hide(name_of(0))
    site.sweep()
    site.a_day_later()
    site.sweep(changed={"filters": {"visibility": "public"}})
    assert site.decisions()[name_of(0)] == "kept"


def test_nothing_is_noted_of_look_ups_that_were_not_made(sites: Sites) -> None:
    """Deletions that are held or kept by absence alone are no answers of the cloud."""
    site = sites.open(images=8, lookup_limit=0, **TIGHT)
    site.sweep()
    delete(site, range(3))
    assert site.sweep().held == 3
    site.decide(name_of(0), "kept")
    assert site.sweep().held == 2
    assert site.rows("SELECT FROM lookups WHERE source_id = $") == []


def test_kept_images_do_not_use_up_the_look_ups(sites: Sites) -> None:
    """However many there are, others get their turn."""
    site = sites.open(images=12, lookup_limit=2, **TIGHT)
    site.sweep()
    delete(site, range(4))
    site.sweep()
    site.sweep()
    for image_id in site.decisions():
        site.decide(image_id, "kept")
    kept = set(site.decisions())
    assert len(kept) == 4
    delete(site, [9])
    site.server.faults.add(status(500), when=lambda r: r.path.endswith(name_of(9)), times=HASTY.attempts)
    for _ in range(4):
        site.sweep()
    assert set(site.reasons()) == {name_of(9)}
