"""Complete dumps delete within the deletion limit, and only where they are the last word on the present."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.errors import UsageError
from catalog.store.db.connection import Database
from tests.integration.run.test_held_in_any_order import archive, held
from tests.support.records import hour, image, listing, name_of, named, write
from tests.support.rows import images, live, rows
from tests.support.world import source


def test_the_last_word_on_the_present_is_held_back_by_the_deletion_limit(
    database: Database, tmp_path: Path
) -> None:
    """As in a sweep: above both bounds none of the deletions is done, and all else is."""
    backfill(database, source(), [write(tmp_path, named(1), listing(*range(20)))])
    path = write(tmp_path, named(2), {"images": [image(0, name="renamed")]})
    result = backfill(database, source(), [path], complete=True)
    assert (result.held, result.runs[0].deleted) == (19, 0)
    assert len(live(database)) == 20
    assert images(database)[name_of(0)]["name"] == "renamed"
    held = rows(database, "SELECT image_id, unlisted_since, decision FROM held_deletions")
    assert {row["decision"] for row in held} == {"open"}
    assert {row["unlisted_since"] for row in held} == {hour(2)}
    again = backfill(database, source(), [write(tmp_path, named(3), listing(*range(9)))], complete=True)
    assert (again.held, len(live(database))) == (11, 20)
    accepted = backfill(
        database, source(), [write(tmp_path, named(4), listing(0, 1))], complete=True, accept_deletions=True
    )
    assert (accepted.held, accepted.runs[0].deleted, len(live(database))) == (0, 18, 2)


def test_an_empty_listing_is_held_back_where_images_live(database: Database, tmp_path: Path) -> None:
    backfill(database, source(), [write(tmp_path, named(1), listing(1, 2))])
    result = backfill(database, source(), [write(tmp_path, named(2), {"images": []})], complete=True)
    assert (result.held, len(live(database))) == (2, 2)
    returned = backfill(database, source(), [write(tmp_path, named(3), listing(1, 2))], complete=True)
    assert (
        returned.held,
        {row["decision"] for row in rows(database, "SELECT decision FROM held_deletions")},
    ) == (
        0,
        {"returned"},
    )


def test_a_cut_listing_beside_a_whole_one_proves_no_absence(database: Database, tmp_path: Path) -> None:
    """The whole one does not say what the other would have held: hidden images, asked for apart."""
    hidden = {"first": "/v2/images?os_hidden=true&limit=1", "images": [image(7, os_hidden=True)]}
    more = {"next": "/v2/images?os_hidden=true&limit=1&marker=image-007"}
    files = [
        write(tmp_path, named(1), listing(1, 2)),
        write(tmp_path, named(1, "-hidden"), [*hidden["images"], image(8, os_hidden=True)]),
    ]
    backfill(database, source(), files)
    whole = {"first": "/v2/images", **listing(1)}
    cut = [write(tmp_path, named(2), whole), write(tmp_path, named(2, "-hidden"), {**hidden, **more})]
    result = backfill(database, source(), cut, complete=True)
    assert (result.runs[0].deleted, len(live(database))) == (0, 4)
    assert "next one that is missing" in result.warnings[0]
    both = [write(tmp_path, named(3), whole), write(tmp_path, named(3, "-hidden"), hidden)]
    result = backfill(database, source(), both, complete=True)
    assert (result.warnings, live(database)) == ([], {name_of(1), name_of(7)})


def test_a_listing_with_a_filter_proves_no_absence(database: Database, tmp_path: Path) -> None:
    backfill(database, source(), [write(tmp_path, named(1), listing(1, 2))])
    path = write(tmp_path, named(2), {"first": "/v2/images?limit=9&tag=golden", **listing(1)})
    result = backfill(database, source(), [path], complete=True)
    assert (live(database), len(result.warnings)) == ({name_of(1), name_of(2)}, 1)
    assert "filter (tag)" in result.warnings[0]


@pytest.mark.parametrize(
    ("beside", "proves"),
    [
        (image(3, visibility="private"), False),
        ([image(3, visibility="private")], True),
        ({"images": [image(3, visibility="private")]}, True),
    ],
    ids=["one record", "a list", "a page"],
)
def test_one_record_beside_a_listing_with_a_filter_makes_it_no_whole_one(
    database: Database, tmp_path: Path, beside: Any, proves: bool
) -> None:
    """What `image show` prints, saved at the same moment. A list may be the rest of a listing, or all of it."""
    backfill(database, source(), [write(tmp_path, named(1), listing(1, 2))])
    filtered = {"first": "/v2/images?visibility=public", **listing(1)}
    paths = [write(tmp_path, named(2), filtered), write(tmp_path, named(2, "-golden"), beside)]
    result = backfill(database, source(), paths, complete=True)
    assert (name_of(2) in live(database), len(result.warnings)) == (not proves, not proves)


def test_community_images_are_held_where_a_listing_shows_none(database: Database, tmp_path: Path) -> None:
    """A plain listing leaves them out; all others it shows."""
    others = [image(n, visibility=v) for n, v in enumerate(["public", "shared"])]
    lost = [image(9), image(10, visibility="private")]
    all_of_them = [*others, image(8, visibility="community"), *lost]
    backfill(database, source(), [write(tmp_path, named(1), all_of_them)])
    result = backfill(database, source(), [write(tmp_path, named(2), others)], complete=True)
    assert (result.runs[0].deleted, result.held) == (2, 1)
    assert live(database) == {one["id"] for one in all_of_them} - {name_of(9), name_of(10)}
    assert "of their kind" in str(result.runs[0].note)
    accepted = backfill(
        database, source(), [write(tmp_path, named(3), others)], complete=True, accept_deletions=True
    )
    assert (accepted.runs[0].deleted, accepted.held) == (1, 0)


@pytest.mark.parametrize("visibility", ["community", "shared"])
@pytest.mark.parametrize(
    ("project", "owners", "is_shown"),
    [("a", "b", True), ("a", "a", False), (None, "bc", True), (None, "b", False)],
)
def test_a_listing_with_others_community_images_was_asked_for_them(
    database: Database, tmp_path: Path, visibility: str, project: str | None, owners: str, *, is_shown: bool
) -> None:
    """A plain one has those of its own project; nothing tells that shares which are not accepted were asked for."""
    community = [image(n, visibility="community", owner=owner) for n, owner in enumerate(owners, 1)]
    lost = image(9, visibility=visibility, owner="d")
    backfill(database, source(), [write(tmp_path, named(1), [*community, lost])])
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET project_id = %s", (project,))
    result = backfill(database, source(), [write(tmp_path, named(2), community)], complete=True)
    deleted = is_shown and visibility == "community"
    assert (result.runs[0].deleted, result.held) == (deleted, not deleted)


def test_a_plain_listing_shows_what_its_own_project_shares(database: Database, tmp_path: Path) -> None:
    lost = [image(n, visibility=v, owner="a") for n, v in enumerate(["shared", "community"], 1)]
    left = [image(0), image(3, visibility="private", owner="a")]
    backfill(database, source(), [write(tmp_path, named(1), [*left, *lost])])
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET project_id = 'a'")
    result = backfill(database, source(), [write(tmp_path, named(2), left)], complete=True)
    assert (result.runs[0].deleted, result.held) == (2, 0)


def test_a_listing_of_an_image_management_service_says_nothing_of_shares(
    database: Database, tmp_path: Path
) -> None:
    """Those that are not accepted are listed apart, and look like the others."""
    records = [image(0), image(1), image(2, visibility="shared"), image(3, visibility="shared")]
    backfill(database, source(kind="ims"), [write(tmp_path, named(1), records)])
    path = write(tmp_path, named(2), {"images": [records[0], records[2]]})
    result = backfill(database, source(kind="ims"), [path], complete=True)
    assert (result.held, live(database)) == (1, {name_of(0), name_of(2), name_of(3)})


def test_the_past_is_not_held_back(database: Database, tmp_path: Path) -> None:
    """A dump that is not the last word does not change the present, so the limit has no say."""
    everything = range(20)
    backfill(database, source(), [write(tmp_path, named(1), listing(*everything))])
    backfill(database, source(), [write(tmp_path, named(3), listing(*everything))])
    result = backfill(database, source(), [write(tmp_path, named(2), listing(0))], complete=True)
    assert (result.held, len(live(database))) == (0, 20)
    found = rows(
        database, "SELECT change FROM revisions WHERE image_id = %s ORDER BY observed_at", name_of(5)
    )
    assert [row["change"] for row in found] == ["created", "deleted", "restored"]


def test_kept_images_stay(database: Database, tmp_path: Path) -> None:
    """`keep`: absences prove nothing until the image was listed once more."""
    backfill(database, source(), [write(tmp_path, named(1), listing(1, 2))])
    backfill(database, source(), [write(tmp_path, named(2), {"images": []})], complete=True)
    with database.transaction() as connection:
        connection.execute("UPDATE held_deletions SET decision = 'kept' WHERE image_id = %s", (name_of(1),))
    backfill(database, source(), [write(tmp_path, named(3), listing(3, 2))], complete=True)
    assert live(database) == {name_of(1), name_of(2), name_of(3)}
    backfill(database, source(), [write(tmp_path, named(4), listing(1, 2, 3))], complete=True)
    backfill(database, source(), [write(tmp_path, named(5), listing(2, 3))], complete=True)
    assert live(database) == {name_of(2), name_of(3)}


# ---- what else is missing counts ---------------------------------------------------------------------


@pytest.mark.parametrize(("said", "counts"), [("unanswered", True), ("found", False), ("kept", False)])
@pytest.mark.parametrize("accept", [False, True], ids=["", "accepted"])
def test_what_waits_for_an_answer_counts_beside_what_a_listing_lacks(
    database: Database, tmp_path: Path, said: str, *, counts: bool, accept: bool
) -> None:
    """Nine of forty wait, nine more are lacked: as in a sweep all are held, unless a look-up found them."""
    waiting, lacked = [name_of(n) for n in range(31, 40)], {name_of(n) for n in range(22, 31)}
    backfill(database, source(), [archive(tmp_path, 1, *range(40))])
    if said == "found":
        swept = archive(tmp_path, 2, *range(40), found=waiting, answers=dict.fromkeys(waiting, said))
    else:
        swept = archive(tmp_path, 2, *range(31), inconclusive=dict.fromkeys(waiting, said))
    backfill(database, source(), [swept])
    path = write(tmp_path, named(3), listing(*range(22)))
    result = backfill(database, source(), [path], complete=True, accept_deletions=accept)
    is_held = counts and not accept
    assert live(database) == {name_of(n) for n in range(40)} - (set() if is_held else lacked)
    assert result.held == (18 if is_held else 0)


@pytest.mark.parametrize("order", [(3, 4), (4, 3)])
def test_it_counts_where_an_older_listing_makes_a_later_one_the_last_word(
    database: Database, tmp_path: Path, order: tuple[int, int]
) -> None:
    """Four of twenty wait for an answer. Eight were found, and listed again before a listing that lacks them."""
    found, waiting = [name_of(n) for n in range(12, 20)], [name_of(n) for n in range(8, 12)]
    shown = (*range(8), *range(12, 20))
    answers = {"found": found, "answers": dict.fromkeys(found, "found")}
    first = archive(tmp_path, 1, *range(20))
    second = archive(tmp_path, 2, *shown, inconclusive=dict.fromkeys(waiting, "unanswered"), **answers)
    backfill(database, source(), [first, second])
    files = {3: write(tmp_path, named(3), listing(*shown)), 4: write(tmp_path, named(4), listing(*range(8)))}
    for number in order:
        backfill(database, source(), [files[number]], complete=number == 4)
    assert len(live(database)) == 20
    assert set(found) <= held(database).keys()


def test_what_another_catalogs_sweep_did_not_learn_counts_beside_what_it_deleted(
    database: Database, tmp_path: Path
) -> None:
    gone, unknown = [name_of(n) for n in range(31, 40)], [name_of(n) for n in range(22, 31)]
    backfill(database, source(), [archive(tmp_path, 1, *range(40))])
    told: dict[str, dict[str, str]] = {
        "absent": dict.fromkeys(gone, "not_found"), "inconclusive": dict.fromkeys(unknown, "unanswered")
    }  # fmt: skip
    path = archive(tmp_path, 2, *range(22), source_id="another", logins=None, **told)
    assert backfill(database, source(), [path], confirmed=True).failures == []
    assert len(live(database)) == 40
    assert held(database) == dict.fromkeys(gone, ("open", 2))


def test_what_an_archive_says_of_images_stands_and_counts(database: Database, tmp_path: Path) -> None:
    """Beside those that it lacks and does not name."""
    gone, unnamed = [name_of(n) for n in range(31, 40)], [name_of(n) for n in range(22, 31)]
    backfill(database, source(), [archive(tmp_path, 1, *range(40))])
    path = archive(tmp_path, 2, *range(22), absent=dict.fromkeys(gone, "not_found"))
    backfill(database, source(), [path])
    assert live(database) == {name_of(n) for n in range(31)}
    assert held(database) == dict.fromkeys(unnamed, ("open", 2))


# ---- what was seen again since counts too ------------------------------------------------------------


@pytest.mark.parametrize("order", [(1, 2, 3), (1, 3, 2), (3, 1, 2)])
@pytest.mark.parametrize("left", [35, 40], ids=["some", "all"])
def test_an_older_listing_is_judged_by_all_that_it_lacks(
    database: Database, tmp_path: Path, order: tuple[int, ...], left: int
) -> None:
    """It lacks half of what lived; most of that an incomplete one shows again. Then the rest is no few that went."""
    shown = {1: range(40), 2: range(20), 3: range(left)}
    for number in order:
        path = write(tmp_path, named(number), listing(*shown[number]))
        backfill(database, source(), [path], complete=number != 3)
    assert len(live(database)) == 40
    opened = {image_id for image_id, (decision, _) in held(database).items() if decision == "open"}
    assert opened == {name_of(n) for n in range(left, 40)}


@pytest.mark.parametrize("order", [(1, 2, 3), (1, 3, 2)])
def test_one_private_image_that_was_not_seen_again_is_not_the_last_of_its_kind(
    database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """A listing of public ones lacked five of them."""
    public, private = [image(n) for n in range(20)], [image(n, visibility="private") for n in range(20, 25)]
    shown = {1: [*public, *private], 2: public, 3: [*public, *private[:4]]}
    for number in order:
        path = write(tmp_path, named(number), {"images": shown[number]})
        backfill(database, source(), [path], complete=number != 3)
    assert name_of(24) in live(database)


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (1, 2, 4, 3)])
@pytest.mark.parametrize("said", ["held", "unanswered", "found", "kept"])
def test_what_waited_then_counts_though_it_was_seen_again_since(
    database: Database, tmp_path: Path, said: str, order: tuple[int, ...]
) -> None:
    """Nine of forty waited, five more are lacked; a later listing shows the nine, and doesn't reach the five."""
    waiting, lacked = [name_of(n) for n in range(31, 40)], [name_of(n) for n in range(26, 31)]
    swept = archive(tmp_path, 2, *range(31), inconclusive=dict.fromkeys(waiting, said))
    if said == "found":
        swept = archive(tmp_path, 2, *range(40), found=waiting, answers=dict.fromkeys(waiting, said))
    files = {
        1: archive(tmp_path, 1, *range(40)),
        2: swept,
        3: write(tmp_path, named(3), listing(*range(26))),
        4: write(tmp_path, named(4), listing(*range(31, 40))),
    }
    for number in order:
        backfill(database, source(), [files[number]], complete=number == 3)
    gone = set(lacked) if said in ("found", "kept") else set()
    assert live(database) == {name_of(n) for n in range(40)} - gone


