"""Held deletions follow from the ledger, in whatever order things were loaded or decided (semantics 4.5, 7)."""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from catalog.backfill import observation
from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.backfill.loader import BackfillResult
from catalog.errors import UsageError
from catalog.fetch.files import archive_format
from catalog.model import PassResult
from catalog.store.db.connection import Database
from catalog.sync.approve_or_keep import decide
from catalog.sync.mapping_adapter import MappingAdapter
from tests.support.records import hour, image, listing, name_of, named, too_deep, write
from tests.support.rows import contents_of, images, live, rows, wipe
from tests.support.world import Sites, source

ALL = range(20)


def load(
    database: Database, folder: Path, number: int, *ids: int, part: str = "", complete: bool = True
) -> BackfillResult:
    path = write(folder, named(number, part), listing(*ids))
    return backfill(database, source(), [path], complete=complete)


def run_at(database: Database, number: int) -> str:
    (row,) = rows(database, "SELECT run_id::text FROM runs WHERE observed_at = %s", hour(number))
    return str(row["run_id"])


def held(database: Database) -> dict[str, tuple[str, int]]:
    """Decision, and the hour of the observation that first held it."""
    return {
        row["image_id"]: (row["decision"], (row["observed_at"] - hour(0)) // timedelta(hours=1))
        for row in rows(database, "SELECT image_id, decision, observed_at FROM held_deletions")
    }


def settle(database: Database, verb: str, *image_ids: str) -> None:
    (row,) = rows(database, "SELECT source_id FROM sources")
    decide(
        database,
        row["source_id"],
        "keep" if verb == "keep" else "approve",
        MappingAdapter.of(source()),
        by="me",
        image_ids=image_ids,
    )


GONE = {name_of(n) for n in ALL if n > 0}


# ---- the limit holds wherever a dump would be the last word on an image -----------------------------


def test_a_listing_loaded_anew_as_complete_is_held_back_as_at_once(
    database: Database, tmp_path: Path
) -> None:
    """First without --complete by mistake: now a part of the same moment."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0, complete=False)
    again = load(database, tmp_path, 2, 0)
    assert (again.held, len(live(database))) == (19, 20)
    assert held(database) == dict.fromkeys(GONE, ("open", 2))


def test_another_part_of_a_moment_that_is_held_decides_nothing(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    load(database, tmp_path, 2, 1, part="-b")
    assert len(live(database)) == 20
    assert held(database) == {i: ("returned" if i == name_of(1) else "open", 2) for i in GONE}


def test_a_listing_before_an_incomplete_one_is_held_back(database: Database, tmp_path: Path) -> None:
    """Nothing later speaks of what it lacks, so the present would change."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0, complete=False)
    assert load(database, tmp_path, 2, 0).held == 19
    assert len(live(database)) == 20
    assert held(database) == dict.fromkeys(GONE, ("open", 2))


def test_images_that_are_kept_stay_whatever_lies_before(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0)
    settle(database, "keep")
    load(database, tmp_path, 2, 0)
    assert len(live(database)) == 20
    assert {decision for decision, _ in held(database).values()} == {"kept"}


def test_within_the_limit_what_nothing_later_speaks_of_is_deleted(database: Database, tmp_path: Path) -> None:
    """As in the order of time: history is a function of the evidence."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0, complete=False)
    assert load(database, tmp_path, 2, *ALL[:-1]).held == 0
    assert images(database)[name_of(19)]["deleted_at"] == hour(2)


# ---- what is forgotten ------------------------------------------------------------------------------


def test_nothing_is_held_of_an_image_that_is_forgotten(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    forget(database, source(), run_at(database, 1), accept_deletions=True)
    assert (held(database), live(database)) == ({}, {name_of(0)})


def test_the_next_holder_counts_when_the_first_is_forgotten(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    load(database, tmp_path, 3, 0)
    forget(database, source(), run_at(database, 2))
    assert held(database) == dict.fromkeys(GONE, ("open", 3))
    forget(database, source(), run_at(database, 3))
    assert held(database) == {}
    assert {row["unlisted_since"] for row in images(database).values()} == {None}


def test_what_was_kept_stays_so_while_a_later_observation_says_it(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    settle(database, "keep")
    load(database, tmp_path, 3, 0)
    forget(database, source(), run_at(database, 2))
    assert held(database) == dict.fromkeys(GONE, ("kept", 3))


def test_what_was_kept_later_stays_so_without_the_first_holder(database: Database, tmp_path: Path) -> None:
    """Else the next listing would delete what somebody decided to keep."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    load(database, tmp_path, 3, 0)
    settle(database, "keep")
    forget(database, source(), run_at(database, 2))
    assert held(database) == dict.fromkeys(GONE, ("kept", 3))
    load(database, tmp_path, 4, *ALL[:12])
    assert len(live(database)) == 20


def test_a_record_that_is_rejected_ends_no_decision_that_came_later(
    database: Database, tmp_path: Path
) -> None:
    """It shows that the image was there, then."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    settle(database, "keep")
    path = write(tmp_path, named(3), [image(0), too_deep(name_of(9))])
    backfill(database, source(), [path], complete=True)
    assert {decision for decision, _ in held(database).values()} == {"kept"}
    load(database, tmp_path, 4, *range(9), *range(10, 20))
    assert len(live(database)) == 20


def test_a_decision_is_of_who_made_it_and_when_whatever_holds_the_image_first(
    database: Database, tmp_path: Path
) -> None:
    """Else a listing of the time before the decision would end it."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0)
    load(database, tmp_path, 4, 0)
    settle(database, "keep")
    decided = rows(database, "SELECT image_id, decided_at, decided_by FROM held_deletions ORDER BY 1")
    load(database, tmp_path, 2, 0)
    for first in (2, 3, 4):
        assert held(database) == dict.fromkeys(GONE, ("kept", first))
        if first < 4:
            forget(database, source(), run_at(database, first))
    load(database, tmp_path, 5, *ALL, complete=False)
    assert {decision for decision, _ in held(database).values()} == {"kept"}
    again = rows(database, "SELECT image_id, decided_at, decided_by FROM held_deletions ORDER BY 1")
    assert again == decided


def test_what_was_kept_stays_so_when_all_that_held_it_is_forgotten(
    database: Database, tmp_path: Path
) -> None:
    """A person decided; it ends when the image was listed once more, as ever."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    settle(database, "keep")
    assert forget(database, source(), run_at(database, 2)).effects["released"] == []
    assert {decision for decision, _ in held(database).values()} == {"kept"}
    (row,) = rows(database, "SELECT DISTINCT decided_by FROM held_deletions")
    assert row["decided_by"] == "me"
    with pytest.raises(UsageError, match="nothing was decided"):  # no observation misses it
        settle(database, "approve", name_of(17))
    (now,) = rows(database, "SELECT now() - interval '2 minutes' AS start")
    for number, ids, decision in ((1, ALL[:15], "kept"), (2, ALL[:15], "kept"), (3, ALL, "returned")):
        path = write(tmp_path, f"{number}.json", listing(*ids))
        at = now["start"] + timedelta(minutes=number)
        with database.transaction() as connection:  # the decision was made before
            connection.execute("UPDATE held_deletions SET decided_at = %s", (now["start"],))
            connection.execute("UPDATE kept_images SET kept_at = %s", (now["start"],))
        backfill(database, source(), [path], observed_at=at, complete=True)
        assert len(live(database)) == 20
        assert held(database)[name_of(17)][0] == decision
    path = write(tmp_path, "4.json", listing(*ALL[:15]))
    backfill(database, source(), [path], observed_at=now["start"] + timedelta(minutes=4), complete=True)
    assert len(live(database)) == 15


def test_what_was_approved_stays_deleted_when_all_that_held_it_is_forgotten(
    database: Database, tmp_path: Path
) -> None:
    """A person decided, as of then if no observation tells of it any more; a later listing ends it, as ever."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    settle(database, "approve")
    assert forget(database, source(), run_at(database, 2)).effects["restored"] == []
    decided = rows(database, "SELECT DISTINCT decision, decided_by, decided_at FROM held_deletions")
    assert [(row["decision"], row["decided_by"]) for row in decided] == [("approved", "me")]
    deleted = {row["deleted_at"] for row in images(database).values()}
    assert deleted == {None, decided[0]["decided_at"]}
    backfill(database, source(), [tmp_path / named(2)], complete=True, confirmed=True)
    assert {row["deleted_at"] for row in images(database).values()} == {None, hour(2)}
    later = write(tmp_path, "later.json", listing(*ALL))
    backfill(database, source(), [later], observed_at=decided[0]["decided_at"] + timedelta(seconds=1))
    assert len(live(database)) == 20
    forget(database, source(), run_at(database, 2))
    assert len(live(database)) == 20


@pytest.mark.parametrize("late", [3, 5])
@pytest.mark.parametrize("complete", [False, True])
def test_what_was_approved_stays_deleted_whatever_older_listing_comes_after(
    database: Database, tmp_path: Path, late: int, *, complete: bool
) -> None:
    """One of the time between what held it and the decision shows that it lived then."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    load(database, tmp_path, 4, 0)
    settle(database, "approve")
    assert load(database, tmp_path, late, *ALL, complete=complete).held == 0
    assert live(database) == {name_of(0)}
    (decided,) = rows(database, "SELECT DISTINCT decided_at FROM held_deletions WHERE decision = 'approved'")
    line = rows(
        database, "SELECT change, observed_at FROM revisions WHERE image_id = %s ORDER BY 2", name_of(9)
    )
    assert [(row["change"], row["observed_at"]) for row in line] == [
        ("created", hour(1)),
        ("deleted", hour(2)),
        ("restored", hour(late)),
        ("deleted", decided["decided_at"]),
    ]
    forget(database, source(), run_at(database, late))
    assert {row["deleted_at"] for row in images(database).values()} == {None, hour(2)}


def test_a_held_image_is_held_again_without_the_listing_that_returned_it(
    database: Database, tmp_path: Path
) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, 0)
    load(database, tmp_path, 3, *ALL)
    assert {decision for decision, _ in held(database).values()} == {"returned"}
    forget(database, source(), run_at(database, 3))
    assert held(database) == dict.fromkeys(GONE, ("open", 2))
    assert {images(database)[i]["unlisted_since"] for i in GONE} == {hour(2)}


# ---- what is loaded in hindsight --------------------------------------------------------------------


def test_a_listing_in_between_makes_the_next_holder_the_first(database: Database, tmp_path: Path) -> None:
    """Approved as of the old one, the lack would be ended by that listing, and all would stay."""
    for number, ids in ((1, ALL), (2, ALL[:1]), (4, ALL[:1])):
        load(database, tmp_path, number, *ids)
    load(database, tmp_path, 3, *ALL)
    decisions = rows(
        database, "SELECT decision, observed_at FROM held_deletions WHERE image_id = %s", name_of(5)
    )
    assert {(row["decision"], row["observed_at"]) for row in decisions} == {
        ("returned", hour(2)),
        ("open", hour(4)),
    }
    settle(database, "approve")
    assert live(database) == {name_of(0)}


def test_an_empty_part_of_a_moment_is_no_empty_listing(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 2, *ALL[:-1], complete=False)
    assert load(database, tmp_path, 2, part="-end").held == 0
    assert len(live(database)) == 19


def archive(
    folder: Path,
    number: int,
    *ids: int,
    said: str | None = None,
    hidden: tuple[int, ...] = (),
    source_id: str = "own",
    **more: Any,
) -> Path:
    """A sweep's file: these images listed, and of image 9 what is `said` (`found`: by a look-up)."""
    nine = name_of(9)
    found = [nine] if said == "found" else []
    absent: dict[str, Any] = {nine: said} if said == "not_found" else {}
    inconclusive: dict[str, Any] = {nine: said} if said and not found and not absent else {}
    header = archive_format.Header(
        1, "s", "glance", None, None, None, str(uuid.uuid4()), hour(number), source_id
    )
    records = [image(n) for n in (*ids, *(9 for _ in found))] + [image(n, os_hidden=True) for n in hidden]
    body = archive_format.write_header(header) + b"".join(json.dumps(one).encode() + b"\n" for one in records)
    trailer = archive_format.Trailer(
        True, "complete", len(records), [], absent, inconclusive, found, dict.fromkeys(found, "found"),
        [nine] if said == "held" else [], [], {}, logins=[],
    )  # fmt: skip
    body += archive_format.write_trailer(structs.replace(trailer, **more))
    path = folder / f"{number}.jsonl"
    path.write_bytes(body + archive_format.write_checksum(hashlib.sha256(body).hexdigest()))
    return path


@pytest.mark.parametrize("beside", [{"hidden": (20,)}, {"said": "found"}], ids=["hidden", "found"])
def test_an_archive_of_an_empty_listing_deletes_nothing(
    database: Database, tmp_path: Path, beside: dict[str, Any]
) -> None:
    """Whatever another pass lists, or a look-up finds."""
    load(database, tmp_path, 1, *range(6), 9)
    passes = [PassResult("listed", "complete", 1, 0), PassResult("hidden", "complete", 1, 1)]
    path = archive(tmp_path, 2, passes=passes, **beside)
    assert backfill(database, source(), [path]).held > 0
    assert {name_of(n) for n in range(6)} <= live(database)


@pytest.mark.parametrize("order", [(1, 2, 3, 5, 6, 4), (1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1)])
def test_a_look_up_that_finds_the_image_ends_it_unless_it_is_kept_now(
    database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """That it was kept some time before, and listed since, is over."""
    files = {
        1: archive(tmp_path, 1, 0, 9),
        2: archive(tmp_path, 2, 0, said="kept"),
        3: archive(tmp_path, 3, 0, 9),
        4: archive(tmp_path, 4, 0, 9),
        5: archive(tmp_path, 5, 0, said="held"),
        6: archive(tmp_path, 6, 0, said="found"),
    }
    for number in order:
        backfill(database, source(), [files[number]])
    assert rows(database, "SELECT * FROM held_deletions WHERE decision IN ('open', 'kept')") == []


def test_a_look_up_in_between_ends_it_too(database: Database, tmp_path: Path) -> None:
    for number, said in ((2, "held"), (4, "unanswered"), (3, "found")):
        backfill(database, source(), [archive(tmp_path, 1, 0, 9), archive(tmp_path, number, 0, said=said)])
    assert {decision for decision, _ in held(database).values()} == {"returned"}


# ---- archives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("newest_first", [False, True])
def test_archives_bring_what_they_hold_in_any_order(
    sites: Sites, tmp_path: Path, *, newest_first: bool
) -> None:
    """The newest one is loaded before the catalog knows of any image that it holds back."""
    site = sites.open(images=20, archive=tmp_path)
    site.sweep()
    for number in range(1, 20):
        site.cloud.delete(name_of(number))
    site.sweep()
    site.sweep()
    before = contents_of(site.database, "s", ("held_deletions",))
    last = rows(site.database, "SELECT last_complete_at FROM sources")
    assert len(held(site.database)) == 19
    wipe(site.database)
    paths = sorted((tmp_path / "s").iterdir(), reverse=newest_first)
    for path in paths:
        backfill(site.database, source(), [path])
    assert contents_of(site.database, "s", ("held_deletions",)) == before
    assert rows(site.database, "SELECT last_complete_at FROM sources") == last
    newest = max(
        rows(site.database, "SELECT observed_at, run_id::text FROM runs"), key=lambda row: row["observed_at"]
    )
    forget(site.database, source(), newest["run_id"])
    (left,) = rows(site.database, "SELECT last_complete_at FROM sources")
    assert left["last_complete_at"] == max(
        row["observed_at"] for row in rows(site.database, "SELECT observed_at FROM runs")
    )


def test_an_archive_proves_the_absence_of_what_its_trailer_names_alone(
    database: Database, tmp_path: Path
) -> None:
    """A successor that swept one image while the cloud was cut knew of no other one: the limit judges them."""
    load(database, tmp_path, 1, *range(40))
    path = archive(tmp_path, 2, 0, said="not_found")
    result = backfill(database, source(), [path])
    assert (result.held, result.runs[0].deleted, len(live(database))) == (38, 1, 39)
    assert images(database)[name_of(9)]["deletion_reason"] == "not_found"
    settle(database, "approve")
    assert live(database) == {name_of(0)}
    assert backfill(database, source(), [path]).unchanged == 1


def test_within_the_limit_an_archive_deletes_what_it_does_not_name(
    database: Database, tmp_path: Path
) -> None:
    load(database, tmp_path, 1, *ALL)
    assert backfill(database, source(), [archive(tmp_path, 2, *range(15))]).held == 0
    assert live(database) == {name_of(n) for n in range(15)}


@pytest.mark.parametrize("larger_than_memory", [False, True])
def test_an_archive_ends_what_was_held_before_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, larger_than_memory: bool
) -> None:
    if larger_than_memory:
        monkeypatch.setattr(observation, "KEPT_IN_MEMORY", 3)
    load(database, tmp_path, 1, *ALL)
    for number, said in ((2, "held"), (3, "not_found")):
        backfill(database, source(), [archive(tmp_path, number, *range(9), *range(10, 20), said=said)])
    assert held(database) == {name_of(9): ("deleted", 2)}


@pytest.mark.parametrize("second", ["admin", "reader", "admin reader"])
@pytest.mark.parametrize("first", [["admin reader"], ["admin reader", "admin"]], ids=["one", "two"])
def test_what_a_login_reaches_is_compared_alike_whatever_comes_after(
    database: Database, tmp_path: Path, first: list[str], second: str
) -> None:
    """A saved listing is of the very moment of a sweep, which had one login or two, and shows an image more."""
    every, lacked = ["admin", "reader"], name_of(4)
    files = {
        "sweep": archive(tmp_path, 2, *range(4), logins=[one.split() for one in first], login=every),
        "beside": write(tmp_path, named(2), listing(*range(5))),
        "after": archive(tmp_path, 3, *range(4), logins=[second.split()], login=every),
        "later": write(tmp_path, named(4), listing(*range(3))),
    }
    is_less = second.split() != every
    for order in itertools.permutations(files):
        if is_less and order.index("after") < max(order.index("sweep"), order.index("beside")):
            continue  # less than what is known by then
        wipe(database)
        for name in order:
            backfill(database, source(), [files[name]])
        assert held(database) == ({lacked: ("open", 3)} if is_less else {}), order
        assert (lacked in live(database)) == is_less, order


def test_nothing_is_held_of_an_image_that_is_deleted(database: Database, tmp_path: Path) -> None:
    """Whatever the order: the sweep that held it did not know that it was gone."""
    rest = (*range(9), *range(10, 20))
    files = {
        1: archive(tmp_path, 1, *ALL),
        2: archive(tmp_path, 2, *rest, said="not_found"),
        3: archive(tmp_path, 3, *rest, said="held"),
    }
    for order in ((1, 2, 3), (1, 3, 2), (3, 2, 1)):
        wipe(database)
        for number in order:
            backfill(database, source(), [files[number]])
        assert {decision for decision, _ in held(database).values()} <= {"deleted"}, order
        assert len(live(database)) == 19


def test_what_is_kept_stays_whatever_an_older_archive_proves(database: Database, tmp_path: Path) -> None:
    """Absences observed before the decision prove nothing, whenever they are loaded."""
    rest = (*range(9), *range(10, 20))
    backfill(database, source(), [archive(tmp_path, 1, *ALL), archive(tmp_path, 3, *rest, said="held")])
    settle(database, "keep")
    backfill(database, source(), [archive(tmp_path, 2, *rest, said="not_found")])
    assert name_of(9) in live(database)
    assert {decision for decision, _ in held(database).values()} == {"kept"}


@pytest.mark.parametrize("late", [2, 4, 6])
@pytest.mark.parametrize("part", ["", "-b"])
def test_what_was_kept_is_not_deleted_in_hindsight_once_it_was_listed_again(
    database: Database, tmp_path: Path, late: int, part: str
) -> None:
    """Absences observed up to the decision prove nothing, whenever they are loaded. (All of these were.)"""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0)
    settle(database, "keep")
    load(database, tmp_path, 5, *ALL)
    if part:
        load(database, tmp_path, late, 0, complete=False)
    assert {decision for decision, _ in held(database).values()} == {"kept"}
    load(database, tmp_path, late, 0, part=part)
    assert {(r["change"], r["observed_at"]) for r in rows(database, "SELECT * FROM revisions")} == {
        ("created", hour(1))
    }
    assert len(live(database)) == 20


