"""Records that cannot be stored: kept with their reason, their images protected (semantics 3, 4.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.faults import body
from tests.support.records import body_of, image, name_of, too_deep
from tests.support.world import Site, Sites


def rejected(site: Site) -> list[dict[str, Any]]:
    return site.rows("SELECT * FROM rejected_records WHERE source_id = $ ORDER BY image_id, reason")


def listing(site: Site, records: list[Any], times: int | None = 1) -> None:
    """What the first pass delivers at the next sweep."""
    site.server.faults.add(
        body(body_of(records)),
        when=lambda r: r.path == "/v2/images" and "os_hidden" not in r.query,
        times=times,
    )


def test_a_rejected_record_protects_its_image(sites: Sites) -> None:
    """It counts as present: not missing, not looked up, not unlisted, and what is stored stays."""
    site = sites.open(images=3, lookup_limit=0)
    site.sweep()
    before = site.images()[name_of(1)]
    listing(site, [image(0), too_deep(name_of(1))])
    run = site.sweep()
    assert (run.outcome, run.rejected, run.deleted, run.unlisted) == ("complete", 1, 1, 0)
    assert site.images()[name_of(1)] == before
    assert site.reasons() == {name_of(2): "not_listed"}
    (row,) = rejected(site)
    assert (row["image_id"], row["reason"], row["count"]) == (name_of(1), "nested too deeply", 1)
    assert json.loads(row["record"])["id"] == name_of(1)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("stored", [False, True], ids=["new", "stored"])
def test_of_an_image_that_is_listed_twice_the_copy_that_can_be_stored_counts(
    sites: Sites, order: tuple[int, ...], stored: bool
) -> None:
    """Whichever comes first, and whichever is later; the one that can't be stored leaves its row."""
    site = sites.open(images=3)
    if stored:
        site.sweep()
    bad = {**too_deep(name_of(1)), "updated_at": "2027-01-01T00:00:00Z"}
    copies = [image(1), bad, image(1, name="later", updated_at="2026-06-01T00:00:00Z")]
    listing(site, [image(0), *(copies[n] for n in order), image(2)])
    run = site.sweep()
    assert (run.outcome, run.rejected, run.deleted, run.listed) == ("complete", 1, 0, 3)
    assert site.images()[name_of(1)]["name"] == "later"
    (row,) = rejected(site)
    assert (row["image_id"], row["reason"]) == (name_of(1), "nested too deeply")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_stored_record_and_one_that_cannot_be_stored_change_nothing(
    sites: Sites, order: tuple[int, int]
) -> None:
    site = sites.open(images=2)
    site.sweep()
    copies = [image(1), too_deep(name_of(1))]
    for _ in range(2):
        listing(site, [image(0), *(copies[n] for n in order)])
        run = site.sweep()
        assert (run.unchanged, run.rejected, run.updated, run.listed) == (2, 1, 0, 2)
    assert [change for change, _ in site.history(name_of(1))] == ["created"]
    assert len(rejected(site)) == 1


def test_two_copies_that_cannot_be_stored_leave_a_row_each(sites: Sites) -> None:
    site = sites.open(images=2)
    site.sweep()
    listing(site, [image(0), too_deep(name_of(1)), {**too_deep(name_of(1)), "name": "other"}])
    run = site.sweep()
    assert (run.rejected, run.deleted, run.unlisted) == (2, 0, 0)
    assert [row["image_id"] for row in rejected(site)] == [name_of(1)] * 2


def test_a_rejected_record_is_kept_once_however_often_it_comes(sites: Sites) -> None:
    site = sites.open(images=2)
    runs = []
    for _ in range(3):
        listing(site, [image(0), image(1), too_deep("odd"), "oops", "oops"])
        runs.append(site.sweep())
    assert [run.rejected for run in runs] == [3, 3, 3]
    odd, oops = rejected(site)
    for row in (odd, oops):
        assert (row["first_run_id"], row["last_run_id"]) == tuple(
            type(row["first_run_id"])(run.run_id) for run in (runs[0], runs[-1])
        )
        assert row["count"] == 3
    assert (odd["image_id"], oops["image_id"], oops["record"]) == ("odd", None, '"oops"')
    assert "odd" not in site.images()