@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5), (1, 2, 4, 5, 3), (1, 4, 5, 3, 2)])
def test_a_later_listing_that_comes_to_be_the_last_word_is_judged_by_all_that_it_lacks(
    database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Look-ups found five, and an older listing shows them, before a listing that lacks twenty: of these fifteen were
    seen again."""
    found = [name_of(n) for n in range(35, 40)]
    files = {
        1: archive(tmp_path, 1, *range(40)),
        2: archive(tmp_path, 2, *range(40), found=found, answers=dict.fromkeys(found, "found")),
        3: write(tmp_path, named(3), listing(*range(40))),
        4: write(tmp_path, named(4), listing(*range(20))),
        5: write(tmp_path, named(5), listing(*range(20, 35))),
    }
    for number in order:
        backfill(database, source(), [files[number]], complete=number == 4)
    assert len(live(database)) == 40


# ---- a listing of another project --------------------------------------------------------------------


@pytest.mark.parametrize("is_last_word_later", [False, True], ids=["in order", "as the last word"])
@pytest.mark.parametrize(
    ("project", "gone", "left", "is_held"),
    [
        ("p", ["private", "private"], [], True),
        ("p", ["private", "shared"], ["community"], True),
        ("p", ["private", "private"], ["private"], False),
        ("p", ["private"], [], False),
        ("another", ["private", "private"], ["private"], False),
        (None, ["private", "private"], [], False),
    ],
    ids=["none", "less private ones", "some", "one alone", "a defunct project's", "unknown"],
)
def test_a_listing_of_another_projects_private_images_alone_deletes_none_of_its_own(
    database: Database,
    tmp_path: Path,
    project: str | None,
    gone: list[str],
    left: list[str],
    *,
    is_held: bool,
    is_last_word_later: bool,
) -> None:
    """Another project's listing, given to this source by mistake."""
    lost = [image(n, visibility=v, owner="p") for n, v in enumerate(gone)]
    rest = [image(n, visibility=v, owner="p") for n, v in enumerate(left, 10)]
    rest += [image(20), image(21, visibility="private", owner="q")]
    rest += [image(22, visibility="private", owner=project)] if project == "another" else []
    backfill(database, source(), [write(tmp_path, named(1), [*lost, *rest])])
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET project_id = %s", (project,))
    runs = {}
    for number in (3, 2) if is_last_word_later else (2,):
        path = write(tmp_path, named(number), [*lost, *rest] if number == 3 else rest)
        runs[number] = backfill(database, source(), [path], complete=True).runs[0].run_id
    if is_last_word_later and is_held:
        with pytest.raises(UsageError, match="by listings"):
            forget(database, source(), runs[3])
    elif is_last_word_later:
        forget(database, source(), runs[3])
    assert ({one["id"] for one in lost} <= live(database)) == is_held
    expected = {one["id"]: ("open", 2) for one in lost} if is_held and not is_last_word_later else {}
    assert held(database) == expected