@pytest.mark.parametrize("again", [False, True])
def test_a_look_up_of_an_archive_does_not_delete_what_was_kept_and_listed_again(
    database: Database, tmp_path: Path, *, again: bool
) -> None:
    rest = (*range(9), *range(10, 20))
    backfill(database, source(), [archive(tmp_path, 1, *ALL), archive(tmp_path, 3, *rest, said="held")])
    settle(database, "keep")
    if again:
        forget(database, source(), run_at(database, 3))
    load(database, tmp_path, 5, *ALL)
    backfill(database, source(), [archive(tmp_path, 4, *rest, said="not_found")])
    assert {row["change"] for row in rows(database, "SELECT change FROM revisions")} == {"created"}


def test_what_was_approved_after_all_is_deleted_in_hindsight(database: Database, tmp_path: Path) -> None:
    """Whoever approves takes back that the image was kept."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0)
    settle(database, "keep")
    settle(database, "approve", *sorted(GONE))
    load(database, tmp_path, 2, 0)
    assert {r["deleted_at"] for i, r in images(database).items() if i in GONE} == {hour(2)}


def test_an_approval_takes_back_no_decision_about_what_held_the_image_before(
    database: Database, tmp_path: Path
) -> None:
    """It was listed in between: what somebody decided of its absence then is over."""
    rest = (*range(9), *range(10, 20))
    backfill(database, source(), [archive(tmp_path, 1, *ALL), archive(tmp_path, 3, *rest, said="held")])
    settle(database, "keep")
    with database.transaction() as connection:
        connection.execute("UPDATE held_deletions SET decided_at = %s", (hour(4),))
        connection.execute("UPDATE kept_images SET kept_at = %s", (hour(4),))
    backfill(database, source(), [archive(tmp_path, 5, *ALL), archive(tmp_path, 6, *rest, said="held")])
    settle(database, "approve", name_of(9))
    backfill(database, source(), [archive(tmp_path, 2, *rest, said="not_found")])
    changes = rows(
        database, "SELECT change, observed_at FROM revisions WHERE image_id = %s ORDER BY 2", name_of(9)
    )
    assert [tuple(row.values()) for row in changes] == [("created", hour(1)), ("deleted", hour(6))]


def test_what_was_kept_is_deleted_by_what_lies_before_it_was_last_seen(
    database: Database, tmp_path: Path
) -> None:
    """Only absences since then are what somebody decided about."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, *ALL)
    load(database, tmp_path, 4, 0)
    settle(database, "keep")
    load(database, tmp_path, 2, 0)
    changes = rows(database, "SELECT change FROM revisions WHERE image_id = %s ORDER BY 1", name_of(9))
    assert [row["change"] for row in changes] == ["created", "deleted", "restored"]