@pytest.mark.parametrize(
    "record",
    ["oops", 5, None, [], {}, {"id": ""}, {"id": 7}, {"id": "x" * 256}, {"name": "no id"}],
    ids=lambda record: json.dumps(record)[:20],
)
def test_a_record_without_usable_id_infers_no_deletion(sites: Sites, record: Any) -> None:
    """It might be any image's: only those that were looked up are deleted."""
    site = sites.open(images=4)
    site.sweep()
    listing(site, [image(0), record, image(1), image(2)], times=2)
    run = site.sweep(changed={"lookup_limit": 0}, accept_deletions=True)
    assert (run.outcome, run.rejected, run.deleted) == ("complete", 1, 0)
    assert site.unlisted() == {name_of(3)}
    site.cloud.delete(name_of(3))
    assert site.sweep().deleted == 1
    assert site.reasons() == {name_of(3): "not_found"}


def test_a_nul_in_a_rejected_record_is_shown(sites: Sites) -> None:
    site = sites.open(images=1)
    listing(site, [image(0), {"name": "a\0b"}])
    assert site.sweep().rejected == 1
    assert "a\ufffdb" in rejected(site)[0]["record"].replace("\\ufffd", "\ufffd")


def test_a_rejected_record_of_a_held_image_returns_it(sites: Sites) -> None:
    site = sites.open(images=4, deletion_limit_count=0, deletion_limit_percent=0.0)
    site.sweep()
    site.cloud.delete(name_of(3))
    assert site.sweep().held == 1
    listing(site, [image(0), image(1), image(2), too_deep(name_of(3))])
    assert site.sweep().held == 0
    assert site.decisions() == {name_of(3): "returned"}
    assert name_of(3) in site.live()


def test_rejected_records_of_a_partial_run_are_kept_too(sites: Sites) -> None:
    site = sites.open(images=1)
    listing(site, [image(0), "oops"])
    site.server.faults.add(body(b"no listing"), when=lambda r: "os_hidden" in r.query, times=None)
    run = site.sweep()
    assert (run.outcome, run.rejected, run.inserted) == ("partial", 1, 1)
    assert len(rejected(site)) == 1


def test_a_rejected_record_comes_back_as_an_image_when_it_is_well(sites: Sites) -> None:
    site = sites.open(images=2)
    site.sweep()
    listing(site, [image(0), too_deep(name_of(1))])
    site.sweep()
    run = site.sweep()
    assert (run.rejected, run.unchanged) == (0, 2)
    assert [change for change, _ in site.history(name_of(1))] == ["created"]


def test_a_record_that_only_a_look_up_found_leaves_its_image_unlisted(sites: Sites) -> None:
    """semantics 4.5: found by its id is live and not listed, whether what was found can be stored or not."""
    site = sites.open(images=2)
    site.sweep()
    listing(site, [image(0)])
    site.server.faults.add(
        body(json.dumps(too_deep(name_of(1))).encode()), when=lambda r: r.path.endswith(name_of(1)), times=1
    )
    run = site.sweep()
    assert (run.outcome, run.rejected, run.deleted, run.unlisted) == ("complete", 1, 0, 1)
    assert name_of(1) in site.live()
    assert site.unlisted() == {name_of(1)}
    run = site.sweep()
    assert (run.rejected, run.unchanged) == (0, 2)
    assert site.unlisted() == set()


def test_an_image_that_a_look_up_finds_reported_as_deleted_is_not_told_as_unlisted(sites: Sites) -> None:
    site = sites.open(images=2)
    site.sweep()
    listing(site, [image(0)])
    gone = json.dumps(image(1, status="deleted")).encode()
    site.server.faults.add(body(gone), when=lambda r: r.path.endswith(name_of(1)), times=1)
    run = site.sweep()
    assert (run.deleted, run.unlisted) == (1, 0)
