"""What `catalog db prune` keeps is enough: evidence from the cut on comes and goes as if nothing had been cut."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from catalog.backfill.backfill import backfill
from catalog.backfill.forgetting import forget
from catalog.mapping import MappingRules
from catalog.model import AbsenceReason, InconclusiveKind
from catalog.store.db.connection import Database
from catalog.store.maintenance.prune import prune
from tests.support.examples import examples
from tests.support.observations import START, add_source, merge_of, observe
from tests.support.records import write
from tests.support.rows import HISTORY, contents_of, rows, wipe
from tests.support.world import source

RULES = MappingRules()
IDS = ("a", "b", "c")
SILENT: tuple[InconclusiveKind, ...] = ("rejected", "unanswered", "held", "held_for_login", "kept")
REASONS: tuple[AbsenceReason, ...] = ("not_found", "no_access")
LONG_AGO = timedelta(days=30_000)


def moment(number: float) -> datetime:
    return START + timedelta(hours=number)


@dataclass(frozen=True)
class Seen:
    """An observation, `records` by image; `found` ones came by look-up."""

    at: int
    complete: bool
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    found: frozenset[str] = frozenset()
    inconclusive: dict[str, InconclusiveKind] = field(default_factory=dict)
    absent: dict[str, AbsenceReason] = field(default_factory=dict)
    covers_hidden: bool = True

    def lists(self, image_id: str) -> bool:
        return image_id in self.records and image_id not in self.found

    def shows_unlisted(self, image_id: str) -> bool:
        silent = self.inconclusive.get(image_id, "rejected") != "rejected"
        return silent or image_id in self.found or "os_hidden" in self.records.get(image_id, ())


@dataclass(frozen=True)
class Forgotten:
    at: int


Step = Seen | Forgotten


SAID = {"listed": 3, "found": 1, "silent": 1, "lack": 1, "nothing": 1}
"""What an observation may say of an image, and how often it does."""


@st.composite
def seen(draw: st.DrawFn, may_say: Sequence[str], first: int = 0) -> Seen:
    records: dict[str, dict[str, Any]] = {}
    found = set()
    inconclusive: dict[str, InconclusiveKind] = {}
    absent: dict[str, AbsenceReason] = {}
    for image_id in IDS:
        said = draw(st.sampled_from(may_say))
        if said in ("listed", "found"):
            records[image_id] = {
                "id": image_id,
                "name": draw(st.sampled_from("xy")),
                "status": draw(st.sampled_from(["active", "active", "queued", "deleted"])),
            }
            if draw(st.booleans()):  # the cloud dates it, often between other observations
                records[image_id]["updated_at"] = moment(draw(st.integers(-2, 12)) + 0.5).isoformat()
            if draw(st.integers(0, 5)) == 0:
                records[image_id]["os_hidden"] = True
            if said == "found":
                found.add(image_id)
        elif said == "silent":
            inconclusive[image_id] = draw(st.sampled_from(SILENT))
        elif said == "lack":
            absent[image_id] = draw(st.sampled_from(REASONS))
    complete = draw(st.sampled_from([True, True, False]))
    at, covers = draw(st.integers(first, 12)), not complete or draw(st.sampled_from([True, True, False]))
    return Seen(at, complete, records, frozenset(found), inconclusive, absent, covers)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Seen], int, list[Step]]:
    """Observations, the moment of the cut (of an observation, often), and what comes after the prune."""
    others = draw(st.sampled_from([("nothing",), ("lack",), ("found", "silent"), tuple(SAID)]))
    may_say = [said for said, often in SAID.items() if said in ("listed", *others) for _ in range(often)]
    before = draw(st.lists(seen(may_say), min_size=2, max_size=9))
    cut = draw(st.integers(2, 10))
    late = [one.at for one in before if one.at >= cut]
    forgotten = st.builds(Forgotten, st.sampled_from(late)) if late else st.nothing()
    after = draw(st.lists(st.one_of(seen(may_say, cut), forgotten), min_size=1, max_size=4))
    return before, cut, after


def take(database: Database, step: Step) -> None:
    run_id = str(uuid.uuid5(uuid.NAMESPACE_OID, repr(step)))
    with database.transaction() as connection:
        if isinstance(step, Forgotten):
            merge_of(connection, run_id, RULES).forget(moment(step.at))
            return
        observe(
            connection,
            moment(step.at),
            step.records,
            complete=step.complete,
            found=step.found,
            run_id=run_id,
            rules=RULES,
            absent=step.absent,
            inconclusive=step.inconclusive,
            covers_hidden=step.covers_hidden,
        )


def is_judged_again(before: Sequence[Seen], cut: int, after: Sequence[Step]) -> bool:
    """True if evidence from the cut on makes an absence before it doubtful, which a prune has settled."""
    for image_id in IDS:
        early = [one for one in before if one.at < cut]
        lacking = [one.at for one in early if one.complete and not one.lists(image_id)]
        listed = max([one.at for one in early if one.lists(image_id)], default=-1)
        if max(lacking, default=-1) >= listed:
            late = [one for one in (*before, *after) if isinstance(one, Seen) and one.at >= cut]
            for one in sorted(late, key=lambda one: one.at):
                if one.shows_unlisted(image_id):
                    return True
                if one.lists(image_id):
                    break
    return False


def cut_history(database: Database, cut: datetime) -> None:
    """Prunes at this very moment."""
    with database.transaction() as connection:
        connection.execute("UPDATE sources SET history_from = %s", (cut,))
    prune(database, ["cloud"], LONG_AGO)


def visible(database: Database, cut: datetime) -> dict[str, Any]:
    """What can be asked for from the cut on, and the present."""
    shown = contents_of(database, "cloud", ("images", "image_tags", "image_properties", "image_state"))
    del shown["observations"]
    since = {
        "revisions": "SELECT image_id, valid_from, valid_to, observed_at, change, changed, document, run_id"
        " FROM image_revisions WHERE valid_to IS NULL OR valid_to > %s ORDER BY 1, 2",
        "spells": "SELECT image_id, valid_from, valid_to, status, observed_at, run_id FROM status_history"
        " WHERE valid_to IS NULL OR valid_to > %s ORDER BY 1, 2",
        "deleted": "SELECT image_id, deleted_at, deletion_reason, last_observed_at FROM deleted_images d"
        " WHERE EXISTS (SELECT FROM revisions r WHERE r.source_id = d.source_id AND r.image_id = d.image_id"
        " AND r.deleted_at IS NULL AND (r.valid_to IS NULL OR r.valid_to > %s)) ORDER BY 1",
    }
    moments = [cut, *(moment(n / 2) for n in range(-4, 28) if moment(n / 2) > cut)]
    as_of = (
        "SELECT image_id, name, status, deleted_at, deletion_reason, valid_from, first_seen_at,"
        " last_changed_at, observed FROM images_as_of(%s) ORDER BY 1"
    )
    return (
        shown
        | {name: rows(database, query, cut) for name, query in since.items()}
        | {str(at): rows(database, as_of, at) for at in moments}
    )


def history(database: Database) -> dict[str, list[str]]:
    shown = contents_of(database, "cloud", tuple(table for table in HISTORY if table != "absences"))
    del shown["observations"]
    return shown


def lived(database: Database, steps: Sequence[Step], cut: datetime | None, after: Sequence[Step]) -> None:
    wipe(database)
    add_source(database)
    for step in steps:
        take(database, step)
    if cut is not None:
        cut_history(database, cut)
    for step in after:
        take(database, step)


@given(stories())
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_history_is_the_same_pruned_before_or_after(
    module_database: Database, story: tuple[list[Seen], int, list[Step]]
) -> None:
    """From the cut on nothing can be told apart, and a prune at the end leaves the same rows."""
    before, at, after = story
    assume(not is_judged_again(before, at, after))
    cut = moment(at)
    lived(module_database, before, cut, after)
    pruned_first = visible(module_database, cut)
    cut_history(module_database, cut)
    rows_first = history(module_database)
    lived(module_database, before, None, after)
    event(f"observations before the cut: {sum(one.at < at for one in before)}")
    assert visible(module_database, cut) == pruned_first
    cut_history(module_database, cut)
    assert history(module_database) == rows_first


GONE: dict[str, AbsenceReason] = {"a": "not_found"}
ALL = {i: {"id": i, "status": "active"} for i in IDS}
OTHERS = {i: record for i, record in ALL.items() if i != "a"}


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(Seen(5, False, absent=GONE), id="a lack, to be forgotten"),
        pytest.param(Seen(5, True, OTHERS), id="evidence of all, to be forgotten"),
        pytest.param(Seen(4, True, OTHERS, inconclusive={"a": "rejected"}), id="silence"),
    ],
)
def test_a_lack_stays_that_is_the_last_evidence_before_the_cut(module_database: Database, then: Seen) -> None:
    """So that what the cloud dates to 2 is known to have come later; an observation at the cut is after it."""
    back = Seen(9, True, ALL | {"a": {**ALL["a"], "updated_at": moment(2).isoformat()}})
    before = [Seen(1, True, ALL), Seen(3, False, absent=GONE), then]
    after: list[Step] = [Forgotten(5), back]
    lived(module_database, before, moment(5), after)
    pruned = visible(module_database, moment(5))
    assert [row["valid_from"] for row in pruned["revisions"] if row["change"] == "restored"] == [moment(9)]
    lived(module_database, before, None, after)
    assert visible(module_database, moment(5)) == pruned


def dated(name: str, updated_at: int, *, status: str = "active") -> list[dict[str, Any]]:
    return [
        {"id": image_id, "name": name, "status": status, "updated_at": moment(updated_at).isoformat()}
        for image_id in IDS
    ]


@pytest.fixture
def dumps(tmp_path: Path) -> dict[int, Path]:
    """Listings by when they were taken: at 10 something was seen that the cloud dates to 5."""
    listings = {1: dated("x", 0), 10: dated("x", 5, status="queued"), 8: dated("x", 0)}
    return {
        at: write(tmp_path, f"{moment(at):%Y%m%dT%H%M%SZ}.json", {"images": images})
        for at, images in listings.items()
    }


def now_and_then(database: Database) -> list[tuple[Any, ...]]:
    found = rows(
        database,
        "SELECT i.image_id, i.status, i.first_seen_at, r.change, r.valid_from, r.valid_to, t.status AS at_7"
        " FROM images i JOIN image_revisions r USING (source_id, image_id)"
        " LEFT JOIN images_as_of(%s) t USING (source_id, image_id)"
        " WHERE r.valid_to IS NULL OR r.valid_to > %s ORDER BY 1, 5",
        moment(7),
        moment(6),
    )
    return [tuple(row.values()) for row in found]


@pytest.mark.parametrize("pruned", [False, True])
def test_a_revision_goes_only_if_the_next_one_was_observed_before_the_cut(
    database: Database, dumps: dict[int, Path], pruned: bool
) -> None:
    """The one dated before the cut and observed after it may be forgotten, or be dated anew."""
    for late in ("forget", "load"):
        wipe(database)
        backfill(database, source("cloud"), [dumps[1], dumps[10]], complete=True)
        if pruned:
            cut_history(database, moment(6))
        if late == "forget":
            (run,) = rows(database, "SELECT run_id::text FROM runs WHERE observed_at = %s", moment(10))
            forget(database, source("cloud"), run["run_id"])
            assert now_and_then(database) == [
                (i, "active", moment(1), "created", moment(0), None, "active") for i in IDS
            ]
        else:
            backfill(database, source("cloud"), [dumps[8]], complete=True)
            assert now_and_then(database) == [
                line
                for i in IDS
                for line in (
                    (i, "queued", moment(1), "created", moment(0), moment(10), "active"),
                    (i, "queued", moment(1), "updated", moment(10), None, "active"),
                )
            ]


def listing(at: int, **images: str) -> Seen:
    """A complete sweep: each image is `listed`, `found` or what else is said of it."""
    records = {i: {"id": i, "status": "active"} for i, said in images.items() if said in ("listed", "found")}
    found = frozenset(i for i, said in images.items() if said == "found")
    inconclusive: dict[str, Any] = {i: said for i, said in images.items() if i not in records}
    return Seen(at, True, records, found, inconclusive)


def ledger(database: Database) -> list[int]:
    found = rows(database, "SELECT observed_at FROM observations ORDER BY 1")
    return [round((row["observed_at"] - START) / timedelta(hours=1)) for row in found]


def unlisted(database: Database) -> dict[str, datetime]:
    found = rows(database, "SELECT image_id, unlisted_since FROM images WHERE unlisted_since IS NOT NULL")
    return {row["image_id"]: row["unlisted_since"] for row in found}


@pytest.mark.parametrize(
    ("says", "kept"),
    [
        # listed for the last time, missed for the first, looked up and found first and last, the last of all
        pytest.param(["found", "unanswered", "unanswered"] * 30, [0, 1, 2, 88, 90], id="found once a day"),
        pytest.param(["found"] * 90, [0, 1, 90], id="found each time"),
        pytest.param(["unanswered"] * 90, [0, 1, 90], id="never answered"),
        # ... and the first that held it, at all and since it was found
        pytest.param(["unanswered"] * 9 + ["held"] * 81, [0, 1, 10, 90], id="held"),
        pytest.param(
            ["held_for_login"] * 3 + ["held"] * 87, [0, 1, 4, 90], id="for its login, then by the limit"
        ),
        pytest.param(
            ["held"] * 3 + ["found"] * 2 + ["held"] * 85, [0, 1, 4, 5, 6, 90], id="held, found, held again"
        ),
    ],
)
def test_an_image_that_stays_unlisted_does_not_keep_the_ledger(
    database: Database, says: list[str], kept: list[int]
) -> None:
    """The observations stay that tell since when; it is told rightly whatever comes and goes afterwards."""
    add_source(database)
    for at, said in enumerate(["listed", *says]):
        take(database, listing(at, a="listed", b=said))
    take(database, listing(100, a="listed", b="listed"))
    cut_history(database, moment(99))
    assert ledger(database) == [*kept, 100]
    assert unlisted(database) == {}
    take(database, Forgotten(100))
    assert unlisted(database) == {"b": moment(1)}
    take(database, listing(101, a="listed", b="unanswered"))
    take(database, listing(99, a="listed", b="found"))
    assert unlisted(database) == {"b": moment(1)}


def test_who_was_listed_between_two_absences_stays_told(database: Database) -> None:
    """Another image's longer absence keeps an observation from the first of the two."""
    add_source(database)
    said = ["listed", "unanswered", "listed", "listed", *["found"] * 6]
    for at, of_a in enumerate(said):
        take(database, listing(at, a=of_a, b="unanswered" if at else "listed", c="listed"))
    cut_history(database, moment(8.5))
    assert ledger(database) == [0, 1, 3, 4, 8, 9]
    take(database, Forgotten(9))
    assert unlisted(database) == {"a": moment(4), "b": moment(1)}


def test_of_incomplete_observations_those_stay_that_saw_something_last(database: Database) -> None:
    """A source that is never complete: who was seen when is told by few of its observations."""
    add_source(database)
    for at in range(40):
        listed = {"a": {"id": "a"}} | ({"b": {"id": "b"}} if at in (3, 7) else {})
        take(database, Seen(at, False, listed))
    cut_history(database, moment(39.5))
    assert ledger(database) == [7, 39]