@pytest.mark.parametrize("said", ["not_found", None])
@pytest.mark.parametrize("forgotten", [(3,), (4, 3), (3, 4), (3, 1)])
def test_what_was_kept_stays_so_when_the_listing_before_it_was_held_is_forgotten(
    database: Database, tmp_path: Path, said: str | None, forgotten: tuple[int, ...]
) -> None:
    """All that lacks it up to the decision proves nothing, since it was seen before that."""
    rest = (*range(9), *range(10, 20))
    for number, ids, nine in (
        (0, ALL, None),
        (1, ALL, None),
        (2, rest, said),
        (3, ALL, None),
        (4, rest, "held"),
    ):
        backfill(database, source(), [archive(tmp_path, number, *ids, said=nine)])
    settle(database, "keep")
    for number in forgotten:
        forget(database, source(), run_at(database, number))
    assert rows(database, "SELECT change FROM revisions WHERE image_id = %s", name_of(9)) == [
        {"change": "created"}
    ]
    assert {decision for decision, _ in held(database).values()} == {"kept"}
    path = write(tmp_path, named(2, "-b"), listing(*rest))
    backfill(database, source(), [path], complete=True, observed_at=hour(2) + timedelta(minutes=30))
    assert name_of(9) in live(database)


def test_an_approval_is_of_the_image_that_was_known_then(database: Database, tmp_path: Path) -> None:
    """Not of one that is made anew, once all that told of the old one is forgotten."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0)
    settle(database, "approve")
    forget(database, source(), run_at(database, 1), accept_deletions=True)
    assert set(images(database)) == {name_of(0)}
    load(database, tmp_path, 2, *ALL, complete=False)
    assert len(live(database)) == 20
    assert held(database) == dict.fromkeys(GONE, ("open", 3))


def test_what_was_kept_stays_so_though_no_record_was_left_for_a_while(
    database: Database, tmp_path: Path
) -> None:
    """A listing or an approval ends the decision, not the record's file that is forgotten and loaded again."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0)
    settle(database, "keep")
    forget(database, source(), run_at(database, 1), accept_deletions=True)
    assert set(images(database)) == {name_of(0)}
    backfill(database, source(), [tmp_path / named(1)], complete=True, confirmed=True)
    assert held(database) == dict.fromkeys(GONE, ("kept", 3))
    forget(database, source(), run_at(database, 3))
    load(database, tmp_path, 2, *range(9), *range(10, 20))
    assert len(live(database)) == 20


# ---- hidden images ------------------------------------------------------------------------------------


def hidden_and_seen(folder: Path) -> dict[str, tuple[Path, bool]]:
    """A sweep's archive with hidden images 8 and 9, then listings of visible ones, the last one with a hidden one."""
    hidden = {"images": [image(8, os_hidden=True)]}
    return {
        "archive": (archive(folder, 1, *range(8), hidden=(8, 9)), False),
        "visible": (write(folder, named(2), listing(*range(8))), True),
        "visible later": (write(folder, named(3), listing(*range(8))), True),
        "both": (
            write(folder, named(4), {"images": [*listing(*range(8))["images"], *hidden["images"]]}),
            True,
        ),
    }


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_listing_of_visible_images_proves_nothing_about_hidden_ones(
    database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Whichever comes first; one that holds a hidden image does not leave them out."""
    files = list(hidden_and_seen(tmp_path).values())
    for number in order:
        path, complete = files[number]
        backfill(database, source(), [path], complete=complete)
    changes = rows(database, "SELECT image_id, observed_at FROM revisions WHERE change = 'deleted'")
    assert [(row["image_id"], row["observed_at"]) for row in changes] == [(name_of(9), hour(4))]
    assert {row["unlisted_since"] for row in images(database).values()} == {None}
    forget(database, source(), run_at(database, 1))
    assert live(database) == {name_of(n) for n in range(9)}


def test_the_listing_of_visible_images_counts_again_without_the_record_that_said_hidden(
    database: Database, tmp_path: Path
) -> None:
    write(tmp_path, "h.json", {"images": [image(9, os_hidden=True)]})
    load(database, tmp_path, 1, *range(10))
    load(database, tmp_path, 3, *range(9))
    assert images(database)[name_of(9)]["deleted_at"] == hour(3)
    backfill(database, source(), [tmp_path / "h.json"], observed_at=hour(2))
    assert len(live(database)) == 10
    forget(database, source(), run_at(database, 2))
    assert images(database)[name_of(9)]["deleted_at"] == hour(3)


@pytest.mark.parametrize("order", ["123", "132", "312", "213", "231"])
@pytest.mark.parametrize(
    ("hidden", "listed"),
    [
        ({"visibility": "private", "owner": "p"}, []),
        ({"visibility": "private", "owner": "p"}, [image(0)]),
        ({"visibility": "shared", "owner": "q"}, [image(0), image(1, visibility="private", owner="p")]),
    ],
    ids=["empty", "public ones alone", "no shares"],
)
def test_what_a_listing_may_not_have_shown_is_held_when_an_older_one_makes_it_the_last_word(
    database: Database, tmp_path: Path, hidden: dict[str, Any], listed: list[dict[str, Any]], order: str
) -> None:
    """Images that were hidden at first, and not later (2); a listing that lacks them (3), or has none."""
    files = {
        number: write(tmp_path, named(int(number)), {"images": [*listed, *records]})
        for number, records in {
            "1": [image(n, os_hidden=True, **hidden) for n in (7, 8)],
            "2": [image(n, os_hidden=False, **hidden) for n in (7, 8)],
            "3": [],
        }.items()
    }
    for number in order:
        backfill(database, source(auth="token"), [files[number]], complete=number != "2")
    assert {name_of(7), name_of(8)} <= live(database)
    assert held(database) == dict.fromkeys((name_of(7), name_of(8)), ("open", 3))


# ---- what is dated anew ------------------------------------------------------------------------------


def test_what_is_kept_stays_so_when_an_older_listing_dates_it_anew(
    sites: Sites, database: Database, tmp_path: Path
) -> None:
    """The older listing lacks images whose first record the cloud dates before it."""
    site = sites.open(images=20)
    site.sweep()
    for number in range(5, 20):
        site.cloud.delete(name_of(number))
    site.sweep()
    settle(database, "keep")
    unlisted = {i: row["unlisted_since"] for i, row in images(database).items()}
    assert sum(since is not None for since in unlisted.values()) == 15
    load(database, tmp_path, 1, *range(5))
    assert {i: row["unlisted_since"] for i, row in images(database).items()} == unlisted
    assert {decision for decision, _ in held(database).values()} == {"kept"}
    assert site.sweep().deleted == 0


def test_an_image_is_not_unlisted_before_it_was_seen(database: Database, tmp_path: Path) -> None:
    """What missed it before its first evidence, once an older one is forgotten, says nothing."""
    for number, ids, said in ((1, (0, 9), None), (2, (0,), "unanswered"), (3, (0,), "found")):
        backfill(database, source(), [archive(tmp_path, number, *ids, said=said)])
    assert images(database)[name_of(9)]["unlisted_since"] == hour(2)
    forget(database, source(), run_at(database, 1))
    nine = images(database)[name_of(9)]
    assert (nine["first_seen_at"], nine["unlisted_since"]) == (hour(3), hour(3))


# ---- what else follows from the ledger --------------------------------------------------------------


def test_what_is_no_longer_waiting_is_not_counted(database: Database, tmp_path: Path) -> None:
    """Held in the middle of one command, and listed again at its end."""
    for number, ids in ((1, ALL), (2, ALL[:1]), (3, ALL)):
        write(tmp_path, named(number), listing(*ids))
    assert backfill(database, source(), [tmp_path], complete=True).held == 0


def test_the_bytes_of_an_image_that_is_unlisted_in_hindsight_are_not_trusted(
    database: Database, tmp_path: Path
) -> None:
    """Else the sweep that lists it again would recognise them, and leave it unlisted."""
    load(database, tmp_path, 1, *ALL)
    load(database, tmp_path, 3, 0, complete=False)
    with database.transaction() as connection:
        connection.execute("UPDATE image_state SET raw_hash = content_hash")
    load(database, tmp_path, 2, 0)
    known = {
        row["image_id"] for row in rows(database, "SELECT * FROM image_state WHERE raw_hash IS NOT NULL")
    }
    assert known == {name_of(0)}
